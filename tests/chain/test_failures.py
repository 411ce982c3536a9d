"""Everything that can go wrong between the books and a chain, on a real node: each amendment is funded once and booked once."""

from __future__ import annotations

from typing import Any

import pytest

from port444.accounts.models import User
from port444.payments.models import EscrowAttempt, EscrowStatus
from scripts import chain as local

from .rig import Rig

pytestmark = pytest.mark.django_db(transaction=True)

S = EscrowStatus


@pytest.fixture(scope="module")
def own_node() -> Any:
    """A node that nobody else loses blocks on."""
    with local.running() as url:
        yield url


@pytest.fixture
def rig(own_node: str, settings: Any, client_user: User, builder_user: User) -> Rig:
    local.ask(own_node, "evm_setAutomine", True)
    local.ask(own_node, "anvil_dropAllTransactions")
    for name, value in local.deploy(own_node).items():
        setattr(settings, name, int(value) if name == "CHAIN_ID" else value)
    local.ask(own_node, "anvil_mine", hex(12))  # deeper than any reorganisation of these tests
    made = Rig(own_node, client_user, builder_user)
    made.open()
    return made


def test_asked_twice(rig: Rig) -> None:
    op = rig.amend("a")
    assert rig.amend("a") == op
    rig.settle(op)
    rig.check(op)


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
