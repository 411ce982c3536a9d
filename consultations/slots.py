"""When a call can start: weekly hours minus what is taken. Pure arithmetic on integer seconds since the epoch.

Hours are wall clock in the builder's zone. An edge becomes the first instant at which that clock has reached it: in a spring
gap the end of the gap, in a repeated hour its first pass. A window that becomes empty this way disappears. The page, the hold
and every later check ask `free_slots`, so that what is listed is accepted and nothing else is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400
DAY_MINUTES = 1_440
# How far apart calls of a length may start, in minutes. Hours are whole and half, so half an hour never wastes one.
STEP = {15: 15, 30: 30, 60: 30}
PHASE = max(STEP.values()) * 60

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Open time of a weekday (Monday is 0), in minutes after local midnight; an end of 1440 is the next midnight."""

    weekday: int
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Hours:
    """How a builder takes calls: windows in `zone`; the earliest start is `notice` seconds away, the last `horizon` seconds."""

    windows: Sequence[Window]
    zone: ZoneInfo
    notice: int = 0
    horizon: int = 60 * DAY
    gap: int = 0


def free_slots(hours: Hours, busy: Iterable[Span], *, minutes: int, now: int, since: int, until: int) -> list[int]:
    """The starts in [since, until) at which a call of `minutes` can be booked at the moment `now`, in order.

    `busy` are taken spans that already contain the gap behind their call. The new call keeps the builder's gap behind it, too.
    """
    first, last = max(since, now + hours.notice), min(until - 1, now + hours.horizon)
    step, length = STEP[minutes] * 60, minutes * 60
    return [
        start
        for opens, closes, phase in free(hours, busy, first, last + length)
        for start in range(max(opens, first) + (phase - max(opens, first)) % step, min(closes - length, last) + 1, step)
    ]


def is_free(hours: Hours, busy: Iterable[Span], *, minutes: int, now: int, start: int) -> bool:
    """Whether a call of `minutes` can start exactly at `start`."""
    return minutes in STEP and free_slots(hours, busy, minutes=minutes, now=now, since=start, until=start + 1) == [start]


def free(hours: Hours, busy: Iterable[Span], since: int, until: int) -> Iterator[tuple[int, int, int]]:
    """Untaken time that touches [since, until): start, end, and the second of the half hour at which the local grid begins.

    One list serves every length. What is taken begins a gap earlier, because a call in front of it needs its gap.
    """
    taken = merged((start - hours.gap, end) for start, end in busy)
    i = 0
    for opens, closes, phase in windows_between(hours, since, until):
        while i < len(taken) and taken[i][1] <= opens:
            i += 1
        at, k = opens, i
        while k < len(taken) and taken[k][0] < closes:
            if taken[k][0] > at:
                yield at, taken[k][0], phase
            at = max(at, taken[k][1])
            k += 1
        if at < closes:
            yield at, closes, phase


def windows_between(hours: Hours, since: int, until: int) -> list[tuple[int, int, int]]:
    """The open windows that touch [since, until), touching ones joined; the third number is their grid's phase."""
    if since >= until:
        return []
    by_day: dict[int, list[Window]] = {}
    for window in hours.windows:
        by_day.setdefault(window.weekday, []).append(window)
    # A day on either side: where the clock goes back over midnight, an instant can lie outside the day that its clock shows.
    day, last = _local_day(since, hours.zone) - timedelta(days=1), _local_day(until, hours.zone) + timedelta(days=1)
    found: list[tuple[int, int, int]] = []
    while day <= last:
        for window in by_day.get(day.weekday(), ()):
            opens, closes = instant(day, window.start_minute, hours.zone), instant(day, window.end_minute, hours.zone)
            if opens < closes and opens < until and closes > since:
                found.append((opens, closes, -_offset(opens, hours.zone) % PHASE))
        day += timedelta(days=1)
    joined: list[tuple[int, int, int]] = []
    for opens, closes, phase in sorted(found):
        if joined and opens <= joined[-1][1] and phase == joined[-1][2]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes), phase)
        else:
            joined.append((opens, closes, phase))
    return joined


def instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """The first instant at which the clock of `zone` has reached `minute` of `day`."""
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    guess = int(wall.timestamp())
    if datetime.fromtimestamp(guess, zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return guess
    # The clock jumps over this minute. Both offsets bracket the jump; halve until it is found.
    before, after = int(wall.replace(fold=1).timestamp()), guess
    offset = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, with those that overlap or touch joined; empty ones left out."""
    result: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def overlap(windows: Iterable[Window]) -> tuple[Window, Window] | None:
    """Two windows of one weekday that overlap, if there are any."""
    ordered = sorted(windows, key=lambda window: (window.weekday, window.start_minute))
    for earlier, later in itertools.pairwise(ordered):
        if earlier.weekday == later.weekday and later.start_minute < earlier.end_minute:
            return earlier, later
    return None


def _offset(moment: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _local_day(moment: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).date()
