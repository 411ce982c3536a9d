"""Who may do what, and who decides that."""

from __future__ import annotations

from typing import Any

import pytest
from eth_tester.exceptions import TransactionFailed

from .chain import ARBITER, DAY, GUARDIAN, OPERATOR, Chain, artifact, key, units


def calls(chain: Chain) -> dict[str, Any]:
    """One call of each function that needs a role; all are in order but for who asks."""
    return {
        "createEscrow": chain.do.createEscrow(9, chain.client, chain.builder, units("1.00"), 0, 0, chain.now + DAY, key("1")),
        "amendEscrow": chain.do.amendEscrow(1, units("1.00"), 0, key("2")),
        "release": chain.do.release(1, units("1.00"), 0, key("3")),
        "refund": chain.do.refund(1, units("1.00"), 0, key("4")),
        "moveEscrow": chain.do.moveEscrow(1, 2, units("1.00"), 0, key("5")),
        "extendExpiry": chain.do.extendExpiry(1, chain.order(1).expiry + 1, key("6")),
        "setHold": chain.do.setHold(1, True, key("7")),
        "withdraw": chain.do.withdraw(chain.builder, units("1.00"), key("8")),
        "pay": chain.do.pay(chain.stranger, units("1.00"), key("9")),
        "setPaused": chain.do.setPaused(True),
        "setRole": chain.do.setRole(chain.stranger, OPERATOR, True),
        "setFeeRecipient": chain.do.setFeeRecipient(chain.stranger),
        "transferAdmin": chain.do.transferAdmin(chain.stranger),
        "sweepSurplus": chain.do.sweepSurplus(chain.stranger),
    }


MAY = {
    "operator": {"createEscrow", "amendEscrow", "release", "refund", "moveEscrow", "extendExpiry", "withdraw", "pay"},
    "arbiter": {"release", "refund", "moveEscrow", "extendExpiry", "setHold"},
    "guardian": {"setPaused"},
    "admin": {"setPaused", "setRole", "setFeeRecipient", "transferAdmin", "sweepSurplus"},
    "client": set(),
    "builder": set(),
    "platform": set(),
    "stranger": set(),
}
OPEN_TO_ALL = {"reclaim", "withdrawOwn", "acceptAdmin"}  # each looks itself at who asks


@pytest.mark.parametrize("who", MAY)
def test_each_key_does_its_own_and_nothing_else(chain: Chain, who: str) -> None:
    chain.open(1)
    chain.open(2)
    chain.send(chain.do.release(1, units("10.00"), 0, key("r")), chain.operator)
    refusals = {name: chain.refusal(call, getattr(chain, who)) for name, call in calls(chain).items()}
    assert {name for name, why in refusals.items() if not why} == MAY[who]
    assert {why for why in refusals.values() if why} <= {"role", "admin"}


def test_the_table_above_has_every_function(chain: Chain) -> None:
    changing = {part["name"] for part in chain.escrow.abi if part["type"] == "function" and part["stateMutability"] == "nonpayable"}
    chain.open(1)
    assert changing == set(calls(chain)) | OPEN_TO_ALL
    assert not [part for part in chain.escrow.abi if part.get("stateMutability") == "payable"]


def test_roles_are_given_and_taken_one_by_one(chain: Chain) -> None:
    receipt = chain.send(chain.do.setRole(chain.stranger, OPERATOR | ARBITER, True), chain.admin)
    assert chain.event("RoleSet", receipt) == {"role": OPERATOR | ARBITER, "account": chain.stranger, "enabled": True}
    assert chain.do.roles(chain.stranger).call() == OPERATOR | ARBITER
    chain.send(chain.do.setRole(chain.stranger, OPERATOR, False), chain.admin)
    assert chain.do.roles(chain.stranger).call() == ARBITER
    chain.send(chain.do.setRole(chain.operator, OPERATOR, False), chain.admin)  # a key that got lost
    assert chain.refusal(chain.do.pay(chain.stranger, units("1.00"), key("p")), chain.operator) == "role"
    assert chain.refusal(chain.do.setRole(chain.stranger, 8, True), chain.admin)  # there is no such role


def test_the_guardian_may_only_pause(chain: Chain) -> None:
    chain.open(1)
    receipt = chain.send(chain.do.setPaused(True), chain.guardian)
    assert chain.event("Paused", receipt) == {"account": chain.guardian, "paused": True}
    assert chain.refusal(chain.do.setPaused(False), chain.guardian) == "role"
    stopped = {name for name, call in calls(chain).items() if chain.refusal(call, chain.operator) == "paused"}
    assert stopped == MAY["operator"] - {"extendExpiry"}
    assert chain.refusal(chain.do.refund(1, units("1.00"), 0, key("4")), chain.arbiter) == "paused"
    assert chain.refusal(chain.do.setHold(1, True, key("7")), chain.arbiter) == ""
    chain.send(chain.do.setPaused(False), chain.admin)
    chain.send(chain.do.refund(1, units("1.00"), 0, key("4")), chain.operator)
    assert chain.do.roles(chain.guardian).call() == GUARDIAN


def test_the_admin_changes_in_two_steps(chain: Chain) -> None:
    receipt = chain.send(chain.do.transferAdmin(chain.stranger), chain.admin)
    assert chain.event("AdminTransfer", receipt) == {"current": chain.admin, "pending": chain.stranger, "accepted": False}
    assert chain.do.admin().call() == chain.admin  # still
    assert chain.refusal(chain.do.setRole(chain.stranger, OPERATOR, True), chain.stranger) == "admin"
    assert chain.refusal(chain.do.acceptAdmin(), chain.builder) == "pending"
    receipt = chain.send(chain.do.acceptAdmin(), chain.stranger)
    assert chain.event("AdminTransfer", receipt)["accepted"] is True
    assert chain.do.admin().call() == chain.stranger
    assert chain.refusal(chain.do.acceptAdmin(), chain.stranger) == "pending"
    assert chain.refusal(chain.do.setRole(chain.builder, OPERATOR, True), chain.admin) == "admin"


def test_the_admin_calls_a_change_off(chain: Chain) -> None:
    chain.send(chain.do.transferAdmin(chain.stranger), chain.admin)
    chain.send(chain.do.transferAdmin("0x" + "0" * 40), chain.admin)
    assert chain.refusal(chain.do.acceptAdmin(), chain.stranger) == "pending"


def test_fees_go_to_the_recipient_of_their_day(chain: Chain) -> None:
    chain.open(1)
    chain.send(chain.do.release(1, units("50.00"), 0, key("r")), chain.operator)
    receipt = chain.send(chain.do.setFeeRecipient(chain.stranger), chain.admin)
    assert chain.event("FeeRecipientSet", receipt) == {"account": chain.stranger}
    chain.send(chain.do.release(1, units("50.00"), 0, key("s")), chain.operator)
    assert (chain.claimable(chain.platform), chain.claimable(chain.stranger)) == (units("5.00"), units("5.00"))
    assert chain.refusal(chain.do.setFeeRecipient("0x" + "0" * 40), chain.admin) == "account"


def test_only_what_nobody_is_owed_can_be_swept(chain: Chain) -> None:
    chain.open(1)
    chain.send(chain.do.release(1, units("50.00"), 0, key("r")), chain.operator)
    chain.send(chain.usdc.functions.mint(chain.escrow.address, 123_456), chain.admin)  # sent here by mistake
    receipt = chain.send(chain.do.sweepSurplus(chain.stranger), chain.admin)
    assert chain.event("SurplusSwept", receipt) == {"to": chain.stranger, "amount": 123_456}
    assert chain.balance(chain.stranger) == 123_456
    assert chain.balance(chain.escrow.address) == units("100.00")
    chain.send(chain.do.sweepSurplus(chain.stranger), chain.admin)  # nothing more
    assert chain.balance(chain.stranger) == 123_456
    chain.check(1)


def test_what_it_is_made_with_is_looked_at(chain: Chain) -> None:
    nobody = "0x" + "0" * 40
    contract = chain.w3.eth.contract(abi=chain.escrow.abi, bytecode=artifact("OrderEscrow")["bytecode"])
    for arguments in (
        (chain.stranger, chain.admin, chain.platform),  # no contract is there
        (chain.usdc.address, nobody, chain.platform),
        (chain.usdc.address, chain.admin, nobody),
    ):
        with pytest.raises(TransactionFailed, match="args"):
            contract.constructor(*arguments).estimate_gas({"from": chain.admin})
