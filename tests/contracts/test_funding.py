"""Money that comes in: opening an order and adding to it."""

from __future__ import annotations

from typing import Any

import pytest

from .chain import DAY, MAX_LIFE, PLENTY, Chain, Order, key, units


def opening(chain: Chain, **changed: Any) -> Any:
    """The call that opens order 1, but for what is changed."""
    asked = {
        "orderId": 1,
        "client": chain.client,
        "builder": chain.builder,
        "amount": units("100.00"),
        "sponsored": 0,
        "feeBps": 1000,
        "expiry": chain.now + 30 * DAY,
        "opId": key("a"),
        **changed,
    }
    return chain.do.createEscrow(*asked.values())


def test_opening_locks_the_callers_money(chain: Chain) -> None:
    expiry = chain.now + 30 * DAY
    receipt = chain.send(opening(chain, amount=units("100.00"), sponsored=units("15.00"), expiry=expiry), chain.operator)
    made = chain.w3.eth.get_block(receipt.blockNumber).timestamp
    assert chain.order(1) == Order(chain.client, chain.builder, units("100.00"), units("15.00"), units("100.00"), 0, 0, expiry, 1000, False, made)
    assert chain.balance(chain.operator) == PLENTY - units("100.00")
    assert chain.balance(chain.escrow.address) == units("100.00") == chain.locked
    assert chain.do.opUsed(key("a")).call() is True
    assert chain.event("EscrowCreated", receipt) == {
        "orderId": 1,
        "opId": key("a"),
        "client": chain.client,
        "builder": chain.builder,
        "amount": units("100.00"),
        "sponsored": units("15.00"),
        "feeBps": 1000,
        "expiry": expiry,
    }
    chain.check(1)


def test_an_order_may_be_opened_empty(chain: Chain) -> None:
    chain.send(opening(chain, amount=0), chain.operator)
    assert chain.order(1).locked == 0
    chain.send(chain.do.amendEscrow(1, units("5.00"), 0, key("b")), chain.operator)
    assert chain.order(1).locked == units("5.00")
    chain.check(1)


def test_adding_locks_more_under_the_same_terms(chain: Chain) -> None:
    chain.open(1, "100.00", "10.00")
    receipt = chain.send(chain.do.amendEscrow(1, units("50.50"), units("2.50"), key("b")), chain.operator)
    order = chain.order(1)
    assert (order.locked, order.funded, order.sponsored) == (units("150.50"), units("150.50"), units("12.50"))
    assert chain.event("EscrowAmended", receipt) == {
        "orderId": 1,
        "opId": key("b"),
        "payer": chain.operator,
        "additionalAmount": units("50.50"),
        "sponsored": units("2.50"),
        "locked": units("150.50"),
    }
    chain.check(1)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"amount": 9_999}, "cents"),
        ({"amount": units("1.00") + 1}, "cents"),
        ({"sponsored": 1}, "cents"),
        ({"sponsored": units("100.01")}, "sponsored"),
        ({"feeBps": 3001}, "fee"),
        ({"client": "0x" + "0" * 40}, "parties"),
        ({"builder": "0x" + "0" * 40}, "parties"),
        ({"opId": bytes(32)}, "op zero"),
        ({"amount": PLENTY + units("0.01")}, "ERC20: transfer amount exceeds allowance"),
    ],
)
def test_opening_is_refused(chain: Chain, changed: dict[str, Any], why: str) -> None:
    assert chain.refusal(opening(chain, **changed), chain.operator) == why


def test_nobody_is_on_both_sides(chain: Chain) -> None:
    assert chain.refusal(opening(chain, builder=chain.client), chain.operator) == "parties"


def test_the_expiry_is_in_the_future_and_not_too_far(chain: Chain) -> None:
    now = chain.now
    for expiry, why in ((0, "expiry"), (now, "expiry"), (now + 1, ""), (now + MAX_LIFE, ""), (now + MAX_LIFE + 1, "expiry")):
        assert chain.refusal(opening(chain, expiry=expiry), chain.operator) == why, expiry - now


def test_an_order_is_opened_once(chain: Chain) -> None:
    chain.open(1)
    assert chain.refusal(opening(chain), chain.operator) == "exists"
    chain.send(chain.do.refund(1, units("100.00"), 0, key("b")), chain.operator)
    assert chain.refusal(opening(chain), chain.operator) == "exists"  # not even when nothing is in it any more


@pytest.mark.parametrize(
    ("number", "amount", "sponsored", "op", "why"),
    [
        (2, "1.00", "0.00", "b", "no order"),
        (1, "0.00", "0.00", "b", "zero"),
        (1, "0.000001", "0.00", "b", "cents"),
        (1, "1.00", "0.000001", "b", "cents"),
        (1, "1.00", "1.01", "b", "sponsored"),
        (1, "1.00", "0.00", "open 1", "op used"),
        (1, "1000000000.00", "0.00", "b", "ERC20: transfer amount exceeds allowance"),
    ],
)
def test_adding_is_refused(chain: Chain, number: int, amount: str, sponsored: str, op: str, why: str) -> None:
    chain.open(1)
    call = chain.do.amendEscrow(number, units(amount), units(sponsored), key(op))
    assert chain.refusal(call, chain.operator) == why
    assert chain.order(1).locked == units("100.00")


def test_adding_is_refused_in_a_dispute(chain: Chain) -> None:
    chain.open(1)
    chain.send(chain.do.setHold(1, True, key("hold")), chain.arbiter)
    assert chain.refusal(chain.do.amendEscrow(1, units("1.00"), 0, key("b")), chain.operator) == "hold"


def test_an_operation_that_fails_does_not_consume_its_id(chain: Chain) -> None:
    chain.open(1)
    call = chain.do.amendEscrow(1, units("1.00"), 0, key("b"))
    chain.send(chain.usdc.functions.approve(chain.escrow.address, 0), chain.operator)
    assert chain.refusal(call, chain.operator) == "ERC20: transfer amount exceeds allowance"
    sent = chain.w3.eth.wait_for_transaction_receipt(call.transact({"from": chain.operator, "gas": 500_000}))
    assert (sent.status, chain.do.opUsed(key("b")).call()) == (0, False)
    chain.send(chain.usdc.functions.approve(chain.escrow.address, PLENTY), chain.operator)
    chain.send(call, chain.operator)
    assert chain.order(1).locked == units("101.00")
