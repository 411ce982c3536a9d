"""The contract beside tokens that do not keep to the rules: it believes balances, not words."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from contracts import compile as maker

from .chain import Chain, key, units

# What the stand-in for USDC does not do: a transfer that answers false, that answers nothing, that keeps a part, or that calls back.
SWITCHES = """
answersFalse: public(bool)
keeps: public(uint256)
callTo: public(address)
callWith: public(Bytes[200])
callBack: public(Bytes[200])

@external
def setAnswersFalse(on: bool):
    self.answersFalse = on

@external
def setKeeps(amount: uint256):
    self.keeps = amount

@external
def setCall(to: address, data: Bytes[200]):
    self.callTo = to
    self.callWith = data

@internal
def _odd(receiver: address) -> bool:
    if self.keeps > 0:
        self.balanceOf[receiver] -= self.keeps
    if self.callTo != empty(address):
        ok: bool = False
        answer: Bytes[200] = b""
        ok, answer = raw_call(self.callTo, self.callWith, max_outsize=200, revert_on_failure=False)
        self.callBack = concat(b"", slice(answer, 0, len(answer))) if not ok else b"went through"
    return not self.answersFalse
"""
TRANSFERS = ("transfer(to: address, amount: uint256)", "transferFrom(sender: address, to: address, amount: uint256)")


@cache
def odd_token() -> dict[str, Any]:
    """The stand-in with the switches above in its transfers."""
    text = maker.source("MockUSDC")
    before, after = text.split("@external\ndef transfer(", 1)
    body, rest = after.split("@external\ndef receiveWithAuthorization", 1)
    assert body.count("return True") == 2
    changed = before + SWITCHES + "\n@external\ndef transfer(" + body.replace("return True", "return self._odd(to)")
    return maker.compiled("OddToken", changed + "@external\ndef receiveWithAuthorization" + rest)


@cache
def silent_token() -> dict[str, Any]:
    """The stand-in with transfers that answer nothing, as some of the oldest tokens do."""
    text = maker.source("MockUSDC")
    for head in TRANSFERS:
        assert f"def {head} -> bool:" in text
        before, after = text.split(f"def {head} -> bool:", 1)
        text = before + f"def {head}:" + after.replace("    return True\n", "", 1)
    return maker.compiled("SilentToken", text)


@pytest.fixture
def odd(chain: Chain) -> Chain:
    """A chain whose escrow takes an odd token. The builder has a claim of 90.00."""
    odd = chain.settled(usdc=odd_token())
    odd.open(1, "200.00")
    odd.send(odd.do.release(1, units("100.00"), 0, key("r")), odd.operator)
    return odd


Ask = Callable[[Chain], Any]
INTO: list[Ask] = [
    lambda chain: chain.do.amendEscrow(1, units("5.00"), 0, key("x")),
    lambda chain: chain.do.createEscrow(2, chain.client, chain.builder, units("5.00"), 0, 0, chain.now + 99, key("x")),
    lambda chain: chain.do.pay(chain.stranger, units("5.00"), key("x")),
]


@pytest.mark.parametrize("ask", INTO)
def test_a_transfer_that_answers_false_is_none(odd: Chain, ask: Ask) -> None:
    odd.send(odd.usdc.functions.setAnswersFalse(True), odd.admin)
    assert odd.refusal(ask(odd), odd.operator) == "transferFrom"


def test_a_payout_that_answers_false_leaves_the_claim(odd: Chain) -> None:
    odd.send(odd.usdc.functions.setAnswersFalse(True), odd.admin)
    assert odd.refusal(odd.do.withdraw(odd.builder, units("5.00"), key("x")), odd.operator) == "transfer"
    assert odd.refusal(odd.do.withdrawOwn(units("5.00")), odd.builder) == "transfer"
    assert odd.refusal(odd.do.sweepSurplus(odd.stranger), odd.admin) == "transfer"
    assert odd.claimable(odd.builder) == units("90.00")


@pytest.mark.parametrize("ask", INTO)
def test_a_token_that_keeps_a_part_is_refused(odd: Chain, ask: Ask) -> None:
    odd.send(odd.usdc.functions.setKeeps(1), odd.admin)
    assert odd.refusal(ask(odd), odd.operator) == "received"


def test_a_token_without_an_answer_is_taken_at_its_balances(chain: Chain) -> None:
    silent = chain.settled(usdc=silent_token())
    silent.open(1)
    silent.send(silent.do.amendEscrow(1, units("5.00"), 0, key("a")), silent.operator)
    silent.send(silent.do.release(1, units("105.00"), 0, key("r")), silent.operator)
    silent.send(silent.do.withdraw(silent.builder, units("94.50"), key("w")), silent.operator)
    silent.send(silent.do.pay(silent.stranger, units("5.00"), key("p")), silent.operator)
    assert (silent.balance(silent.builder), silent.balance(silent.stranger)) == (units("94.50"), units("5.00"))
    silent.check(1)


@pytest.mark.parametrize("function", ["withdrawOwn", "reclaim", "withdraw", "release", "amendEscrow"])
def test_a_token_that_calls_back_gets_nowhere(odd: Chain, function: str) -> None:
    """Even with a role and a claim of its own, a token cannot come in a second time while it is being called."""
    odd.send(odd.do.setRole(odd.usdc.address, 1, True), odd.admin)
    back = {
        "withdrawOwn": odd.do.withdrawOwn(units("1.00")),
        "reclaim": odd.do.reclaim(1),
        "withdraw": odd.do.withdraw(odd.builder, units("1.00"), key("y")),
        "release": odd.do.release(1, units("1.00"), 0, key("y")),
        "amendEscrow": odd.do.amendEscrow(1, units("1.00"), 0, key("y")),
    }[function]
    odd.send(odd.usdc.functions.setCall(odd.escrow.address, odd.do.paused()._encode_transaction_data()), odd.admin)
    odd.send(odd.do.withdraw(odd.builder, units("1.00"), key("look")), odd.operator)
    assert odd.usdc.functions.callBack().call() == b"went through"  # looking is harmless
    odd.send(odd.usdc.functions.setCall(odd.escrow.address, back._encode_transaction_data()), odd.admin)
    odd.send(odd.do.withdraw(odd.builder, units("5.00"), key("x")), odd.operator)
    assert odd.usdc.functions.callBack().call() == b""  # refused by the lock, which gives no reason
    assert odd.do.opUsed(key("y")).call() is False
    assert odd.claimable(odd.builder) == units("84.00")
    assert odd.balance(odd.builder) == units("6.00")
