"""From payment to a confirmed call, in time and too late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django_q.models import OrmQ

from consultations.actions import call_unpaid, lock_for_payment
from consultations.models import Consultation, SlotClaim
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.payments import escrow, ledger
from port444.payments.actions import expire_invoice, pay_with_test_wallet, reach_provider, reconcile_payment, settle_invoice, start_payment
from port444.payments.actions.wallet import answer_wallet
from port444.payments.models import AccountKind, Invoice, InvoiceStatus, Refund
from port444.payments.providers.sandbox import Decision, Manner

from .conftest import MONDAY, TUESDAY_NINE, counts

Hold = Callable[..., Consultation]
LATER = MONDAY + timedelta(minutes=settings.HOLD_MINUTES + 1)


def invoice_of(call: Consultation) -> Invoice:
    return Invoice.objects.get(subject_id=call.pk)


def pay(call: Consultation) -> Consultation:
    pay_with_test_wallet(invoice_of(call).pk, actor=call.client)
    return Consultation.objects.get(pk=call.pk)


def test_payment_confirms_the_call(hold: Hold) -> None:
    call = pay(hold())
    claim = SlotClaim.objects.get(consultation=call)
    assert (call.status, call.paid_at, call.meeting_url) == ("scheduled", MONDAY, "https://meet.example/anaya")
    assert (claim.status, claim.hold_expires_at) == ("confirmed", None)
    assert escrow.current().position(call.deal).locked == Decimal("60.00")
    assert ledger.balance(AccountKind.FEES) == Decimal("3.30")
    told = Notification.objects.filter(kind="call_scheduled")
    assert {(n.user_id, n.url) for n in told} == {(call.client_id, f"/calls/{call.pk}/"), (call.builder.user_id, f"/calls/{call.pk}/")}
    assert Message.objects.filter(conversation=call.conversation, subject_id=call.pk).count() == 1


def test_everybody_reads_their_own_clock(hold: Hold) -> None:
    call = pay(hold())
    titles = {n.user_id: n.title for n in Notification.objects.filter(kind="call_scheduled")}
    assert titles[call.client_id] == "Call with Anaya: Tue 24 Nov, 04:30 (Amsterdam)"
    assert titles[call.builder.user_id] == "Call with Jonas: Tue 24 Nov, 09:00 (Kolkata)"


def test_a_hold_that_is_over_and_not_yet_given_back_still_becomes_a_call(hold: Hold) -> None:
    call = hold()
    with clock.at(LATER):
        _settle_late(call)
    assert Consultation.objects.get(pk=call.pk).status == "scheduled"


def test_unpaid_gives_the_time_back_once(hold: Hold, stranger: User) -> None:
    call = hold()
    with clock.at(LATER):
        expire_invoice(invoice_of(call).pk)
        call.refresh_from_db()
        assert (call.status, call.claim.status, call.expired_at) == ("expired", "released", LATER)
        assert invoice_of(call).status == InvoiceStatus.VOID
        before = counts()
        call_unpaid(lock_for_payment(call.pk), invoice_of(call))
        assert counts() == before
        assert hold(stranger).status == "held"


def test_unpaid_leaves_a_confirmed_call_alone(scheduled: Consultation) -> None:
    before = counts()
    call_unpaid(lock_for_payment(scheduled.pk), invoice_of(scheduled))
    scheduled.refresh_from_db()
    assert (scheduled.status, counts()) == ("scheduled", before)


def _release_by_the_next(call: Consultation, hold: Hold, stranger: User) -> Consultation:
    """Another client's hold gives the overdue one back, while its invoice can still be paid."""
    with clock.at(LATER):
        other = hold(stranger)
    call.refresh_from_db()
    assert (call.status, invoice_of(call).status) == ("expired", InvoiceStatus.OPEN)
    return other


def test_a_late_payment_finds_its_time_free_again(hold: Hold, stranger: User) -> None:
    call = hold()
    other = _release_by_the_next(call, hold, stranger)
    with clock.at(LATER + timedelta(minutes=settings.HOLD_MINUTES)):
        expire_invoice(invoice_of(other).pk)
    paid = pay(call)
    assert (paid.status, paid.expired_at, paid.claim.status) == ("scheduled", None, "confirmed")
    assert not Refund.objects.exists()


def test_a_late_payment_takes_an_overdue_hold_from_nobody(hold: Hold, stranger: User) -> None:
    call = hold()
    other = _release_by_the_next(call, hold, stranger)
    with clock.at(LATER + timedelta(minutes=settings.HOLD_MINUTES)):
        assert lock_for_payment(call.pk).status == "expired"
        _settle_late(call)
    other.refresh_from_db()
    assert (Consultation.objects.get(pk=call.pk).status, other.status) == ("scheduled", "expired")


def _settle_late(call: Consultation) -> None:
    """The provider says late that the payment, started in time, went through."""
    with clock.at(MONDAY):
        payment = reach_provider(start_payment(invoice_of(call).pk, actor=call.client).pk)
    answer_wallet(payment.pk, actor=call.client, decision=Decision.APPROVE, manner=Manner.SILENT)
    reconcile_payment(payment.pk)
    settle_invoice(invoice_of(call).pk)


def test_a_late_payment_for_a_time_that_is_gone_goes_back_whole(hold: Hold, stranger: User, client_user: User) -> None:
    call = hold()
    other = _release_by_the_next(call, hold, stranger)
    with clock.at(LATER):
        _settle_late(call)
    call.refresh_from_db()
    other.refresh_from_db()
    assert (call.status, call.claim.status, other.status) == ("expired", "released", "held")
    refund = Refund.objects.get()
    assert (refund.amount, refund.status) == (Decimal("63.30"), "requested")
    assert ledger.balance(AccountKind.CLIENT, owner=client_user.pk) == 0
    assert ledger.balance(AccountKind.FEES) == 0
    assert OrmQ.objects.exists()
    told = Notification.objects.get(kind="call_late")
    assert (told.user, told.url) == (client_user, "/b/anaya-krishnan/call/")
    near = [line for line in told.body.splitlines() if line.endswith("(Amsterdam)")]
    assert near == ["Tue 24 Nov, 05:00 (Amsterdam)", "Tue 24 Nov, 05:30 (Amsterdam)", "Tue 24 Nov, 06:00 (Amsterdam)"]


def test_money_for_a_call_that_has_begun_goes_back(hold: Hold, stranger: User, open_builder: Builder) -> None:
    call = hold()
    _release_by_the_next(call, hold, stranger)
    with clock.at(TUESDAY_NINE + timedelta(minutes=1)):
        _settle_late(call)
    assert (Consultation.objects.get(pk=call.pk).status, Refund.objects.get().amount) == ("expired", Decimal("63.30"))


def test_money_that_is_booked_after_the_start_buys_no_call(hold: Hold, client_user: User) -> None:
    """The worker was away: the hold was paid in time, but nobody knew of the call when it began."""
    call = hold()
    payment = reach_provider(start_payment(invoice_of(call).pk, actor=client_user).pk)
    answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    with clock.at(call.scheduled_at):
        reconcile_payment(payment.pk)
        settle_invoice(invoice_of(call).pk)
    call.refresh_from_db()
    assert (call.status, SlotClaim.objects.get().status) == ("expired", "released")
    assert Refund.objects.get().amount == call.total
    assert ledger.balance(AccountKind.FEES) == 0


def test_a_call_with_a_builder_who_was_suspended_meanwhile_is_not_confirmed(hold: Hold, client_user: User) -> None:
    call = hold()
    payment = reach_provider(start_payment(invoice_of(call).pk, actor=client_user).pk)
    answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    User.objects.filter(pk=call.builder.user_id).update(suspended_at=MONDAY, suspension_reason="Under review for now")
    reconcile_payment(payment.pk)
    settle_invoice(invoice_of(call).pk)
    call.refresh_from_db()
    assert (call.status, Refund.objects.get().amount) == ("expired", call.total)


def test_whoever_begins_to_pay_gets_the_time_once_more(hold: Hold, client_user: User, stranger: User) -> None:
    call = hold()
    again, end = MONDAY + timedelta(minutes=14), MONDAY + timedelta(minutes=14 + settings.HOLD_MINUTES)
    with clock.at(again):
        payment = start_payment(invoice_of(call).pk, actor=client_user)
    claim = SlotClaim.objects.get()
    assert (claim.hold_expires_at, invoice_of(call).expires_at, payment.expires_at) == (end, end, end)
    with clock.at(end - timedelta(seconds=1)):
        with pytest.raises(Conflict):
            hold(stranger)
        reach_provider(payment.pk)
        answer_wallet(payment.pk, actor=client_user, decision=Decision.DECLINE, manner=Manner.SILENT)
        reconcile_payment(payment.pk)
        second = start_payment(invoice_of(call).pk, actor=client_user)
    assert (SlotClaim.objects.get().hold_expires_at, second.expires_at) == (end, end)  # once, or a time is held for ever


def test_nobody_gets_time_for_a_hold_that_is_over(hold: Hold, client_user: User, stranger: User) -> None:
    call = hold()
    before = counts()
    with clock.at(LATER), pytest.raises(WrongState):
        start_payment(invoice_of(call).pk, actor=client_user)
    with pytest.raises(NotAllowed):
        start_payment(invoice_of(call).pk, actor=stranger)
    assert (counts(), SlotClaim.objects.get().hold_expires_at) == (before, MONDAY + timedelta(minutes=settings.HOLD_MINUTES))
