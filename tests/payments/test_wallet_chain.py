"""Paying from a wallet on a real chain: what the token, the contract and the worker make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.payments import actions, escrow, handlers
from port444.payments.actions.chain import contracts, note
from port444.payments.escrow import books
from port444.payments.escrow.chain import engine
from port444.payments.escrow.chain.client import Chain, connect
from port444.payments.escrow.chain.transfers import find_transfers, misfits, signing, unmatched
from port444.payments.models import (
    ChainDifference,
    ChainTransfer,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    PayoutAddress,
    Refund,
    RefundStatus,
    WalletPayment,
    WithdrawalStatus,
)
from port444.payments.providers.wallet import calldata, collect_key
from scripts import chain as local

from .chains import signed
from .conftest import PURPOSE, Bill, Thing

pytestmark = pytest.mark.django_db

D = Decimal
HELD = 500_000_000  # units in each wallet of the tests
PRICE = 105_500_000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A node that nobody else loses blocks on."""
    with local.running() as address:
        yield address


@dataclass
class Town:
    """A chain with the contracts, two people's wallets on it, and a worker."""

    chain: Chain
    url: str
    payer: Any
    other: Any

    def balance(self, account: Any) -> int:
        return int(self.chain.token.functions.balanceOf(account if isinstance(account, str) else account.address).call())

    def rpc(self, method: str, *params: Any) -> Any:
        return local.ask(self.url, method, *params)

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks))

    def send(self, account: Any, units: int = PRICE, data: str = "") -> str:
        """What the wallet of an account does with eth_sendTransaction."""
        call = data or self.chain.token.encode_abi("transfer", [self.chain.operator, units])
        asked = {"from": account.address, "to": self.chain.token.address, "data": call, "value": "0x0"}
        self.rpc("anvil_impersonateAccount", account.address)
        return str(self.rpc("eth_sendTransaction", asked))

    def work(self) -> None:
        """The worker until nothing moves."""
        for _ in range(30):
            EscrowOperation.objects.open().update(next_try_at=now() - timedelta(seconds=1))
            engine.tick(self.chain)
            if not EscrowOperation.objects.open().exists():
                return
            self.mine()


@pytest.fixture
def town(url: str, settings: Any) -> Town:
    for name, value in local.deploy(url).items():
        setattr(settings, name, int(value) if name == "CHAIN_ID" else value)
    settings.PAYMENT_PROVIDERS = ["wallet", "sandbox"]
    settings.CHAIN_CONFIRMATIONS = 3
    payer, other = (Account.from_key(f"0x{uuid7().hex}{uuid7().hex}") for _ in range(2))
    for one in (payer, other):
        local.fund(url, settings.USDC_ADDRESS, one.address, HELD)
    made = Town(connect(), url, payer, other)
    made.mine(3)
    find_transfers(made.chain)  # the worker has been here before
    return made


@pytest.fixture
def pay(bill: Bill, client_user: User) -> Callable[[], Payment]:
    def start() -> Payment:
        _, invoice = bill()
        return actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user, provider="wallet").pk)

    return start


@pytest.fixture
def payment(pay: Callable[[], Payment], town: Town) -> Payment:
    return pay()


def sign(town: Town, payment: Payment, actor: User) -> EscrowOperation:
    actions.sign_with_wallet(payment.pk, actor=actor, address=town.payer.address, signature=signed(payment, town.payer))
    return EscrowOperation.objects.get(op_id=collect_key(payment.pk))


def settle(payment: Payment) -> Payment:
    actions.note_own_wallet(payment.pk)
    actions.settle_invoice(payment.invoice_id)
    payment.refresh_from_db()
    return payment


def sweep(town: Town, deep: int = 3) -> int:
    town.mine(deep)
    return find_transfers(town.chain)


def incidents() -> list[str]:
    """What the comparison of books and chain makes people look at."""
    note(misfits(31337))
    return [one.description for one in IncidentLog.objects.order_by("detected_at")]


# By signature


def test_a_signature_moves_exactly_the_amount_once(town: Town, payment: Payment, client_user: User) -> None:
    before = town.balance(town.chain.operator)
    operation = sign(town, payment, client_user)
    town.work()
    operation.refresh_from_db()
    assert operation.status == EscrowStatus.CONFIRMED, operation.reason
    assert (town.balance(town.payer), town.balance(town.chain.operator)) == (HELD - PRICE, before + PRICE)
    assert settle(payment).settled_at is not None
    # The sweep sees the same money, and knows whose it is.
    sweep(town)
    assert ChainTransfer.objects.get().payment == payment
    assert not unmatched(31337).exists()
    assert incidents() == []
    opening = EscrowOperation.objects.get(kind=EscrowKind.OPEN)
    assert opening.args["client"] == town.payer.address
    town.work()
    opening.refresh_from_db()
    assert opening.status == EscrowStatus.CONFIRMED, opening.reason


def cancel_on_chain(town: Town, nonce: str) -> None:
    """The client takes the signature back, as their wallet can."""
    types = {"CancelAuthorization": [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}]}
    domain = {"name": "USD Coin", "version": "2", "chainId": 31337, "verifyingContract": town.chain.token.address}
    message = {"authorizer": town.payer.address, "nonce": nonce}
    made = Account.sign_message(encode_typed_data(domain, types, message), town.payer.key)
    r, s = (part.to_bytes(32) for part in (made.r, made.s))
    call = town.chain.token.functions.cancelAuthorization(town.payer.address, nonce, made.v, r, s)
    local.settle(town.chain.w3, call, local.ADMIN)


def test_a_signature_that_was_cancelled_takes_nothing_and_says_so(town: Town, payment: Payment, client_user: User) -> None:
    operation = sign(town, payment, client_user)
    cancel_on_chain(town, operation.args["nonce"])
    town.work()
    settle(payment)
    assert payment.status == PaymentStatus.FAILED
    assert payment.failure
    assert town.balance(town.payer) == HELD


def test_a_signature_that_ran_out_takes_nothing(town: Town, payment: Payment, client_user: User) -> None:
    sign(town, payment, client_user)
    snapshot = town.rpc("evm_snapshot")
    town.rpc("evm_setNextBlockTimestamp", int(payment.expires_at.timestamp()))
    town.mine()
    town.work()
    settle(payment)
    assert (payment.status, payment.failure) == (PaymentStatus.FAILED, "The signature has expired.")
    assert town.balance(town.payer) == HELD
    town.rpc("evm_revert", snapshot)


def test_an_empty_wallet_is_waited_for_and_then_let_go(town: Town, payment: Payment, client_user: User) -> None:
    town.send(town.payer, data=town.chain.token.encode_abi("transfer", [town.other.address, HELD - 1]))
    operation = sign(town, payment, client_user)
    engine.tick(town.chain)
    operation.refresh_from_db()
    assert (operation.status, operation.reason) == (EscrowStatus.BLOCKED, "The account it is paid from holds too little.")
    with clock.at(payment.expires_at):
        actions.expire_invoice(payment.invoice_id)
    operation.refresh_from_db()
    assert (operation.status, Invoice.objects.get().status) == (EscrowStatus.CANCELLED, InvoiceStatus.VOID)


# By transfer


def test_a_transfer_is_found_when_it_is_deep_enough_and_pays_once(town: Town, payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    tx = town.send(town.payer, data=calldata(payment))
    town.mine()
    assert find_transfers(town.chain) == 0  # two blocks: not deep enough
    town.mine()
    assert (find_transfers(town.chain), find_transfers(town.chain)) == (1, 0)
    assert ChainTransfer.objects.get().tx_hash == tx.lower()
    assert settle(payment).settled_at is not None
    assert sweep(town, 80) == 0
    assert ChainTransfer.objects.count() == 1
    assert incidents() == []


def test_a_closed_tab_and_an_expired_attempt_lose_nothing(town: Town, payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer)  # no hash was ever told
    with clock.at(payment.expires_at):
        actions.expire_invoice(payment.invoice_id)
    assert sweep(town) == 1
    settle(payment)
    refund = Refund.objects.get()
    assert (payment.status, refund.amount) == (PaymentStatus.SUCCEEDED, payment.amount)
    town.work()
    assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED
    town.work()
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
    assert town.balance(town.payer) == HELD


@pytest.mark.parametrize("units", [PRICE - 10_000, PRICE + 10_000, PRICE - 1, 2 * PRICE])
def test_another_amount_pays_nothing_and_is_reported_once(town: Town, payment: Payment, client_user: User, units: int) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer, units)
    assert (sweep(town), sweep(town)) == (0, 0)
    assert actions.note_own_wallet(payment.pk).status == PaymentStatus.PENDING
    assert [one.units for one in unmatched(31337)] == [units]
    assert len(incidents()) == 1
    assert town.payer.address in incidents()[0]


def test_another_wallet_pays_nothing(town: Town, payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    town.send(town.other)
    assert sweep(town) == 0
    assert actions.note_own_wallet(payment.pk).status == PaymentStatus.PENDING
    assert unmatched(31337).get().sender == town.other.address


def test_the_second_of_two_transfers_is_reported_and_sent_back_by_staff(town: Town, payment: Payment, client_user: User, staff: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer)
    town.send(town.payer)
    assert sweep(town) == 1
    left = unmatched(31337).get()
    assert len(incidents()) == 1
    operation = actions.return_transfer(left.pk, actor=staff)
    assert actions.return_transfer(left.pk, actor=staff) == operation
    town.work()
    assert town.balance(town.payer) == HELD - PRICE
    assert not unmatched(31337).exists()
    incidents()
    assert not ChainDifference.objects.filter(gone_at=None).exists()
    assert contracts(town.chain) == [town.chain.escrow.address]


def test_two_payments_of_one_wallet_get_their_own_transfers_oldest_first(
    town: Town, payment: Payment, pay: Callable[[], Payment], client_user: User
) -> None:
    second = pay()
    for one in (payment, second):
        actions.send_from_wallet(one.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer)
    assert sweep(town) == 1
    assert ChainTransfer.objects.get().payment == payment
    town.send(town.payer)
    assert sweep(town) == 1
    assert set(ChainTransfer.objects.values_list("payment", flat=True)) == {payment.pk, second.pk}


def test_an_old_attempt_does_not_take_the_money_of_a_live_one(town: Town, payment: Payment, pay: Callable[[], Payment], client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    actions.expire_payment(payment.pk)
    second = pay()
    actions.send_from_wallet(second.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer)
    assert sweep(town) == 1
    assert ChainTransfer.objects.get().payment == second


def test_what_came_before_the_payment_began_does_not_pay_it(town: Town, payment: Payment, client_user: User) -> None:
    town.send(town.payer)
    assert sweep(town) == 0
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    assert sweep(town) == 0
    assert actions.note_own_wallet(payment.pk).status == PaymentStatus.PENDING


def test_a_transfer_that_is_reorganised_away_before_it_counts_pays_nothing(town: Town, payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer)
    town.mine()
    town.rpc("anvil_rollback", 2)
    assert sweep(town) == 0
    assert not ChainTransfer.objects.exists()
    assert town.balance(town.payer) == HELD


def test_a_transfer_that_moves_to_another_block_stays_one(town: Town, payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    data = town.chain.token.encode_abi("transfer", [town.chain.operator, PRICE])
    count = int(town.rpc("eth_getTransactionCount", town.payer.address, "latest"), 16)
    fields = {"to": town.chain.token.address, "data": data, "value": 0, "gas": 200_000, "chainId": 31337, "nonce": count}
    raw = town.payer.sign_transaction({**fields, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}).raw_transaction.to_0x_hex()
    town.rpc("eth_sendRawTransaction", raw)
    assert sweep(town) == 1
    first = ChainTransfer.objects.get()
    town.rpc("anvil_rollback", 4)
    town.mine()
    town.rpc("eth_sendRawTransaction", raw)
    assert sweep(town, 6) == 0
    again = ChainTransfer.objects.get()
    assert (again.pk, again.payment, again.tx_hash) == (first.pk, payment, first.tx_hash)
    assert (again.block_number, again.block_hash) != (first.block_number, first.block_hash)
    assert incidents() == []


def test_money_that_a_deep_reorganisation_takes_away_is_reported(town: Town, payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=town.payer.address)
    town.send(town.payer)
    assert sweep(town) == 1
    town.rpc("anvil_rollback", 4)
    assert sweep(town, 6) == 0
    assert any("not on the chain any more" in text for text in incidents())


def test_dust_and_our_own_money_are_nobody_s_payment(town: Town, payment: Payment) -> None:
    local.settle(town.chain.w3, town.chain.token.functions.mint(town.chain.operator, 5_000_000), local.ADMIN)
    town.send(town.other, 9_999)
    assert sweep(town) == 0
    assert (ChainTransfer.objects.count(), unmatched(31337).count(), incidents()) == (1, 0, [])


def test_signatures_for_another_token_than_the_settings_say_are_noticed(town: Town, settings: Any) -> None:
    assert (signing(town.chain).found, len(signing(town.chain).agreed)) == ([], 1)
    settings.USDC_DOMAIN_NAME = "USDC"
    assert [one.kind for one in signing(town.chain).found] == ["token_domain"]


# Money that goes out


def repaid(operation: EscrowOperation) -> None:
    actions.repay(operation)


@pytest.fixture
def deal(town: Town, payment: Payment, shop: dict[Any, Thing], client_user: User, builder_user: User) -> Iterator[Thing]:
    """A thing that was paid from a wallet and lies in the contract; the builder has a wallet, too."""
    PayoutAddress.objects.create(user=builder_user, address=town.other.address)
    handlers.on_escrow(PURPOSE, EscrowKind.REFUND, repaid)
    sign(town, payment, client_user)
    town.work()
    settle(payment)
    town.work()
    yield next(iter(shop.values()))
    handlers._on_escrow.pop((PURPOSE, EscrowKind.REFUND))


def test_a_refund_comes_back_to_the_wallet_out_of_the_contract(town: Town, deal: Thing) -> None:
    escrow.current().refund(deal.deal, D("60.00"), "back", fee=D("3.30"), reason="Less was done.")
    town.work()
    refund = Refund.objects.get()
    assert (refund.amount, refund.escrowed) == (D("63.30"), D("60.00"))
    float_before = town.balance(town.chain.operator)
    actions.send_refund(refund.pk)
    town.work()
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
    assert town.balance(town.payer) == HELD - PRICE + 63_300_000
    assert town.balance(town.chain.operator) == float_before - 3_300_000
    assert town.chain.escrow.functions.claimable(town.payer.address).call() == 0


def test_a_payout_takes_the_builder_s_claim_first(town: Town, deal: Thing, builder_user: User) -> None:
    escrow.current().release(deal.deal, D("100.00"), "done")
    town.work()
    withdrawal = actions.request_withdrawal(actor=builder_user, amount=D("80.00"), client_key=uuid7())
    actions.send_withdrawal(withdrawal.pk)
    operation = EscrowOperation.objects.get(purpose="withdrawal")
    assert (operation.kind, operation.amount) == (EscrowKind.WITHDRAW, D("80.00"))
    town.work()
    assert actions.send_withdrawal(withdrawal.pk).status == WithdrawalStatus.COMPLETED
    assert town.balance(town.other) == HELD + 80_000_000
    assert town.chain.escrow.functions.claimable(town.other.address).call() == 10_000_000


def test_a_claim_at_an_earlier_address_is_not_paid_a_second_time(town: Town, deal: Thing, builder_user: User) -> None:
    escrow.current().release(deal.deal, D("100.00"), "done")
    town.work()
    elsewhere = Account.from_key(f"0x{uuid7().hex}{uuid7().hex}").address
    actions.change_payout_address(elsewhere, actor=builder_user)
    with pytest.raises(Conflict, match=r"\$0.00 ready"):
        actions.request_withdrawal(actor=builder_user, amount=D("80.00"), client_key=uuid7())
    assert not EscrowOperation.objects.filter(purpose="withdrawal").exists()


def test_the_contract_gives_a_refund_up_when_the_deal_never_opened(town: Town, payment: Payment, shop: dict[Any, Thing], client_user: User) -> None:
    """All of it comes from the float then: the contract has set nothing aside."""
    sign(town, payment, client_user)
    EscrowOperation.objects.update(next_try_at=now())
    for _ in range(6):
        engine.tick(town.chain)
        town.mine()
    settle(payment)
    opening = EscrowOperation.objects.get(kind=EscrowKind.OPEN)
    books.give_up(opening.pk, "The contract has an order of this number already.")
    handlers.on_escrow(PURPOSE, EscrowKind.REFUND, repaid)
    escrow.current().refund(next(iter(shop.values())).deal, D("100.00"), "back", fee=D("5.50"))
    town.work()
    handlers._on_escrow.pop((PURPOSE, EscrowKind.REFUND))
    refund = Refund.objects.get()
    assert (refund.amount, refund.escrowed) == (D("105.50"), D("0.00"))
    actions.send_refund(refund.pk)
    town.work()
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
    assert town.balance(town.payer) == HELD
    assert WalletPayment.objects.get().address == town.payer.address
