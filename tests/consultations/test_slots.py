"""Slots against a second opinion (walk.py), and their edges by name."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.slots import (
    DAY,
    LAST,
    STEP,
    AnyWindow,
    Hours,
    MonthDay,
    MonthWeekday,
    Once,
    Window,
    free_slots,
    instant,
    is_free,
    merged,
    overlap,
)

from .walk import SWITCHES, WEEKS, brute, digest, epoch, falls_on, some_cases, some_window

ROOT = Path(__file__).resolve().parents[2]
PROCESS_ZONES = ["UTC", "America/Los_Angeles", "Australia/Lord_Howe"]


@pytest.mark.parametrize("zone", SWITCHES)
def test_every_slot_is_what_a_walk_over_the_minutes_finds(zone: str) -> None:
    found = 0
    for case in some_cases("walk", zone, 30):
        listed = free_slots(case.hours, case.busy, **case.question)
        assert listed == brute(case.hours, case.busy, **case.question), case
        assert listed == sorted(set(listed))
        found += bool(listed)
    assert found > 20  # most questions have an answer, or this compares nothing with nothing


def test_the_zone_of_the_process_does_not_matter() -> None:
    """A server that stands elsewhere lists the same: on the machine's own clock dates and hours differ, and nothing reads it."""
    code = "import time; from tests.consultations.walk import digest; print(time.tzname[0], digest())"
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "TZ": zone}, stdout=subprocess.PIPE, text=True)
        for zone in PROCESS_ZONES
    ]
    said = [child.communicate(timeout=120)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert [name for name, _ in said] == ["UTC", "PST", "+1030"]
    assert {answer for _, answer in said} == {digest()}


windows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 47), st.integers(1, 48))
    .filter(lambda w: w[1] < w[2])
    .map(lambda w: Window(w[0], w[1] * 30, w[2] * 30)),
    min_size=1,
    max_size=10,
)
spans = st.lists(st.tuples(st.integers(-100, 700), st.integers(1, 60)).map(lambda s: (s[0] * 900, (s[0] + s[1]) * 900)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from([*SWITCHES]),
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


@settings(max_examples=50, deadline=None)
@given(
    zone=st.sampled_from([*SWITCHES]),
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


@pytest.mark.parametrize("zone", SWITCHES)
def test_nine_to_five_stays_nine_to_five_through_every_switch(zone: str) -> None:
    hours = Hours([Window(day, 9 * 60, 17 * 60) for day in range(7)], ZoneInfo(zone))
    for week in WEEKS:
        since = epoch(week.year, week.month, week.day)
        starts = free_slots(hours, [], minutes=60, now=since - DAY, since=since, until=since + 7 * DAY)
        days: dict[date, list[str]] = {}
        for start in starts:
            wall = datetime.fromtimestamp(start, hours.zone)
            days.setdefault(wall.date(), []).append(f"{wall:%H:%M}")
        whole = list(days.values())[1:-1]
        assert len(whole) >= 4
        assert all(day == whole[0] and day[0] == "09:00" and day[-1] == "16:00" and len(day) == 15 for day in whole), week


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


def dates(window: AnyWindow, first: date, last: date) -> list[date]:
    first_day, last_day = ((day - date(1970, 1, 1)).days for day in (first, last))
    return [date(1970, 1, 1) + timedelta(days=day) for day in window.days(first_day, last_day)]


def test_every_kind_of_window_names_the_days_that_a_walk_finds() -> None:
    random = Random("days")
    first, last = date(2026, 1, 1), date(2029, 3, 1)  # a year of 53 weeks, a leap day
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for _ in range(120):
        window = some_window(random, first + timedelta(days=random.randint(0, 900)))
        assert dates(window, first, last) == [day for day in every if falls_on(window, day)], window


def test_every_second_week_keeps_its_rhythm_over_a_year_of_53_weeks() -> None:
    """By the number of the week in its year, Tuesday 29 December 2026 (53) and 5 January 2027 (1) would both be odd."""
    window = Window(1, 540, 600, 2, date(2026, 12, 3))  # a Thursday: the Tuesday of that week has passed
    assert dates(window, date(2026, 11, 1), date(2027, 1, 31)) == [date(2026, 12, 15), date(2026, 12, 29), date(2027, 1, 12), date(2027, 1, 26)]


def test_months_that_lack_a_day_are_skipped_and_the_last_day_never_is() -> None:
    spring = date(2027, 1, 1), date(2027, 5, 31)
    assert [f"{day:%d%b}" for day in dates(MonthDay(31, 540, 600), *spring)] == ["31Jan", "31Mar", "31May"]
    assert [f"{day:%d%b}" for day in dates(MonthDay(LAST, 540, 600), *spring)] == ["31Jan", "28Feb", "31Mar", "30Apr", "31May"]
    assert [f"{day:%d%b}" for day in dates(MonthWeekday(1, 0, 540, 600), *spring)] == ["04Jan", "01Feb", "01Mar", "05Apr", "03May"]
    assert [f"{day:%d%b}" for day in dates(MonthWeekday(LAST, 4, 540, 600), *spring)] == ["29Jan", "26Feb", "26Mar", "30Apr", "28May"]


def test_a_day_off_closes_what_recurs_and_not_what_was_opened_for_that_date() -> None:
    tuesday = date(2027, 1, 5)
    windows: list[AnyWindow] = [*WEEKDAYS, Once(tuesday, 18 * 60, 19 * 60)]
    since = epoch(2027, 1, 4)
    hours = Hours(windows, ZoneInfo("UTC"), days_off=[(tuesday, date(2027, 1, 6))])
    starts = local(hours, free_slots(hours, [], minutes=60, now=since - DAY, since=since, until=since + 4 * DAY))
    assert [at for at in starts if at.endswith(("09:00", "18:00"))] == ["Mon 09:00", "Tue 18:00", "Thu 09:00"]


def test_a_limit_closes_the_day_whatever_the_length_and_opens_it_again() -> None:
    """Counted by the builder's date: 23:30 on Monday in New York is Tuesday in UTC."""
    hours = Hours([Window(day, 0, 1440) for day in range(7)], ZoneInfo("America/New_York"), calls_a_day=2)
    since = epoch(2027, 1, 4, 5)
    calls = [since, since + DAY - 1800]
    for minutes in STEP:
        starts = local(hours, free_slots(hours, [], minutes=minutes, now=since, since=since, until=since + 2 * DAY, calls=calls))
        assert ({at[:3] for at in starts}, starts[0]) == ({"Tue"}, "Tue 00:00")
    one_left = free_slots(hours, [], minutes=30, now=since, since=since, until=since + 2 * DAY, calls=calls[1:])
    assert local(hours, one_left)[0] == "Mon 00:00"


def test_the_hour_that_is_repeated_after_midnight_belongs_to_the_new_day() -> None:
    """St. John's, 7 November 2010: a minute into Sunday the clock goes back to 23:01 on Saturday, and Sunday has begun already."""
    hours = Hours([Window(6, 0, 120)], ZoneInfo("America/St_Johns"), calls_a_day=1)
    since, call = epoch(2010, 11, 6, 12), epoch(2010, 11, 7, 2, 45)
    question: dict[str, Any] = {"minutes": 15, "now": since}
    listed = free_slots(hours, [], **question, since=since, until=since + DAY)
    assert local(hours, [call]) == ["Sat 23:15"]
    assert (call in listed, local(hours, listed)[0], len(listed)) == (True, "Sun 00:00", 12)
    assert [start for start in range(since, since + DAY, 900) if is_free(hours, [], **question, start=start)] == listed
    assert free_slots(hours, [], **question, since=since, until=since + DAY, calls=[call]) == []


def test_windows_of_one_kind_overlap_only_if_they_share_a_day() -> None:
    spring, week_after = date(2027, 3, 2), date(2027, 3, 9)
    every_other = Window(1, 540, 720, 2, spring)
    assert overlap([every_other, Window(1, 600, 660, 2, week_after)]) is None
    assert overlap([every_other, Window(1, 600, 660, 3, week_after)]) is not None  # their weeks meet in the end
    assert overlap([every_other, Window(1, 600, 660)]) is not None
    assert overlap([MonthDay(1, 540, 600), Window(1, 540, 600), Once(spring, 540, 600), MonthWeekday(1, 1, 540, 600)]) is None
    assert overlap([MonthDay(1, 540, 600), MonthDay(1, 570, 630)]) == (MonthDay(1, 540, 600), MonthDay(1, 570, 630))
    assert overlap([MonthWeekday(1, 1, 540, 600), MonthWeekday(2, 1, 540, 600), Once(spring, 0, 60), Once(week_after, 0, 60)]) is None
