"""Every cent of a call that does not take place is somebody's, by the policy that was frozen at booking, and was said before."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from consultations.actions import cancel_call, hold_slot, move_call
from consultations.models import CallSettings, Consultation, RefundPolicy
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.money import CENT, fee
from port444.notifications.models import Notification
from port444.payments import escrow, ledger
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import AccountKind, Invoice, InvoiceKind, Refund

from .conftest import MONDAY, TUESDAY_NINE, free_time

SOON, LATE = timedelta(hours=30), timedelta(hours=2)
FRIDAY = TUESDAY_NINE + timedelta(days=3)


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())))


@pytest.fixture
def booked(open_builder: Builder, client_user: User) -> Callable[..., Consultation]:
    """A call on Friday by a policy, at a price."""

    def make(policy: str, price: str = "60.00", hours: int = 24, at: datetime = FRIDAY) -> Consultation:
        CallSettings.objects.filter(builder=open_builder).update(refund_policy=policy, free_hours=hours)
        Builder.objects.filter(pk=open_builder.pk).update(consultation_30min_price=Decimal(price))
        call = hold_slot(open_builder.pk, actor=client_user, minutes=30, starts_at=at, client_zone="Europe/Amsterdam", client_key=uuid4())
        assert call.invoice_id is not None
        pay_with_test_wallet(call.invoice_id, actor=client_user)
        return Consultation.objects.get(pk=call.pk)

    return make


@pytest.mark.parametrize(
    ("policy", "before", "back", "earned"),
    [
        ("free", SOON, "63.30", "0.00"),
        ("free", LATE, "0.00", "54.00"),
        ("half", SOON, "63.30", "0.00"),
        ("half", LATE, "31.65", "27.00"),
        ("none", SOON, "0.00", "54.00"),
        ("none", LATE, "0.00", "54.00"),
    ],
)
def test_a_client_who_cancels(booked: Callable[..., Consultation], client_user: User, policy: str, before: timedelta, back: str, earned: str) -> None:
    call = booked(policy)
    with clock.at(call.scheduled_at - before):
        assert call.back_if_cancelled_by(client_user, clock.now()).total == Decimal(back)
        cancel_call(call.pk, actor=client_user)
    assert sum((refund.amount for refund in Refund.objects.all()), Decimal("0.00")) == Decimal(back)
    assert ledger.balance(AccountKind.EARNINGS, owner=call.builder.user_id) == Decimal(earned)


@pytest.mark.parametrize("policy", RefundPolicy.values)
def test_a_builder_who_cancels_gives_everything_back(booked: Callable[..., Consultation], policy: str) -> None:
    call = booked(policy)
    with clock.at(call.scheduled_at - LATE):
        cancel_call(call.pk, actor=call.builder.user)
    assert Refund.objects.get().amount == call.total
    assert ledger.balance(AccountKind.FEES) == 0


@pytest.mark.parametrize("seed", range(12))
def test_every_cent_is_somebodys(booked: Callable[..., Consultation], client_user: User, seed: int) -> None:
    """Any price, policy, moment and side, moved before or not: what was paid is what goes back, what is earned and what is charged."""
    chance = random.Random(seed)
    price = CENT * chance.choice([1, 2, 3, 33, 101, 999, 3333, 10_001, chance.randrange(1, 1_000_000)])
    call = booked(chance.choice(RefundPolicy.values), str(price), chance.choice([1, 24, 80]))
    if chance.random() < 0.3:
        call = move_call(call.pk, actor=client_user, starts_at=FRIDAY + timedelta(minutes=30 * chance.randint(1, 5)))
    by = chance.choice([client_user, client_user, call.builder.user])
    with clock.at(call.scheduled_at - timedelta(minutes=chance.randrange(1, 84 * 60))):
        told = call.back_if_cancelled_by(by, clock.now())
        cancel_call(call.pk, actor=by)
    back = sum((refund.amount for refund in Refund.objects.all()), Decimal(0))
    earned, charged = ledger.balance(AccountKind.EARNINGS, owner=call.builder.user_id), ledger.balance(AccountKind.FEES)
    kept = call.price - told.price
    assert back == told.total
    assert earned == kept - fee(kept, call.builder_fee_bps)
    assert charged == fee(kept, call.builder_fee_bps) + call.client_fee - told.fee
    assert back + earned + charged == call.total
    assert escrow.current().position(call.deal).locked == 0
    assert ledger.balance(AccountKind.CLIENT, owner=client_user.pk) == 0
    notes = Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE)
    assert [(note.subtotal, note.fee, note.total) for note in notes] == ([(told.price, told.fee, told.total)] if told.total else [])


def test_the_policy_of_the_day_of_booking_counts(booked: Callable[..., Consultation], client_user: User) -> None:
    call = booked("free")
    CallSettings.objects.update(refund_policy="none")
    call.refresh_from_db()
    assert call.back_if_cancelled_by(client_user, MONDAY).total == call.total


SAID = [
    ("free", "Everything back if you cancel until Thu 26 Nov, 04:30 (Amsterdam), nothing later"),
    ("half", "Everything back if you cancel until Thu 26 Nov, 04:30 (Amsterdam), half later"),
    ("none", "Nothing back if you cancel"),
]


@pytest.mark.parametrize(("policy", "said"), SAID)
def test_it_is_said_before_paying_and_by_mail(client: Client, booked: Callable[..., Consultation], client_user: User, policy: str, said: str) -> None:
    call = booked(policy)
    assert said in Notification.objects.get(user=client_user, kind="call_scheduled").body
    client.force_login(client_user)
    query = {"minutes": "30", "tz": "Europe/Amsterdam", "slot": f"{FRIDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
    assert said.replace("04:30", "05:30") in words(client.get(f"/b/{call.builder.slug}/call/", query))
    held = hold_slot(
        call.builder_id, actor=client_user, minutes=30, starts_at=FRIDAY + timedelta(hours=1), client_zone="Europe/Amsterdam", client_key=uuid4()
    )
    assert said.replace("04:30", "05:30") in words(client.get(f"/pay/{held.invoice_id}/"))


@pytest.mark.parametrize(
    ("policy", "before", "mine", "theirs"),
    [
        ("free", SOON, "You get $63.30 USDC back , service fee included.", "Jonas gets $63.30 USDC back"),
        ("free", LATE, "You get nothing back.", "Jonas gets $63.30 USDC back"),
        ("half", LATE, "You get $31.65 USDC back : half the price and half the service fee.", "Jonas gets $63.30 USDC back"),
        ("none", SOON, "You get nothing back. That is what you agreed to when you booked.", "Jonas gets $63.30 USDC back"),
    ],
)
def test_pressing_cancel_is_previewed_to_both(
    client: Client, booked: Callable[..., Consultation], policy: str, before: timedelta, mine: str, theirs: str
) -> None:
    call = booked(policy)
    with clock.at(call.scheduled_at - before):
        for person, expected in ((call.client, mine), (call.builder.user, theirs)):
            client.force_login(person)
            assert expected in words(client.get(call.url))


def test_half_is_told_as_half(client: Client, booked: Callable[..., Consultation], client_user: User) -> None:
    call = booked("half")
    with clock.at(free_time(call)):
        cancel_call(call.pk, actor=client_user)
    client.force_login(client_user)
    assert "By the refund policy $31.65 goes back to you, and the rest of the price went to Anaya." in words(client.get(call.url))
    client.force_login(call.builder.user)
    assert "By the refund policy $31.65 goes back to Jonas; $27.00 is yours." in words(client.get(call.url))
    bodies = {n.user_id: n.body for n in Notification.objects.filter(kind="call_cancelled")}
    assert "half the price and half the service fee" in bodies[client_user.pk]
    assert bodies[call.builder.user_id].startswith("$27.00 is yours: $30.00 less the platform fee.")
