"""From an open invoice to a settled one: once, in order, and back when it was too late."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django_q.models import OrmQ

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, words
from port444.kit.ids import uuid7
from port444.payments import actions, ledger
from port444.payments.models import Invoice, InvoiceStatus, JournalEntry, Payment, PaymentStatus, ProviderEvent, Refund
from port444.payments.providers import Outcome, Report

from .conftest import Bill

pytestmark = pytest.mark.django_db

D = Decimal


def queued() -> list[str]:
    return [task.task["func"].rpartition(".")[2] for task in OrmQ.objects.order_by("pk")]


def arrive(invoice: Invoice, payer: User, event: str = "e1") -> Payment:
    payment = actions.start_payment(invoice.pk, actor=payer)
    return actions.record_answer("sandbox", event, payment.pk, Outcome.SUCCEEDED)


def test_a_payment_settles_the_invoice(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = arrive(invoice, client_user)
    assert queued() == ["settle_invoice"]
    invoice = actions.settle_invoice(invoice.pk)
    payment.refresh_from_db()
    assert (invoice.status, invoice.number, payment.settled_at) == (InvoiceStatus.PAID, f"{now().year}-000001", invoice.paid_at)
    assert thing.told == [f"settled {invoice.number}"]
    assert ledger.balance("escrow", subject=thing.id) == D("100.00")
    assert ledger.balance("fees") == D("5.50")
    assert ledger.balance("client", owner=client_user.pk) == 0
    assert ledger.balance("external") == D("-105.50")


def test_settling_again_does_nothing(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    arrive(invoice, client_user)
    actions.settle_invoice(invoice.pk)
    entries = JournalEntry.objects.count()
    actions.settle_invoice(invoice.pk)
    assert JournalEntry.objects.count() == entries
    assert len(thing.told) == 1


def test_numbers_follow_each_other(paid: Callable[..., Any]) -> None:
    numbers = [paid()[1].number for _ in range(3)]
    assert numbers == [f"{now().year}-{n:06d}" for n in (1, 2, 3)]


def test_a_handler_that_fails_leaves_everything_as_it_was(bill: Bill, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    thing, invoice = bill()
    arrive(invoice, client_user)
    monkeypatch.setattr(type(thing), "deal", property(lambda self: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        actions.settle_invoice(invoice.pk)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number) == (InvoiceStatus.OPEN, None)
    assert not JournalEntry.objects.exists()


def test_money_for_a_void_invoice_goes_back_at_once(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user).pk)
    actions.void_invoice(invoice.pk)
    actions.record_answer("sandbox", "e1", payment.pk, Outcome.SUCCEEDED)
    invoice = actions.settle_invoice(invoice.pk)
    actions.settle_invoice(invoice.pk)
    refund = Refund.objects.get()
    assert (invoice.status, thing.told) == (InvoiceStatus.VOID, [])
    assert (refund.dedupe_key, refund.amount, refund.credit_note) == (f"late:{payment.pk}", D("105.50"), None)
    assert ledger.balance("refunds") == D("105.50")
    assert ledger.balance("client", owner=client_user.pk) == 0


def test_a_second_payment_of_a_paid_invoice_goes_back(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    first = actions.start_payment(invoice.pk, actor=client_user)
    actions.record_answer("sandbox", "gone", first.pk, Report(Outcome.EXPIRED))
    arrive(invoice, client_user, "second")
    actions.settle_invoice(invoice.pk)
    actions.record_answer("sandbox", "came after all", first.pk, Outcome.SUCCEEDED)
    actions.settle_invoice(invoice.pk)
    assert Refund.objects.get().payment == first
    assert len(thing.told) == 1


def test_start_payment_twice_is_one_attempt(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    assert actions.start_payment(invoice.pk, actor=client_user) == actions.start_payment(invoice.pk, actor=client_user)
    assert Payment.objects.count() == 1


def test_only_the_payer_pays(bill: Bill, stranger: User, builder_user: User) -> None:
    _, invoice = bill()
    for other in (stranger, builder_user):
        with pytest.raises(NotAllowed):
            actions.start_payment(invoice.pk, actor=other)
    assert not Payment.objects.exists()
    assert queued() == []


def test_nothing_starts_when_it_is_paid_or_arrived_or_void(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    arrive(invoice, client_user)
    with pytest.raises(WrongState, match="being booked"):
        actions.start_payment(invoice.pk, actor=client_user)
    actions.settle_invoice(invoice.pk)
    with pytest.raises(WrongState, match="paid already"):
        actions.start_payment(invoice.pk, actor=client_user)
    _, other = bill()
    actions.void_invoice(other.pk)
    with pytest.raises(WrongState, match="has passed"):
        actions.start_payment(other.pk, actor=client_user)
    _, late = bill(expires_at=now())
    with pytest.raises(WrongState, match="has passed"):
        actions.start_payment(late.pk, actor=client_user)
    assert Payment.objects.count() == 1


def test_nothing_starts_without_a_provider(bill: Bill, client_user: User, settings: Any) -> None:
    settings.PAYMENT_PROVIDERS = ["none"]
    _, invoice = bill()
    with pytest.raises(Conflict, match="not open"):
        actions.start_payment(invoice.pk, actor=client_user)
    assert not Payment.objects.exists()


def test_the_same_event_twice_is_one(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = arrive(invoice, client_user)
    actions.record_answer("sandbox", "e1", payment.pk, Outcome.FAILED)
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.SUCCEEDED
    assert (ProviderEvent.objects.count(), queued()) == (1, ["settle_invoice"])


def test_a_failure_after_a_success_changes_nothing(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = arrive(invoice, client_user)
    actions.record_answer("sandbox", "e2", payment.pk, Outcome.FAILED)
    actions.record_answer("sandbox", "e3", payment.pk, Outcome.SUCCEEDED)
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.SUCCEEDED
    assert queued() == ["settle_invoice"]


def test_a_wrong_amount_opens_an_incident_and_is_not_settled(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = actions.start_payment(invoice.pk, actor=client_user)
    with pytest.raises(Invalid):
        actions.record_answer("sandbox", "e1", payment.pk, Report(Outcome.SUCCEEDED, D("5.50")))
    payment.refresh_from_db()
    assert (payment.status, queued(), thing.told) == (PaymentStatus.CREATED, [], [])

    assert IncidentLog.objects.get().fingerprint == f"payment-amount:{payment.pk}"


def test_a_declined_payment_can_be_tried_again(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    first = actions.start_payment(invoice.pk, actor=client_user)
    actions.record_answer("sandbox", "e1", first.pk, Report(Outcome.FAILED, None, "No."))
    second = actions.start_payment(invoice.pk, actor=client_user)
    first.refresh_from_db()
    assert (first.status, first.failure) == (PaymentStatus.FAILED, "No.")
    assert second.pk != first.pk


def test_an_unknown_payment_or_another_provider_is_unknown(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = actions.start_payment(invoice.pk, actor=client_user)
    for provider, pk in (("sandbox", uuid7()), ("other", payment.pk)):
        with pytest.raises(Payment.DoesNotExist):
            actions.record_answer(provider, "e1", pk, Outcome.SUCCEEDED)
    assert not ProviderEvent.objects.exists()


def test_one_live_invoice_a_subject(bill: Bill, client_user: User, builder_user: User) -> None:
    thing, _ = bill()
    again: dict[str, Any] = {
        "purpose": "test",
        "subject_id": thing.id,
        "payer": client_user,
        "payee": builder_user,
        "return_url": "/",
        "expires_at": None,
    }
    with pytest.raises(Conflict, match="invoice for this already"):
        actions.open_invoice(lines=[actions.Line("Again", D("1.00"))], actor=client_user, **again)
    assert Invoice.objects.count() == 1


def test_nobody_pays_a_suspended_builder(bill: Bill, client_user: User, builder_user: User) -> None:
    _, invoice = bill()
    User.objects.filter(pk=builder_user.pk).update(suspended_at=now(), suspension_reason="Under review for now")
    with pytest.raises(Conflict, match="Nothing was taken"):
        actions.start_payment(invoice.pk, actor=client_user)
    assert not Payment.objects.exists()


def test_the_database_alone_words_a_second_attempt_at_once(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = actions.start_payment(invoice.pk, actor=client_user)
    payment.pk, payment._state.adding = uuid7(), True
    with pytest.raises(Conflict, match="paying this already"), words(), transaction.atomic():
        payment.save(force_insert=True)
    assert Payment.objects.count() == 1
