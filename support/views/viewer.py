"""Looking at the site through somebody's eyes: beginning and ending it, and what was looked at."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.accounts.models import User
from port444.accounts.queries import recently_proved
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.kit.http import UserRequest, done
from support import actions, queries
from support.forms import ViewingForm
from support.models import EndReason, Viewing
from support.models.viewings import LASTS
from support.roles import may
from support.viewer import token

from .frame import console_page, show


def code_first(request: UserRequest) -> HttpResponse:
    """To where a code from the authenticator app is given, and back here."""
    return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': request.path})}")


@require_http_methods(["GET", "POST"])
@console_page("view_as")
def view_as(request: UserRequest, person_id: UUID) -> HttpResponse:
    """Ask for a reason, and begin. A code of the last ten minutes comes first, before anything is typed."""
    person = get_object_or_404(User, pk=person_id)
    why_not = actions.cannot_view(request.user, person)
    if why_not is None and not recently_proved(request):
        return code_first(request)
    form = ViewingForm(request.POST if request.method == "POST" else None, initial={"reference": request.GET.get("about", "")[:40]})
    status = 200 if why_not is None else why_not.status
    if request.method == "POST" and why_not is None:
        status = 422
        if form.is_valid():
            try:
                return begun(request, person, form.cleaned_data)
            except (Invalid, Conflict, NotAllowed) as error:
                form.add_error(form.FIELD_OF.get(error.code), error.message)
                status = error.status
    context = {"person": person, "form": form, "why_not": why_not, "minutes": int(LASTS.total_seconds() // 60)}
    return show(request, "support/viewing/start.html", context, section="people", title=f"View as {person.name}", status=status)


def begun(request: UserRequest, person: User, said: dict[str, str]) -> HttpResponse:
    """To the person's pages, with the cookie that the middleware asks for, beside the agent's own sign-in."""
    viewing = actions.start_viewing(person.pk, actor=request.user, session_key=request.session.session_key or "", **said)
    order = actions.order_of(person, viewing.reference)
    url = reverse("orders:detail", args=[order.number]) if order is not None else reverse("orders:list")
    response = HttpResponseRedirect(url)
    response.set_cookie(
        settings.VIEW_COOKIE,
        token.make(viewing.pk, began=viewing.started_at, expires=viewing.expires_at),
        max_age=int(LASTS.total_seconds()),
        secure=settings.SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


@require_POST
@console_page()
def end_viewing(request: UserRequest) -> HttpResponse:
    """The button of the banner."""
    opened = queries.open_viewing(request.user, now())
    actions.end_open_of(request.user, why=EndReason.BUTTON)
    url = reverse("support:viewing", args=[opened.pk]) if opened is not None else reverse("support:viewings")
    response = done(request, url, "The viewing is over." if opened is not None else "No viewing was open.")
    response.delete_cookie(settings.VIEW_COOKIE, samesite="Strict")
    return response


@require_GET
@console_page("see_people")
def viewings(request: UserRequest) -> HttpResponse:
    """Who looked through whose eyes: everybody, or with `whose=mine` oneself."""
    everybody = request.GET.get("whose") != "mine"
    rows, older = queries.viewings_of(None if everybody else request.user, before=number_of(request))
    context = {"rows": rows, "older": older, "everybody": everybody, "moment": now()}
    return show(request, "support/viewing/list.html", context, section="audit", title="Viewings")


@require_GET
@console_page("see_people")
def viewing(request: UserRequest, viewing_id: UUID) -> HttpResponse:
    """One viewing, page by page."""
    row = get_object_or_404(Viewing.objects.select_related("agent", "subject"), pk=viewing_id)
    pages, older = queries.pages_of(row, before=number_of(request))
    moment = now()
    context: dict[str, Any] = {
        "row": row,
        "pages": pages,
        "older": older,
        "lasted": row.duration(moment),
        "is_open": row.ended_at is None and row.expires_at > moment,
        "may_end": row.agent_id == request.user.pk or may(request.user, "restrict"),
    }
    return show(request, "support/viewing/detail.html", context, section="audit", title=f"Viewing {row}")


@require_POST
@console_page("see_people")
def revoke_viewing(request: UserRequest, viewing_id: UUID) -> HttpResponse:
    """Ended by somebody else than its agent, or by its agent from another browser."""
    row = get_object_or_404(Viewing, pk=viewing_id)
    is_own = row.agent_id == request.user.pk
    actions.end_viewing(row.pk, actor=request.user, why=EndReason.BUTTON if is_own else EndReason.REVOKED)
    return done(request, reverse("support:viewing", args=[row.pk]), "The viewing is over.")


def number_of(request: UserRequest) -> int | None:
    """Where the next page of a list begins."""
    said = request.GET.get("before")
    if not said:
        return None
    if not said.isascii() or not said.isdigit() or len(said) > 9:
        raise BadRequest("This is not a place in the list.")
    return int(said)
