"""Everything that can go wrong between the books and a chain, on a real node: each amendment is funded once and booked once."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from auditlog.models import IncidentLog
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.payments.escrow import current
from port444.payments.escrow.chain import engine
from port444.payments.escrow.chain.client import Unreachable, WrongChain
from port444.payments.escrow.chain.contract import to_units
from port444.payments.escrow.web3 import withdraw
from port444.payments.models import ChainSigner, EscrowAttempt, EscrowKind, EscrowOperation, EscrowStatus, JournalEntry, PayoutAddress
from scripts import chain as local

from .rig import Rig, X, proxy

pytestmark = pytest.mark.django_db

S = EscrowStatus


@pytest.mark.django_db(transaction=True)
def test_asked_twice(rig: Rig) -> None:
    op = rig.amend("a")
    assert rig.amend("a") == op
    rig.settle(op)
    rig.check(op)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["preflighted", "signed", "sending", "sent", "recorded", "mined", "confirming", "confirmed"])
def test_a_crash_at_any_point_loses_and_doubles_nothing(rig: Rig, point: str, monkeypatch: Any) -> None:
    op = rig.amend("a")
    with rig.crashing(point, monkeypatch):
        rig.settle(op)
    rig.settle(op)
    rig.check(op)
    assert rig.nonce() == EscrowAttempt.objects.get(operation=op).nonce + 1


def test_dropped_from_the_pool(rig: Rig) -> None:
    op = rig.amend("a")
    with rig.no_mining():
        rig.step(op)
        rig.rpc("anvil_dropTransaction", rig.attempts(op)[0].tx_hash)
        assert rig.step(op) == S.SENT
    rig.settle(op)
    rig.check(op)


def test_stuck(rig: Rig) -> None:
    op = rig.amend("a")
    with rig.no_mining():
        rig.step(op)
        rig.step(op, later=30)
    rig.settle(op)
    rig.check(op, attempts=2)
    first, second = rig.attempts(op)
    assert first.nonce == second.nonce
    assert second.max_fee * 8 >= first.max_fee * 9
    assert second.tip * 8 >= first.tip * 9


def test_a_reorganisation_before_it_is_confirmed(rig: Rig, settings: Any) -> None:
    settings.CHAIN_CONFIRMATIONS = 5
    op = rig.amend("a")
    rig.step(op)
    rig.mine()
    assert rig.step(op) == S.MINED
    rig.rpc("anvil_reorg", 2, [])
    assert rig.step(op) == S.SENT
    rig.settle(op)
    rig.check(op)


@pytest.mark.django_db(transaction=True)
def test_a_reorganisation_after_it_was_confirmed(rig: Rig) -> None:
    op = rig.amend("a")
    rig.settle(op)
    rig.mine(6)
    rig.rpc("anvil_reorg", 8, [])
    assert rig.locked() == rig.base
    for _ in range(4):
        status = rig.step(op)
    assert status in (S.SENT, S.MINED)
    assert rig.get(op).applied_at is not None
    rig.settle(op)
    rig.check(op)


def test_a_reorganisation_of_what_two_operations_of_one_deal_did(rig: Rig) -> None:
    first = rig.amend("a")
    rig.settle(first)
    second = current().release(rig.deal, Decimal("10.00"), "r").op_id
    assert rig.step(second) == S.SENT
    rig.rpc("anvil_reorg", 6, [])
    for _ in range(5):
        engine.tick(rig.chain)
    rig.settle_all()
    assert rig.get(first).status == rig.get(second).status == S.CONFIRMED
    assert rig.locked() - rig.base == to_units(X - Decimal("10.00"))
    assert JournalEntry.objects.filter(key__in=["escrow:a", "escrow:r"]).count() == 2


def test_the_answer_to_sending_never_arrives(rig: Rig) -> None:
    eaten: list[bytes] = []

    def twist(body: bytes, forward: Callable[[bytes], bytes]) -> bytes | None:
        said = forward(body)
        if b"eth_sendRawTransaction" in body and not eaten:
            eaten.append(body)
            return None
        return said

    op = rig.amend("a")
    with proxy(rig.url, twist) as url:
        rig.restart(url)
        assert rig.step(op) == S.SENT
        rig.settle(op)
    rig.check(op)
    assert len(eaten) == 1


def test_a_reserved_nonce_was_lost(rig: Rig) -> None:
    signer = ChainSigner.objects.get()
    signer.next_nonce += 1
    signer.save()
    op = rig.amend("a")
    rig.settle(op)
    rig.check(op)
    filler = EscrowAttempt.objects.get(operation=None)
    assert filler.nonce == rig.attempts(op)[0].nonce - 1
    assert int(rig.receipt(filler.tx_hash)["status"], 16) == 1


def test_a_strange_transaction_before_ours_is_reorganised_away(rig: Rig) -> None:
    rig.w3.eth.send_transaction({"from": rig.operator, "to": rig.operator, "value": 0, "gas": 21_000})
    rig.mine(2)
    op = rig.amend("a")
    with rig.no_mining():
        rig.step(op)
        rig.rpc("anvil_reorg", 3, [])
        assert rig.nonce() == rig.attempts(op)[0].nonce - 1
    rig.settle(op)
    rig.check(op)


def test_a_strange_transaction_takes_our_nonce(rig: Rig) -> None:
    op = rig.amend("a")
    with rig.no_mining():
        rig.step(op)
        (attempt,) = rig.attempts(op)
        rig.rpc("anvil_dropTransaction", attempt.tx_hash)
        rig.w3.eth.send_transaction({"from": rig.operator, "to": rig.operator, "value": 0, "nonce": attempt.nonce, "gas": 21_000})
        rig.mine()
    rig.settle(op)
    rig.check(op, attempts=2)
    assert [each.nonce for each in rig.attempts(op)] == [attempt.nonce, attempt.nonce + 1]


@pytest.mark.parametrize("ours_first", [True, False])
def test_two_workers_without_a_common_database(rig: Rig, ours_first: bool) -> None:
    op = rig.amend("a")
    with rig.no_mining():
        if ours_first:
            rig.step(op)
            other = rig.by_hand(op, rig.attempts(op)[0].nonce + 1)
        else:
            other = rig.by_hand(op, rig.nonce())
            rig.step(op)
        rig.mine()
    mine = rig.attempts(op)[0].tx_hash
    assert [int(rig.receipt(each)["status"], 16) for each in (mine, other)] == ([1, 0] if ours_first else [0, 1])
    rig.settle(op)
    assert rig.check(op).tx_hash == (mine if ours_first else other)


def test_the_database_was_restored_from_before(rig: Rig) -> None:
    op = rig.amend("a")
    rig.by_hand(op, rig.nonce())
    rig.mine(5)
    rig.settle(op)
    assert rig.check(op, attempts=0).tx_hash


def test_what_was_done_under_our_key_with_other_arguments_needs_a_person(rig: Rig) -> None:
    op = rig.amend("a")
    EscrowOperation.objects.filter(pk=op).update(amount=Decimal("1.00"))
    rig.by_hand(op, rig.nonce())
    EscrowOperation.objects.filter(pk=op).update(amount=X)
    assert rig.settle(op) == S.NEEDS_REVIEW
    assert not JournalEntry.objects.filter(key=f"escrow:{op}").exists()


def test_a_node_of_another_chain(rig: Rig) -> None:
    op = rig.amend("a")
    with local.running(0, "--chain-id", "4242") as url:
        rig.restart(url)
        with pytest.raises(WrongChain, match="chain 4242"):
            rig.step(op)
    with local.running() as url:
        rig.restart(url)
        with pytest.raises(WrongChain, match="no contract"):
            rig.step(op)
    rig.restart()
    assert rig.attempts(op) == []
    rig.settle(op)
    rig.check(op)


def test_another_token_than_the_settings_name(rig: Rig, settings: Any) -> None:
    op = rig.amend("a")
    settings.USDC_ADDRESS = local.create(local.connected(rig.url), "MockUSDC").address
    rig.restart()
    with pytest.raises(WrongChain, match="does not hold the token"):
        rig.step(op)
    assert rig.attempts(op) == []


def test_the_allowance_is_used_up(rig: Rig) -> None:
    rig.allow(0)
    op, nonce = rig.amend("a"), rig.nonce()
    assert rig.step(op) == S.BLOCKED
    assert "allowance" in rig.get(op).reason
    assert rig.nonce() == nonce
    rig.allow()
    rig.settle(op)
    assert rig.check(op).reason == ""


def test_the_float_is_empty(rig: Rig) -> None:
    everything = rig.token.functions.balanceOf(rig.operator).call()
    rig.send(rig.token.functions.transfer(rig.admin, everything), rig.operator)
    op = rig.amend("a")
    assert rig.step(op) == S.BLOCKED
    assert "holds too little" in rig.get(op).reason
    rig.send(rig.token.functions.transfer(rig.operator, everything), rig.admin)
    rig.settle(op)
    rig.check(op)


@pytest.mark.parametrize("which", ["token", "escrow"])
def test_a_contract_is_paused(rig: Rig, which: str) -> None:
    contract = rig.token if which == "token" else rig.escrow
    rig.send(contract.functions.setPaused(True))
    op = rig.amend("a")
    assert rig.step(op) == S.BLOCKED
    assert "paused" in rig.get(op).reason
    rig.send(contract.functions.setPaused(False))
    rig.settle(op)
    rig.check(op)


@pytest.mark.django_db(transaction=True)
def test_the_token_is_paused_between_the_look_and_the_block(rig: Rig) -> None:
    op = rig.amend("a")
    with rig.no_mining():
        rig.step(op)
        pause = rig.token.functions.setPaused(True)
        pause.transact({"from": rig.admin, "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**11, "gas": 100_000})
        rig.mine()
    assert int(rig.receipt(rig.attempts(op)[0].tx_hash)["status"], 16) == 0
    rig.mine(3)
    rig.step(op)
    assert rig.step(op) == S.BLOCKED
    rig.send(rig.token.functions.setPaused(False))
    rig.settle(op)
    rig.check(op, attempts=2)


def test_what_reverts_again_and_again_needs_a_person(rig: Rig) -> None:
    op = rig.amend("a")
    for turn in range(engine.MOST_NONCES):
        with rig.no_mining():
            while rig.step(op) != S.SENT:
                pass
            pause = rig.token.functions.setPaused(True)
            pause.transact({"from": rig.admin, "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**11, "gas": 100_000})
            rig.mine()
        rig.mine(2)
        status = rig.step(op)
        rig.send(rig.token.functions.setPaused(False))
        assert len(rig.attempts(op)) == turn + 1
    assert status == S.NEEDS_REVIEW
    rig.check(op, times=0, attempts=engine.MOST_NONCES, status=S.NEEDS_REVIEW)


def unknown(rig: Rig, kind: EscrowKind = EscrowKind.AMEND) -> str:
    """An operation for a deal that the contract has never heard of."""
    fields = {
        name: getattr(rig.get(f"{rig.deal.id}:open"), name) for name in ("purpose", "client_id", "builder_id", "backend", "chain_id", "contract")
    }
    return EscrowOperation.objects.create(op_id="strange", kind=kind, subject_id=uuid7(), amount=X, key="0x" + "7" * 64, **fields).op_id


def test_an_unknown_order_is_given_up(rig: Rig) -> None:
    op, nonce = unknown(rig), rig.nonce()
    assert rig.settle(op) == S.FAILED
    assert rig.get(op).reason == "The contract has no order of this number."
    assert rig.attempts(op) == []
    assert rig.nonce() == nonce
    assert not JournalEntry.objects.filter(key=f"escrow:{op}").exists()
    assert IncidentLog.objects.count() == 1


def test_a_blocked_builder_gets_their_release_and_only_the_withdrawal_waits(rig: Rig) -> None:
    wallet = local.account_address(7)
    PayoutAddress.objects.create(user=rig.builder, address=wallet)
    rig.deal = rig.new_deal()
    rig.send(rig.token.functions.setBlacklisted(wallet, True))
    release = current().release(rig.deal, Decimal("10.00"), "r").op_id
    assert rig.settle(release) == S.CONFIRMED
    out = withdraw("withdrawal", uuid7(), wallet, Decimal("9.00"), "w", builder_id=rig.builder.pk).op_id
    assert rig.step(out) == S.BLOCKED
    assert "blocked by the token" in rig.get(out).reason
    before = rig.token.functions.balanceOf(wallet).call()
    rig.send(rig.token.functions.setBlacklisted(wallet, False))
    assert rig.settle(out) == S.CONFIRMED
    assert rig.token.functions.balanceOf(wallet).call() - before == to_units(Decimal("9.00"))


def test_the_gas_money_is_used_up(rig: Rig) -> None:
    op = rig.amend("a")
    balance = rig.rpc("eth_getBalance", rig.operator, "latest")
    rig.rpc("anvil_setBalance", rig.operator, "0x0")
    for _ in range(3):
        assert rig.step(op) == S.SIGNED
    assert "gas money" in rig.get(op).reason
    rig.rpc("anvil_setBalance", rig.operator, balance)
    rig.settle(op)
    rig.check(op)


def answering(change: Callable[[str, Any], Any]) -> Callable[[bytes, Callable[[bytes], bytes]], bytes]:
    """A node whose results go through `change(method, result)`."""

    def twist(body: bytes, forward: Callable[[bytes], bytes]) -> bytes:
        asked, said = json.loads(body), json.loads(forward(body))
        alone = isinstance(asked, dict)
        methods = {each["id"]: each["method"] for each in ([asked] if alone else asked)}
        for each in [said] if alone else said:
            if "result" in each:
                each["result"] = change(methods[each["id"]], each["result"])
        return json.dumps(said).encode()

    return twist


def test_a_node_that_does_not_find_what_is_there(rig: Rig) -> None:
    """What is not found is sent again, the same bytes, and never under another nonce."""
    op = rig.amend("a")
    blind = answering(lambda method, result: None if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash") else result)
    with proxy(rig.url, blind) as url:
        rig.restart(url)
        with rig.no_mining():
            for _ in range(6):
                assert rig.step(op) == S.SENT
    rig.restart()
    rig.settle(op)
    rig.check(op)


def test_a_node_that_counts_a_transaction_before_it_shows_it(rig: Rig) -> None:
    op = rig.amend("a")
    rounds = iter([None] * (engine.MISSES - 1))
    late = answering(lambda method, result: next(rounds, result) if method == "eth_getTransactionReceipt" else result)
    with proxy(rig.url, late) as url:
        rig.restart(url)
        rig.settle(op)
    rig.check(op)


def test_a_node_that_never_shows_a_transaction_finds_its_event(rig: Rig) -> None:
    op = rig.amend("a")
    hidden: list[str] = []

    def change(method: str, result: Any) -> Any:
        if method == "eth_getTransactionReceipt" and len(hidden) < 8:
            hidden.append(method)
            return None
        return result

    with proxy(rig.url, answering(change)) as url:
        rig.restart(url)
        rig.settle(op)
    rig.check(op)


def test_a_node_that_lags_behind_gives_up_nothing(rig: Rig) -> None:
    """The contract's `orders` are not there yet on this node: "no order" is permanent, but not at once."""
    op = rig.amend("a")
    with proxy(rig.url, refusing("execution reverted: no order", [])) as url:
        rig.restart(url)
        assert rig.step(op) == S.BLOCKED
        assert rig.step(op) == S.BLOCKED
        rig.settle(op)
    rig.check(op)


def refusing(words: str, seen: list[str], times: int = 2) -> Callable[[bytes, Callable[[bytes], bytes]], bytes]:
    """A node that refuses the first transactions that it is asked to try."""

    def twist(body: bytes, forward: Callable[[bytes], bytes]) -> bytes:
        asked, said = json.loads(body), json.loads(forward(body))
        tries = {each["id"] for each in asked if each["method"] == "eth_estimateGas"} if isinstance(asked, list) else set()
        if tries and len(seen) < times:
            seen.append(words)
            for each in said:
                if each["id"] in tries:
                    each.pop("result", None)
                    each["error"] = {"code": 3, "message": words}
        return json.dumps(said).encode()

    return twist


def test_a_receipt_of_another_transaction_is_not_believed(rig: Rig) -> None:
    op = rig.amend("a")
    other = rig.receipt(rig.get(f"{rig.deal.id}:open").tx_hash)
    with rig.no_mining(), proxy(rig.url, answering(lambda method, result: other if method == "eth_getTransactionReceipt" else result)) as url:
        rig.restart(url)
        assert rig.step(op) == S.SENT
        assert rig.step(op) == S.SENT
    rig.restart()
    rig.settle(op)
    rig.check(op)


def test_a_node_that_does_not_answer_leaves_everything_as_it_is(rig: Rig) -> None:
    op = rig.amend("a")
    with proxy(rig.url, lambda body, forward: None) as url:
        rig.restart(url)
        with pytest.raises(Unreachable):
            rig.step(op)
    assert rig.get(op).status == S.QUEUED
    assert rig.get(op).created_at < now()
    rig.restart()
    rig.settle(op)
    rig.check(op)
