"""The audit log: reading it, and taking it away as a file. Both are themselves recorded, as on its page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field, IPvAnyAddress
from pydantic.json_schema import SkipJsonSchema

from auditlog.downloads import csv_of, jsonl_of
from auditlog.events import Event
from auditlog.models import AuditLog, Category, Severity
from auditlog.search import Page, Place, Wanted, find_rows, own_cases, seen_by
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import Moment, Paging, Text, also, answers, chosen
from support.actions import note_export, note_reading_once
from support.queries import what, who
from support.schemas import AuditLogRow, AuditLogsOut, audit_log_row

from .door import console, memory

router = Router(tags=["Console"])
START, MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
LONGEST = timedelta(days=93)  # that one file reaches over
WITNESS = ("row.inserted", "row.updated", "row.deleted", "row.truncated")
TYPES = frozenset({*(event.key for event in Event), *WITNESS})
Sum = Annotated[Decimal, Field(max_digits=20, decimal_places=6, ge=-(10**13), le=10**13)]
BLANK = ("after", "limit", "fields", "format")


class AuditPaging(Paging):
    """All that is given has to be so of a row."""

    after: str | SkipJsonSchema[None] = Field(
        None, description="From `next` of the page before", max_length=60, pattern=r"^-?[0-9]{1,20}-[0-9]{1,19}$"
    )
    since: Moment | SkipJsonSchema[None] = None
    until: Moment | SkipJsonSchema[None] = Field(None, description="Before this moment")
    category: Category | SkipJsonSchema[None] = None
    severity: Severity | SkipJsonSchema[None] = Field(None, description="And up")
    event_type: Text | SkipJsonSchema[None] = Field(None, max_length=80, examples=["escrow.released"])
    actor: Text | SkipJsonSchema[None] = Field(None, max_length=254, description="E-mail or id")
    about: Text | SkipJsonSchema[None] = Field(
        None, max_length=254, description="An id of anything, an order or invoice number, a request, a 0x hash"
    )
    words: Text | SkipJsonSchema[None] = Field(None, max_length=200, description="In the text or the values")
    ip_address: IPvAnyAddress | SkipJsonSchema[None] = None
    amount_from: Sum | SkipJsonSchema[None] = None
    amount_to: Sum | SkipJsonSchema[None] = None


class AuditFile(AuditPaging):
    after: SkipJsonSchema[None] = None
    limit: SkipJsonSchema[int] = 25
    fields: SkipJsonSchema[None] = None
    since: Moment
    until: Moment = Field(description="Before this moment; 93 days after `since` at most")
    format: Literal["csv", "jsonl"] = "csv"


def _wanted(said: AuditPaging) -> Wanted:
    """What the page's form makes of the same fields. Raises Invalid."""
    if said.event_type and said.event_type not in TYPES:
        raise Invalid("No event has this name.", code="event_type")
    if said.words and not re.search(r"\w", said.words):
        raise Invalid("Give a word or a number to look for.", code="words")
    if said.since and said.until and said.since >= said.until:
        raise Invalid("`until` is not after `since`.", code="range")
    if said.amount_from is not None and said.amount_to is not None and said.amount_from > said.amount_to:
        raise Invalid("`amount_to` is less than `amount_from`.", code="range")
    found = what(said.about) if said.about else ()
    if said.about and not found:
        raise Invalid("Nothing has this id or number. Look for it with `words`.", code="about")
    return Wanted(
        since=said.since,
        until=said.until,
        category=said.category or "",
        event_type=said.event_type or "",
        least=said.severity or "",
        who=who(said.actor) if said.actor else (),
        what=found,
        address=str(said.ip_address) if said.ip_address else "",
        amount_from=said.amount_from,
        amount_to=said.amount_to,
        words=said.words or "",
    )


def _given(said: AuditPaging) -> dict[str, str]:
    """What was asked for, as it is kept in the log."""
    return {name: str(value) for name, value in said.model_dump(exclude_none=True).items() if name not in BLANK and value != ""}


def _place(said: str | None) -> Place | None:
    if said is None:
        return None
    try:
        microseconds, pk = said.rsplit("-", 1)
        place = START + int(microseconds) * MICROSECOND, int(pk)
    except (ValueError, OverflowError) as error:
        raise Invalid("`after` is not from a page of these.", code="bad_cursor") from error
    if place[1] >= 2**63:
        raise Invalid("`after` is not from a page of these.", code="bad_cursor")
    return place


@router.get("/audit-logs", response=answers(200, AuditLogsOut), auth=console("read_audit"), summary="The audit log")
def list_audit_logs(request: UserRequest, paging: Query[AuditPaging]) -> HttpResponse:
    """Newest first. The first look at a filter is itself recorded; what is about you in a case is not shown."""
    wanted, after = _wanted(paging), _place(paging.after)
    page = find_rows(wanted, older_than=after, limit=paging.limit)
    rows = seen_by(page.rows, own_cases(request.user.pk))
    note_reading_once(memory(request), actor=request.user, asked=_given(paging))
    exported = _exported(rows)
    following = None
    if page.older is not None:
        asked = request.GET.copy()
        asked["after"] = f"{(page.older[0] - START) // MICROSECOND}-{page.older[1]}"
        following = f"{request.path}?{asked.urlencode()}"
    told = (audit_log_row(row, kept=_kept(page, row), exported_at=exported.get(row.pk)) for row in rows)
    items = chosen(told, AuditLogRow, paging.fields)
    reached = page.reached.astimezone(UTC).isoformat().replace("+00:00", "Z") if page.reached else None
    return JsonResponse({"items": items, "next": following, "searched_to": reached})


def _kept(page: Page, row: AuditLog) -> str:
    return "away" if row.pk in page.away else "lost" if row.pk in page.lost else "here"


def _exported(rows: list[AuditLog]) -> dict[int, Any]:
    """When which of these rows were exported; the moments are asked for as well, so that only their months are opened."""
    asked = AuditLog.objects.filter(timestamp__in=[row.timestamp for row in rows], pk__in=[row.pk for row in rows])
    found: list[Any] = list(asked.with_export().only("pk"))
    return {row.pk: row.exported_at for row in found}


FILE = {
    "responses": {
        200: {
            "description": "The file, streamed as the database sends it",
            "content": {"text/csv": {"schema": {"type": "string"}}, "application/jsonl": {"schema": {"type": "string"}}},
        }
    }
}


@router.get("/audit-logs/export", response=answers(200, None), auth=console("export_data"), openapi_extra=also(**FILE), summary="The log as a file")
def export_audit_logs(request: UserRequest, paging: Query[AuditFile]) -> HttpResponseBase:
    """CSV, or JSON lines. Taking it is recorded each time. What is not in the file says so in its last lines."""
    wanted = _wanted(paging)
    if paging.until - paging.since > LONGEST:
        raise Invalid(f"A file reaches over {LONGEST.days} days at most.", code="range")
    note_export(actor=request.user, asked=_given(paging), file_format=paging.format)
    rows, kind = (csv_of, "text/csv; charset=utf-8") if paging.format == "csv" else (jsonl_of, "application/jsonl")
    headers = {"Content-Disposition": f'attachment; filename="audit-{now():%Y%m%d-%H%M%S}.{paging.format}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(rows(wanted, own_cases(request.user.pk)), content_type=kind, headers=headers)
