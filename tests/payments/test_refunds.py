"""Refunds: from which account, once, with a credit note, and what happens when the provider refuses."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django_q.models import OrmQ

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.notifications.models import Notification
from port444.payments import actions, escrow, ledger
from port444.payments.models import Invoice, InvoiceKind, JournalEntry, Payment, Refund, RefundStatus, SandboxTransfer
from port444.payments.providers import Refused, Unavailable
from port444.payments.providers.sandbox import Sandbox

from .conftest import Thing

pytestmark = pytest.mark.django_db

D = Decimal
Paid = Callable[..., tuple[Thing, Invoice, Payment]]


def cancel(thing: Thing, payment: Payment, price: str = "100.00", client_fee: str = "5.50") -> Refund:
    """What an order does when it ends through no fault of the client."""
    amount, fee = D(price), D(client_fee)
    escrow.current().refund(thing.deal, amount, "cancel:1:escrow")
    return actions.request_refund(payment, amount + fee, reason="The order was cancelled.", dedupe_key="cancel:1", actor=None, fee=fee)


def test_the_price_and_the_fee_go_back(paid: Paid, client_user: User) -> None:
    thing, _, payment = paid()
    refund = cancel(thing, payment)
    assert (refund.status, refund.amount, payment.refunded) == (RefundStatus.REQUESTED, D("105.50"), D("105.50"))
    assert ledger.balance("refunds") == D("105.50")
    assert (ledger.balance("fees"), ledger.balance("client", owner=client_user.pk)) == (D(0), D(0))
    refund = actions.send_refund(refund.pk)
    assert refund.status == RefundStatus.COMPLETED
    assert (ledger.balance("refunds"), ledger.balance("external")) == (D(0), D(0))
    assert SandboxTransfer.objects.get().amount == D("105.50")
    assert Notification.objects.get(user=client_user).kind == "refund.completed"


def test_the_credit_note_corrects_the_invoice(paid: Paid) -> None:
    thing, invoice, payment = paid()
    note = cancel(thing, payment, "40.00", "2.20").credit_note
    assert note is not None
    assert (note.kind, note.number, note.corrects) == (InvoiceKind.CREDIT_NOTE, f"C{now().year}-000001", invoice)
    assert (note.subtotal, note.fee, note.total) == (D("40.00"), D("2.20"), D("42.20"))
    assert [line.amount for line in note.lines.all()] == [D("40.00"), D("2.20")]


def test_asking_again_gives_the_same_refund(paid: Paid) -> None:
    thing, _, payment = paid()
    refund = cancel(thing, payment)
    again = actions.request_refund(payment, D("105.50"), reason="Again", dedupe_key="cancel:1", actor=None, fee=D("5.50"))
    assert (again, Refund.objects.count(), Invoice.objects.filter(kind="credit_note").count()) == (refund, 1, 1)
    with pytest.raises(ValueError, match="another amount"):
        actions.request_refund(payment, D("1.00"), reason="Other", dedupe_key="cancel:1", actor=None)


def test_never_more_than_was_paid_nor_more_fee_than_was_taken(paid: Paid) -> None:
    thing, _, payment = paid()
    cancel(thing, payment, "50.00", "5.50")
    with pytest.raises(Conflict) as refusal:
        actions.request_refund(payment, D("50.01"), reason="More", dedupe_key="b", actor=None)
    assert refusal.value.code == "refund_exceeds"
    escrow.current().refund(thing.deal, D("50.00"), "rest")
    paid()  # fees of somebody else are there to be taken
    with pytest.raises(Conflict) as refusal:
        actions.request_refund(payment, D("10.00"), reason="Fee", dedupe_key="c", actor=None, fee=D("1.00"))
    assert refusal.value.code == "fee_exceeds"
    assert Refund.objects.count() == 1
    assert JournalEntry.objects.filter(key__startswith="refund:").count() == 1


def test_money_still_in_escrow_cannot_go_back(paid: Paid) -> None:
    _, _, payment = paid()
    with pytest.raises(Conflict) as refusal:
        actions.request_refund(payment, D("100.00"), reason="No", dedupe_key="a", actor=None)
    payment.refresh_from_db()
    assert (refusal.value.code, payment.refunded, Refund.objects.count()) == ("not_covered", 0, 0)


def test_a_payment_that_took_nothing_gives_nothing_back(bill: Any, client_user: User) -> None:
    _, invoice = bill()
    payment = actions.start_payment(invoice.pk, actor=client_user)
    with pytest.raises(WrongState):
        actions.request_refund(payment, D("1.00"), reason="No", dedupe_key="a", actor=None)
    assert not Refund.objects.exists()
    assert not OrmQ.objects.exists()


def test_a_provider_that_does_not_answer_is_asked_again(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    thing, _, payment = paid()
    refund = cancel(thing, payment)

    def silence(self: object, refund: Refund) -> str:
        raise Unavailable("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(Sandbox, "refund", silence)
        assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
    assert SandboxTransfer.objects.count() == 1


def test_a_refused_refund_is_seen_and_can_be_sent_again(paid: Paid, monkeypatch: pytest.MonkeyPatch, staff: User, stranger: User) -> None:
    thing, _, payment = paid()
    refund = cancel(thing, payment)

    def refuse(self: object, refund: Refund) -> str:
        raise Refused("The wallet is closed.")

    with monkeypatch.context() as patch:
        patch.setattr(Sandbox, "refund", refuse)
        refund = actions.send_refund(refund.pk)
    assert (refund.status, refund.error) == (RefundStatus.FAILED, "The wallet is closed.")
    assert IncidentLog.objects.get().fingerprint == f"refund-failed:{refund.pk}"
    assert ledger.balance("refunds") == D("105.50")
    with pytest.raises(NotAllowed):
        actions.retry_refund(refund.pk, actor=stranger)
    actions.retry_refund(refund.pk, actor=staff)
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
