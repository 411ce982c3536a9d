"""Searching the log. The filters read audit_find, a copy of what people search by (docs/audit.md); rows that it does not have yet,
those of the last minute, are read from the log itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from .models import AuditAnchor, AuditCheck, AuditExport, AuditLog, AuditSeal, CheckKind, Severity

PAGE = 50
MOST_IN_TIMELINE = 50
NEAR = timedelta(days=1)  # what belongs to one request or transaction was written within it

Place = tuple[datetime, int]  # of a row: moment and id
Who = Literal["actor_id", "on_behalf_of", "actor_email"]
What = Literal["target_id", "request_id", "transaction_hash"]
SEVERITIES = {"": "", Severity.INFO: "", Severity.WARNING: "severity <> 'info'", Severity.CRITICAL: "severity = 'critical'"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: all that is given has to be so; of `who` and of `what`, each, one."""

    since: datetime | None = None
    until: datetime | None = None
    category: str = ""
    event_type: str = ""
    least: str = ""  # severity and up
    who: tuple[tuple[Who, UUID | str], ...] = ()
    what: tuple[tuple[What, UUID | str], ...] = ()
    address: str = ""
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and where the pages beside this one begin."""

    rows: list[AuditLog]
    newer: Place | None
    older: Place | None


@dataclass(slots=True)
class _Conditions:
    """SQL and what stands in its places."""

    sql: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def add(self, sql: str, *params: Any) -> None:
        self.sql.append(sql)
        self.params.extend(params)

    def plus(self, *others: tuple[str, Any]) -> _Conditions:
        both = _Conditions([*self.sql], [*self.params])
        for column, value in others:
            both.add(f"{column} = %s", value)
        return both

    @property
    def where(self) -> str:
        return " AND ".join(self.sql) or "true"


def find_rows(wanted: Wanted, *, older_than: Place | None = None, newer_than: Place | None = None, limit: int = PAGE) -> Page:
    """One page of what is wanted: the newest, or those next to a place."""
    forwards = newer_than is not None
    places = find_places(wanted, older_than=older_than, newer_than=newer_than, limit=limit + 1)
    more, places = len(places) > limit, places[:limit]
    if forwards:
        places.reverse()
    moments, ids = [moment for moment, _ in places], [pk for _, pk in places]
    # The moments are asked for as well, so that only the months they lie in are opened.
    found = {row.pk: row for row in AuditLog.objects.filter(timestamp__in=moments, pk__in=ids)} if places else {}
    rows = [found[pk] for pk in ids if pk in found]
    if not places:
        return Page([], None, None)
    has_newer, has_older = (more, True) if forwards else (older_than is not None, more)
    return Page(rows, places[0] if has_newer else None, places[-1] if has_older else None)


def find_places(wanted: Wanted, *, older_than: Place | None = None, newer_than: Place | None = None, limit: int) -> list[Place]:
    """Where the rows lie: from the newest on, or from the oldest of those that are newer than a place."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xid, id, floor_id FROM audit_find_mark")
        query, params = places_query(wanted, cursor.fetchone(), older_than=older_than, newer_than=newer_than, limit=limit)
        cursor.execute(query, params)
        return list(cursor.fetchall())


def places_query(
    wanted: Wanted, mark: tuple[int, int, int], *, older_than: Place | None = None, newer_than: Place | None = None, limit: int
) -> tuple[str, list[Any]]:
    """The question that `find_places` asks.

    Each way in which a row may fit is a branch of its own that reads the newest by its own index; one branch with OR could not
    read in order. What the copy took in since its mark was read is in two branches and counts once.
    """
    order, edge = ("ASC", (">", newer_than)) if newer_than else ("DESC", ("<", older_than))
    ordered = f"ORDER BY timestamp {order}, id {order} LIMIT {limit:d}"
    branches, params = [], []
    for who in wanted.who or (None,):
        for what in wanted.what or (None,):
            conditions = _conditions(wanted, "audit_find").plus(*(one for one in (who, what) if one))
            if edge[1]:
                conditions.add(f"(timestamp, id) {edge[0]} (%s, %s)", *edge[1])
            branches.append(f"(SELECT timestamp, id FROM audit_find WHERE {conditions.where} {ordered})")
            params += conditions.params
    tail = _tail(wanted, mark)
    if edge[1]:
        tail.add(f"(timestamp, id) {edge[0]} (%s, %s)", *edge[1])
    branches.append(f"(SELECT timestamp, id FROM audit_log WHERE {tail.where} {ordered})")
    params += tail.params
    return f"SELECT timestamp, id FROM ({' UNION '.join(branches)}) found {ordered}", params


def _conditions(wanted: Wanted, table: Literal["audit_find", "audit_log"]) -> _Conditions:
    """All but `who` and `what`."""
    found = _Conditions()
    if wanted.since:
        found.add("timestamp >= %s", wanted.since)
    if wanted.until:
        found.add("timestamp < %s", wanted.until)
    if wanted.category:
        found.add("event_category = %s", wanted.category)
    if wanted.event_type:
        found.add("event_type = %s", wanted.event_type)
    if severe := SEVERITIES[wanted.least]:
        found.add(severe)
    if wanted.address:
        found.add("ip_address = %s::inet", wanted.address)
    if wanted.amount_from is not None:
        found.add("amount >= %s", wanted.amount_from)
    if wanted.amount_to is not None:
        found.add("amount <= %s", wanted.amount_to)
    if wanted.words:
        words = "words" if table == "audit_find" else "audit_words(audit_log)"
        found.add(f"{words} @@ plainto_tsquery('simple', audit_plain(%s))", wanted.words)
    return found


def _tail(wanted: Wanted, mark: tuple[int, int, int]) -> _Conditions:
    """The same of the rows that the copy had not taken in at its mark."""
    xid, pk, floor = mark
    found = _conditions(wanted, "audit_log")
    found.add("(xid, id) > (%s, %s) AND id > %s", xid, pk, floor)
    for ways in (wanted.who, wanted.what):
        if ways:
            columns = {"actor_email": "lower(actor_email)"}
            found.add("(" + " OR ".join(f"{columns.get(column, column)} = %s" for column, _ in ways) + ")", *(value for _, value in ways))
    return found


# What a person gets as a table; text that a spreadsheet would take for a formula is marked as text.
FORMULA = "CASE WHEN left({0}, 1) = ANY (ARRAY['=', '+', '-', '@', chr(9), chr(13)]) THEN '''' || {0} ELSE {0} END AS {1}"
TEXTS = (
    "event_type",
    "event_category",
    "severity",
    "actor_type",
    "actor_email",
    "target_type",
    "action",
    "description",
    "currency",
    "transaction_hash",
)
CSV_COLUMNS = (
    "id",
    "timestamp",
    "event_type",
    "event_category",
    "severity",
    "actor_type",
    "actor_id",
    "actor_email",
    "on_behalf_of",
    "target_type",
    "target_id",
    "action",
    "description",
    "amount",
    "currency",
    "transaction_hash",
    "before_state",
    "after_state",
    "metadata",
    "ip_address",
    "user_agent",
    "request_id",
    "device_id",
)


def _csv_column(name: str) -> str:
    if name == "timestamp":
        return """to_char(l.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp"""
    if name == "amount":
        return "trim_scale(l.amount) AS amount"
    return FORMULA.format(f"l.{name}", name) if name in TEXTS or name == "user_agent" else f"l.{name}"


def csv_of(wanted: Wanted) -> Iterator[bytes]:
    """All that is wanted as CSV, newest first, as the database sends it. Must run inside a transaction and be read to its end or closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xid, id, floor_id FROM audit_find_mark")
        indexed, tail = _conditions(wanted, "audit_find"), _tail(wanted, cursor.fetchone())
        for ways in (wanted.who, wanted.what):
            if ways:
                indexed.add("(" + " OR ".join(f"{column} = %s" for column, _ in ways) + ")", *(value for _, value in ways))
        both = f"SELECT timestamp, id FROM audit_find WHERE {indexed.where} UNION SELECT timestamp, id FROM audit_log WHERE {tail.where}"
        query = (
            f"SELECT {', '.join(_csv_column(name) for name in CSV_COLUMNS)} FROM ({both}) found "
            "JOIN audit_log l USING (timestamp, id) ORDER BY timestamp DESC, id DESC"
        )
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", [*indexed.params, *tail.params]) as copy:
            for block in copy:
                yield bytes(block)


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after."""

    name: str
    before: str
    after: str


def changes_of(row: AuditLog) -> list[Change]:
    """What a row says has changed, field by field."""
    before, after = row.before_state or {}, row.after_state or {}
    return [Change(name, _value(before, name), _value(after, name)) for name in dict.fromkeys([*before, *after])]


def _value(state: dict[str, Any], name: str) -> str:
    """As a person reads it; empty when there is none."""
    value = state.get(name)
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Step:
    """A row in a timeline, and how long after the first."""

    row: AuditLog
    after: timedelta

    @property
    def words(self) -> str:
        """As 0 ms, 1.9 s or 3 min."""
        milliseconds = round(self.after / timedelta(milliseconds=1))
        if milliseconds < 1000:
            return f"{milliseconds} ms"
        return f"{milliseconds / 1000:.1f} s" if milliseconds < 60_000 else f"{milliseconds // 60_000} min"


def same_request(row: AuditLog) -> list[Step]:
    """Everything that the request wrote that wrote this row, in order; without a request, its transaction."""
    near = AuditLog.objects.filter(timestamp__range=(row.timestamp - NEAR, row.timestamp + NEAR))
    rows = list((near.filter(request_id=row.request_id) if row.request_id else near.filter(xid=row.xid)).order_by("id")[:MOST_IN_TIMELINE])
    return [Step(one, one.timestamp - rows[0].timestamp) for one in rows]


def same_transaction(row: AuditLog) -> list[AuditLog]:
    """What the database itself saw change in the transaction that wrote this row: the rows of its witness."""
    near = AuditLog.objects.filter(timestamp__range=(row.timestamp - NEAR, row.timestamp + NEAR), xid=row.xid).order_by("id")
    return [one for one in near[:MOST_IN_TIMELINE] if one.event_type.startswith("row.") and one.pk != row.pk]


def same_target(row: AuditLog, limit: int) -> list[AuditLog]:
    """The newest about one target."""
    return list(AuditLog.objects.filter(target_type=row.target_type, target_id=row.target_id).order_by("-timestamp", "-id")[:limit])


@dataclass(frozen=True, slots=True)
class Proof:
    """How the log stands: sealed, looked through, sent outside, stored."""

    seal: AuditSeal | None
    recent: AuditCheck | None
    history: AuditCheck | None
    anchor: AuditAnchor | None
    export: AuditExport | None

    @property
    def problems(self) -> int:
        return sum(len(check.problems) for check in (self.recent, self.history) if check and not check.ok)


def proof() -> Proof:
    def latest(kinds: Sequence[str]) -> AuditCheck | None:
        return AuditCheck.objects.filter(kind__in=kinds).order_by("-checked_at").first()

    return Proof(
        AuditSeal.objects.defer("body").order_by("-seq").first(),
        latest([CheckKind.RECENT]),
        latest([CheckKind.HISTORY, CheckKind.FULL]),
        AuditAnchor.objects.order_by("-seal_id").first(),
        AuditExport.objects.order_by("-last_seal").first(),
    )
