"""Money that must not leave twice, nor pay for somebody else: one wallet with two meanings, two workers, settings that change."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid, WrongState
from port444.kit.ids import uuid7
from port444.payments import actions, clearing, providers
from port444.payments.escrow import web3
from port444.payments.escrow.chain import transfers
from port444.payments.models import (
    ChainTransfer,
    EscrowOperation,
    Invoice,
    Payment,
    PayoutAddress,
    PayoutMethod,
    SandboxTransfer,
    WalletPayment,
    Withdrawal,
    WithdrawalStatus,
)
from port444.payments.providers import Unavailable

from .chains import PAYER, SETTINGS, TREASURY
from .conftest import ADDRESS, Bill, earn

pytestmark = pytest.mark.django_db

D = Decimal
NOTHING = {PayoutMethod.WALLET: D("0.00"), PayoutMethod.BANK: D("0.00")}


@pytest.fixture(autouse=True)
def chain(settings: Any) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    settings.CLEARING_DAYS = 0


@pytest.fixture
def withdrawal(builder_user: User) -> Withdrawal:
    """All that the contract holds for a builder's wallet, asked for and not sent."""
    earn(builder_user, "100.00", address=ADDRESS)
    actions.change_payout_address(ADDRESS, actor=builder_user)
    return actions.request_withdrawal(actor=builder_user, amount=D("100.00"), client_key=uuid7())


def asked() -> list[tuple[str, Decimal]]:
    return [(one.kind, one.amount) for one in EscrowOperation.objects.filter(purpose="withdrawal").order_by("number")]


def test_a_refund_to_the_same_wallet_is_no_part_of_the_earnings(builder_user: User) -> None:
    earn(builder_user, "100.00", address=ADDRESS)
    web3.withdraw("refund", uuid7(), ADDRESS, D("100.00"), "refund:1:withdraw")
    assert web3.claims(builder_user.pk) == {ADDRESS: D("100.00")}
    # The contract still holds it for that wallet, so the platform does not pay it from its own money.
    assert clearing.funds(builder_user.pk, now(), "0x" + "Ef" * 20).most == NOTHING


def test_two_who_send_one_withdrawal_send_it_once(withdrawal: Withdrawal, monkeypatch: pytest.MonkeyPatch) -> None:
    row, lock = actions.begin_withdrawal(withdrawal.pk), User.objects.lock

    def after_another(pk: Any) -> User:
        monkeypatch.undo()
        with suppress(Unavailable):
            providers.named("wallet").payout(row)
        return lock(pk)

    monkeypatch.setattr(User.objects, "lock", after_another)
    with pytest.raises(Unavailable):
        providers.named("wallet").payout(row)
    assert asked() == [("withdraw", D("100.00"))]


def test_what_began_on_the_chain_ends_there_when_the_settings_change(withdrawal: Withdrawal, settings: Any) -> None:
    actions.send_withdrawal(withdrawal.pk)
    settings.ESCROW_BACKEND, settings.PAYMENT_PROVIDERS = "ledger", ["sandbox"]
    assert actions.send_withdrawal(withdrawal.pk).status == WithdrawalStatus.SENDING
    assert asked() == [("withdraw", D("100.00"))]
    assert not SandboxTransfer.objects.exists()


def test_what_a_contract_holds_is_not_paid_otherwise(builder_user: User, settings: Any) -> None:
    earn(builder_user, "100.00", address=ADDRESS)
    settings.PAYMENT_PROVIDERS = ["sandbox"]
    assert providers.for_payouts().name == "wallet"
    settings.ESCROW_BACKEND = "ledger"
    found = clearing.funds(builder_user.pk, now(), ADDRESS)
    assert (found.most, found.elsewhere) == (NOTHING, {ADDRESS.lower(): D("100.00")})


def test_the_float_s_address_is_nobody_s_payout_address(builder_user: User, bill: Bill, client_user: User) -> None:
    with pytest.raises(Invalid) as refusal:
        actions.change_payout_address(TREASURY.address, actor=builder_user)
    assert refusal.value.code == "address_ours"
    assert not PayoutAddress.objects.exists()
    PayoutAddress.objects.create(user=builder_user, address=TREASURY.address)
    payment = started(bill, client_user)
    actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    Payment.objects.filter(pk=payment.pk).update(status="succeeded", succeeded_at=now(), settled_at=now())
    deal_id = payment.invoice.deal_id
    assert deal_id is not None
    assert web3.parties(deal_id, builder_user.pk) == {"client": PAYER.address, "builder": SETTINGS["CHAIN_PLATFORM_ADDRESS"]}


# A transfer, and two who say that it is theirs


def started(bill: Bill, payer: User) -> Payment:
    _, invoice = bill()
    Invoice.objects.filter(pk=invoice.pk).update(payer=payer)
    return actions.reach_provider(actions.start_payment(invoice.pk, actor=payer, provider="wallet").pk)


def arrives() -> ChainTransfer:
    facts: dict[str, Any] = {"sender": PAYER.address, "units": 105_500_000, "block_number": 7, "block_hash": "0x7"}
    transfer = ChainTransfer.objects.create(chain_id=31337, tx_hash=f"0x{uuid7().hex}", log_index=0, **facts)
    node: Any = SimpleNamespace(chain_id=31337, token=SimpleNamespace(address=SETTINGS["USDC_ADDRESS"]))
    transfers._match(node, 0, 10)
    transfer.refresh_from_db()
    return transfer


def test_naming_somebody_else_s_wallet_does_not_take_their_money(bill: Bill, client_user: User, stranger: User) -> None:
    thief, mine = started(bill, stranger), started(bill, client_user)
    actions.send_from_wallet(thief.pk, actor=stranger, address=PAYER.address)
    actions.send_from_wallet(mine.pk, actor=client_user, address=PAYER.address)
    transfer = arrives()
    actions.note_hash(thief.pk, actor=stranger, tx_hash=transfer.tx_hash.ljust(66, "0"))
    assert transfer.payment is None
    assert transfer in transfers.unmatched(31337)
    actions.expire_payment(mine.pk)  # late by a moment is no licence
    assert arrives().payment is None


def test_an_attempt_of_long_ago_does_not_stand_in_the_way(bill: Bill, client_user: User, stranger: User) -> None:
    thief, mine = started(bill, stranger), started(bill, client_user)
    actions.send_from_wallet(thief.pk, actor=stranger, address=PAYER.address)
    actions.send_from_wallet(mine.pk, actor=client_user, address=PAYER.address)
    actions.expire_payment(thief.pk)
    WalletPayment.objects.filter(payment=thief).update(begun_at=now() - timedelta(days=2))
    assert arrives().payment == mine


def test_what_the_chain_has_dropped_is_not_sent_back(staff: User) -> None:
    facts: dict[str, Any] = {"sender": PAYER.address, "units": 5_000_000, "block_number": 7, "block_hash": "0x7"}
    transfer = ChainTransfer.objects.create(chain_id=31337, tx_hash="0x1", log_index=0, gone_at=now(), **facts)
    with pytest.raises(WrongState) as refusal:
        actions.return_transfer(transfer.pk, actor=staff)
    assert refusal.value.code == "transfer_gone"
    assert not EscrowOperation.objects.exists()


def test_the_page_says_that_it_is_not_certain_whose_money_came(client: Client, bill: Bill, client_user: User, stranger: User) -> None:
    mine, other = started(bill, client_user), started(bill, stranger)
    for payment, payer in ((mine, client_user), (other, stranger)):
        actions.send_from_wallet(payment.pk, actor=payer, address=PAYER.address)
    arrives()
    client.force_login(client_user)
    page = client.get(reverse("payments:own_wallet", args=[mine.pk])).content.decode()
    assert "it is not certain which payment it is for" in page
    assert "was asked for" not in page
