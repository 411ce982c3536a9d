"""The books against the contract, on a real node: what differs is found and named once, and is gone when it agrees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditlog.models import AuditLog, IncidentLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.payments import actions as payments
from port444.payments import handlers, ledger
from port444.payments.actions import chain as actions
from port444.payments.escrow import Deal, current, web3
from port444.payments.escrow.chain import reading
from port444.payments.escrow.chain.contract import op_key, order_key, to_units
from port444.payments.models import (
    ChainCursor,
    ChainDifference,
    ChainStatus,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Payment,
    PayoutAddress,
    PayoutHold,
    WalletPayment,
    Withdrawal,
)
from scripts import chain as local

from .rig import Rig

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HUNDRED = D("100.00")
BUILDER, CLIENT = local.FIRST_PERSON, local.FIRST_PERSON + 1


@pytest.fixture(scope="module")
def own_node() -> Iterator[str]:
    """A node whose blocks and accounts only this file tampers with."""
    with local.running() as url:
        yield url


def rigged(url: str, settings: Any, client: User, builder: User) -> Rig:
    for name, value in local.deploy(url).items():
        setattr(settings, name, int(value) if name == "CHAIN_ID" else value)
    PayoutAddress.objects.create(user=builder, address=local.account_address(BUILDER))
    local.ask(url, "anvil_mine", hex(12))
    made = Rig(url, client, builder)
    made.open(confirmations=1)
    return made


@pytest.fixture
def rig(own_node: str, settings: Any, client_user: User, builder_user: User) -> Rig:
    return rigged(own_node, settings, client_user, builder_user)


def look(rig: Rig) -> set[str]:
    """Compare; the kinds of what differs."""
    actions.reconcile_chain(rig.chain)
    return set(ChainDifference.objects.filter(gone_at=None).values_list("kind", flat=True))


def release(rig: Rig, key: str, amount: Decimal = HUNDRED) -> EscrowOperation:
    return current().release(rig.deal, amount, key)


def claim_of(rig: Rig, address: str) -> Decimal:
    return D(rig.escrow.functions.claimable(address).call()).scaleb(-6)


def test_books_and_chain_agree_after_ordinary_work(rig: Rig) -> None:
    rig.amend("a")
    release(rig, "r")
    current().refund(rig.deal, D("12.34"), "f")
    rig.settle_all()
    assert look(rig) == set()
    assert not IncidentLog.objects.exists()
    status = ChainStatus.objects.get()
    assert status.compared_at is not None
    assert status.compared_block == rig.w3.eth.block_number
    assert ChainCursor.objects.get(contract=rig.escrow.address).next_block == rig.w3.eth.block_number + 1


def test_operations_that_the_books_do_not_know_are_found_and_go_when_they_do(rig: Rig) -> None:
    """A database restored from yesterday, or the operator's key in other hands, looks like this."""
    chain_id, escrow, number = rig.chain.chain_id, rig.escrow.address, order_key(rig.deal.id)
    functions = rig.escrow.functions
    rig.send(functions.amendEscrow(number, to_units(D("25.50")), 0, op_key(chain_id, escrow, "amend", "a")), rig.operator)
    rig.send(functions.release(number, to_units(D("100.00")), 0, op_key(chain_id, escrow, "release", "r")), rig.operator)
    assert look(rig) == {"unknown_operation", "position", "total", "claim"}
    first = list(ChainDifference.objects.order_by("pk").values_list("fingerprint", "text", "gone_at"))
    assert sum(kind == "unknown_operation" for kind in ChainDifference.objects.values_list("kind", flat=True)) == 2
    assert look(rig) == {"unknown_operation", "position", "total", "claim"}
    assert list(ChainDifference.objects.order_by("pk").values_list("fingerprint", "text", "gone_at")) == first
    assert IncidentLog.objects.count() == len(first)
    assert set(IncidentLog.objects.filter(fingerprint__startswith="chain:unknown").values_list("severity", flat=True)) == {"critical"}
    position = ChainDifference.objects.get(kind="position")
    assert (position.facts["chain"]["locked"], position.facts["books"]["locked"]) == ("425.50", "500.00")

    rig.amend("a")
    release(rig, "r")
    rig.settle_all()  # finds both on the chain and sends nothing
    assert look(rig) == set()
    assert not ChainDifference.objects.filter(gone_at=None).exists()


def test_a_person_has_seen_to_an_unknown_operation(rig: Rig, staff: User, client_user: User) -> None:
    rig.send(rig.escrow.functions.setHold(order_key(rig.deal.id), False, b"\x07" * 32), local.account_address(local.ARBITER))
    assert look(rig) == {"unknown_operation"}
    row = ChainDifference.objects.get()
    with pytest.raises(NotAllowed):
        actions.settle_difference(row.pk, actor=client_user, reason="A test of the arbiter's key")
    with pytest.raises(Invalid):
        actions.settle_difference(row.pk, actor=staff, reason="ok")
    actions.settle_difference(row.pk, actor=staff, reason="A test of the arbiter's key")
    assert look(rig) == set()
    with pytest.raises(WrongState):
        actions.settle_difference(row.pk, actor=staff, reason="A test of the arbiter's key")


def test_a_contract_that_holds_less_than_it_owes(rig: Rig) -> None:
    rig.rpc("anvil_impersonateAccount", rig.escrow.address)
    rig.rpc("anvil_setBalance", rig.escrow.address, hex(10**18))
    rig.send(rig.token.functions.transfer(rig.admin, to_units(D("0.01"))), rig.escrow.address)
    assert look(rig) == {"short"}
    assert IncidentLog.objects.get().potential_loss == D("0.01")
    rig.send(rig.token.functions.transfer(rig.escrow.address, to_units(D("0.01"))))
    assert look(rig) == set()


def test_means_that_run_low(rig: Rig) -> None:
    rig.rpc("anvil_setBalance", rig.operator, hex(10**15))
    rig.rpc("anvil_impersonateAccount", rig.operator)
    rig.send(rig.token.functions.approve(rig.escrow.address, 0), rig.operator)
    rig.send(rig.token.functions.transfer(rig.admin, rig.token.functions.balanceOf(rig.operator).call()), rig.operator)
    rig.send(rig.escrow.functions.setRole(rig.operator, 1, False))
    rig.send(rig.escrow.functions.setFeeRecipient(rig.admin))
    assert look(rig) == {"gas", "allowance", "float", "role", "fee_recipient"}
    rig.rpc("anvil_setBalance", rig.operator, hex(10**20))
    rig.send(rig.token.functions.mint(rig.operator, to_units(D("100000.00"))))
    rig.send(rig.token.functions.approve(rig.escrow.address, local.UNLIMITED), rig.operator)
    rig.send(rig.escrow.functions.setRole(rig.operator, 1, True))
    rig.send(rig.escrow.functions.setFeeRecipient(local.account_address(local.PLATFORM)))
    assert look(rig) == set()


def test_money_that_waits_makes_the_float_low(rig: Rig, settings: Any) -> None:
    settings.CHAIN_LOW_FLOAT = D("0.00")
    rig.send(rig.token.functions.approve(rig.escrow.address, to_units(D("25.49"))), rig.operator)
    assert look(rig) == set()
    rig.amend("a")
    assert look(rig) == {"allowance"}
    rig.send(rig.token.functions.approve(rig.escrow.address, to_units(D("25.50"))), rig.operator)
    assert look(rig) == set()


def test_what_is_on_its_way_is_no_difference(rig: Rig) -> None:
    op = release(rig, "r").op_id
    rig.step(op)
    assert rig.get(op).status in ("sent", "mined")
    rig.mine()
    assert look(rig) == set()  # on the chain it is done, in the books not yet
    rig.settle(op)
    assert look(rig) == set()


def test_a_reorganisation_after_confirmation(rig: Rig, builder_user: User) -> None:
    op = rig.amend("a")
    rig.settle(op)
    rig.rpc("anvil_rollback", 3)
    rig.mine(6)
    assert "reorganised" in look(rig)
    incident = IncidentLog.objects.get(fingerprint__startswith="chain:reorganised")
    assert incident.severity == "critical"
    hold = PayoutHold.objects.standing().get(incident_id=incident.pk)
    assert (hold.user, hold.withdrawal) == (builder_user, None)
    for _ in range(8):
        rig.step(op)
        rig.mine()
    assert rig.settle(op) == EscrowStatus.CONFIRMED
    rig.mine(4)
    rig.step(op)
    assert rig.get(op).final_at is not None
    assert look(rig) == set()
    assert not PayoutHold.objects.standing().exists()


def test_a_deal_that_holds_too_little_keeps_its_builders_withdrawals(rig: Rig, builder_user: User) -> None:
    key = op_key(rig.chain.chain_id, rig.escrow.address, "refund", "f")
    rig.send(rig.escrow.functions.refund(order_key(rig.deal.id), to_units(D("50.00")), 0, key), rig.operator)
    assert "position" in look(rig)
    assert IncidentLog.objects.get(fingerprint__startswith="chain:position").potential_loss == D("50.00")
    hold = PayoutHold.objects.standing().get()
    assert hold.user == builder_user
    current().refund(rig.deal, D("50.00"), "f")
    rig.settle_all()
    assert look(rig) == set()
    hold.refresh_from_db()
    assert hold.ended_at is not None


def test_a_builder_who_withdraws_alone_is_booked_once(rig: Rig, builder_user: User) -> None:
    release(rig, "r")
    rig.settle_all()
    builder = local.account_address(BUILDER)
    assert claim_of(rig, builder) == D("90.00")
    rig.send(rig.escrow.functions.withdrawOwn(to_units(D("30.00"))), builder)
    for _ in range(2):
        assert look(rig) == set()
        withdrawal = Withdrawal.objects.get()
        assert (withdrawal.amount, withdrawal.status, withdrawal.address) == (D("30.00"), "completed", builder)
        assert ledger.balance("earnings", owner=builder_user.pk) == D("60.00")
        assert ledger.balance("payouts") == 0
    rig.mine(4)
    look(rig)
    own = EscrowOperation.objects.get(kind="withdraw")
    assert (own.backend, own.status, own.final_at is not None) == ("owner", "confirmed", True)


def test_what_waited_to_be_sent_is_done_by_the_owner(rig: Rig, builder_user: User) -> None:
    release(rig, "r")
    rig.settle_all()
    builder = local.account_address(BUILDER)
    waiting = web3.withdraw("withdrawal", rig.deal.id, builder, D("50.00"), "w:1", builder_id=builder_user.pk)
    rig.send(rig.escrow.functions.withdrawOwn(to_units(D("90.00"))), builder)
    for _ in range(2):
        assert look(rig) == set()
        waiting.refresh_from_db()
        assert (waiting.status, waiting.attempts.count()) == ("confirmed", 0)
        assert Withdrawal.objects.get().amount == D("40.00")
    assert claim_of(rig, builder) == 0


def test_the_platform_takes_its_fees(rig: Rig) -> None:
    release(rig, "r")
    rig.settle_all()
    before = ledger.balance("fees")
    assert before == D("10.00")
    rig.send(rig.escrow.functions.withdrawOwn(to_units(D("4.00"))), local.account_address(local.PLATFORM))
    for _ in range(2):
        assert look(rig) == set()
        assert ledger.balance("fees") == D("6.00")
    assert not Withdrawal.objects.exists()


def test_the_float_gets_back_what_was_refunded_to_it(rig: Rig) -> None:
    current().refund(rig.deal, D("60.00"), "f")
    rig.settle_all()
    assert claim_of(rig, rig.operator) == D("60.00")
    held = rig.token.functions.balanceOf(rig.operator).call()
    for _ in range(2):
        assert look(rig) == set()
        refill = EscrowOperation.objects.get(kind="withdraw")
        assert (refill.purpose, refill.amount, refill.status) == ("treasury", D("60.00"), "queued")
    rig.settle_all()
    assert rig.token.functions.balanceOf(rig.operator).call() == held + to_units(D("60.00"))
    assert look(rig) == set()
    assert EscrowOperation.objects.filter(kind="withdraw").count() == 1


@pytest.fixture
def later(settings: Any, client_user: User, builder_user: User) -> Iterator[Rig]:
    """A rig on a node of its own, whose clock can be put forward."""
    with local.running() as url:
        yield rigged(url, settings, client_user, builder_user)


@pytest.fixture
def told() -> Iterator[list[EscrowOperation]]:
    """The refunds that whoever sells "test" heard of."""
    heard: list[EscrowOperation] = []
    handlers.register("test", lock=lambda pk: pk, settled=lambda *_: None, unpaid=lambda *_: None)
    handlers.on_escrow("test", EscrowKind.REFUND, heard.append)
    yield heard
    handlers._on_escrow.pop(("test", EscrowKind.REFUND))
    handlers._handlers.pop("test")


def paid_from_wallet(rig: Rig) -> Deal:
    """A deal that a client's own wallet paid for."""
    deal = Deal("test", uuid7(), rig.client.pk, rig.builder.pk)
    line = payments.Line("Five slow Django pages", D("80.00"))
    until = now() + timedelta(hours=1)
    invoice = payments.open_invoice(
        purpose="test", subject_id=deal.id, deal_id=deal.id, payer=rig.client, payee=rig.builder, lines=[line], return_url="/", expires_at=until,
        actor=rig.client,
    )  # fmt: skip
    payment = Payment.objects.create(
        invoice=invoice, provider="wallet", amount=invoice.total, status="succeeded", expires_at=until, succeeded_at=now(), settled_at=now()
    )
    WalletPayment.objects.create(
        payment=payment, chain_id=rig.chain.chain_id, token=rig.token.address, treasury=rig.operator, address=local.account_address(CLIENT),
        method="transfer",
    )  # fmt: skip
    op = current().open(deal, D("80.00"), 1000, f"{deal.id}:open", expiry=now() + timedelta(days=30))
    assert rig.settle(op.op_id) == EscrowStatus.CONFIRMED
    return deal


def test_a_client_who_takes_back_what_is_locked_is_booked_once(later: Rig, told: list[EscrowOperation], client_user: User) -> None:
    rig, client = later, local.account_address(CLIENT)
    deal = paid_from_wallet(rig)
    waiting = current().release(deal, D("80.00"), "r")
    rig.rpc("evm_increaseTime", 40 * 86400)
    rig.mine()
    rig.send(rig.escrow.functions.reclaim(order_key(deal.id)), client)
    held = ledger.balance("client", owner=client_user.pk)
    for _ in range(2):
        assert look(rig) == set()
        (heard,) = told
        assert (heard.amount, heard.backend, heard.args["reclaimed"]) == (D("80.00"), "owner", True)
        assert ledger.balance("escrow", subject=deal.id) == 0
        assert ledger.balance("client", owner=client_user.pk) == held + D("80.00")
        waiting.refresh_from_db()
        assert (waiting.status, waiting.attempts.count()) == ("failed", 0)
    assert claim_of(rig, client) == D("80.00")
    assert AuditLog.objects.filter(event_type="escrow.reclaimed").count() == 1


def test_what_cannot_be_booked_is_said_and_tried_again(rig: Rig, builder_user: User) -> None:
    """The builder's earnings are on their way to a bank, and the same money is taken from the contract."""
    release(rig, "r")
    rig.settle_all()
    ledger.post("bank", "To the bank", [(ledger.earnings(builder_user.pk), D("-90.00")), (ledger.PAYOUTS, D("90.00"))])
    rig.send(rig.escrow.functions.withdrawOwn(to_units(D("90.00"))), local.account_address(BUILDER))
    assert look(rig) == {"not_booked", "claim", "total"}
    assert not Withdrawal.objects.exists()
    rig.mine(60)
    ledger.post("bounced", "From the bank", [(ledger.earnings(builder_user.pk), D("90.00")), (ledger.PAYOUTS, D("-90.00"))])
    assert look(rig) == set()
    assert Withdrawal.objects.get().status == "completed"


def test_a_cursor_begins_where_the_contract_does(rig: Rig) -> None:
    created = next(event.block_number for event in reading.events(rig.chain, rig.escrow.address, 0, rig.w3.eth.block_number))
    assert rig.w3.eth.get_code(rig.escrow.address, created) != b""
    first = actions._first_block(rig.chain, rig.escrow.address, rig.w3.eth.block_number)
    assert rig.w3.eth.get_code(rig.escrow.address, first) != b""
    assert rig.w3.eth.get_code(rig.escrow.address, first - 1) == b""


def test_pages_of_events_lose_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.amend("a")
    rig.amend("b")
    rig.settle_all()
    head = rig.w3.eth.block_number
    whole = list(reading.events(rig.chain, rig.escrow.address, 0, head))
    monkeypatch.setattr(reading, "PAGE", 1)
    assert list(reading.events(rig.chain, rig.escrow.address, whole[0].block_number, head)) == whole
