"""Each kind of operation on a real node, in its order, by the right key, and many at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.payments import ledger
from port444.payments.escrow import Deal, Lent, current
from port444.payments.escrow.chain import engine, pulse
from port444.payments.escrow.chain.calls import call_of
from port444.payments.escrow.chain.client import connect
from port444.payments.escrow.chain.contract import order_key, to_units
from port444.payments.escrow.web3 import collect, pay
from port444.payments.models import ChainSigner, EscrowAttempt, EscrowOperation, EscrowStatus
from scripts import chain as local

from .rig import FIRST, Rig, X, depth
from .test_signers import FakeKms

pytestmark = pytest.mark.django_db

S = EscrowStatus
PAYER = 8  # of the node's accounts, the client's wallet


@pytest.mark.django_db(transaction=True)
def test_the_whole_life_of_a_deal(rig: Rig) -> None:
    escrow, deal = current(), rig.deal
    later = now() + timedelta(days=200)
    asked = [
        escrow.amend(deal, X, "a"),
        escrow.extend(deal, later, "e"),
        escrow.release(deal, Decimal("100.33"), "r1"),
        escrow.hold(deal, True, "h1"),
        escrow.release(deal, Decimal("50.00"), "r2", ruling=True),
        escrow.hold(deal, False, "h2"),
        escrow.refund(deal, Decimal("375.17"), "f"),
    ]
    rig.settle_all()
    assert {rig.get(op.op_id).status for op in asked} == {S.CONFIRMED}
    order = rig.escrow.functions.orders(order_key(deal.id)).call()
    position = escrow.position(deal)
    assert [to_units(each) for each in (position.locked, position.funded, position.released, position.refunded)] == [order[2], *order[4:7]]
    assert order[2] == 0
    assert order[7] == int(later.timestamp())
    assert ledger.balance("earnings", owner=deal.builder_id) == Decimal("135.30")
    signers = {op.op_id: rig.attempts(op.op_id)[0].signer for op in asked}
    arbiter = local.account_address(local.ARBITER)
    assert {op for op, signer in signers.items() if signer == arbiter} == {"h1", "r2", "h2"}
    assert ChainSigner.objects.count() == 2


def test_money_moves_between_two_deals(rig: Rig) -> None:
    other = rig.new_deal(Decimal("10.00"))
    op = current().move(rig.deal, other, Decimal("123.45"), "m").op_id
    after = current().refund(other, Decimal("133.45"), "f").op_id
    assert rig.step(after) == S.QUEUED  # the move that targets its deal comes first
    rig.settle_all()
    assert rig.get(op).status == rig.get(after).status == S.CONFIRMED
    assert rig.base - rig.locked() == to_units(Decimal("123.45"))
    assert rig.locked(other) == 0


def test_operations_of_one_deal_wait_for_each_other(rig: Rig) -> None:
    first, second = rig.amend("a"), current().release(rig.deal, Decimal("520.00"), "r").op_id
    with rig.no_mining():
        for _ in range(3):
            rig.step(second)
            engine.tick(rig.chain)
        assert (rig.get(first).status, rig.get(second).status) == (S.SENT, S.QUEUED)
        assert rig.attempts(second) == []
    rig.settle_all()
    assert rig.get(second).status == S.CONFIRMED


def test_many_deals_fly_together(rig: Rig) -> None:
    """One round signs for all of them with nonces in a row; a second books them."""
    deals = [rig.deal, *(rig.new_deal(Decimal("1.00")) for _ in range(11))]
    nonce = rig.nonce()
    asked = [current().amend(deal, X, f"a:{deal.id}").op_id for deal in deals]
    with rig.no_mining():
        engine.tick(rig.chain)
        assert set(EscrowOperation.objects.filter(pk__in=asked).values_list("status", flat=True)) == {S.SENT}
        taken = EscrowAttempt.objects.filter(operation__in=asked).order_by("nonce").values_list("nonce", flat=True)
        assert list(taken) == list(range(nonce, nonce + len(deals)))
        rig.mine(3)
    engine.tick(rig.chain)
    assert set(EscrowOperation.objects.filter(pk__in=asked).values_list("status", flat=True)) == {S.CONFIRMED}


@pytest.mark.django_db(transaction=True)
def test_two_deals_go_on_as_one_and_are_taken_apart(rig: Rig) -> None:
    escrow, first = current(), rig.deal
    second, whole = (Deal("test", uuid7(), first.client_id, first.builder_id) for _ in range(2))
    until = now() + timedelta(days=90)
    escrow.open(second, Decimal("300.00"), 1000, "second", expiry=until)
    escrow.open(whole, Decimal("0.00"), 1000, "whole", expiry=until, beside=first)
    for part, amount in ((first, FIRST), (second, Decimal("300.00"))):
        escrow.move(part, whole, amount, f"{part.id}:in")
    rig.settle_all()
    assert (rig.locked(whole), rig.locked(first), rig.locked(second)) == (to_units(Decimal("800.00")), 0, 0)
    for part, amount in ((first, FIRST), (second, Decimal("300.00"))):
        escrow.move(whole, part, amount, f"{part.id}:out", lent=Lent())
    escrow.refund(second, Decimal("300.00"), "back")
    rig.settle_all()
    assert not EscrowOperation.objects.exclude(status=S.CONFIRMED).exists()
    assert (rig.locked(whole), rig.locked(first), rig.locked(second)) == (0, to_units(FIRST), 0)


@pytest.mark.django_db(transaction=True)
def test_two_workers_of_one_database_sign_once(rig: Rig) -> None:
    ops = [rig.amend("a"), *(current().amend(rig.new_deal(Decimal("1.00")), X, f"b{n}").op_id for n in range(3))]
    gate = threading.Barrier(2)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            chain = Rig.restart(rig)
            gate.wait(timeout=20)
            for _ in range(3):
                engine.tick(chain)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    rig.settle_all()
    assert EscrowAttempt.objects.filter(operation__in=ops).count() == len(ops)
    rig.check("a")


def test_paying_out_of_the_float(rig: Rig) -> None:
    account = local.account_address(9)
    before = rig.token.functions.balanceOf(account).call()
    op = pay("withdrawal", uuid7(), account, Decimal("12.34"), "p").op_id
    assert rig.settle(op) == S.CONFIRMED
    assert rig.token.functions.balanceOf(account).call() - before == 12_340_000


# A client's signature


class Signature:
    """What the client's wallet signs: EIP-3009, good for one payment into the float."""

    def __init__(self, rig: Rig, amount: Decimal = X, seconds: int = 3600) -> None:
        self.rig, self.amount = rig, amount
        self.account = local.account(PAYER)
        self.nonce = uuid7().bytes + uuid7().bytes
        self.before = rig.rpc_time() + seconds
        self.op_id = f"collect:{uuid7()}"
        if rig.token.functions.isBlacklisted(self.account.address).call():
            rig.send(rig.token.functions.setBlacklisted(self.account.address, False))
        rig.send(rig.token.functions.mint(self.account.address, to_units(amount)))

    def sign(self, kind: str, fields: list[tuple[str, str]], message: dict[str, Any]) -> Any:
        domain = {"name": "USD Coin", "version": "2", "chainId": self.rig.chain.chain_id, "verifyingContract": self.rig.token.address}
        types = {kind: [{"name": name, "type": of} for name, of in fields]}
        return self.account.sign_typed_data(domain, types, message)

    def ask(self, subject: UUID | None = None) -> str:
        fields = [
            ("from", "address"),
            ("to", "address"),
            ("value", "uint256"),
            ("validAfter", "uint256"),
            ("validBefore", "uint256"),
            ("nonce", "bytes32"),
        ]
        message = {
            "from": self.account.address,
            "to": self.rig.operator,
            "value": to_units(self.amount),
            "validAfter": 0,
            "validBefore": self.before,
            "nonce": self.nonce,
        }
        signed = self.sign("ReceiveWithAuthorization", fields, message)
        args = {"valid_after": 0, "valid_before": self.before, "nonce": "0x" + self.nonce.hex(), "signature": "0x" + signed.signature.hex()}
        payment: Any = type("Payment", (), {"pk": subject or uuid7()})
        return collect(payment, self.account.address, self.amount, self.op_id, args).op_id

    def cancel(self) -> None:
        message = {"authorizer": self.account.address, "nonce": self.nonce}
        signed = self.sign("CancelAuthorization", [("authorizer", "address"), ("nonce", "bytes32")], message)
        r, s = (value.to_bytes(32) for value in (signed.r, signed.s))
        self.rig.send(self.rig.token.functions.cancelAuthorization(self.account.address, self.nonce, signed.v, r, s))

    def collected(self) -> int:
        return int(self.rig.token.functions.balanceOf(self.rig.operator).call())


def test_a_signature_is_collected_once(rig: Rig) -> None:
    signature = Signature(rig)
    before, subject = signature.collected(), uuid7()
    op = signature.ask(subject)
    assert signature.ask(subject) == op
    assert rig.settle(op) == S.CONFIRMED
    assert signature.collected() - before == to_units(X)


@pytest.mark.parametrize("point", ["signed", "sent", "confirming"])
def test_a_crash_while_collecting(rig: Rig, point: str, monkeypatch: Any) -> None:
    signature = Signature(rig)
    before, op = signature.collected(), signature.ask()
    with rig.crashing(point, monkeypatch):
        rig.settle(op)
    assert rig.settle(op) == S.CONFIRMED
    assert signature.collected() - before == to_units(X)
    assert len(rig.attempts(op)) == 1


def test_what_was_collected_before_the_database_was_restored_is_found(rig: Rig) -> None:
    signature = Signature(rig)
    op = signature.ask()
    call = call_of(rig.chain, rig.get(op))
    rig.w3.eth.send_transaction({"from": rig.operator, "to": call.to, "data": call.data, "gas": 300_000})
    rig.mine(4)
    before = signature.collected()
    assert rig.settle(op) == S.CONFIRMED
    assert signature.collected() == before
    assert rig.attempts(op) == []


def test_the_client_cancels_the_signature(rig: Rig) -> None:
    signature = Signature(rig)
    op, nonce = signature.ask(), rig.nonce()
    signature.cancel()
    assert rig.settle(op) == S.FAILED
    assert "cancelled" in rig.get(op).reason
    assert rig.nonce() == nonce
    assert rig.attempts(op) == []


def test_the_client_cancels_the_signature_while_it_is_on_its_way(rig: Rig) -> None:
    signature = Signature(rig)
    op, before = signature.ask(), signature.collected()
    with rig.no_mining():
        assert rig.step(op) == S.SENT
        tx_hash = rig.attempts(op)[0].tx_hash
        rig.rpc("anvil_dropTransaction", tx_hash)
    signature.cancel()
    assert rig.settle(op) == S.FAILED
    assert signature.collected() == before


def test_the_signature_expires(rig: Rig) -> None:
    signature = Signature(rig, seconds=2)
    op = signature.ask()
    rig.rpc("evm_increaseTime", 5)
    rig.mine()
    assert rig.settle(op) == S.FAILED
    assert "expired" in rig.get(op).reason
    assert rig.attempts(op) == []


def test_a_blocked_payer_waits_and_expires(rig: Rig) -> None:
    first, second = Signature(rig), Signature(rig, seconds=60)
    rig.send(rig.token.functions.setBlacklisted(first.account.address, True))
    asked = [first.ask(), second.ask()]
    for op in asked:
        assert rig.step(op) == S.BLOCKED
        assert "blocked by the token" in rig.get(op).reason
    rig.rpc("evm_increaseTime", 100)
    rig.mine()
    assert rig.settle(asked[1]) == S.FAILED
    rig.send(rig.token.functions.setBlacklisted(first.account.address, False))
    assert rig.settle(asked[0]) == S.CONFIRMED


def test_a_signature_for_another_amount_is_given_up(rig: Rig) -> None:
    signature = Signature(rig)
    op = signature.ask()
    EscrowOperation.objects.filter(pk=op).update(amount=X - Decimal("0.01"))
    assert rig.settle(op) == S.FAILED
    assert "not one of this wallet" in rig.get(op).reason


# A signer behind a network


@pytest.fixture
def kms(rig: Rig, monkeypatch: Any) -> FakeKms:
    """The operator's key in a KMS."""
    from port444.payments.escrow.chain import signer

    fake = FakeKms()
    fake.key = signer_key(local.account(local.OPERATOR).key)
    made = signer.KmsSigner("alias/operator", fake)
    arbiter = signer.signer(signer.ARBITER)
    monkeypatch.setattr(signer, "signer", lambda role: made if role == signer.OPERATOR else arbiter)
    asked = fake.sign

    def sign(**fields: Any) -> dict[str, Any]:
        assert depth() <= rig.chain.depth, "the network inside a transaction of the database"
        return asked(**fields)

    monkeypatch.setattr(fake, "sign", sign)
    return fake


def signer_key(key: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(int.from_bytes(key), ec.SECP256K1())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["", "preflighted", "reserved", "signed", "sending", "sent", "recorded"])
def test_a_crash_with_a_signer_behind_a_network(rig: Rig, kms: FakeKms, point: str, monkeypatch: Any) -> None:
    op = rig.amend("a")
    if point:
        with rig.crashing(point, monkeypatch):
            rig.settle(op)
    rig.settle(op)
    rig.check(op)
    assert EscrowAttempt.objects.filter(operation=None).count() == 0
    assert len(kms.asked) == 1


def test_a_nonce_that_was_reserved_for_what_is_blocked_now_is_filled(rig: Rig, kms: FakeKms, monkeypatch: Any) -> None:
    other = rig.new_deal(Decimal("1.00"))
    op = rig.amend("a")
    with rig.crashing("reserved", monkeypatch):
        rig.settle(op)
    rig.send(rig.escrow.functions.setRole(local.account_address(local.ADMIN), 2, True))
    rig.send(rig.escrow.functions.setRole(rig.admin, 2, True))
    rig.send(rig.escrow.functions.setHold(order_key(rig.deal.id), True, b"\x07" * 32))
    assert rig.step(op) == S.BLOCKED
    behind = current().amend(other, X, "b").op_id
    assert rig.settle(behind) == S.CONFIRMED
    rig.send(rig.escrow.functions.setHold(order_key(rig.deal.id), False, b"\x08" * 32))
    rig.settle(op)
    rig.check(op)


# The worker


@pytest.mark.django_db(transaction=True)
def test_the_worker_goes_round_and_says_so(rig: Rig, settings: Any) -> None:
    from port444.payments.management.commands.run_chain import Worker

    ChainSigner.objects.update(worked_at=None)
    assert pulse.is_late()
    op, done = rig.amend("a"), []
    worker = Worker([(lambda chain: done.append(chain), 3600.0)])
    for _ in range(6):
        worker.go_round()
        rig.mine()
    rig.check(op)
    assert not pulse.is_late()
    assert len(done) == 1
    settings.ESCROW_BACKEND = "ledger"
    ChainSigner.objects.update(worked_at=None)
    assert not pulse.is_late()


@pytest.mark.django_db(transaction=True)
def test_the_worker_outlives_its_node_and_its_database(rig: Rig, settings: Any) -> None:
    from port444.payments.management.commands import run_chain

    worker, good = run_chain.Worker(), settings.CHAIN_RPC_URL
    op = rig.amend("a")
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    assert [worker.go_round() for _ in range(3)] == [1.0, 2.0, 4.0]
    settings.CHAIN_RPC_URL = good
    worker.go_round()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    killer = connection.copy()
    killer.settings_dict["USER"] = "port444_app"
    with killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    killer.close()
    assert worker.go_round() == 1.0
    for _ in range(5):
        worker.go_round()
        rig.mine()
    assert worker.failures == 0
    rig.check(op)


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_waits(rig: Rig) -> None:
    from port444.payments.management.commands.run_chain import LONGEST_WAIT, Worker

    first, waits = Worker(), []
    first.go_round()

    def second() -> None:
        waits.append(Worker().go_round())
        connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    thread.join(timeout=30)
    assert waits == [LONGEST_WAIT / 3]


def test_the_node_of_the_settings_is_checked_and_kept(rig: Rig, settings: Any) -> None:
    assert connect() is connect()
    assert connect().operator == rig.operator


def test_no_key_is_in_the_database_or_the_log(rig: Rig, settings: Any, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    rig.allow(0)
    op = rig.amend("a")
    rig.step(op)
    rig.allow()
    rig.settle(op)
    stored = [repr(list(model.objects.values())) for model in (EscrowOperation, EscrowAttempt, ChainSigner)]
    told = [record.getMessage() for record in caplog.records if record.name.startswith("port444")]
    assert told
    for key in (settings.CHAIN_OPERATOR_KEY, settings.CHAIN_ARBITER_KEY):
        for text in (*stored, *told, repr(rig.chain), repr(vars(rig.chain))):
            assert key.removeprefix("0x") not in text.lower()
