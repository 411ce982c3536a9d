"""One view of a person: their page, and its panels, each of which stands and falls alone."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db import connection, transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from port444.kit.clock import now
from port444.kit.http import UserRequest
from support.actions import note_look
from support.models import PlanKind
from support.panels import BY_KEY, ON_PAGE, PANELS, SHOWN, Panel, Rows, counts_of
from support.people import Person, find_person, holds_on, metrics_of, open_disputes, open_plans, risk_of
from support.roles import PERMISSIONS, may, require

from . import starts
from .frame import console_page, show

log = logging.getLogger(__name__)

OPEN_PANELS = ("orders", "payments")  # those that stand open
LONGEST = "3s"  # that one question of a panel may take


@require_GET
@console_page("see_people")
def person(request: UserRequest, user_id: UUID) -> HttpResponse:
    """Everything of a person at once. The list of orders comes with the page, the others after it."""
    found, moment = _find(request, user_id), now()
    note_look(request.session, actor=request.user, person=found.user)
    shown = [panel for panel in PANELS if may(request.user, panel.permission)]
    counts = counts_of(shown, found)
    allowed = {permission for permission in PERMISSIONS if may(request.user, permission)}
    context: dict[str, Any] = {
        "person": found,
        "moment": moment,
        "there": moment.astimezone(found.zone),
        "metrics": metrics_of(found, moment),
        "holds": holds_on(found),
        "disputes": open_disputes(found),
        "plans": open_plans(found),
        "may_see_incidents": "see_incidents" in allowed,
        "risk": risk_of(found) if "see_incidents" in allowed else None,
        "opened": [(panel, counts[panel.key], _rows(panel, found) if panel.key == "orders" else None) for panel in shown if panel.key in OPEN_PANELS],
        "closed": [(panel, counts[panel.key]) for panel in shown if panel.key not in OPEN_PANELS],
        "buttons": starts.buttons(_starts(found), "person", found.pk, allowed=allowed, why_not=_why_not(request, found)),
        "record": reverse("admin:accounts_user_change", args=[found.pk]),
    }
    return show(request, "support/person.html", context, section="people", title=found.user.name)


@require_GET
@console_page("see_people")
def panel(request: UserRequest, user_id: UUID, panel: str) -> HttpResponse:
    """One panel: for htmx its newest rows, else a page of its own with as many more as wanted."""
    wanted = BY_KEY[panel]
    require(request.user, wanted.permission)
    found = _find(request, user_id)
    note_look(request.session, actor=request.user, person=found.user, what=panel if wanted.is_private else "")
    is_part = bool(request.htmx)
    before = "" if is_part else request.GET.get("before", "")
    rows = _rows(wanted, found, limit=SHOWN if is_part else ON_PAGE, before=before)
    context = {
        "person": found,
        "panel": wanted,
        "rows": rows,
        "is_part": is_part,
        "is_first": not before,
        "older": f"?{urlencode({'before': rows.older})}" if rows and rows.older else "",
        "all": reverse("support:audit") + f"?{urlencode({'actor': found.pk})}" if panel == "audit" else "",
    }
    template = "support/panel.html#rows" if is_part else "support/panel.html"
    return show(request, template, context, section="people", title=f"{wanted.name} of {found.user.name}", status=200 if rows or is_part else 500)


def _find(request: UserRequest, user_id: UUID) -> Person:
    found = find_person(user_id, request.user)
    if found is None:
        raise Http404
    return found


def _rows(panel: Panel, person: Person, *, limit: int = SHOWN, before: str = "") -> Rows | None:
    """None when they cannot be had: whatever is wrong with one panel, the rest of the page stands."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [LONGEST])
            return panel.rows(person, now(), limit=limit, before=before)
    except BadRequest:
        raise
    except Exception:
        log.exception("The panel %s could not be loaded", panel.key)
        return None


def _starts(person: Person) -> list[starts.Start]:
    """An account is suspended or reinstated, not both."""
    left_out = PlanKind.SUSPEND if person.user.is_suspended else PlanKind.REINSTATE
    return [start for start in starts.PERSON if start.kind != left_out]


def _why_not(request: UserRequest, person: Person) -> str:
    return "This is you." if person.pk == request.user.pk else ""
