"""When the events of an iCalendar text (RFC 5545) take place inside a window, and whether they block time.

The text is a stranger's. Nothing in it may run for long: rules are counted by the days that they make us look at, and definitions of
zones are read here, because the parser would keep them for everybody.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dateutil.rrule import MONTHLY, YEARLY
from dateutil.tz import tzical

from port444.kit import lazy

if TYPE_CHECKING:
    import icalendar
    import recurring_ical_events
else:
    icalendar = lazy.load("icalendar")
    recurring_ical_events = lazy.load("recurring_ical_events")

MOST_TEXT = 512 * 1024  # characters of one resource; attached files make them long
MOST_WORK = 300_000  # of the rules of one resource: days of eight centuries for a yearly one, of 80 years for a daily one
MOST_TIMES = 100  # of day, of one rule
MOST_OCCURRENCES = 3_000  # of one resource in the window
MOST_ZONE = 20_000  # characters of one definition of a zone
DAY = timedelta(days=1)

ZONE_BLOCK = re.compile(r"^BEGIN:VTIMEZONE[ \t]*\r?\n.*?^END:VTIMEZONE[ \t]*(?:\r?\n|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
ZONE_RULE = re.compile(
    r"RRULE:(?:(?:FREQ=YEARLY|INTERVAL=1|WKST=[A-Z]{2}|UNTIL=\d{8}(?:T\d{6}Z?)?|BYMONTH=(?:[1-9]|1[0-2])"
    r"|BYDAY=(?:[+-]?[1-5])?(?:MO|TU|WE|TH|FR|SA|SU)|BYMONTHDAY=(?:[1-9]|1\d|2[0-8])(?:,(?:[1-9]|1\d|2[0-8]))*)(?:;|$))+",
    re.IGNORECASE,
)
FOLD = re.compile(r"\r?\n[ \t]")
FREE = {"FREE", "WORKINGELSEWHERE"}  # X-MICROSOFT-CDO-BUSYSTATUS


class Unreadable(Exception):
    """The text is no calendar, or asks for more than any calendar needs."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event, or one instance of a recurring one, in aware UTC. `key` is empty, or names the instance for as long as it lives."""

    uid: str
    key: str
    starts_at: datetime
    ends_at: datetime
    is_busy: bool
    is_all_day: bool


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of a TZID: of the IANA database, with or without a vendor's prefix, or of Windows."""
    name = name.strip().strip('"').strip("/")
    parts = icalendar.timezone.windows_to_olson.WINDOWS_TO_OLSON.get(name, name).split("/")
    for start in range(len(parts)):
        try:
            return ZoneInfo("/".join(parts[start:]))
        except (KeyError, ValueError, OSError):  # not found, not a name, a folder of the database
            continue
    return None


def zone_name(text: str) -> str:
    """The name of the zone that a calendar-timezone text defines; empty when nobody knows it."""
    found = re.search(r"^TZID[^:\r\n]*:(.+?)\s*$", FOLD.sub("", text[:MOST_ZONE]), re.MULTILINE)
    zone = find_zone(found[1]) if found else None
    return zone.key if zone else ""


def expand(text: str, *, since: datetime, until: datetime, zone: Callable[[], tzinfo], mine: Collection[str] = ()) -> list[Occurrence]:
    """What of `text` touches [since, until). Cancelled instances are left out; free ones are there and not busy.

    `zone` gives the zone of all-day events and of times without one, or with one that nobody knows. `mine` are the owner's addresses in
    lower case: what they declined is free. Raises Unreadable.
    """
    if len(text) > MOST_TEXT:
        raise Unreadable("too long")
    try:
        return _expand(text, since, until, zone, mine)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(type(error).__name__) from error


def _expand(text: str, since: datetime, until: datetime, zone: Callable[[], tzinfo], mine: Collection[str]) -> list[Occurrence]:
    defined = _Zones(ZONE_BLOCK.findall(text), zone)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", icalendar.error.GloballyUniqueTZIDGuessed)
        book = icalendar.Calendar.from_ical(ZONE_BLOCK.sub("", text))
    events = book.walk("VEVENT")
    parts = [part for part in events if "DTSTART" in part and not isinstance(part["DTSTART"], icalendar.prop.vBroken)]
    if events and not parts:
        raise Unreadable("no times")
    book.subcomponents = parts
    for part in parts:
        defined.settle(part)
    recurring = {str(part.get("UID", "")) for part in parts if any(name in part for name in ("RRULE", "RDATE", "RECURRENCE-ID"))}
    uids = {str(part.get("UID", "")) for part in parts}
    found: dict[str, Occurrence] = {}
    for made in _instances(book, since - DAY, until + DAY):
        part = made.as_component(keep_recurrence_attributes=False)
        if str(part.get("STATUS", "")).upper() == "CANCELLED":
            continue
        uid = str(part.get("UID", ""))
        key = _key(part, made.start) if uid in recurring else ""
        if len(uids) > 1:
            key = f"{uid[:200]}/{key}"
        all_day = not isinstance(made.start, datetime)
        starts, ends = _instant(made.start, zone), _instant(made.end, zone)
        if starts < until and (ends > since or starts == ends >= since):
            found[key] = Occurrence(uid, key, starts, max(starts, ends), _blocks(part, mine), all_day)
    return list(found.values())


class _Zones:
    """Gives every time of an event a zone."""

    def __init__(self, blocks: Iterable[str], fallback: Callable[[], tzinfo]) -> None:
        self.blocks = list(blocks)[:50]
        self.fallback = fallback
        self.known: dict[str, tzinfo] = {}

    def settle(self, part: icalendar.Component) -> None:
        for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
            for value in _listed(part.get(name)):
                value.dt = self._aware(value.dt, value.params.get("TZID"))
        for name in ("EXDATE", "RDATE"):
            for values in _listed(part.get(name)):
                for value in values.dts:
                    name_of_zone = values.params.get("TZID")
                    moment = value.dt
                    value.dt = (
                        tuple(self._aware(edge, name_of_zone) for edge in moment) if isinstance(moment, tuple) else self._aware(moment, name_of_zone)
                    )

    def _aware(self, moment: Any, name: str | None) -> Any:
        if not isinstance(moment, datetime) or moment.tzinfo is not None:
            return moment
        return moment.replace(tzinfo=self._find(name) if name else self.fallback())

    def _find(self, name: str) -> tzinfo:
        if name not in self.known:
            self.known[name] = find_zone(name) or next(filter(None, (_defined(block, name) for block in self.blocks)), None) or self.fallback()
        return self.known[name]


def _defined(block: str, name: str) -> tzinfo | None:
    """The zone that a VTIMEZONE defines, if it is the one of this name and holds the plain rules that zones have."""
    lines = [line.strip() for line in FOLD.sub("", block).splitlines()]
    if len(block) > MOST_ZONE or not any(line.upper().startswith("TZID") and line.partition(":")[2] == name for line in lines):
        return None
    if not all(ZONE_RULE.fullmatch(line) for line in lines if line.upper().startswith("RRULE")):
        return None
    try:
        found: tzinfo | None = tzical(io.StringIO("\n".join(line for line in lines if not line.upper().startswith("X-")))).get(name)
    except ValueError:
        return None
    return found


def _instances(book: icalendar.Component, since: datetime, until: datetime) -> Iterable[Any]:
    budget = _Budget(MOST_WORK)
    count = 0
    for series in recurring_ical_events.selection.name.ComponentsWithName("VEVENT", series=_series(budget)).collect_series_from(book, ()):
        for made in islice(series.between(since, until), MOST_OCCURRENCES + 1):
            count += 1
            if count > MOST_OCCURRENCES:
                raise Unreadable("too many instances")
            yield made


@dataclass
class _Budget:
    left: int

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise Unreadable("a rule that does not end")


WORK = {YEARLY: 1, MONTHLY: 2}  # how long looking at a day takes, measured; 10 for the others


class _Watched(tuple[int, ...]):
    """The months (or weekdays) of a rule. dateutil asks for them for each day and each second that it looks at, also when a rule never matches."""

    budget: _Budget
    work: int

    def __contains__(self, value: object) -> bool:
        self.budget.spend(self.work)
        return super().__contains__(value)


def _series(budget: _Budget) -> type[Any]:
    """Series whose rules spend `budget`."""

    class Rules(recurring_ical_events.Series.RecurrenceRules):  # type: ignore[misc]  # the library has no types
        def rrulestr(self, rule_string: str) -> Any:
            rule = super().rrulestr(rule_string)
            if prod(len(times or [0]) for times in (rule._byhour, rule._byminute, rule._bysecond)) > MOST_TIMES:
                raise Unreadable("a rule of too many times")
            nth_of_year = rule._freq == YEARLY and rule._bynweekday and rule._bymonth is None
            if nth_of_year and rule._byweekno:
                raise Unreadable("a rule that nobody understands")
            field, whole = ("_byweekday", range(7)) if nth_of_year else ("_bymonth", range(1, 13))
            watched = _Watched(getattr(rule, field) or whole)
            watched.budget = budget
            watched.work = WORK.get(rule._freq, 10)
            setattr(rule, field, watched)
            return rule

    class Bounded(recurring_ical_events.Series):  # type: ignore[misc]
        RecurrenceRules = Rules

    return Bounded


def _blocks(part: icalendar.Component, mine: Collection[str]) -> bool:
    if str(part.get("TRANSP", "")).upper() == "TRANSPARENT" or str(part.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper() in FREE:
        return False
    return not any(
        str(person).lower() in mine and str(person.params.get("PARTSTAT", "")).upper() == "DECLINED" for person in _listed(part.get("ATTENDEE"))
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _instant(moment: date, zone: Callable[[], tzinfo]) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=zone())
    return moment.astimezone(UTC)


def _key(part: icalendar.Component, start: date) -> str:
    """The instance's own name. A change to "this and the future" lends its name to all that follow, so there the start is the name."""
    named = part["RECURRENCE-ID"]
    return _moment(start if "RANGE" in named.params else named.dt)


def _moment(moment: date) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}" if isinstance(moment, datetime) else f"{moment:%Y%m%d}"
