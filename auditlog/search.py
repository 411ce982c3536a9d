"""Searching the log. The filters read audit_find, a copy of what people search by (docs/audit-search.md); rows that it does not have yet,
those of the last minute, are read from the log itself."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction

from .marks import newest
from .models import AuditAnchor, AuditCheck, AuditExport, AuditLog, AuditSeal, CheckKind, Severity

PAGE = 50
AHEAD = 2000  # rows that are looked through before other ways are tried
MOST_IN_TIMELINE = 20
NEAR = timedelta(days=1)  # what belongs to one request or transaction was written within it

Place = tuple[datetime, int]  # of a row: moment and id
Who = Literal["actor_id", "on_behalf_of", "actor_email"]
What = Literal["target_id", "request_id", "transaction_hash"]
WORD = re.compile(r"[^\W_]+")
TAGS = "audit_tags(event_category, event_type, severity, actor_id, ip_address)"
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

    @property
    def is_mixed(self) -> bool:
        """Whether several conditions, each of which many rows may meet, have to be met at once. The rows about one thing are few."""
        amount = self.amount_from is not None or self.amount_to is not None
        single = (self.category, self.event_type, self.least not in ("", Severity.INFO), self.who, self.address, amount)
        return not self.what and sum(map(bool, single)) + len(WORD.findall(self.words)) > 1


NOTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and where the pages beside this one begin. Those in `away` are not in the database any more, and shown as far
    as the copy knows them; those in `lost` should be there."""

    rows: list[AuditLog]
    newer: Place | None
    older: Place | None
    away: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()


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
    gone = [place for place in places if place[1] not in found]
    known = _known(gone) if gone else {}
    rows = [found.get(pk) or known[pk] for pk in ids if pk in found or pk in known]
    stored = _in_cold_storage(known) if known else set()
    if not places:
        return Page([], None, None)
    has_newer, has_older = (more, True) if forwards else (older_than is not None, more)
    beside = (places[0] if has_newer else None, places[-1] if has_older else None)
    return Page(rows, *beside, away=frozenset(stored), lost=frozenset(known.keys() - stored))


def _in_cold_storage(ids: Collection[int]) -> set[int]:
    spans = list(AuditExport.objects.filter(first_id__lte=max(ids), last_id__gte=min(ids)).values_list("first_id", "last_id"))
    return {pk for pk in ids if any((first or 0) <= pk <= (last or 0) for first, last in spans)}


KNOWN = (
    "timestamp",
    "id",
    "event_type",
    "event_category",
    "severity",
    "actor_id",
    "actor_email",
    "on_behalf_of",
    "target_id",
    "request_id",
    "amount",
)


def _known(places: Sequence[Place]) -> dict[int, AuditLog]:
    """What the copy knows of rows that the log does not have."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(KNOWN)} FROM audit_find WHERE timestamp = ANY (%s) AND id = ANY (%s)",
            [[p[0] for p in places], [p[1] for p in places]],
        )
        rows = [AuditLog(**dict(zip(KNOWN, row, strict=True)), metadata={}) for row in cursor.fetchall()]
    return {row.pk: row for row in rows}


def find_places(wanted: Wanted, *, older_than: Place | None = None, newer_than: Place | None = None, limit: int) -> list[Place]:
    """Where the rows lie: from the newest on, or from the oldest of those that are newer than a place.

    What one index answers in order is one question. Of several conditions together nobody knows beforehand how often they meet, and an
    index that is read in order until a page is full may be read to its end: those are asked for carefully.
    """
    way = Way(older_than, newer_than, limit)
    with connection.cursor() as cursor:
        cursor.execute("SELECT xid, id, floor_id FROM audit_find_mark")
        mark = cursor.fetchone()
        if not wanted.is_mixed:
            cursor.execute(*places_query(wanted, mark, way))
            return list(cursor.fetchall())
        cursor.execute(*_tail_query(wanted, mark, way))
        found = set(cursor.fetchall())
        for who in wanted.who or (None,):
            found.update(_mixed_places(cursor, wanted, who, way))
        return sorted(found, reverse=way.order == "DESC")[:limit]


@dataclass(frozen=True, slots=True)
class Way:
    """From where, in which direction and how far a page reads."""

    older_than: Place | None = None
    newer_than: Place | None = None
    limit: int = PAGE

    @property
    def order(self) -> str:
        return "ASC" if self.newer_than else "DESC"

    @property
    def ordered(self) -> str:
        return f"ORDER BY timestamp {self.order}, id {self.order} LIMIT {self.limit:d}"

    def bound(self, conditions: _Conditions) -> None:
        if self.newer_than:
            conditions.add("(timestamp, id) > (%s, %s)", *self.newer_than)
        elif self.older_than:
            conditions.add("(timestamp, id) < (%s, %s)", *self.older_than)


def _mixed_places(cursor: Any, wanted: Wanted, who: tuple[Who, UUID | str] | None, way: Way) -> list[Place]:
    """The same for several conditions: the next rows of the one that an index keeps in order are looked through; when they do not fill
    the page, each month in turn is asked by the index in which conditions are met before any row is read."""
    driver = replace(NOTHING, since=wanted.since, until=wanted.until)
    for name in ("address", "event_type", "least", "category") if who is None else ():
        if getattr(wanted, name):
            driver = replace(driver, **{name: getattr(wanted, name)})
            break
    ahead = _conditions(driver, "audit_find").plus(*([who] if who else []))
    way.bound(ahead)
    rest = _conditions(wanted, "audit_find")
    cursor.execute(
        f"WITH ahead AS MATERIALIZED (SELECT * FROM audit_find WHERE {ahead.where} {replace(way, limit=AHEAD).ordered}) "
        f"(SELECT timestamp, id FROM ahead WHERE {rest.where} {way.ordered}) UNION ALL SELECT NULL, count(*) FROM ahead",
        [*ahead.params, *rest.params],
    )
    rows = cursor.fetchall()
    found = [place for place in rows if place[0]]
    (seen,) = (count for moment, count in rows if moment is None)
    if len(found) == way.limit or seen < AHEAD:
        return found
    found = []
    everything = _together(wanted, who)
    way.bound(everything)
    with _sets_of_rows(cursor):
        for since, until in _months(cursor, wanted, way):
            month = _Conditions([*everything.sql], [*everything.params])
            month.add("timestamp >= %s AND timestamp < %s", max(since, wanted.since or since), min(until, wanted.until or until))
            # Planned for all its rows, as a plan for the first few would read in order again.
            cursor.execute(
                f"WITH met AS MATERIALIZED (SELECT timestamp, id FROM audit_find WHERE {month.where}) "
                f"SELECT timestamp, id FROM met {replace(way, limit=way.limit - len(found)).ordered}",
                month.params,
            )
            found += cursor.fetchall()
            if len(found) == way.limit:
                break
    return found


def _together(wanted: Wanted, who: tuple[Who, UUID | str] | None) -> _Conditions:
    """The conditions in the words of the index of tags, as far as it knows them."""
    tags = {"c": wanted.category, "e": wanted.event_type, "s": wanted.least if wanted.least == Severity.CRITICAL else ""}
    found = _conditions(replace(NOTHING, words=wanted.words, amount_from=wanted.amount_from, amount_to=wanted.amount_to), "audit_find")
    if who and who[0] == "actor_id":
        tags["a"] = str(who[1])
    elif who:
        found = found.plus(who)
    given = [f"{kind}:{value}" for kind, value in tags.items() if value]
    if given:
        found.add(f"{TAGS} @> %s::text[]", given)
    if wanted.least == Severity.WARNING:
        found.add(f"{TAGS} && %s::text[]", ["s:warning", "s:critical"])
    if wanted.address:
        found.add(f"{TAGS} @> ARRAY['i:' || host(%s::inet)]", wanted.address)
    return found


@contextmanager
def _sets_of_rows(cursor: Any) -> Iterator[None]:
    """Within this no index is read in order, and no table from end to end."""
    names = ("enable_indexscan", "enable_indexonlyscan", "enable_seqscan")
    with transaction.atomic():
        cursor.execute("SELECT " + ", ".join(["set_config(%s, 'off', true)"] * len(names)), names)
        yield
        cursor.execute("SELECT " + ", ".join(["set_config(%s, 'on', true)"] * len(names)), names)


def _months(cursor: Any, wanted: Wanted, way: Way) -> list[tuple[datetime, datetime]]:
    """The months of the copy that the page may reach into, in its direction."""
    cursor.execute("SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits WHERE inhparent = 'audit_find'::regclass ORDER BY 1")
    numbers = [int(name[:4]) * 12 + int(name[4:]) - 1 for (name,) in cursor.fetchall()]
    spans = [(datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC), datetime((n + 1) // 12, (n + 1) % 12 + 1, 1, tzinfo=UTC)) for n in numbers]
    least = max((moment for moment in (wanted.since, way.newer_than and way.newer_than[0]) if moment), default=None)
    most = min((moment for moment in (wanted.until, way.older_than and way.older_than[0]) if moment), default=None)
    reached = [(since, until) for since, until in spans if (least is None or until > least) and (most is None or since <= most)]
    return reached if way.newer_than else reached[::-1]


def places_query(wanted: Wanted, mark: tuple[int, int, int], way: Way) -> tuple[str, list[Any]]:
    """The question that `find_places` asks where one is enough.

    Each way in which a row may fit is a branch of its own that reads the newest by its own index; one branch with OR could not
    read in order. What the copy took in since its mark was read is in two branches and counts once.
    """
    tail, params = _tail_query(wanted, mark, way)
    branches = []
    for who in wanted.who or (None,):
        for what in wanted.what or (None,):
            conditions = _conditions(wanted, "audit_find").plus(*(one for one in (who, what) if one))
            way.bound(conditions)
            branches.append(f"(SELECT timestamp, id FROM audit_find WHERE {conditions.where} {way.ordered})")
            params = [*conditions.params, *params]
    return f"SELECT timestamp, id FROM ({' UNION '.join([*reversed(branches), f'({tail})'])}) found {way.ordered}", params


def _tail_query(wanted: Wanted, mark: tuple[int, int, int], way: Way) -> tuple[str, list[Any]]:
    tail = _tail(wanted, mark)
    way.bound(tail)
    return f"SELECT timestamp, id FROM audit_log WHERE {tail.where} {way.ordered}", tail.params


def all_places(wanted: Wanted, cursor: Any) -> tuple[str, list[Any]]:
    """The question for the places of all that is wanted, in no order."""
    cursor.execute("SELECT xid, id, floor_id FROM audit_find_mark")
    indexed, rest = _conditions(wanted, "audit_find"), _tail(wanted, cursor.fetchone())
    for ways in (wanted.who, wanted.what):
        if ways:
            indexed.add("(" + " OR ".join(f"{column} = %s" for column, _ in ways) + ")", *(value for _, value in ways))
    query = f"SELECT timestamp, id FROM audit_find WHERE {indexed.where} UNION SELECT timestamp, id FROM audit_log WHERE {rest.where}"
    return query, [*indexed.params, *rest.params]


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


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after."""

    name: str
    before: str
    after: str


def changes_of(row: AuditLog) -> list[Change]:
    """What a row says has changed, field by field; numbers to the digit."""
    before, after = row.before_state or {}, row.after_state or {}
    return [Change(name, _value(before, name), _value(after, name)) for name in dict.fromkeys([*before, *after])]


def _value(state: dict[str, Any], name: str) -> str:
    """As a person reads it; empty when there is none."""
    value = state.get(name)
    if isinstance(value, str | Decimal):
        return str(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


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
    since = row.timestamp - NEAR
    if row.request_id:
        wanted = Wanted(what=(("request_id", row.request_id),))
        rows = sorted(find_rows(wanted, newer_than=(since, 0), limit=MOST_IN_TIMELINE).rows, key=lambda one: one.pk)
    else:
        near = AuditLog.objects.filter(timestamp__range=(since, row.timestamp + NEAR), xid=row.xid)
        rows = list(near.order_by("id")[:MOST_IN_TIMELINE])
    return [Step(one, one.timestamp - rows[0].timestamp) for one in rows]


def same_transaction(row: AuditLog) -> list[AuditLog]:
    """What the database itself saw change in the transaction that wrote this row: the rows of its witness."""
    near = AuditLog.objects.filter(timestamp__range=(row.timestamp - NEAR, row.timestamp + NEAR), xid=row.xid).order_by("id")
    return [one for one in near[:MOST_IN_TIMELINE] if one.event_type.startswith("row.") and one.pk != row.pk]


def same_target(row: AuditLog, limit: int) -> list[AuditLog]:
    """The newest about one target."""
    return find_rows(Wanted(what=(("target_id", row.target_id),)), limit=limit).rows if row.target_id else []


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
    return Proof(
        AuditSeal.objects.defer("body").order_by("-seq").first(),
        newest(CheckKind.RECENT)[0],
        newest(CheckKind.HISTORY, CheckKind.FULL)[0],
        AuditAnchor.objects.order_by("-seal_id").first(),
        AuditExport.objects.order_by("-last_seal").first(),
    )
