"""The page of hours: what can be added, taken away and tried out before it is saved."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from auditlog.models import AuditLog
from consultations.actions import set_availability
from consultations.actions.availability import Leave, Terms
from consultations.models import AvailabilityRule, CallSettings, DayOff
from consultations.slots import LAST, AnyWindow, MonthDay, MonthWeekday, Once, Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock

from .conftest import MONDAY, PRICES, WEEKDAYS, counts
from .test_book import text

PAGE = "/calls/availability/"
HTMX = {"HX-Request": "true"}
FORM: dict[str, Any] = {
    "enabled": "on",
    "price_30": "60.00",
    "h": ["0-18", "0-19"],
    "notice_hours": "4",
    "gap_minutes": "0",
    "horizon_days": "60",
    "time_zone": "Asia/Kolkata",
    "calls_a_day": "2",
    "refund_policy": "half",
    "free_hours": "48",
    "move_limit": "1",
    "move_hours": "24",
    "meeting_provider": "own_link",
}
ADD = {"new_on": "2026-12-08", "new_repeat": "2", "new_opens": "540", "new_closes": "720"}
KINDS: list[tuple[str, AnyWindow, str]] = [
    ("2", Window(1, 540, 720, 2, date(2026, 12, 8)), "Every 2 weeks on Tuesday from 8 Dec 2026, 09:00 to 12:00"),
    ("8", Window(1, 540, 720, 8, date(2026, 12, 8)), "Every 8 weeks on Tuesday from 8 Dec 2026, 09:00 to 12:00"),
    ("once", Once(date(2026, 12, 8), 540, 720), "Tue 8 Dec 2026, 09:00 to 12:00"),
    ("date", MonthDay(8, 540, 720), "Day 8 of the month, 09:00 to 12:00"),
    ("end", MonthDay(LAST, 540, 720), "Last day of the month, 09:00 to 12:00"),
    ("nth", MonthWeekday(2, 1, 540, 720), "Second Tuesday of the month, 09:00 to 12:00"),
    ("last", MonthWeekday(LAST, 1, 540, 720), "Last Tuesday of the month, 09:00 to 12:00"),
]


def hidden(response: Any, name: str) -> list[str]:
    return re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', response.content.decode())


@pytest.fixture
def as_builder(client: Client, open_builder: Builder) -> Client:
    client.force_login(open_builder.user)
    return client


@pytest.mark.parametrize(("repeat", "window", "words"), KINDS, ids=[kind for kind, _, _ in KINDS])
def test_each_kind_of_other_hours_is_added_saved_and_shown_again(
    as_builder: Client, open_builder: Builder, repeat: str, window: AnyWindow, words: str
) -> None:
    before = counts()
    added = as_builder.post(PAGE, FORM | ADD | {"new_repeat": repeat, "do": "add"})
    assert (added.status_code, words in text(added), "Not saved yet." in text(added), counts()) == (200, True, True, before)
    assert as_builder.post(PAGE, FORM | {"r": hidden(added, "r")}).status_code == 302
    open_builder = Builder.objects.get(pk=open_builder.pk)
    assert AvailabilityRule.objects.filter(builder=open_builder).count() == 2
    shown = as_builder.get(PAGE)
    assert (words in text(shown), hidden(shown, "r")) == (True, hidden(added, "r"))
    assert words in (AuditLog.objects.filter(event_type="availability.changed").latest("id").after_state or {})["hours"]


def test_what_is_filled_in_is_saved_without_pressing_add(as_builder: Client, open_builder: Builder) -> None:
    off = {"off_first": "2026-12-24", "off_last": "2026-12-26", "off_note": "Holidays"}
    assert as_builder.post(PAGE, FORM | ADD | off).status_code == 302
    assert AvailabilityRule.objects.get(builder=open_builder, interval_weeks=2).anchor_on == date(2026, 12, 8)
    assert list(DayOff.objects.values_list("first_on", "last_on", "note")) == [(date(2026, 12, 24), date(2026, 12, 26), "Holidays")]
    kept = CallSettings.objects.get(builder=open_builder)
    assert (kept.calls_a_day, kept.refund_policy, kept.free_hours, kept.move_limit, kept.move_hours) == (2, "half", 48, 1, 24)


def test_rows_go_one_by_one_and_nothing_is_written_before_saving(as_builder: Client) -> None:
    rows = {"r": ["once.2026-12-08.540.720", "date.15.540.720"], "off": ["2026-12-24.2026-12-26.A. Note", "2027-01-04.2027-01-04."]}
    before = counts()
    answer = as_builder.post(PAGE, FORM | rows | {"do": "drop-r-0"})
    assert (hidden(answer, "r"), hidden(answer, "off")) == (["date.15.540.720"], rows["off"])
    assert "24 Dec 2026 to 26 Dec 2026: A. Note" in text(answer)
    answer = as_builder.post(PAGE, FORM | rows | {"do": "drop-off-1"})
    assert (hidden(answer, "off"), counts()) == (rows["off"][:1], before)


BAD_ADDS: list[tuple[str, dict[str, Any], str]] = [
    ("no date", {"new_on": ""}, "Name the date first."),
    ("passed", {"new_on": "2026-11-22", "new_repeat": "once"}, "This date has passed."),
    ("backwards", {"new_opens": "720", "new_closes": "540"}, "Hours must end after they start."),
    ("a fifth weekday", {"new_on": "2026-12-29", "new_repeat": "nth"}, "Take the last such weekday instead."),
    ("another century", {"new_on": "2216-12-08"}, "Name a date of this century."),
    (
        "over the week",
        {"new_on": "2026-12-07", "new_closes": "600"},
        "Monday 09:00 to 10:00 and Every 2 weeks on Monday from 7 Dec 2026, 09:00 to 10:00 overlap.",
    ),
    ("not a time", {"new_opens": "541"}, "Select a valid choice."),
]


@pytest.mark.parametrize(("why", "changes", "message"), BAD_ADDS, ids=[why for why, _, _ in BAD_ADDS])
def test_hours_that_cannot_be_added_are_told_beside_their_field(as_builder: Client, why: str, changes: dict[str, Any], message: str) -> None:
    before = counts()
    answer = as_builder.post(PAGE, FORM | ADD | changes | {"do": "add"})
    assert (answer.status_code, message in text(answer), hidden(answer, "r"), counts()) == (422, True, [], before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"off_first": ""}, "Name the first day."),
        ({"off_first": "2026-12-24", "off_last": "2026-12-23"}, "The last day comes before the first."),
        ({"off_first": "2026-11-20", "off_last": "2026-11-22"}, "These days have passed."),
        ({"off_first": "2026-12-24", "off": ["2026-12-23.2026-12-25."]}, "23 Dec 2026 to 25 Dec 2026 and 24 Dec 2026 overlap."),
    ],
)
def test_days_off_that_cannot_be_added_are_told(as_builder: Client, changes: dict[str, Any], message: str) -> None:
    before = counts()
    answer = as_builder.post(PAGE, FORM | changes | {"do": "add-off"})
    assert (answer.status_code, message in text(answer), counts()) == (422, True, before)


FORGED: list[dict[str, Any]] = [
    {"r": ["week.0.2.soon.540.720"]},
    {"r": ["once.0001-01-01.540.720"]},
    {"r": ["nth.5.0.540.720"]},
    {"r": ["date.32.540.720"]},
    {"r": ["week.9.2.2026-12-08.540.720"]},
    {"r": ["week.0.9.2026-12-08.540.720"]},
    {"r": ["date.1.545.720"]},
    {"r": ["date.1.-30.720"]},
    {"r": ["x" * 5000]},
    {"r": ["date.1.540.720"] * 100},
    {"off": ["2026-12-24"]},
    {"off": ["2026-12-24.2026-12-20."]},
    {"off": ["2026-12-24.2026-12-26." + "x" * 81]},
    {"off": ["2026-12-24.2026-12-26.\0"]},
    {"calls_a_day": "25"},
    {"refund_policy": "gift"},
    {"free_hours": "0"},
    {"move_limit": "10"},
    {"meeting_provider": "zoom"},
    ADD | {"new_opens": "900"},
]


@pytest.mark.parametrize("forged", FORGED, ids=[str(f)[:50] for f in FORGED])
def test_a_forged_form_writes_nothing(as_builder: Client, forged: dict[str, Any]) -> None:
    before = counts()
    answer = as_builder.post(PAGE, FORM | forged)
    assert (answer.status_code, counts()) == (422, before)
    assert "Please look at this again" in text(answer)


def test_the_preview_is_of_what_is_not_saved_yet(as_builder: Client) -> None:
    """Only Mondays from nine to ten, two calls of half an hour: today's are within the notice, three Mondays are left."""
    before = counts()
    answer = as_builder.post(PAGE, FORM | {"do": "preview"}, headers=HTMX)
    body = answer.content.decode()
    assert (answer.status_code, "6 times" in text(answer), "The first is Mon 30 Nov, 09:00." in text(answer), counts()) == (200, True, True, before)
    assert ('id="preview"' in body, 'id="hoursbar" hx-swap-oob' in body, "<html" in body, 'id="lists"' in body) == (True, True, False, False)
    off = as_builder.post(PAGE, FORM | {"do": "preview", "off": ["2026-11-30.2026-12-01."]}, headers=HTMX)
    assert ("4 times" in text(off), "November: day off" in text(off)) == (True, True)


def test_the_preview_of_what_makes_no_sense_is_the_saved_one(as_builder: Client) -> None:
    answer = as_builder.post(PAGE, FORM | {"do": "preview", "price_30": "-1"}, headers=HTMX)
    assert ("313 times" in text(answer), "cannot be read yet" in text(answer)) == (True, True)


def test_adding_with_script_answers_the_lists_the_preview_and_the_bar(as_builder: Client) -> None:
    body = as_builder.post(PAGE, FORM | ADD | {"do": "add"}, headers=HTMX).content.decode()
    assert [part in body for part in ('id="lists"', 'id="preview"', 'id="hoursbar"', 'id="unsaved"')] == [True] * 4
    assert ("<html" in body, body.count("hx-swap-oob")) == (False, 3)


def test_queries_do_not_grow_with_the_hours(as_builder: Client, open_builder: Builder, django_assert_num_queries: Any) -> None:
    windows: list[AnyWindow] = [*WEEKDAYS, *(Once(date(2026, 12, 1) + timedelta(days=n), 1080, 1140) for n in range(20))]
    off = [Leave(date(2027, 1, n), date(2027, 1, n)) for n in range(1, 20)]
    with django_assert_num_queries(13):
        as_builder.get(PAGE)
    terms = Terms("Asia/Kolkata", 4, 60, 0)
    set_availability(open_builder.pk, actor=open_builder.user, enabled=True, prices=PRICES, windows=windows, terms=terms, days_off=off)
    with django_assert_num_queries(13):
        as_builder.get(PAGE)


def test_a_new_builder_finds_office_hours_and_calls_switched_on(client: Client, builder: Builder) -> None:
    client.force_login(builder.user)
    body = client.get(PAGE)
    assert ("Two minutes, and clients can book you." in text(body), "40 hours open" in text(body)) == (True, True)
    assert re.search(r'name="enabled" checked', body.content.decode())
    assert AvailabilityRule.objects.count() == 0


def test_what_has_passed_is_not_shown_and_goes_with_the_next_saving(as_builder: Client) -> None:
    as_builder.post(PAGE, FORM | {"r": ["once.2026-11-24.540.720", "date.15.540.720"], "off": ["2026-11-24.2026-11-25."]})
    with clock.at(MONDAY + timedelta(days=5)):
        later = as_builder.get(PAGE)
        assert (hidden(later, "r"), hidden(later, "off")) == (["date.15.540.720"], [])


def test_a_room_that_was_saved_stays_when_its_account_is_gone(as_builder: Client, open_builder: Builder) -> None:
    CallSettings.objects.update(meeting_provider="zoom")
    assert as_builder.post(PAGE, FORM | {"meeting_provider": "zoom"}).status_code == 302
    assert CallSettings.objects.get().meeting_provider == "zoom"


def test_a_stranger_sees_the_own_page_only(client: Client, open_builder: Builder, stranger: User) -> None:
    client.force_login(stranger)
    assert client.get(PAGE)["Location"].endswith("/settings/profile/")
    before = counts()
    assert client.post(PAGE, FORM).status_code == 302
    assert counts() == before
