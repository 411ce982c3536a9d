"""When a call can start: open hours minus what is taken. Pure arithmetic on integer seconds since the epoch.

Hours are wall clock in the builder's zone. An edge becomes the first instant at which that clock has reached it: in a spring
gap the end of the gap, in a repeated hour its first pass. A window that becomes empty this way disappears. The page, the hold
and every later check ask `free_slots`, so that what is listed is accepted and nothing else is.

One sweep: the zone's offsets once for the whole stretch, each window's own days (never all days times all windows), edges to
seconds, then two pointers over windows and taken spans, then the grid. Its cost is linear in days, taken spans and starts
found. Weeks recur as in RFC 5545: by whole weeks that begin on Monday, counted from the week of the anchor and never by the
number of a week in its year, which breaks the rhythm in years of 53 weeks; months that lack a date are skipped.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import gcd
from zoneinfo import ZoneInfo

DAY = 86_400
DAY_MINUTES = 1_440
LAST = -1  # day of a month, or weekday of a month
# How far apart calls of a length may start, in minutes. Hours are whole and half, so half an hour never wastes one.
STEP = {15: 15, 30: 30, 60: 30}
PHASE = max(STEP.values()) * 60

EPOCH = date(1970, 1, 1).toordinal()

Span = tuple[int, int]
Days = Iterable[int]  # days since the epoch, by the date that the builder's clock shows


@dataclass(frozen=True, slots=True)
class Window:
    """Open time of a weekday (Monday is 0), in minutes after local midnight; an end of 1440 is the next midnight.

    Every `every` weeks, counted in whole weeks from the week of `anchor`, and never before that date.
    """

    weekday: int
    start_minute: int
    end_minute: int
    every: int = 1
    anchor: date | None = None

    def days(self, first: int, last: int) -> Days:
        """The days from `first` to `last` on which this is open."""
        step = 7 * self.every
        if self.anchor is None:
            return range(first + (self.weekday - _weekday(first)) % 7, last + 1, 7)
        anchor = _day(self.anchor)
        start = _monday(anchor) + self.weekday
        first = max(first, anchor)
        return range(first + (start - first) % step, last + 1, step)


@dataclass(frozen=True, slots=True)
class MonthDay:
    """Open time of a day of the month, 1 to 31 or LAST. A month that has no such day is skipped."""

    day: int
    start_minute: int
    end_minute: int

    def days(self, first: int, last: int) -> Days:
        for start, after in _months(first, last):
            day = after - 1 if self.day == LAST else start + self.day - 1
            if first <= day <= last and day < after:
                yield day


@dataclass(frozen=True, slots=True)
class MonthWeekday:
    """Open time of the `nth` weekday of a month: 1 to 4, or LAST."""

    nth: int
    weekday: int
    start_minute: int
    end_minute: int

    def days(self, first: int, last: int) -> Days:
        for start, after in _months(first, last):
            if self.nth == LAST:
                day = after - 1 - (_weekday(after - 1) - self.weekday) % 7
            else:
                day = start + (self.weekday - _weekday(start)) % 7 + 7 * (self.nth - 1)
            if first <= day <= last:
                yield day


@dataclass(frozen=True, slots=True)
class Once:
    """Open time of one date. A day off does not close it: whoever opens a single date means it."""

    on: date
    start_minute: int
    end_minute: int

    def days(self, first: int, last: int) -> Days:
        day = _day(self.on)
        return (day,) if first <= day <= last else ()


AnyWindow = Window | MonthDay | MonthWeekday | Once


@dataclass(frozen=True, slots=True)
class Hours:
    """How a builder takes calls: windows in `zone`; the earliest start is `notice` seconds away, the last `horizon` seconds.

    `days_off` are first and last dates. `calls_a_day` closes a date for good once so many calls start on it.
    """

    windows: Sequence[AnyWindow]
    zone: ZoneInfo
    notice: int = 0
    horizon: int = 60 * DAY
    gap: int = 0
    days_off: Sequence[tuple[date, date]] = ()
    calls_a_day: int | None = None


def free_slots(hours: Hours, busy: Iterable[Span], *, minutes: int, now: int, since: int, until: int, calls: Collection[int] = ()) -> list[int]:
    """The starts in [since, until) at which a call of `minutes` can be booked at the moment `now`, in order.

    `busy` are taken spans that already contain the gap behind their call. The new call keeps the builder's gap behind it, too.
    `calls` are the starts of the builder's calls, which count towards `calls_a_day`; of every date that is asked for, all of them.
    """
    first, last = max(since, now + hours.notice), min(until - 1, now + hours.horizon)
    step, length = STEP[minutes] * 60, minutes * 60
    found: list[int] = []
    for opens, closes, phase in free(hours, busy, first, last + length, calls):
        start = max(opens, first)
        found.extend(range(start + (phase - start) % step, min(closes - length, last) + 1, step))
    return found


def is_free(hours: Hours, busy: Iterable[Span], *, minutes: int, now: int, start: int, calls: Collection[int] = ()) -> bool:
    """Whether a call of `minutes` can start exactly at `start`."""
    return minutes in STEP and free_slots(hours, busy, minutes=minutes, now=now, since=start, until=start + 1, calls=calls) == [start]


def free(hours: Hours, busy: Iterable[Span], since: int, until: int, calls: Collection[int] = ()) -> Iterator[tuple[int, int, int]]:
    """Untaken time that touches [since, until): start, end, and the second of the half hour at which the local grid begins.

    One list serves every length. What is taken begins a gap earlier, because a call in front of it needs its gap.
    """
    gap = hours.gap
    taken = merged([(start - gap, end) for start, end in busy if start < end])
    i, count = 0, len(taken)
    for opens, closes, phase in windows_between(hours, since, until, calls):
        while i < count and taken[i][1] <= opens:
            i += 1
        at, k = opens, i
        while k < count and taken[k][0] < closes:
            start, end = taken[k]
            if start > at:
                yield at, start, phase
            if end > at:
                at = end
            k += 1
        if at < closes:
            yield at, closes, phase


def windows_between(hours: Hours, since: int, until: int, calls: Collection[int] = ()) -> list[tuple[int, int, int]]:
    """The open windows that touch [since, until), touching ones joined; the third number is their grid's phase."""
    if since >= until:
        return []
    clock = Clock(hours.zone, since, until)
    first, last = clock.first_day, clock.last_day
    off = {day for start, end in hours.days_off for day in range(max(_day(start), first), min(_day(end), last) + 1)}
    full = clock.crowded(calls, hours.calls_a_day)
    # As (start, end) of wall clock seconds, in order; days off and full days left out.
    walls = sorted(
        (day * DAY + window.start_minute * 60, day * DAY + window.end_minute * 60)
        for window in hours.windows
        for day in window.days(first, last)
        if day not in full and (day not in off or isinstance(window, Once))
    )
    joined: list[tuple[int, int, int]] = []
    for start, end in walls:
        opens, closes = clock.reaches(start), clock.reaches(end)
        if opens >= closes or opens >= until or closes <= since:
            continue
        phase = -clock.offset(opens) % PHASE
        if joined and opens <= joined[-1][1] and phase == joined[-1][2]:
            if closes > joined[-1][1]:
                joined[-1] = (joined[-1][0], closes, phase)
        else:
            joined.append((opens, closes, phase))
    return joined


class Clock:
    """What a zone's clock shows around [since, until): stretches of one offset each, found by a look at every day.

    No zone has changed its clock twice within a day since 2000, so that none is overlooked. `first_day` to `last_day` hold every date whose
    windows can touch the time asked for: one more than the clock shows, as it may already have gone back over a midnight.
    """

    __slots__ = ("first_day", "last_day", "pieces")

    def __init__(self, zone: ZoneInfo, since: int, until: int) -> None:
        low, high = since - 3 * DAY, until + 3 * DAY
        self.pieces: list[tuple[int, int, int]] = []  # start, end, offset
        start, before, offset = low, low, _offset(low, zone)
        for at in itertools.chain(range(low + DAY, high, DAY), (high,)):
            other = _offset(at, zone)
            if other != offset:
                change = _change(before, at, offset, zone)
                self.pieces.append((start, change, offset))
                start, offset = change, other
            before = at
        self.pieces.append((start, high, offset))
        self.first_day = (since + self.offset(since)) // DAY
        self.last_day = (until + self.offset(until)) // DAY + 1

    def offset(self, moment: int) -> int:
        """Seconds by which the clock is ahead of UTC."""
        for _, end, offset in self.pieces:
            if moment < end:
                return offset
        return self.pieces[-1][2]

    def reaches(self, wall: int) -> int:
        """The first instant at which the clock has reached `wall`, in seconds since its own 1970."""
        for start, end, offset in self.pieces:
            if wall - offset < end:
                return max(start, wall - offset)
        return wall - self.pieces[-1][2]

    def crowded(self, calls: Collection[int], most: int | None) -> Collection[int]:
        """The days on which `most` calls start. A day begins when the clock first reaches its midnight."""
        if most is None or len(calls) < most:
            return ()
        days: Counter[int] = Counter()
        for call in calls:
            shown = (call + self.offset(call)) // DAY
            days[shown + (self.reaches((shown + 1) * DAY) <= call)] += 1
        return {day for day, count in days.items() if count >= most}


def instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """The first instant at which the clock of `zone` has reached `minute` of `day`."""
    wall = _day(day) * DAY + minute * 60
    return Clock(zone, wall, wall).reaches(wall)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, with those that overlap or touch joined; empty ones left out."""
    result: list[Span] = []
    latest = None
    for start, end in sorted(spans):
        if start >= end:
            continue
        if latest is not None and start <= latest:
            if end > latest:
                result[-1] = (result[-1][0], end)
                latest = end
        else:
            result.append((start, end))
            latest = end
    return result


def overlap(windows: Iterable[AnyWindow]) -> tuple[AnyWindow, AnyWindow] | None:
    """Two windows of one kind that overlap on a day they share, if there are any.

    Windows of different kinds may lie over each other and are joined: every Monday from 9, and on the first Monday from 8.
    """
    ordered = sorted(windows, key=lambda window: (_group(window), window.start_minute))
    for _, group in itertools.groupby(ordered, key=_group):
        for earlier, later in itertools.combinations(group, 2):
            if later.start_minute < earlier.end_minute and _meet(earlier, later):
                return earlier, later
    return None


def _group(window: AnyWindow) -> tuple[str, int, int]:
    match window:
        case Window(weekday=weekday):
            return "weekday", weekday, 0
        case MonthDay(day=day):
            return "month day", day, 0
        case MonthWeekday(nth=nth, weekday=weekday):
            return "month weekday", nth, weekday
        case Once(on=on):
            return "once", on.toordinal(), 0


def _meet(one: AnyWindow, other: AnyWindow) -> bool:
    """Whether two windows of one group ever fall on one day."""
    if isinstance(one, Window) and isinstance(other, Window) and one.anchor and other.anchor:
        return (_monday(_day(one.anchor)) - _monday(_day(other.anchor))) // 7 % gcd(one.every, other.every) == 0
    return True


def _day(day: date) -> int:
    return day.toordinal() - EPOCH


def _weekday(day: int) -> int:
    return (day + 3) % 7  # 1970 began on a Thursday


def _monday(day: int) -> int:
    return day - _weekday(day)


def _months(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The first day of each month that touches the days, and the first day after it."""
    begin = date.fromordinal(EPOCH + first).replace(day=1)
    while _day(begin) <= last:
        after = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
        yield _day(begin), _day(after)
        begin = after


def _offset(moment: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None
    return offset.days * DAY + offset.seconds


def _change(before: int, after: int, offset: int, zone: ZoneInfo) -> int:
    """The first second at which the clock no longer has `offset`, which it had `before` and has not `after`."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after
