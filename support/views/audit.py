"""The audit log."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_POST

from auditlog.downloads import csv_of
from auditlog.search import Page, Place, changes_of, find_rows, own_cases, proof, same_request, same_target, same_transaction, seen_by
from port444.kit.clock import now
from port444.kit.http import UserRequest
from support.actions import note_export, note_reading_once
from support.forms import AuditFilter
from support.roles import may

from .frame import console_page, show

MOST_ABOUT_TARGET = 8


@require_GET
@console_page("read_audit")
def audit(request: UserRequest) -> HttpResponse:
    """The log, filtered. The first look at a filter is itself recorded; paging through it and opening rows is the same look."""
    form = AuditFilter(request.GET, zone=ZoneInfo(request.user.time_zone))
    context: dict[str, Any] = {"form": form, "proof": proof()}
    if not form.is_valid():
        return _page(request, {**context, "page": Page([], None, None)}, status=422)
    older, newer = _place(request, "older"), _place(request, "newer")
    hidden = own_cases(request.user.pk)
    page = find_rows(form.wanted(), older_than=older, newer_than=newer)
    page = replace(page, rows=seen_by(page.rows, hidden))
    note_reading_once(request.session, actor=request.user, asked=form.given)
    asked = urlencode(form.given)
    here = {name: request.GET[name] for name in ("older", "newer") if name in request.GET}
    context |= {
        "page": page,
        "forwards": newer is not None,
        "asked": asked,
        "here": urlencode({**form.given, **here}),
        "newer": urlencode({**form.given, "newer": _said(page.newer)}) if page.newer else "",
        "older": urlencode({**form.given, "older": _said(page.older)}) if page.older else "",
    }
    return _page(request, {**context, **_opened(request, page, hidden)})


@require_POST
@console_page("export_data")
def export_audit(request: UserRequest) -> HttpResponseBase:
    """All rows of the filter as CSV, streamed as the database sends them."""
    form = AuditFilter(request.POST, zone=ZoneInfo(request.user.time_zone))
    if not form.is_valid():
        return _page(request, {"form": form, "proof": proof(), "page": Page([], None, None)}, status=422)
    wanted = form.wanted()
    note_export(actor=request.user, asked=form.given)

    headers = {"Content-Disposition": f'attachment; filename="audit-{now():%Y%m%d-%H%M%S}.csv"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(csv_of(wanted, own_cases(request.user.pk)), content_type="text/csv; charset=utf-8", headers=headers)


def _page(request: UserRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    may_export = may(request.user, "export_data")
    return show(request, "support/audit.html", {"may_export": may_export, **context}, section="audit", title="Audit log", status=status)


def _place(request: HttpRequest, name: str) -> Place | None:
    """The edge of a page, as `_said` wrote it."""
    said = request.GET.get(name)
    if not said:
        return None
    try:
        microseconds, pk = said.split("-")
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(microseconds)), int(pk)
    except (ValueError, OverflowError):
        raise BadRequest("This is not a place in the log.") from None


def _said(place: Place | None) -> str:
    return f"{(place[0] - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)}-{place[1]}" if place else ""


def _opened(request: HttpRequest, page: Page, hidden: Collection[UUID]) -> dict[str, Any]:
    """The row that is open: its changes, what the database saw in its transaction, its request and its target."""
    said = request.GET.get("open", "")
    row = next((one for one in page.rows if said == str(one.pk)), None)
    if row is None:
        return {}
    if row.pk in page.away | page.lost:
        return {"open": row}
    seen = seen_by(same_transaction(row), hidden)
    changes, others = changes_of(row), [changes_of(one) for one in seen]
    return {
        "open": row,
        "changes": changes,
        "witnessed": list(zip(seen, others, strict=True)),
        "steps": [step for step in same_request(row) if step.row.target_id not in hidden],
        "about": same_target(row, MOST_ABOUT_TARGET),
    }
