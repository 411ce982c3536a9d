"""Whatever a page lists is accepted, and nothing else: through the real actions, over hours, claims, gaps, notice, limits, calendars and moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from consultations import queries
from consultations.actions import hold_slot, move_call
from consultations.models import (
    AvailabilityRule,
    CalendarLink,
    CallSettings,
    Consultation,
    DayOff,
    ExternalEvent,
    LinkedCalendar,
    RuleKind,
)
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import DomainError
from port444.payments.actions import pay_with_test_wallet

ZONES = ["Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Chatham", "America/Santiago"]
AT = datetime(2026, 10, 23, 12, 0, tzinfo=UTC)  # a week in which Europe turns its clocks back, and America a week later
LENGTHS = [15, 30, 60]
PRICES = {15: "35.00", 30: "60.00", 60: "110.00"}
DAY = timedelta(days=1)
REFUSALS = {"slot_taken", "slot_not_offered", "same_time"}


class Undo(Exception):
    """Ends a question without a trace."""


def answer(act: Callable[[], Any]) -> str:
    """What an action says, with everything that it wrote undone."""
    try:
        with transaction.atomic():
            act()
            raise Undo
    except Undo:
        return "accepted"
    except DomainError as refusal:
        return refusal.code


@pytest.fixture
def world(builder: Builder, client_user: User, stranger: User) -> Callable[[random.Random], Builder]:
    """A builder with any hours, whose time is taken in any way."""

    def make(chance: random.Random) -> Builder:
        for minutes, price in PRICES.items():
            setattr(builder, f"consultation_{minutes}min_price", Decimal(price))
        builder.consultation_enabled = True
        builder.save()
        CallSettings.objects.update_or_create(
            builder=builder,
            defaults={
                "time_zone": chance.choice(ZONES),
                "notice_hours": chance.choice([0, 1, 4, 24]),
                "horizon_days": chance.choice([5, 12]),
                "gap_minutes": chance.choice([0, 0, 10, 30]),
                "calls_a_day": chance.choice([None, None, 1, 2]),
                "move_limit": 9,
                "move_hours": 0,
            },
        )
        for _ in range(chance.randint(3, 8)):
            add_hours(builder, chance)
        if chance.random() < 0.4:
            first = AT.date() + timedelta(days=chance.randrange(8))
            DayOff.objects.create(builder=builder, first_on=first, last_on=first + timedelta(days=chance.randrange(2)))
        add_events(builder, chance)
        fresh: Builder = queries.for_booking().get(pk=builder.pk)
        return fresh

    return make


def add_hours(builder: Builder, chance: random.Random) -> None:
    start = 30 * chance.randrange(0, 44)
    common = {"builder": builder, "start_minute": start, "end_minute": min(1440, start + 30 * chance.randint(1, 12))}
    kind = chance.choice([RuleKind.WEEKLY, RuleKind.WEEKLY, RuleKind.WEEKLY, RuleKind.ONCE, RuleKind.MONTHLY_DATE])
    if kind == RuleKind.WEEKLY:
        every = chance.choice([1, 1, 2])
        if every == 1 and AvailabilityRule.objects.filter(kind=kind, interval_weeks=1, start_minute=start).exists():
            return
        AvailabilityRule.objects.create(
            kind=kind, weekday=chance.randrange(7), interval_weeks=every, anchor_on=date(2026, 10, 19) if every > 1 else None, **common
        )
    elif kind == RuleKind.ONCE:
        AvailabilityRule.objects.create(kind=kind, on=AT.date() + timedelta(days=chance.randrange(10)), **common)
    else:
        AvailabilityRule.objects.create(kind=kind, month_day=chance.choice([-1, 24, 28, 31]), **common)


def add_events(builder: Builder, chance: random.Random) -> None:
    link = CalendarLink.objects.create(builder=builder, provider="google", account="anaya@example.com", last_ok_at=AT)
    calendar = LinkedCalendar.objects.create(link=link, external_id="main", name="Work", synced_at=AT, window_from=AT - DAY, window_to=AT + 90 * DAY)
    for n in range(chance.randrange(6)):
        start = AT + timedelta(minutes=5 * chance.randrange(8 * 24 * 12))
        ExternalEvent.objects.create(
            calendar=calendar,
            builder=builder,
            external_id=f"e{n}",
            starts_at=start,
            ends_at=start + timedelta(minutes=chance.choice([20, 60, 300])),
            is_busy=chance.random() < 0.8,
        )


def listed(builder: Builder, client: User, minutes: int, call: Consultation | None = None) -> set[datetime]:
    ignoring = call.pk if call else None
    return set(queries.open_starts(builder, client_id=client.pk, minutes=minutes, moment=clock.now(), ignoring=ignoring))


def questions(chance: random.Random, starts: set[datetime], near: datetime) -> list[datetime]:
    """Some that are listed, their neighbours, and any others."""
    some = chance.sample(sorted(starts), min(3, len(starts)))
    beside = [start + timedelta(minutes=chance.choice([-60, -30, -15, 15, 30, 7])) for start in some]
    anywhere = [near, *(near + timedelta(minutes=15 * chance.randrange(14 * 96)) for _ in range(3))]
    return [*some, *beside, *anywhere]


@pytest.mark.parametrize("seed", [*range(9), 18])
def test_listed_if_and_only_if_accepted(
    world: Callable[[random.Random], Builder], client_user: User, stranger: User, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consultations.actions.booking.live_busy", lambda *args, **options: [])
    chance = random.Random(seed)
    with clock.at(AT):
        builder = world(chance)
        calls: list[Consultation] = []
        accepted = 0
        for turn in range(4):
            client = chance.choice([client_user, stranger])
            minutes = chance.choice(LENGTHS)
            starts = listed(builder, client, minutes)
            for at in questions(chance, starts, AT):
                said = answer(lambda at=at, client=client, minutes=minutes: hold(builder, client, minutes, at))  # type: ignore[misc]
                assert (said == "accepted") == (at in starts), (at, minutes, said)
                assert said == "accepted" or said in REFUSALS
                accepted += said == "accepted"
            if starts:
                calls.append(pay(hold(builder, client, minutes, chance.choice(sorted(starts)))))
            if calls and turn % 2:
                accepted += moves_as_listed(builder, calls, chance)
        assert accepted or not calls


def moves_as_listed(builder: Builder, calls: list[Consultation], chance: random.Random) -> int:
    """The same for moving one of the calls, which is then moved."""
    n = chance.randrange(len(calls))
    call = calls[n]
    starts = listed(builder, call.client, call.duration, call)
    accepted = 0
    for at in [*questions(chance, starts, AT), call.scheduled_at]:
        said = answer(lambda at=at: move_call(call.pk, actor=call.client, starts_at=at))  # type: ignore[misc]
        assert (said == "accepted") == (at in starts and at != call.scheduled_at), (at, said)
        assert said == "accepted" or said in REFUSALS
        accepted += said == "accepted"
    there = sorted(starts - {call.scheduled_at})
    if there and call.scheduled_at > clock.now():
        calls[n] = move_call(call.pk, actor=call.client, starts_at=chance.choice(there))
    return accepted


def hold(builder: Builder, client: User, minutes: int, at: datetime) -> Consultation:
    return hold_slot(builder.pk, actor=client, minutes=minutes, starts_at=at, client_zone="UTC", client_key=uuid4())


def pay(call: Consultation) -> Consultation:
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=call.client)
    return Consultation.objects.get(pk=call.pk)
