"""When events take place, from texts as calendar programs write them, and from texts that nobody should write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.calendars.occurrences import MOST_TEXT, Occurrence, Unreadable, expand, find_zone, zone_name

SINCE = datetime(2026, 11, 23, tzinfo=UTC)
UNTIL = datetime(2026, 12, 23, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(event: str, *, zones: str = "", **changes: Any) -> list[Occurrence]:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{zones}BEGIN:VEVENT\nUID:u\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    options: dict[str, Any] = {"since": SINCE, "until": UNTIL, "zone": lambda: BERLIN}
    return expand(text.replace("\n", "\r\n"), **(options | changes))


def starts(event: str, **options: Any) -> list[str]:
    return [f"{each.starts_at:%d %H:%M}" for each in sorted(read(event, **options), key=lambda each: each.starts_at)]


def zone(name: str, standard: str, daylight: str = "", rule: str = "FREQ=YEARLY;BYDAY=-1SU;BYMONTH={}") -> str:
    def part(kind: str, month: int, before: str, after: str) -> str:
        return f"BEGIN:{kind}\nDTSTART:16010101T020000\nTZOFFSETFROM:{before}\nTZOFFSETTO:{after}\nRRULE:{rule.format(month)}\nEND:{kind}\n"

    summer = daylight or standard
    return f"BEGIN:VTIMEZONE\nTZID:{name}\n{part('STANDARD', 10, summer, standard)}{part('DAYLIGHT', 3, standard, summer)}END:VTIMEZONE\n"


# Zones


@pytest.mark.parametrize(
    ("name", "hour"),
    [
        ("Europe/Berlin", 8),
        ("W. Europe Standard Time", 8),
        ("India Standard Time", 3),
        ("/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires", 12),
        ("/citadel.org/20260101_1/Asia/Tokyo", 0),
        ('"Asia/Tokyo"', 0),
        ("UTC", 9),
        ("Nobody Knows Standard Time", 8),
    ],
)
def test_a_zone_without_its_definition_is_known_by_name(name: str, hour: int) -> None:
    (found,) = read(f"DTSTART;TZID={name}:20261124T090000\nDURATION:PT30M")
    assert found.starts_at == datetime(2026, 11, 24, hour, 30 if "India" in name else 0, tzinfo=UTC)
    assert found.ends_at - found.starts_at == timedelta(minutes=30)


def test_a_zone_of_ones_own_is_what_its_definition_says() -> None:
    times = "DTSTART;TZID=Customized Time Zone:20261124T100000\nDTEND;TZID=Customized Time Zone:20261124T110000"
    assert starts(times, zones=zone("Customized Time Zone", "+0400", "+0500")) == ["24 06:00"]
    assert starts(times, zones=zone("Another", "+0400")) == ["24 09:00"]


def test_a_definition_is_forgotten_with_its_text() -> None:
    """The parser keeps definitions for the whole process, where one person's would count for the next."""
    times = "DTSTART;TZID=Office:20261124T100000\nDURATION:PT1H"
    assert starts(times, zones=zone("Office", "+0900")) == ["24 01:00"]
    assert starts(times, zones=zone("Office", "-0500")) == ["24 15:00"]
    assert starts(times) == ["24 09:00"]


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2", "FREQ=YEARLY;BYDAY=6SU;BYMONTH={}", "FREQ=YEARLY;BYEASTER=0"]
)
def test_a_definition_that_no_zone_needs_is_not_followed(rule: str) -> None:
    assert starts("DTSTART;TZID=Office:20261124T100000\nDURATION:PT1H", zones=zone("Office", "+0900", rule=rule)) == ["24 09:00"]


def test_a_known_name_counts_more_than_its_definition() -> None:
    assert starts("DTSTART;TZID=Europe/Berlin:20261124T100000\nDURATION:PT1H", zones=zone("Europe/Berlin", "+0900")) == ["24 09:00"]


def test_times_without_a_zone_are_those_of_the_calendar() -> None:
    assert starts("DTSTART:20261124T100000\nDTEND:20261124T110000\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE:20261125T100000") == ["24 09:00"]


def test_names_of_zones() -> None:
    assert [str(find_zone(name)) for name in ("Romance Standard Time", "/x/Europe/Paris", "Europe", "", "../../etc/passwd", "\0")] == [
        "Europe/Paris",
        "Europe/Paris",
        *["None"] * 4,
    ]
    assert zone_name("BEGIN:VTIMEZONE\r\nTZID;X=1:India Standard\r\n  Time\r\nEND:VTIMEZONE") == "Asia/Calcutta"
    assert zone_name("BEGIN:VTIMEZONE\nTZID:Nowhere\nEND:VTIMEZONE") == zone_name("") == ""


# Series


def test_a_series_keeps_its_clock_when_the_clock_changes() -> None:
    times = "DTSTART;TZID=Europe/Berlin:20261024T090000\nDTEND;TZID=Europe/Berlin:20261024T100000\nRRULE:FREQ=DAILY;COUNT=3"
    assert starts(times, since=datetime(2026, 10, 20, tzinfo=UTC)) == ["24 07:00", "25 08:00", "26 08:00"]


@pytest.mark.parametrize("until", ["20261126T235959Z", "20261126T080000Z", "20261126", "20261126T090000"])
def test_a_series_ends_when_it_says(until: str) -> None:
    times = "DTSTART;TZID=Europe/Berlin:20261124T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL="
    expected = ["24 08:00", "25 08:00", "26 08:00"]
    assert starts(times + until) == (expected[:2] if until == "20261126" else expected)


def test_whole_days_in_a_series() -> None:
    found = read("DTSTART;VALUE=DATE:20261030\nRRULE:FREQ=MONTHLY;BYDAY=-1MO\nEXDATE;VALUE=DATE:20261026")
    assert [(each.key, each.is_all_day, each.ends_at - each.starts_at) for each in found] == [("20261130", True, timedelta(days=1))]
    assert found[0].starts_at == datetime(2026, 11, 29, 23, tzinfo=UTC)


def test_a_day_of_clock_change_has_its_own_length() -> None:
    (found,) = read("DTSTART;VALUE=DATE:20261025", since=datetime(2026, 10, 20, tzinfo=UTC))
    assert found.ends_at - found.starts_at == timedelta(hours=25)


def test_one_instance_can_move_and_one_be_called_off() -> None:
    series = "DTSTART:20261124T090000Z\nDTEND:20261124T100000Z\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n"
    moved = "RECURRENCE-ID:20261125T090000Z\nDTSTART:20261201T150000Z\nDTEND:20261201T160000Z\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n"
    off = "RECURRENCE-ID:20261126T090000Z\nDTSTART:20261126T090000Z\nDTEND:20261126T100000Z\nSTATUS:CANCELLED"
    found = {each.key: f"{each.starts_at:%d %H}" for each in read(series + moved + off)}
    assert found == {"20261124T090000Z": "24 09", "20261125T090000Z": "01 15"}


def test_an_instance_moved_into_the_window_from_outside_is_seen() -> None:
    series = "DTSTART:20260101T090000Z\nDTEND:20260101T100000Z\nRRULE:FREQ=DAILY;COUNT=2\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n"
    assert starts(f"{series}RECURRENCE-ID:20260102T090000Z\nDTSTART:20261201T150000Z\nDURATION:PT1H") == ["01 15:00"]


def test_an_instance_without_its_series_is_seen() -> None:
    """Somebody who was asked to one meeting of a series has only that one."""
    (found,) = read("RECURRENCE-ID:20261125T090000Z\nDTSTART:20261125T110000Z\nDURATION:PT1H")
    assert (found.key, found.starts_at.hour) == ("20261125T090000Z", 11)


def test_this_and_the_future_can_move() -> None:
    series = "DTSTART:20261124T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n"
    assert starts(f"{series}RECURRENCE-ID;RANGE=THISANDFUTURE:20261126T090000Z\nDTSTART:20261126T110000Z\nDURATION:PT1H") == [
        "24 09:00",
        "25 09:00",
        "26 11:00",
        "27 11:00",
    ]


def test_added_dates_may_have_lengths_of_their_own() -> None:
    found = read("DTSTART:20261124T090000Z\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20261125T090000Z/PT3H,20261126T090000Z/20261126T110000Z")
    assert sorted((each.starts_at.day, (each.ends_at - each.starts_at).seconds // 3600) for each in found) == [(24, 1), (25, 3), (26, 2)]


def test_what_begins_before_and_ends_inside_is_seen() -> None:
    assert starts("DTSTART:20261120T090000Z\nDTEND:20261123T010000Z") == ["20 09:00"]
    assert starts("DTSTART:20261120T090000Z\nDTEND:20261123T000000Z") == []
    assert starts("DTSTART:20261223T000000Z\nDURATION:PT1H") == []


def test_several_events_in_one_text_keep_apart() -> None:
    two = "DTSTART:20261124T090000Z\nDURATION:PT1H\nEND:VEVENT\nBEGIN:VEVENT\nUID:v\nDTSTART:20261124T090000Z\nDURATION:PT1H"
    assert sorted((each.uid, each.key) for each in read(two)) == [("u", "u/"), ("v", "v/")]


# Texts that nobody should write


ENDLESS = [
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;INTERVAL=7",
    "FREQ=HOURLY",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;BYSETPOS=2",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYWEEKNO=54",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    f"FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))};BYMINUTE={','.join(map(str, range(60)))}",
]


@pytest.mark.parametrize("rule", ENDLESS)
def test_a_rule_without_end_is_given_up(rule: str) -> None:
    with pytest.raises(Unreadable):
        read(f"DTSTART:20000101T090000Z\nDURATION:PT1H\nRRULE:{rule}")


def test_many_rules_in_one_text_share_what_one_may_cost() -> None:
    one = "END:VEVENT\nBEGIN:VEVENT\nUID:u{}\nDTSTART:20000101T090000Z\nRRULE:FREQ=DAILY"
    with pytest.raises(Unreadable):
        read("DTSTART:20261124T090000Z\n" + "\n".join(one.format(number) for number in range(400)))


@pytest.mark.parametrize(
    "rule", ["FREQ=NEVER", "COUNT=3", "FREQ=DAILY;UNTIL=x", "FREQ=WEEKLY;INTERVAL=99999999999999999999", "FREQ=YEARLY;BYDAY=60MO"]
)
def test_a_rule_that_says_nothing_is_given_up(rule: str) -> None:
    with pytest.raises(Unreadable):
        read(f"DTSTART:20261124T090000Z\nDURATION:PT1H\nRRULE:{rule}")


@pytest.mark.parametrize("text", ["", "BEGIN:VCALENDAR", "hello", "\0", "BEGIN:VEVENT\nEND:VCALENDAR", "x" * (MOST_TEXT + 1)])
def test_what_is_no_calendar_is_unreadable_or_empty(text: str) -> None:
    try:
        assert expand(text, since=SINCE, until=UNTIL, zone=lambda: BERLIN) == []
    except Unreadable:
        assert text != "BEGIN:VCALENDAR\nEND:VCALENDAR"


@pytest.mark.parametrize("event", ["SUMMARY:Someday", "DTSTART:tomorrow"])
def test_an_event_without_times_harms_no_other(event: str) -> None:
    with pytest.raises(Unreadable):
        read(event)
    assert starts(f"{event}\nEND:VEVENT\nBEGIN:VEVENT\nUID:v\nDTSTART:20261124T090000Z\nDURATION:PT1H") == ["24 09:00"]


def test_long_lives_are_within_reach() -> None:
    assert starts("DTSTART;VALUE=DATE:16041124\nRRULE:FREQ=YEARLY") == ["23 23:00"]  # a birthday without a year, as Apple writes it
    assert len(starts("DTSTART:19900101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY")) == 30
    assert len(starts("DTSTART:20000103T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")) == 22


RULES = st.builds(
    lambda freq, interval, days, end: f"FREQ={freq}{interval}{days if freq in ('WEEKLY', 'MONTHLY') else ''}{end}",
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.sampled_from(["", ";INTERVAL=2", ";INTERVAL=3", ";INTERVAL=13"]),
    st.sampled_from(["", ";BYDAY=MO", ";BYDAY=TU,TH", ";BYDAY=SA,SU"]),
    st.sampled_from(["", ";COUNT=5", ";COUNT=400", ";UNTIL=20261201T000000Z"]),
)


@settings(max_examples=60, deadline=None)
@given(rule=RULES, day=st.integers(0, 900), hour=st.integers(0, 23))
def test_bounds_change_no_rule_that_stays_inside_them(rule: str, day: int, hour: int) -> None:
    """The oracle is dateutil without our counting."""
    start = datetime(2025, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)
    expected = {moment for moment in rrulestr(rule, dtstart=start).between(SINCE, UNTIL, inc=True) if moment < UNTIL}
    if SINCE <= start < UNTIL:
        expected.add(start)  # DTSTART counts as the first instance, also where the rule would not name it (RFC 5545, 3.8.5.3)
    found = {each.starts_at for each in read(f"DTSTART:{start:%Y%m%dT%H%M%SZ}\nRRULE:{rule}")}
    assert found == expected
