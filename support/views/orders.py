"""One order in the console."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from port444.kit.clock import now
from port444.kit.http import UserRequest
from support.deals import find_order, view_of
from support.panels import state_of_order
from support.people import opened, planned
from support.roles import PERMISSIONS, may

from . import starts
from .frame import console_page, show


@require_GET
@console_page("see_people")
def order(request: UserRequest, number: int) -> HttpResponse:
    """What an order is, where its money stands, and what can be begun with it."""
    found = find_order(number)
    if found is None:
        raise Http404
    user = request.user
    view = view_of(found, user)
    allowed = {permission for permission in PERMISSIONS if may(user, permission)}
    why_not = "You are a side of this order." if user.pk in (found.client_id, found.builder.user_id) else view.why_not
    context = {
        "order": found,
        "view": view,
        "plans": planned(view.plans),
        "disputes": opened(view.disputes),
        "state": state_of_order(found, now()),
        "buttons": starts.buttons(starts.ORDER, "order", found.number, allowed=allowed, why_not=why_not),
        "may_open_thread": "open_threads" in allowed,
        "may_read_audit": "read_audit" in allowed,
        "record": reverse("admin:orders_order_change", args=[found.pk]),
    }
    return show(request, "support/order.html", context, section="people", title=f"P4-{found.number} {found.title}")
