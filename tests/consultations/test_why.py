"""The explainer says that a time is free if and only if the booking page lists it, and names what stands in the way otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from consultations import queries
from consultations.models import CallSettings, Consultation, DayOff, ExternalEvent, LinkedCalendar
from consultations.queries.why import Facts, facts_of, reasons_of
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from tests.fakes.calendar import FakeProvider

from .conftest import MONDAY, TUESDAY_NINE
from .connected import connect, main_calendar

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def again(builder: Builder) -> Builder:
    found: Builder = queries.for_booking().get(pk=builder.pk)
    return found


def titles(builder: Builder, starts_at: datetime, minutes: int = 30, moment: datetime = MONDAY) -> list[str]:
    return [reason.title for reason in queries.explain(again(builder), starts_at=starts_at, minutes=minutes, moment=moment).reasons]


def put(builder: Builder, starts_at: datetime, ends_at: datetime, **facts: Any) -> ExternalEvent:
    calendar = LinkedCalendar.objects.filter(link__builder=builder, external_id="main").first()
    calendar = calendar or main_calendar(connect(builder, FakeProvider()))
    LinkedCalendar.objects.update(synced_at=clock.now())
    name = f"e{ExternalEvent.objects.count()}"
    return ExternalEvent.objects.create(calendar=calendar, builder=builder, external_id=name, starts_at=starts_at, ends_at=ends_at, **facts)


def test_free_time(open_builder: Builder) -> None:
    answer = queries.explain(again(open_builder), starts_at=TUESDAY_NINE, minutes=30, moment=MONDAY)
    assert answer.reasons == []
    assert len(answer.free) == 16


@pytest.mark.parametrize(
    ("starts_at", "minutes", "title"),
    [
        (TUESDAY_NINE - HOUR, 30, "It is outside your hours."),
        (TUESDAY_NINE + 7.5 * HOUR, 60, "It would end after your hours."),
        (TUESDAY_NINE + 5 * 24 * HOUR, 30, "You are closed on that day."),
        (TUESDAY_NINE + HOUR / 4, 30, "Calls of 30 minutes start on every half hour."),
        (MONDAY + HOUR / 2, 30, "You ask for 4 hours notice."),
        (MONDAY - 23.5 * HOUR - 2 * 24 * HOUR, 30, "This time has passed."),
        (TUESDAY_NINE + 63 * 24 * HOUR, 30, "Clients book at most 60 days ahead."),
    ],
)
def test_rules_are_named(starts_at: datetime, minutes: int, title: str, open_builder: Builder) -> None:
    assert titles(open_builder, starts_at, minutes) == [title]


def test_hours_are_said(open_builder: Builder) -> None:
    answer = queries.explain(again(open_builder), starts_at=TUESDAY_NINE - HOUR, minutes=30, moment=MONDAY)
    assert answer.reasons[0].text == "You are open 09:00 to 17:00 on that day."


def test_call_and_its_breaks_are_named(open_builder: Builder, hold: Callable[..., Consultation], client_user: User, scheduled: Consultation) -> None:
    CallSettings.objects.update(gap_minutes=30)
    assert titles(open_builder, scheduled.scheduled_at) == ["Your call with Jonas."]
    assert titles(open_builder, scheduled.scheduled_at + HOUR / 2) == []  # the call was booked before there was a break
    later = hold(starts_at=TUESDAY_NINE + 3 * HOUR)
    assert titles(open_builder, later.scheduled_at) == ["It is held for somebody who is paying until 08:45."]
    assert titles(open_builder, later.scheduled_at - HOUR / 2) == ["It is held for somebody who is paying until 08:45."]
    Consultation.objects.filter(pk=scheduled.pk).update(scheduled_at=scheduled.scheduled_at)
    assert titles(open_builder, TUESDAY_NINE - HOUR / 2) == ["It is outside your hours.", "Too close to your call with Jonas."]


def test_break_after_a_call_is_named(open_builder: Builder, hold: Callable[..., Consultation]) -> None:
    CallSettings.objects.update(gap_minutes=30)
    hold()
    with clock.at(MONDAY + HOUR):
        assert titles(open_builder, TUESDAY_NINE, moment=clock.now()) == []  # the hold has ended


def test_events_are_named_by_calendar_alone(open_builder: Builder) -> None:
    put(open_builder, TUESDAY_NINE, TUESDAY_NINE + HOUR)
    answer = queries.explain(again(open_builder), starts_at=TUESDAY_NINE, minutes=30, moment=MONDAY)
    assert [(reason.title, reason.text) for reason in answer.reasons] == [
        ("Busy in Google Calendar: Work.", "Tue 24 Nov, 09:00 to 10:00."),
    ]
    put(open_builder, TUESDAY_NINE - 10 * HOUR, TUESDAY_NINE + 14 * HOUR, is_all_day=True)
    assert [reason.text for reason in queries.explain(again(open_builder), starts_at=TUESDAY_NINE, minutes=30, moment=MONDAY).reasons] == [
        "All day.",
        "Tue 24 Nov, 09:00 to 10:00.",
    ]
    CallSettings.objects.update(gap_minutes=30)
    ExternalEvent.objects.filter(is_all_day=True).update(is_busy=False)
    put(open_builder, TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 3 * HOUR)
    assert titles(open_builder, TUESDAY_NINE + 1.5 * HOUR) == ["Too close to an event in Google Calendar: Work."]


def test_day_off_full_day_away_and_stale_are_named(open_builder: Builder, scheduled: Consultation) -> None:
    day = date(2026, 11, 24)
    later = TUESDAY_NINE + 4 * HOUR
    CallSettings.objects.update(calls_a_day=1)
    assert titles(open_builder, later) == ["The day is full."]
    DayOff.objects.create(builder=open_builder, first_on=day, last_on=day + timedelta(days=2), note="Diwali")
    assert titles(open_builder, later) == ["It is a day off until Thu 26 Nov (Diwali).", "The day is full."]
    Builder.objects.update(away_paused_at=MONDAY, away_from=MONDAY, away_until=later + HOUR)
    put(open_builder, later, later + HOUR, is_busy=False)
    LinkedCalendar.objects.update(synced_at=MONDAY - 25 * HOUR)
    assert titles(open_builder, later)[0] == "We do not know when you are busy."
    assert titles(open_builder, later)[-1] == "You are away."


def test_calls_that_are_off_are_named(open_builder: Builder) -> None:
    Builder.objects.update(consultation_60min_price=None)
    assert titles(open_builder, TUESDAY_NINE, 60) == ["Calls of 60 minutes have no price."]
    Builder.objects.update(consultation_enabled=False)
    assert titles(open_builder, TUESDAY_NINE) == ["Calls are switched off."]


@pytest.mark.parametrize("seed", range(12))
def test_free_if_and_only_if_listed(seed: int, open_builder: Builder, hold: Callable[..., Consultation], scheduled: Consultation) -> None:
    """Random rules, calls, holds, days off and events; every quarter of an hour of some days, and a few odd minutes."""
    luck = random.Random(seed)
    hold(starts_at=TUESDAY_NINE + luck.randrange(4, 13) * HOUR / 2)
    CallSettings.objects.update(
        gap_minutes=luck.choice([0, 0, 10, 15, 30]),
        notice_hours=luck.choice([0, 1, 4, 30]),
        horizon_days=luck.choice([1, 3, 60]),
        calls_a_day=luck.choice([None, None, 1, 2]),
    )
    open_builder.availability.filter(weekday=luck.randrange(5)).delete()
    open_builder.availability.create(kind="once", on=date(2026, 11, 24 + luck.randrange(4)), start_minute=18 * 60, end_minute=24 * 60)
    open_builder.availability.create(kind="weekly", weekday=luck.randrange(7), start_minute=0, end_minute=90, interval_weeks=1)
    if luck.random() < 0.5:
        first = date(2026, 11, 24 + luck.randrange(3))
        DayOff.objects.create(builder=open_builder, first_on=first, last_on=first)
    if luck.random() < 0.2:
        Builder.objects.update(away_paused_at=MONDAY, away_from=MONDAY, away_until=MONDAY + luck.randrange(1, 60) * HOUR)
    for _ in range(luck.randrange(5)):
        start = MONDAY + luck.randrange(4 * 24 * 4) * HOUR / 4
        put(open_builder, start, start + luck.choice([0, 1, 2, 8, 24]) * HOUR / 2, is_busy=luck.random() < 0.8, is_all_day=luck.random() < 0.2)
    moment = MONDAY + luck.choice([0, 17, 5000]) * timedelta(seconds=1)
    builder = again(open_builder)
    for minutes in (15, 30, 60):
        listed = set(queries.open_starts(builder, client_id=None, minutes=minutes, moment=moment))
        since = MONDAY - 2 * HOUR
        tries = [since + n * HOUR / 4 for n in range(4 * 24 * 4)] + [since + luck.randrange(4 * 1440) * HOUR / 60 for _ in range(30)]
        facts = facts_of(builder, since - 24 * HOUR, since + 6 * 24 * HOUR, moment)
        assert isinstance(facts, Facts)
        wrong = [start for start in tries if (not list(reasons_of(facts, start, minutes))) != (start in listed)]
        assert wrong == []


def test_page(client: Client, open_builder: Builder, client_user: User, django_assert_num_queries: Any) -> None:
    client.force_login(open_builder.user)
    assert client.get("/calls/calendars/why/").status_code == 200
    put(open_builder, datetime(2026, 11, 24, 4, 30, tzinfo=UTC), datetime(2026, 11, 24, 5, 30, tzinfo=UTC))
    page = client.get("/calls/calendars/why/?day=2026-11-24&time=10:00&minutes=30").content.decode()
    assert "Busy in Google Calendar: Work." in page
    assert "Tue 24 Nov 2026, 10:00" in page
    assert "14 times" in page
    for query in ("day=x&time=10:00&minutes=30", "day=2031-01-01&time=10:00&minutes=30", "day=2026-11-24&time=10:00&minutes=31"):
        assert client.get(f"/calls/calendars/why/?{query}").status_code == 422
    client.force_login(client_user)
    assert client.get("/calls/calendars/why/").status_code == 404
