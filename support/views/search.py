"""The field at the top: what it finds, as a list under it and as a page."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from port444.kit.http import UserRequest
from support.roles import may
from support.search import find

from .frame import console_page, show

UNDER_FIELD, ON_PAGE, LONGEST = 4, 25, 200


@require_GET
@console_page("see_people")
def search(request: UserRequest) -> HttpResponse:
    """With `part=results` only the list, for the field of the page that stands."""
    asked = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    is_part = request.GET.get("part") == "results"
    groups = find(asked, by=request.user, limit=UNDER_FIELD if is_part else ON_PAGE, incidents=may(request.user, "see_incidents"))
    context = {"q": asked, "groups": groups, "found": sum(len(group.hits) for group in groups), "is_part": is_part}
    template = "support/search.html#results" if is_part else "support/search.html"
    return show(request, template, context, section="search", title="Search")
