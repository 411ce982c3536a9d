"""The proofs of these tests prove something: with a contract that forgets which operations it has carried out, money is locked twice."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.compile import compiled, source
from port444.payments.escrow.chain.contract import to_units
from port444.payments.models import EscrowStatus, JournalEntry
from scripts import chain as local

from .rig import Rig, X

pytestmark = pytest.mark.django_db

REMEMBERS = "    self.opUsed[opId] = True\n"


@pytest.fixture(scope="module")
def forgetful() -> dict[str, Any]:
    text = source("OrderEscrow")
    assert text.count(REMEMBERS) == 1
    return compiled("OrderEscrow", text.replace(REMEMBERS, ""))


@pytest.fixture
def mutant(forgetful: dict[str, Any], own_node: str, settings: Any, client_user: Any, builder_user: Any, monkeypatch: Any) -> Rig:
    """The rig on a contract in which a key of an operation can be used again."""
    true = local.artifact
    monkeypatch.setattr(local, "artifact", lambda name: forgetful if name == "OrderEscrow" else true(name))
    local.ask(own_node, "evm_setAutomine", True)
    local.ask(own_node, "anvil_dropAllTransactions")
    for name, value in local.deploy(own_node).items():
        setattr(settings, name, int(value) if name == "CHAIN_ID" else value)
    rig = Rig(own_node, client_user, builder_user)
    rig.open()
    return rig


def test_two_workers_without_a_common_database_lock_twice(mutant: Rig) -> None:
    op = mutant.amend("a")
    with mutant.no_mining():
        mutant.step(op)
        other = mutant.by_hand(op, mutant.attempts(op)[0].nonce + 1)
        mutant.mine()
    assert int(mutant.receipt(other)["status"], 16) == 1
    mutant.settle(op)
    assert mutant.locked() - mutant.base == 2 * to_units(X)
    with pytest.raises(AssertionError):
        mutant.check(op)


def test_a_restored_database_locks_again(mutant: Rig) -> None:
    op = mutant.amend("a")
    mutant.by_hand(op, mutant.nonce())
    mutant.mine(5)
    assert mutant.settle(op) == EscrowStatus.CONFIRMED
    assert mutant.locked() - mutant.base == 2 * to_units(X)
    assert JournalEntry.objects.filter(key=f"escrow:{op}").count() == 1  # the books alone would not have told
