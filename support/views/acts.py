"""What staff did: the list, who did how much, and the list as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_POST

from port444.kit import csvs
from port444.kit.clock import now
from port444.kit.http import UserRequest
from support.actions import note_action
from support.forms import ActionFilter
from support.models import ActionType, SupportAction
from support.queries import workers
from support.roles import may

from .frame import console_page, show

SHOWN = 50
CHUNK = 500
MONTH = timedelta(days=30)
COLUMNS = ("number", "at", "by", "what", "about", "order", "plan", "amount", "description", "reason", "approved_by", "outcome", "ip_address")


@require_GET
@console_page("see_people")
def list_actions(request: UserRequest) -> HttpResponse:
    form = ActionFilter(request.GET, zone=ZoneInfo(request.user.time_zone))
    context: dict[str, Any] = {"form": form, "may_export": may(request.user, "export_data")}
    if not form.is_valid():
        return show(request, "support/actions.html", context, section="home", title="Support actions", status=422)
    rows = SupportAction.objects.filter(form.wanted()).select_related("admin", "target_user", "order", "plan", "approved_by")
    after = request.GET.get("after", "")
    if after.isascii() and after.isdigit() and len(after) < 10:
        rows = rows.filter(number__lt=int(after))
    else:
        after = ""
    found = list(rows.order_by("-number")[: SHOWN + 1])
    period = form.period()
    context |= {
        "rows": found[:SHOWN],
        "more": f"?{urlencode({**form.given, 'after': found[SHOWN - 1].number})}" if len(found) > SHOWN else "",
        "first": f"?{urlencode(form.given)}" if after else "",
        "workers": workers(period if period else Q(created_at__gt=now() - MONTH)),
        "is_month": not period,
    }
    return show(request, "support/actions.html", context, section="home", title="Support actions")


@require_POST
@console_page("export_data")
def export_actions(request: UserRequest) -> HttpResponseBase:
    """All acts of the filter as CSV, in pieces. Taking it is an act itself."""
    form = ActionFilter(request.POST, zone=ZoneInfo(request.user.time_zone))
    if not form.is_valid():
        context = {"form": form, "may_export": True}
        return show(request, "support/actions.html", context, section="home", title="Support actions", status=422)
    asked = ", ".join(f"{name} {value}" for name, value in form.given.items()) or "all"
    taken = note_action(ActionType.EXPORT, actor=request.user, description="Took the list of support actions away", reason=asked)
    headers = {"Content-Disposition": f'attachment; filename="actions-{now():%Y%m%d-%H%M%S}.csv"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(_file(form.wanted(), taken.number), content_type="text/csv; charset=utf-8", headers=headers)


def _file(wanted: Q, below: int) -> Iterator[bytes]:
    """What was written before the act `below`, newest first. The list is only added to, so pieces read one after the other fit together."""
    yield _line(COLUMNS)
    rows = SupportAction.objects.filter(wanted).select_related("order", "plan", "approved_by").order_by("-number")
    while piece := list(rows.filter(number__lt=below)[:CHUNK]):
        yield b"".join(_line(_cells(row)) for row in piece)
        below = piece[-1].number


def _cells(row: SupportAction) -> tuple[Any, ...]:
    return (
        row.number,
        row.created_at.isoformat(),
        row.admin_email,
        row.action_type,
        row.target_user_email,
        f"P4-{row.order.number}" if row.order else "",
        row.plan or "",
        "" if row.amount is None else row.amount,
        row.description,
        row.reason,
        row.approved_by.email if row.approved_by else "",
        "done" if row.success else row.error_message,
        row.ip_address or "",
    )


def _line(cells: tuple[Any, ...]) -> bytes:
    """Text that a spreadsheet would take for a formula is marked as text."""
    kept = [csvs.text(cell) if isinstance(cell, str) else cell for cell in cells]
    buffer = io.StringIO()
    csv.writer(buffer).writerow(kept)
    return buffer.getvalue().encode()
