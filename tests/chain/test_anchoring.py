"""The newest seal of the audit log goes onto the chain, whatever happens on the way."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from auditlog.models import AuditAnchor, AuditSeal
from port444.kit import clock
from port444.kit.clock import now
from port444.payments.escrow.chain import fees
from port444.payments.escrow.chain.anchoring import anchor_seal, is_on_chain
from port444.payments.models import ChainAnchor, EscrowAttempt

from .rig import Rig


@pytest.fixture(autouse=True)
def hourly(settings: Any) -> None:
    settings.AUDIT_CHAIN_HOURS = 1


def seal(seq: int) -> AuditSeal:
    """A seal as the sealer leaves it, over no rows."""
    digest = secrets.token_bytes(32)  # the node is shared
    places = {"from_xid": seq, "from_id": 0, "through_xid": seq, "through_id": 0, "next_xid": seq, "floor_id": 0}
    proof = {"root": digest, "prev_hash": digest, "hash": digest, "body": "{}", "key_id": "0" * 16, "signature": b"\0" * 64}
    return AuditSeal.objects.create(seq=seq, epoch=1, rows=0, sealed_at=now(), **places, **proof)


def bring(rig: Rig, rounds: int = 8) -> AuditAnchor:
    for _ in range(rounds):
        anchor_seal(rig.chain)
        rig.mine()
    return AuditAnchor.objects.get(place="chain")


def on_chain(rig: Rig, sealed: AuditSeal) -> int:
    """In how many transactions of the platform's account the seal's hash lies."""
    found = 0
    for number in range(int(rig.rpc("eth_blockNumber"), 16) + 1):
        block = rig.rpc("eth_getBlockByNumber", hex(number), True)
        found += sum(each["input"] == "0x" + bytes(sealed.hash).hex() and each["from"] == rig.operator.lower() for each in block["transactions"])
    return found


def test_the_newest_seal_is_written_once_an_hour(rig: Rig) -> None:
    seal(1)
    newest = seal(2)
    anchor = bring(rig)
    assert anchor.seal_id == 2
    assert is_on_chain(rig.chain, bytes(newest.hash), anchor.reference)
    assert not is_on_chain(rig.chain, b"\1" * 32, anchor.reference)
    assert on_chain(rig, newest) == 1
    third = seal(3)
    assert anchor_seal(rig.chain) == 0
    assert on_chain(rig, third) == 0
    with clock.at(now() + timedelta(hours=1, seconds=1)):
        for _ in range(8):
            anchor_seal(rig.chain)
            rig.mine()
    assert list(AuditAnchor.objects.order_by("seal").values_list("seal", flat=True)) == [2, 3]
    assert rig.settle(rig.amend("after")) == "confirmed", "the account's line goes on"


@pytest.mark.parametrize("claimed", [2, 2**40])
def test_an_anchor_that_was_never_sent_keeps_none_away(rig: Rig, claimed: int) -> None:
    """Who can write into the database can claim one, and not put it on the chain."""
    first = bring(rig) if seal(1) else None
    assert first is not None
    seal(2)
    newest = seal(3)
    with clock.at(now() + timedelta(hours=1, seconds=1)):
        sent = {"nonce": 1, "tx_hash": first.reference.rpartition(":")[2], "anchored_at": now(), "begun_at": now()}
        ChainAnchor.objects.create(chain_id=rig.chain.chain_id, seal=claimed, seal_hash="0x" + "00" * 32, **sent)
        for _ in range(8):
            anchor_seal(rig.chain)
            rig.mine()
    assert on_chain(rig, newest) == 1
    assert list(AuditAnchor.objects.order_by("seal").values_list("seal", flat=True)) == [1, 3]


def test_a_command_tells_a_seal_that_is_not_the_one_on_the_chain(rig: Rig, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.CHAIN_RPC_URL = settings.CHAIN_AUDIT_RPC_URL = rig.url
    seal(1)
    anchor = bring(rig)
    call_command("check_chain_anchors")
    assert "1/1 seals on chain 31337" in capsys.readouterr().out
    AuditAnchor.objects.create(seal=seal(2), place="chain", reference=anchor.reference)
    with pytest.raises(SystemExit, match="1"):
        call_command("check_chain_anchors")
    assert "seal 2: " in capsys.readouterr().out


def test_nothing_is_sent_unless_it_is_asked_for(rig: Rig, settings: Any) -> None:
    settings.AUDIT_CHAIN_HOURS = 0
    seal(1)
    before = rig.nonce()
    assert anchor_seal(rig.chain) == 0
    assert (rig.nonce(), ChainAnchor.objects.count()) == (before, 0)


@pytest.mark.parametrize("point", ["reserved", "signed", "sending", "sent", "recorded"])
def test_a_crash_anywhere_costs_nothing(rig: Rig, monkeypatch: Any, point: str) -> None:
    newest = seal(1)
    with rig.crashing(point, monkeypatch):
        anchor_seal(rig.chain)
    anchor = bring(rig)
    assert is_on_chain(rig.chain, bytes(newest.hash), anchor.reference)
    assert on_chain(rig, newest) == 1
    assert rig.settle(rig.amend("after")) == "confirmed"


def test_what_is_stuck_is_offered_more_for_and_written_once(rig: Rig) -> None:
    newest = seal(1)
    with rig.no_mining():
        anchor_seal(rig.chain)
        first = EscrowAttempt.objects.filter(operation=None).get()
        with clock.at(now() + timedelta(minutes=5)):
            anchor_seal(rig.chain)
        both = list(EscrowAttempt.objects.filter(operation=None).order_by("max_fee"))
        assert [attempt.nonce for attempt in both] == [first.nonce] * 2
        assert both[1].max_fee >= fees.raised(int(first.max_fee))
    bring(rig)
    assert on_chain(rig, newest) == 1


def test_a_nonce_that_was_spent_on_something_else_is_taken_anew(rig: Rig) -> None:
    newest = seal(1)
    with rig.no_mining():
        anchor_seal(rig.chain)
        rig.rpc("anvil_dropAllTransactions")
    rig.rpc("eth_sendTransaction", {"from": rig.operator, "to": rig.admin, "value": "0x1"})
    anchor = bring(rig, 12)
    assert is_on_chain(rig.chain, bytes(newest.hash), anchor.reference)
    assert on_chain(rig, newest) == 1


def test_a_block_that_is_dropped_brings_it_back_on_its_way(rig: Rig) -> None:
    newest = seal(1)
    snapshot = rig.rpc("evm_snapshot")
    anchor_seal(rig.chain)
    assert on_chain(rig, newest) == 1
    rig.rpc("evm_revert", snapshot)
    rig.mine()
    assert on_chain(rig, newest) == 0
    bring(rig)
    assert on_chain(rig, newest) == 1
