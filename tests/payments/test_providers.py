"""What every provider promises, run against each through the protocol."""

from __future__ import annotations

from decimal import Decimal

import pytest

from port444.accounts.models import User
from port444.kit.ids import uuid7
from port444.payments import actions, providers
from port444.payments.models import Payment, Refund, SandboxCharge, SandboxTransfer, Withdrawal
from port444.payments.providers import Outcome, Provider, Refused
from port444.payments.providers.sandbox import Decision, Manner

from .conftest import Bill

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture(params=["sandbox", "none"])
def provider(request: pytest.FixtureRequest) -> Provider:
    return providers.named(request.param)


@pytest.fixture
def payment(bill: Bill, client_user: User) -> Payment:
    _, invoice = bill()
    return actions.start_payment(invoice.pk, actor=client_user)


def takes_money(provider: Provider) -> bool:
    try:
        provider.require()
    except Refused:
        return False
    return True


def test_it_has_a_name_for_the_database_and_a_label_for_people(provider: Provider) -> None:
    assert providers.named(provider.name).label == provider.label


def test_create_is_idempotent_or_a_worded_refusal(provider: Provider, payment: Payment) -> None:
    if takes_money(provider):
        answer = provider.create(payment)
        assert answer == provider.create(payment)
        assert answer.external_id
        assert answer.pay_url.startswith("/")
    else:
        with pytest.raises(Refused, match="Nothing was taken"):
            provider.create(payment)


def test_what_it_has_never_seen_is_pending_until_it_is_ended(provider: Provider, payment: Payment) -> None:
    assert provider.fetch(payment).outcome == Outcome.PENDING
    assert provider.expire(payment).outcome == Outcome.EXPIRED


def test_expire_ends_a_waiting_payment_for_good(provider: Provider, payment: Payment) -> None:
    if takes_money(provider):
        provider.create(payment)
    assert [provider.expire(payment).outcome for _ in range(2)] == [Outcome.EXPIRED] * 2


def test_payout_is_idempotent_or_a_worded_refusal(provider: Provider, builder_user: User) -> None:
    withdrawal = Withdrawal(user=builder_user, amount=D("20.00"), address="0x" + "ab" * 20)
    if takes_money(provider):
        assert provider.payout(withdrawal) == provider.payout(withdrawal)
        assert SandboxTransfer.objects.count() == 1
        withdrawal.amount = D("21.00")
    with pytest.raises(Refused):
        provider.payout(withdrawal)


def test_a_refund_of_an_unknown_payment_is_refused(provider: Provider, payment: Payment) -> None:
    with pytest.raises(Refused):
        provider.refund(Refund(payment=payment, amount=D("1.00")))


@pytest.fixture
def charged(payment: Payment, client_user: User) -> Payment:
    payment = actions.reach_provider(payment.pk)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    return payment


def test_the_wallet_reports_the_amount_it_took(charged: Payment) -> None:
    report = providers.named("sandbox").fetch(charged)
    assert (report.outcome, report.amount) == (Outcome.SUCCEEDED, charged.amount)
    assert providers.named("sandbox").expire(charged).outcome == Outcome.SUCCEEDED


def test_the_wallet_sends_back_once_for_a_key_and_never_too_much(charged: Payment) -> None:
    wallet = providers.named("sandbox")
    refund = Refund(payment=charged, amount=D("100.00"))
    assert wallet.refund(refund) == wallet.refund(refund)
    assert SandboxCharge.objects.get().refunded == D("100.00")
    with pytest.raises(Refused):
        wallet.refund(Refund(pk=uuid7(), payment=charged, amount=D("5.51")))
    assert SandboxTransfer.objects.count() == 1
