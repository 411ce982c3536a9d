"""Searching the log. The filters read audit_find, a copy of what people search by (docs/audit-search.md); rows that it does not have yet,
those of the last minute, are read from the log itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from time import monotonic
from typing import Any, Literal
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from psycopg.errors import QueryCanceled

from .marks import newest
from .models import AuditAnchor, AuditCheck, AuditExport, AuditLog, AuditSeal, CheckKind, IncidentLog, Severity, Suppression

PAGE = 50
AHEAD = 2000  # rows that are looked through before other ways are tried
SOME = 500  # those that are looked through however long they take
BUDGET = 0.06  # seconds after which a page is shown as far as it is
FIRST_MONTH = 0.6  # of them for the first month, so that some are left when it is too large
QUICK = 0.006  # a month that took less is followed by more at once
ROW_BY_ROW = ("enable_indexscan", "enable_indexonlyscan", "enable_seqscan", "jit")  # ways in which sets of rows do not meet
MOST_IN_TIMELINE = 20
NEAR = timedelta(days=1)  # what belongs to one request or transaction was written within it

Place = tuple[datetime, int]  # of a row: moment and id
Who = Literal["actor_id", "on_behalf_of", "actor_email"]
What = Literal["target_id", "request_id", "transaction_hash"]
Pair = tuple[Who | What, UUID | str]
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
    def is_in_order(self) -> bool:
        """Whether an index holds just these rows, in the order of the page. None does for words, amounts and several conditions together."""
        single = (self.category, self.event_type, self.least not in ("", Severity.INFO), self.who, self.what, self.address)
        return sum(map(bool, single)) <= 1 and not self.words and self.amount_from is None and self.amount_to is None

    @property
    def ways(self) -> list[tuple[Pair, ...]]:
        """The ways in which a row may fit: what has to be so together, of each."""
        return [tuple(one for one in way if one) for way in product(self.what or (None,), self.who or (None,))]


NOTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and where the pages beside this one begin. Those in `away` are not in the database any more, and shown as far
    as the copy knows them; those in `lost` should be there. `reached` is how far was looked when that is not yet a page and not the end;
    the next page goes on from there."""

    rows: list[AuditLog]
    newer: Place | None
    older: Place | None
    reached: datetime | None = None
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
    look = find_places(wanted, older_than=older_than, newer_than=newer_than, limit=limit + 1)
    places, more = look.places[:limit], len(look.places) > limit
    onwards = places[-1] if more else look.reached
    # Back from a page without rows: just before the place that it began after.
    back = places[0] if places else _beside(newer_than, 1) if newer_than else _beside(older_than, -1) if older_than else None
    if forwards:
        places.reverse()
    moments, ids = [moment for moment, _ in places], [pk for _, pk in places]
    # The moments are asked for as well, so that only the months they lie in are opened.
    found = {row.pk: row for row in AuditLog.objects.filter(timestamp__in=moments, pk__in=ids)} if places else {}
    gone = [place for place in places if place[1] not in found]
    known = _known(gone) if gone else {}
    rows = [found.get(pk) or known[pk] for pk in ids if pk in found or pk in known]
    stored = _in_cold_storage(known) if known else set()
    begins = back if forwards or older_than else None
    newer, older = (onwards, begins) if forwards else (begins, onwards)
    reached = look.reached[0] if look.reached and not more else None
    return Page(rows, newer, older, reached, away=frozenset(stored), lost=frozenset(known.keys() - stored))


def _beside(place: Place, step: int) -> Place:
    return place[0], max(place[1] + step, 0)


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


@dataclass(slots=True)
class Look:
    """What was found, in the order of the look, and how far it went: `reached` is the place that it goes on from, None at the end."""

    places: list[Place]
    reached: Place | None = None


def find_places(wanted: Wanted, *, older_than: Place | None = None, newer_than: Place | None = None, limit: int) -> Look:
    """Where the rows lie: from the newest on, or from the oldest of those that are newer than a place.

    What one index holds in order is one question. Nobody knows beforehand how many rows have to be seen for the rest: there the look
    ends when its time is over, wherever it is, and says so.
    """
    way = Way(None if newer_than else older_than, newer_than, limit)
    with connection.cursor() as cursor:
        cursor.execute("SELECT xid, id, floor_id FROM audit_find_mark")
        mark = cursor.fetchone()
        if wanted.is_in_order:
            cursor.execute(*places_query(wanted, mark, way))
            return Look(list(cursor.fetchall()))
        ends = monotonic() + BUDGET
        cursor.execute(*_tail_query(wanted, mark, way))
        waiting = cursor.fetchall()
        look = _look(cursor, wanted, way, ends)
        # Of those that the copy has not, only the ones up to where it was looked through: the others come on a later page.
        places = {*look.places, *(place for place in waiting if look.reached is None or not way.is_before(look.reached, place))}
        return Look(sorted(places, reverse=not way.forwards)[:limit], look.reached)


@dataclass(frozen=True, slots=True)
class Way:
    """From where, in which direction and how far a page reads."""

    older_than: Place | None = None
    newer_than: Place | None = None
    limit: int = PAGE

    @property
    def forwards(self) -> bool:
        return self.newer_than is not None

    @property
    def order(self) -> str:
        return "ASC" if self.forwards else "DESC"

    def after(self, place: Place) -> Way:
        return replace(self, newer_than=place) if self.forwards else replace(self, older_than=place)

    def first(self, places: Collection[Place]) -> Place:
        return min(places) if self.forwards else max(places)

    def is_before(self, one: Place, other: Place) -> bool:
        return one < other if self.forwards else one > other

    @property
    def ordered(self) -> str:
        return f"ORDER BY timestamp {self.order}, id {self.order} LIMIT {self.limit:d}"

    def bound(self, conditions: _Conditions) -> None:
        if self.newer_than:
            conditions.add("(timestamp, id) > (%s, %s)", *self.newer_than)
        elif self.older_than:
            conditions.add("(timestamp, id) < (%s, %s)", *self.older_than)


def _look(cursor: Any, wanted: Wanted, way: Way, ends: float) -> Look:
    """The next rows of the condition that an index keeps in order are looked through, which is enough where rows meet often. Then the
    months in turn are asked by the index in which conditions are met before any row is read; where one month is too much for the time
    that is left, more of its rows are looked through instead."""
    # When not even these come in time, as from a disk of which nothing was read yet: some, however long they take, so that every page goes on.
    look = _in_time(cursor, (ends - monotonic()) / 2, lambda: _ahead(cursor, wanted, way, AHEAD)) or _ahead(cursor, wanted, way, SOME)
    begun = look.reached
    if begun is None or len(look.places) >= way.limit:
        return look
    _in_time(cursor, ends - monotonic(), lambda: _by_months(cursor, wanted, way, look, ends), *ROW_BY_ROW)
    if look.reached == begun and (more := _in_time(cursor, ends - monotonic(), lambda: _ahead(cursor, wanted, way.after(begun), AHEAD * 5))):
        return Look([*look.places, *more.places], more.reached)
    return look


def _in_time[T](cursor: Any, seconds: float, ask: Callable[[], T], *off: str) -> T | None:
    """None when a question takes longer than this; the settings in `off` are off meanwhile."""
    try:
        with transaction.atomic():
            for name in off:
                cursor.execute("SELECT set_config(%s, 'off', true)", [name])
            _give_up_after(cursor, seconds)
            answer = ask()
            transaction.set_rollback(True)  # takes the settings back; nothing was written
            return answer
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return None
        raise


def _give_up_after(cursor: Any, seconds: float) -> None:
    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, int(seconds * 1000)))])


def _ahead(cursor: Any, wanted: Wanted, way: Way, most: int) -> Look:
    """Looks through so many of the next rows, of each way in which a row may fit."""
    parts, told, params = [], [], []
    for number, pairs in enumerate(wanted.ways):
        next_rows, rest = _conditions(_driver(wanted, pairs), "audit_find").plus(*pairs[:1]), _conditions(wanted, "audit_find").plus(*pairs)
        way.bound(next_rows)
        name = f"ahead{number}"
        part = f"SELECT timestamp, id, {rest.where} AS fits FROM audit_find WHERE {next_rows.where} {replace(way, limit=most).ordered}"
        parts.append(f"{name} AS MATERIALIZED ({part})")
        params += [*rest.params, *next_rows.params]
        told.append(f"(SELECT timestamp, id, true FROM {name} WHERE fits {way.ordered})")
        told.append(f"(SELECT timestamp, id, false FROM {name} {replace(way, limit=1).ordered} OFFSET {most - 1:d})")
    cursor.execute(f"WITH {', '.join(parts)} {' UNION ALL '.join(told)}", params)
    rows = cursor.fetchall()
    ends = [(moment, pk) for moment, pk, fits in rows if not fits]
    reached = way.first(ends) if ends else None
    # What one way found beyond the place that another has come to is found again from there.
    places = {(moment, pk) for moment, pk, fits in rows if fits and (reached is None or not way.is_before(reached, (moment, pk)))}
    return Look(list(places), reached)


def _driver(wanted: Wanted, pairs: tuple[Pair, ...]) -> Wanted:
    """The condition, beside the first of the pairs, that an index keeps in order; without any it is time alone."""
    driver = replace(NOTHING, since=wanted.since, until=wanted.until)
    for name in ("address", "event_type", "least", "category") if not pairs else ():
        if getattr(wanted, name):
            return replace(driver, **{name: getattr(wanted, name)})
    return driver


def _by_months(cursor: Any, wanted: Wanted, way: Way, look: Look, ends: float) -> None:
    """Goes on with a look month by month, more at once where they are quick, and notes after each how far it is."""
    assert look.reached is not None
    on = way.after(look.reached)
    ways = [_together(wanted, pairs) for pairs in wanted.ways]
    for conditions in ways:
        on.bound(conditions)
    months, done, many = _months(cursor, wanted, on), 0, 1
    while months[done:]:
        group = sorted(months[done : done + many])
        since, until = max(group[0][0], wanted.since or group[0][0]), min(group[-1][1], wanted.until or group[-1][1])
        begun = monotonic()
        _give_up_after(cursor, (ends - begun) * (1 if done else FIRST_MONTH))
        met = [f"SELECT timestamp, id FROM audit_find WHERE {one.where} AND timestamp >= %s AND timestamp < %s" for one in ways]
        left = replace(way, limit=way.limit - len(look.places))
        # Planned for all rows, as a plan for the first few would read in order again.
        cursor.execute(
            f"WITH met AS MATERIALIZED ({' UNION '.join(met)}) SELECT timestamp, id FROM met {left.ordered}",
            [value for one in ways for value in (*one.params, since, until)],
        )
        look.places += cursor.fetchall()
        done += many
        look.reached = (group[-1][1] if way.forwards else group[0][0], 0)
        if len(look.places) >= way.limit or monotonic() >= ends:
            break
        many *= 2 if monotonic() - begun < QUICK else 1
    if done >= len(months):
        look.reached = None


def _together(wanted: Wanted, pairs: tuple[Pair, ...]) -> _Conditions:
    """The conditions in the words of the index of tags, as far as it knows them."""
    tags = {"c": wanted.category, "e": wanted.event_type, "s": wanted.least if wanted.least == Severity.CRITICAL else ""}
    found = _conditions(replace(NOTHING, words=wanted.words, amount_from=wanted.amount_from, amount_to=wanted.amount_to), "audit_find")
    for column, value in pairs:
        if column == "actor_id":
            tags["a"] = str(value)
        else:
            found = found.plus((column, value))
    given = [f"{kind}:{value}" for kind, value in tags.items() if value]
    if given:
        found.add(f"{TAGS} @> %s::text[]", given)
    if wanted.least == Severity.WARNING:
        found.add(f"{TAGS} && %s::text[]", ["s:warning", "s:critical"])
    if wanted.address:
        found.add(f"{TAGS} @> ARRAY['i:' || host(%s::inet)]", wanted.address)
    return found


def _months(cursor: Any, wanted: Wanted, way: Way) -> list[tuple[datetime, datetime]]:
    """The months of the copy that the look may reach into, in its direction."""
    cursor.execute("SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits WHERE inhparent = 'audit_find'::regclass ORDER BY 1")
    numbers = [int(name[:4]) * 12 + int(name[4:]) - 1 for (name,) in cursor.fetchall()]
    spans = [(datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC), datetime((n + 1) // 12, (n + 1) % 12 + 1, 1, tzinfo=UTC)) for n in numbers]
    after = max((moment for moment in (wanted.since, way.newer_than and way.newer_than[0]) if moment), default=None)
    before = min((place for place in (wanted.until and (wanted.until, 0), way.older_than) if place), default=None)
    reached = [(since, until) for since, until in spans if (after is None or until > after) and (before is None or (since, 0) < before)]
    return reached if way.forwards else reached[::-1]


def places_query(wanted: Wanted, mark: tuple[int, int, int], way: Way) -> tuple[str, list[Any]]:
    """The question that `find_places` asks where one is enough.

    Each way in which a row may fit is a branch of its own that reads the newest by its own index; one branch with OR could not
    read in order. What the copy took in since its mark was read is in two branches and counts once.
    """
    tail, params = _tail_query(wanted, mark, way)
    branches = []
    for pairs in wanted.ways:
        conditions = _conditions(wanted, "audit_find").plus(*pairs)
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


def own_cases(user_id: UUID) -> frozenset[UUID]:
    """Incidents about somebody, and what keeps those quiet: nobody reads in the log what they may not see in the console."""
    incidents = IncidentLog.objects.filter(Q(user_id=user_id) | Q(related_users__contains=[user_id])).values_list("pk", flat=True)
    quiet = Suppression.objects.filter(incident__in=incidents).values_list("pk", flat=True)
    return frozenset(incidents.union(quiet))


def seen_by(rows: Iterable[AuditLog], hidden: Collection[UUID]) -> list[AuditLog]:
    """Those of the rows that are not about what somebody may not see."""
    return [row for row in rows if row.target_id not in hidden]


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
