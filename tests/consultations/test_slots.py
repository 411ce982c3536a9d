"""Slots against a second opinion: a walk over every minute that only reads the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.slots import DAY, STEP, Hours, Window, free_slots, instant, is_free, merged, overlap

ZONES = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "America/St_Johns",
    "UTC",
]
# Weeks in which clocks change, somewhere in the list: both switches, Lord Howe's half hour, Santiago's and Cairo's midnight, and the
# day that Apia left out.
WEEKS = [
    date(2027, 3, 11),
    date(2027, 3, 25),
    date(2027, 4, 1),
    date(2027, 4, 28),
    date(2026, 9, 3),
    date(2026, 9, 24),
    date(2026, 10, 1),
    date(2026, 10, 22),
    date(2026, 10, 29),
    date(2011, 12, 28),
    date(2010, 11, 4),
    date(2027, 6, 1),
]


def epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]  # a date in numbers


def brute(hours: Hours, busy: list[tuple[int, int]], *, minutes: int, now: int, since: int, until: int) -> list[int]:
    """Minute by minute: open once the clock has reached a window's start for the first time, until it has reached its end."""
    low, high = since - 2 * DAY, until + 2 * DAY
    walls = [datetime.fromtimestamp(m, hours.zone).replace(tzinfo=None) for m in range(low, high, 60)]
    highest: list[datetime] = []
    for wall in walls:
        highest.append(max(highest[-1], wall) if highest else wall)
    day_of = {w: [x for x in hours.windows if isinstance(x, Window) and x.weekday == w] for w in range(7)}

    def open_at(index: int) -> bool:
        reached = highest[index]
        for back in (0, 1):
            day = datetime(reached.year, reached.month, reached.day) - timedelta(days=back)  # noqa: DTZ001 - a wall clock
            for window in day_of[day.weekday()]:
                if day + timedelta(minutes=window.start_minute) <= reached < day + timedelta(minutes=window.end_minute):
                    return True
        return False

    opened = [open_at(i) for i in range(len(walls))]
    found = []
    for start in range(since + -since % 60, until, 60):
        i = (start - low) // 60
        offset = walls[i] - datetime.fromtimestamp(start, UTC).replace(tzinfo=None)
        if (start + int(offset.total_seconds())) % (STEP[minutes] * 60) or not now + hours.notice <= start <= now + hours.horizon:
            continue
        end = start + minutes * 60
        taken = any(begin < end + hours.gap and start < stop for begin, stop in busy if begin < stop)
        if all(opened[i : i + minutes]) and not taken:
            found.append(start)
    return found


windows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 47), st.integers(1, 48))
    .filter(lambda w: w[1] < w[2])
    .map(lambda w: Window(w[0], w[1] * 30, w[2] * 30)),
    min_size=1,
    max_size=10,
)
spans = st.lists(st.tuples(st.integers(-100, 700), st.integers(1, 60)).map(lambda s: (s[0] * 900, (s[0] + s[1]) * 900)), max_size=8)


@settings(max_examples=120, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    week=st.sampled_from(WEEKS),
    windows=windows,
    busy=spans,
    minutes=st.sampled_from([15, 30, 60]),
    gap=st.sampled_from([0, 10, 15, 45]),
    notice=st.sampled_from([0, 4, 30]),
    ahead=st.integers(-3 * DAY, 2 * DAY),
    horizon=st.sampled_from([1, 3, 60]),
)
def test_every_slot_is_what_a_walk_over_the_minutes_finds(
    zone: str, week: date, windows: list[Window], busy: list[tuple[int, int]], minutes: int, gap: int, notice: int, ahead: int, horizon: int
) -> None:
    since = epoch(week.year, week.month, week.day)
    hours = Hours(windows, ZoneInfo(zone), notice * 3600, horizon * DAY, gap * 60)
    taken = [(since + start, since + end) for start, end in busy]
    question: dict[str, Any] = {"minutes": minutes, "now": since - ahead, "since": since, "until": since + 5 * DAY}
    listed = free_slots(hours, taken, **question)
    assert listed == brute(hours, taken, **question)
    assert listed == sorted(set(listed))


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    week=st.sampled_from(WEEKS),
    windows=windows,
    busy=spans,
    minutes=st.sampled_from([15, 30, 60]),
    gap=st.sampled_from([0, 10, 45]),
    probe=st.lists(st.integers(0, 3 * DAY - 1), max_size=30),
)
def test_what_is_listed_is_accepted_and_nothing_else(
    zone: str, week: date, windows: list[Window], busy: list[tuple[int, int]], minutes: int, gap: int, probe: list[int]
) -> None:
    since = epoch(week.year, week.month, week.day)
    hours = Hours(windows, ZoneInfo(zone), 0, 60 * DAY, gap * 60)
    taken = [(since + start, since + end) for start, end in busy]
    listed = free_slots(hours, taken, minutes=minutes, now=since, since=since, until=since + 3 * DAY)
    grid = range(since, since + 3 * DAY, 900)
    assert [start for start in grid if is_free(hours, taken, minutes=minutes, now=since, start=start)] == listed
    for offset in probe:
        assert is_free(hours, taken, minutes=minutes, now=since, start=since + offset) == (since + offset in listed)


@settings(max_examples=100, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    windows=windows,
    busy=spans,
    minutes=st.sampled_from([15, 30, 60]),
    gap=st.sampled_from([0, 10, 45]),
    pick=st.integers(0),
)
def test_two_calls_keep_exactly_the_gap(zone: str, windows: list[Window], busy: list[tuple[int, int]], minutes: int, gap: int, pick: int) -> None:
    since = epoch(2027, 3, 25)
    hours = Hours(windows, ZoneInfo(zone), 0, 60 * DAY, gap * 60)
    taken = [(since + start, since + end) for start, end in busy]
    listed = free_slots(hours, taken, minutes=minutes, now=since, since=since, until=since + 7 * DAY)
    if not listed:
        return
    chosen = listed[pick % len(listed)]
    claim = (chosen, chosen + minutes * 60 + gap * 60)
    after = free_slots(hours, [*taken, claim], minutes=minutes, now=since, since=since, until=since + 7 * DAY)
    assert after == [s for s in listed if s >= claim[1] or s + (minutes + gap) * 60 <= chosen]


WEEKDAYS = [Window(day, 9 * 60, 17 * 60) for day in range(5)]


def local(hours: Hours, starts: list[int]) -> list[str]:
    return [datetime.fromtimestamp(s, hours.zone).strftime("%a %H:%M") for s in starts]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("week", WEEKS)
def test_nine_to_five_stays_nine_to_five_through_every_switch(zone: str, week: date) -> None:
    hours = Hours([Window(day, 9 * 60, 17 * 60) for day in range(7)], ZoneInfo(zone))
    since = epoch(week.year, week.month, week.day)
    starts = free_slots(hours, [], minutes=60, now=since - DAY, since=since, until=since + 7 * DAY)
    days: dict[date, list[str]] = {}
    for start in starts:
        wall = datetime.fromtimestamp(start, hours.zone)
        days.setdefault(wall.date(), []).append(f"{wall:%H:%M}")
    whole = list(days.values())[1:-1]
    assert len(whole) >= 4
    assert all(day == whole[0] and day[0] == "09:00" and day[-1] == "16:00" and len(day) == 15 for day in whole)


def test_a_window_in_the_spring_gap_opens_at_its_end() -> None:
    hours = Hours([Window(6, 60, 180)], ZoneInfo("America/New_York"))  # Sunday 01:00 to 03:00; 02:00 jumps to 03:00
    day = epoch(2027, 3, 14)
    assert local(hours, free_slots(hours, [], minutes=30, now=day, since=day, until=day + DAY)) == ["Sun 01:00", "Sun 01:30"]
    inside = Hours([Window(6, 150, 240)], ZoneInfo("America/New_York"))
    assert local(inside, free_slots(inside, [], minutes=30, now=day, since=day, until=day + DAY)) == ["Sun 03:00", "Sun 03:30"]
    gone = Hours([Window(6, 120, 180)], ZoneInfo("America/New_York"))
    assert free_slots(gone, [], minutes=15, now=day, since=day, until=day + DAY) == []


def test_the_repeated_hour_is_open_twice() -> None:
    hours = Hours([Window(6, 0, 180)], ZoneInfo("America/New_York"))
    day = epoch(2027, 11, 7)
    starts = free_slots(hours, [], minutes=60, now=day, since=day, until=day + DAY)
    assert local(hours, starts)[::2] == ["Sun 00:00", "Sun 01:00", "Sun 01:00", "Sun 02:00"]


def test_the_day_that_apia_left_out_has_no_hours() -> None:
    zone = ZoneInfo("Pacific/Apia")
    assert instant(date(2011, 12, 30), 9 * 60, zone) == instant(date(2011, 12, 30), 17 * 60, zone) == epoch(2011, 12, 30, 10)


def test_half_hour_zones_start_on_their_own_half_hours() -> None:
    hours = Hours(WEEKDAYS, ZoneInfo("Asia/Kathmandu"))
    day = epoch(2027, 1, 3)
    assert local(hours, free_slots(hours, [], minutes=30, now=day, since=day, until=day + 2 * DAY))[:3] == ["Mon 09:00", "Mon 09:30", "Mon 10:00"]


def test_joined_windows_take_a_call_across_midnight() -> None:
    hours = Hours([Window(0, 1380, 1440), Window(1, 0, 60)], ZoneInfo("Europe/London"))
    day = epoch(2027, 1, 4)
    assert local(hours, free_slots(hours, [], minutes=60, now=day, since=day, until=day + 2 * DAY)) == ["Mon 23:00", "Mon 23:30", "Tue 00:00"]


def test_an_unknown_length_is_never_free() -> None:
    hours = Hours(WEEKDAYS, ZoneInfo("UTC"))
    assert not is_free(hours, [], minutes=45, now=0, start=epoch(1970, 1, 5, 10))


def test_spans_are_joined_and_overlapping_windows_are_named() -> None:
    assert merged([(5, 9), (1, 3), (3, 4), (6, 7), (8, 8)]) == [(1, 4), (5, 9)]
    assert overlap([Window(1, 0, 60), Window(0, 30, 90), Window(0, 0, 60)]) == (Window(0, 0, 60), Window(0, 30, 90))
    assert overlap([Window(0, 0, 60), Window(0, 60, 90), Window(1, 0, 60)]) is None
