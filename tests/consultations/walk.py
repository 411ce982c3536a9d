"""A second opinion on slots: a walk over every minute that only reads the clock, and random builders to ask it about.

Apart from the tests, so that a process with another zone of its own can run it at once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from consultations.slots import DAY, LAST, STEP, AnyWindow, Hours, MonthDay, MonthWeekday, Once, Window, free_slots

# The zones, with two days each on which their clocks change, if they do: both switches, Lord Howe's half hour, the midnights of
# Santiago, Cairo, Beirut and Sao Paulo, and the day that Apia left out.
SWITCHES = {
    "America/New_York": (date(2027, 3, 14), date(2027, 11, 7)),
    "Europe/London": (date(2027, 3, 28), date(2027, 10, 31)),
    "Australia/Lord_Howe": (date(2027, 4, 4), date(2027, 10, 3)),
    "Asia/Kolkata": (date(2027, 3, 31), date(2027, 12, 31)),
    "Asia/Kathmandu": (date(2028, 2, 29), date(2026, 12, 31)),
    "America/Santiago": (date(2027, 4, 3), date(2027, 9, 5)),
    "Africa/Cairo": (date(2027, 4, 30), date(2027, 10, 28)),
    "Asia/Beirut": (date(2027, 3, 28), date(2027, 10, 30)),
    "Pacific/Chatham": (date(2027, 4, 4), date(2027, 9, 26)),
    "Pacific/Apia": (date(2011, 12, 30), date(2021, 4, 4)),
    "America/Sao_Paulo": (date(2018, 11, 4), date(2019, 2, 16)),
    "UTC": (date(2027, 1, 1), date(2026, 12, 28)),
    "America/St_Johns": (date(2010, 3, 14), date(2010, 11, 7)),  # went back over midnight, a minute after it
}
WEEKS = [day - timedelta(days=3) for days in SWITCHES.values() for day in days]


def epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]  # a date in numbers


@cache
def clock_between(zone: str, low: int, high: int) -> tuple[list[datetime], list[datetime]]:
    """For every minute what the clock shows, and the latest that it has shown so far."""
    walls = [datetime.fromtimestamp(m, ZoneInfo(zone)).replace(tzinfo=None) for m in range(low, high, 60)]
    reached: list[datetime] = []
    for wall in walls:
        reached.append(max(reached[-1], wall) if reached else wall)
    return walls, reached


def falls_on(window: AnyWindow, day: date) -> bool:
    """Whether a window is open on a date, found by walking there."""
    match window:
        case Window(weekday=weekday, every=every, anchor=anchor):
            if anchor is None or day < anchor:
                return anchor is None and day.weekday() == weekday
            week = anchor
            while week.weekday() != 0:
                week -= timedelta(days=1)
            while week + timedelta(days=6) < day:
                week += timedelta(weeks=every)
            return week <= day and day.weekday() == weekday
        case MonthDay(day=number):
            return (day + timedelta(days=1)).day == 1 if number == LAST else day.day == number
        case MonthWeekday(nth=nth, weekday=weekday):
            so_far = sum(day.replace(day=n).weekday() == weekday for n in range(1, day.day + 1))
            is_last = (day + timedelta(weeks=1)).month != day.month
            return day.weekday() == weekday and (is_last if nth == LAST else so_far == nth)
        case Once(on=on):
            return day == on


def brute(hours: Hours, busy: list[tuple[int, int]], *, minutes: int, now: int, since: int, until: int, calls: list[int] | None = None) -> list[int]:
    """Minute by minute: open once the clock has reached a window's start for the first time, until it has reached its end."""
    low, high = since - 3 * DAY, until + 3 * DAY
    walls, reached = clock_between(str(hours.zone), low, high)
    started = Counter(reached[(call - low) // 60].date() for call in calls or [] if low <= call < high)
    open_minutes: set[datetime] = set()
    for day in {moment.date() for moment in reached}:
        if hours.calls_a_day is not None and started[day] >= hours.calls_a_day:
            continue
        is_off = any(first <= day <= last for first, last in hours.days_off)
        for window in hours.windows:
            if falls_on(window, day) and (not is_off or isinstance(window, Once)):
                midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock
                open_minutes.update(midnight + timedelta(minutes=n) for n in range(window.start_minute, window.end_minute))
    opened = [moment in open_minutes for moment in reached]
    found = []
    for start in range(since + -since % 60, until, 60):
        i = (start - low) // 60
        if not opened[i] or walls[i].minute % STEP[minutes] or not now + hours.notice <= start <= now + hours.horizon:
            continue
        end = start + minutes * 60
        taken = any(begin < end + hours.gap and start < stop for begin, stop in busy if begin < stop)
        if all(opened[i : i + minutes]) and not taken:
            found.append(start)
    return found


@dataclass(frozen=True)
class Case:
    """One random builder and one question."""

    hours: Hours
    busy: list[tuple[int, int]]
    question: dict[str, Any]


def some_window(random: Random, around: date) -> AnyWindow:
    start = random.randrange(48)
    span = start * 30, random.randint(start + 1, 48) * 30
    near = around + timedelta(days=random.randint(-4, 4))
    match random.randrange(7):
        case 0:
            return Once(near, *span)
        case 1:
            return MonthDay(random.choice([near.day, near.day, 31, LAST]), *span)
        case 2:
            return MonthWeekday(random.choice([1, 2, 3, 4, LAST]), near.weekday(), *span)
        case 3 | 4:
            return Window(random.randrange(7), *span, random.randint(2, 8), around - timedelta(days=random.randint(-7, 70)))
        case _:
            return Window(random.randrange(7), *span)


def some_case(random: Random, zone: str, around: date) -> Case:
    """Six days around a switch, asked of a builder with all kinds of hours."""
    since = epoch(around.year, around.month, around.day) - 3 * DAY
    off = [around + timedelta(days=random.randint(-4, 4)) for _ in range(random.choice([0, 0, 1, 2]))]
    hours = Hours(
        [some_window(random, around) for _ in range(random.randint(1, 12))],
        ZoneInfo(zone),
        notice=random.choice([0, 0, 4, 30]) * 3600,
        horizon=random.choice([1, 3, 60, 60]) * DAY,
        gap=random.choice([0, 10, 15, 45]) * 60,
        days_off=[(day, day + timedelta(days=random.randint(0, 2))) for day in off],
        calls_a_day=random.choice([None, 1, 2, 3]),
    )
    claims = [since + random.randint(-100, 700) * 900 for _ in range(random.randint(0, 8))]
    busy = [(start, start + random.randint(1, 60) * 900) for start in claims]
    question = {
        "minutes": random.choice([15, 30, 60]),
        "now": since - random.randint(-3 * DAY, 2 * DAY),
        "since": since,
        "until": since + 6 * DAY,
        "calls": random.sample(claims, random.randint(0, len(claims))),
    }
    return Case(hours, busy, question)


def some_cases(seed: str, zone: str, count: int) -> Iterator[Case]:
    random = Random(f"{seed} {zone}")
    for switch in SWITCHES[zone]:
        for _ in range(count):
            yield some_case(random, zone, switch)


def digest() -> str:
    """The answers to questions in all zones, each compared with the walk, as one number."""
    answers = hashlib.sha256()
    for zone in SWITCHES:
        for case in some_cases("digest", zone, 3):
            listed = free_slots(case.hours, case.busy, **case.question)
            assert listed == brute(case.hours, case.busy, **case.question), case
            answers.update(f"{zone} {listed}\n".encode())
    return answers.hexdigest()
