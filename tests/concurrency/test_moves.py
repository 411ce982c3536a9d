"""A call is moved while something else happens to it or to its new time, on a real PostgreSQL with real transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from consultations.actions import accept_proposal, cancel_call, move_call, propose_move
from consultations.models import Consultation, Proposal, SlotClaim
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import Invoice, Refund

from .test_booking import OVERLAPS, book, crowd, one, rush, sell, tomorrow_noon

__all__ = ["crowd", "sell"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = 6


def noon() -> datetime:
    """Far enough away to move and to cancel without asking."""
    return tomorrow_noon() + timedelta(days=1)


def paid(builder: Builder, client: User, starts_at: datetime, minutes: int = 30) -> Consultation:
    call = book(builder, client, starts_at, minutes)()
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=client)
    return Consultation.objects.get(pk=call.pk)


def to(call: Consultation, client: User, starts_at: datetime) -> Callable[[], Any]:
    return lambda: move_call(call.pk, actor=client, starts_at=starts_at)


def whole(call: Consultation) -> Consultation:
    """One live row, one claim that is its own, one invoice; whatever happened."""
    live = Consultation.objects.live(call.chain).get()
    claim = SlotClaim.objects.get(consultation__chain=call.chain)
    assert claim.consultation_id == live.pk
    assert (claim.busy.lower, claim.status) == (live.scheduled_at, "confirmed" if live.status == "scheduled" else "released")
    assert {row.invoice_id for row in Consultation.objects.filter(chain=call.chain)} == {call.invoice_id}
    assert one(OVERLAPS) == 0
    return live


def test_pressing_move_many_times_moves_once(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    call, there = paid(sell("anaya"), crowd[0], noon()), noon() + timedelta(hours=3)
    assert Counter(rush([to(call, crowd[0], there)] * 8)) == {"won": 1, "moved": 7}
    assert (whole(call).scheduled_at, Consultation.objects.count()) == (there, 2)


def test_two_moves_at_once_to_two_times(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    call, midday = paid(sell("anaya"), crowd[0], noon()), noon()
    outcome = Counter(rush([to(call, crowd[0], midday + timedelta(hours=n)) for n in range(1, 9)]))
    assert outcome == {"won": 1, "moved": 7}
    assert whole(call).move_count == 1


def test_two_calls_that_want_one_time(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    builder, midday = sell("anaya"), noon()
    calls = [paid(builder, client, midday + timedelta(minutes=30 * n)) for n, client in enumerate(crowd[:8])]
    there = midday + timedelta(hours=8)
    outcome = Counter(rush([to(call, call.client, there) for call in calls]))
    assert outcome == {"won": 1, "slot_taken": 7}
    assert [whole(call).scheduled_at for call in calls].count(there) == 1


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_move_against_a_cancellation(sell: Callable[[str], Builder], crowd: list[User], turn: int) -> None:
    builder = sell("anaya")
    call = paid(builder, crowd[0], noon())
    by = crowd[0] if turn % 2 else builder.user
    wishes = [to(call, crowd[0], noon() + timedelta(hours=3)), lambda: cancel_call(call.pk, actor=by)]
    outcome = rush(wishes if turn % 3 else wishes[::-1])
    assert sorted(outcome) in (["moved", "won"], ["won", "wrong_state"])
    live = whole(call)
    assert Refund.objects.count() == (1 if live.status == "cancelled" else 0)


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_move_against_a_hold_of_its_time(sell: Callable[[str], Builder], crowd: list[User], turn: int) -> None:
    builder, there = sell("anaya"), noon() + timedelta(hours=3)
    call = paid(builder, crowd[0], noon())
    wishes = [to(call, crowd[0], there), book(builder, crowd[1], there - timedelta(minutes=15 * (turn % 2)), 30)]
    if turn % 2:
        wishes[1] = book(builder, crowd[1], there, 60)
    assert Counter(rush(wishes)) == {"won": 1, "slot_taken": 1}
    whole(call)


def test_a_client_moves_two_calls_with_two_builders_to_one_time(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    midday, client = noon(), crowd[0]
    calls = [paid(sell(f"builder{n}"), client, midday + timedelta(hours=n)) for n in range(4)]
    outcome = Counter(rush([to(call, client, midday + timedelta(hours=10)) for call in calls]))
    assert outcome == {"won": 1, "slot_taken": 3}
    assert one(OVERLAPS) == 0


def test_yes_many_times_moves_once(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    builder = sell("anaya")
    call = paid(builder, crowd[0], noon())
    proposal = propose_move(call.pk, actor=builder.user, starts_at=noon() + timedelta(hours=3))
    outcome = Counter(rush([lambda: accept_proposal(proposal.pk, actor=crowd[0])] * 8))
    assert (outcome["won"], sum(outcome.values()) - outcome["won"], set(outcome) - {"won", "answered"}) == (1, 7, set())
    assert (whole(call).scheduled_at, Consultation.objects.count()) == (noon() + timedelta(hours=3), 2)


def test_proposing_at_once_leaves_one_open(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    builder = sell("anaya")
    call = paid(builder, crowd[0], noon())
    people = [builder.user, crowd[0]]

    def ask(n: int) -> Callable[[], Any]:
        return lambda: propose_move(call.pk, actor=people[n % 2], starts_at=noon() + timedelta(hours=n))

    wishes = [ask(n) for n in range(1, 9)]
    assert Counter(rush(wishes)) == {"won": 8}
    assert Proposal.objects.open().count() == 1


def test_a_crowd_that_moves_back_and_forth(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    """Sixteen calls change places as they like; nobody sees a deadlock, and nothing overlaps."""
    builder, midday = sell("anaya"), noon()
    calls = [paid(builder, client, midday + timedelta(minutes=30 * n)) for n, client in enumerate(crowd[:16])]
    for turn in range(2):
        wishes = [to(call, call.client, midday + timedelta(minutes=30 * ((n * 7 + turn * 3 + 5) % 20))) for n, call in enumerate(calls)]
        assert set(rush(wishes)) <= {"won", "slot_taken", "same_time", "moved"}
        calls = [whole(call) for call in calls]
    assert Invoice.objects.count() == 16
