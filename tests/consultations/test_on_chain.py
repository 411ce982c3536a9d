"""Calls whose escrow is on a chain: they go on as always, and their money follows when the chain confirms."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditlog.models import IncidentLog
from consultations.actions import cancel_call, complete_call, complete_unattended, lock_for_escrow, move_call
from consultations.models import Consultation
from port444.accounts.models import User
from port444.kit import clock
from port444.notifications.models import Notification
from port444.payments import ledger
from port444.payments.escrow import books
from port444.payments.models import AccountKind, EscrowOperation, EscrowStatus, Invoice, InvoiceKind, Refund
from tests.confirming import confirm_all, use_chain

from .conftest import TUESDAY_NINE, free_time

D = Decimal
WEDNESDAY_TEN = TUESDAY_NINE + timedelta(hours=25)


@pytest.fixture(autouse=True)
def on_chain(settings: Any) -> None:
    use_chain(settings)


def purse(call: Consultation) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """In escrow, the builder's, the client's own account, the platform's."""
    return (
        ledger.balance(AccountKind.ESCROW, subject=call.chain),
        ledger.balance(AccountKind.EARNINGS, owner=call.builder.user_id),
        ledger.balance(AccountKind.CLIENT, owner=call.client_id),
        ledger.balance(AccountKind.FEES),
    )


def given_back() -> list[tuple[Decimal, Decimal, str]]:
    """What went back, with the credit note of it."""
    refunds = Refund.objects.select_related("credit_note").order_by("requested_at")
    assert Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).count() == refunds.count()
    return [(one.amount, one.credit_note.fee if one.credit_note else D(0), one.reason) for one in refunds]


def test_a_call_is_booked_before_the_chain_confirms_and_paid_for_after(scheduled: Consultation, builder_user: User) -> None:
    assert (scheduled.status, purse(scheduled)) == ("scheduled", (D(0), D(0), D("60.00"), D("3.30")))
    with clock.at(scheduled.scheduled_at + timedelta(minutes=40)):
        call = complete_call(scheduled.pk, actor=builder_user)
    assert (call.status, purse(call)[1]) == ("completed", D(0))
    assert list(EscrowOperation.objects.order_by("number").values_list("kind", flat=True)) == ["open", "release"]
    assert "as soon as escrow has released it" in Notification.objects.get(kind="call_completed", user=builder_user).body
    confirm_all()
    assert purse(call) == (D(0), D("54.00"), D(0), D("9.30"))
    assert given_back() == []


def test_cancelled_in_time_everything_comes_back_when_the_chain_has_confirmed(scheduled: Consultation, client_user: User) -> None:
    call = cancel_call(scheduled.pk, actor=client_user)
    assert (call.status, given_back()) == ("cancelled", [])
    confirm_all()
    assert given_back() == [(D("63.30"), D("3.30"), "Call cancelled")]
    assert purse(call) == (D(0), D(0), D(0), D(0))


def test_cancelled_late_with_half_back_both_get_their_part(scheduled: Consultation, client_user: User) -> None:
    Consultation.objects.filter(pk=scheduled.pk).update(refund_policy="half")
    scheduled.refresh_from_db()
    with clock.at(free_time(scheduled) + timedelta(minutes=1)):
        call = cancel_call(scheduled.pk, actor=client_user)
    opened, refund, release = EscrowOperation.objects.order_by("number")
    books.confirm(opened.pk)
    books.confirm(refund.pk)
    assert given_back() == [(D("31.65"), D("1.65"), "Call cancelled")]
    assert purse(call)[:2] == (D("30.00"), D(0))
    books.confirm(release.pk)
    assert purse(call) == (D(0), D("27.00"), D(0), D("4.65"))


@pytest.mark.parametrize("confirmed", ["before", "after"])
def test_a_call_that_was_moved_is_settled_by_the_name_of_its_chain(scheduled: Consultation, client_user: User, confirmed: str) -> None:
    if confirmed == "before":
        confirm_all()
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    assert lock_for_escrow(scheduled.chain).pk == moved.pk
    confirm_all()
    cancel_call(moved.pk, actor=client_user)
    confirm_all()
    assert given_back() == [(D("63.30"), D("3.30"), "Call cancelled")]
    assert EscrowOperation.objects.filter(status=EscrowStatus.CONFIRMED).count() == 2


def test_a_call_that_the_chain_does_not_open_goes_on_in_the_ledger(scheduled: Consultation, builder_user: User) -> None:
    books.give_up(f"call:{scheduled.chain}:open", "The contract said no.")
    scheduled.refresh_from_db()
    assert (scheduled.status, purse(scheduled)[0]) == ("scheduled", D("60.00"))
    assert "The contract said no." in IncidentLog.objects.get().description
    with clock.at(scheduled.scheduled_at + timedelta(minutes=40)):
        call = complete_call(scheduled.pk, actor=builder_user)
    assert purse(call) == (D(0), D("54.00"), D(0), D("9.30"))
    assert confirm_all() == 0


def test_given_up_after_the_call_took_place_the_builder_is_paid_all_the_same(scheduled: Consultation) -> None:
    with clock.at(scheduled.ends_at + timedelta(days=3)):
        call = complete_unattended(scheduled.pk)
    books.give_up(f"call:{scheduled.chain}:open", "The contract said no.")
    assert purse(call) == (D(0), D("54.00"), D(0), D("9.30"))
    assert EscrowOperation.objects.get(kind="release").backend == "ledger"


def test_given_up_after_a_cancellation_the_client_gets_everything_once(scheduled: Consultation, client_user: User) -> None:
    call = cancel_call(scheduled.pk, actor=client_user)
    books.give_up(f"call:{scheduled.chain}:open", "The contract said no.")
    assert given_back() == [(D("63.30"), D("3.30"), "Call cancelled")]
    assert purse(call) == (D(0), D(0), D(0), D(0))


def test_the_escrow_outlives_the_call(scheduled: Consultation) -> None:
    until: datetime = scheduled.ends_at + timedelta(days=90)
    assert EscrowOperation.objects.get().args["expiry"] == int(until.timestamp())
