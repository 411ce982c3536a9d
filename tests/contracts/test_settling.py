"""Money that is settled: to the builder, back to the client, and disputes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from port444.kit import money

from .chain import Chain, key, units

AMOUNTS = st.decimals(min_value="0.01", max_value="999999.99", places=2)


def test_a_release_credits_the_builder_less_the_fee(chain: Chain) -> None:
    chain.open(1, "100.00", bps=1000)
    receipt = chain.send(chain.do.release(1, units("40.00"), 0, key("r")), chain.operator)
    order = chain.order(1)
    assert (order.locked, order.released, order.refunded) == (units("60.00"), units("40.00"), 0)
    assert (chain.claimable(chain.builder), chain.claimable(chain.platform)) == (units("36.00"), units("4.00"))
    assert chain.balance(chain.builder) == 0  # until it is withdrawn
    assert chain.event("EscrowReleased", receipt) == {
        "orderId": 1,
        "opId": key("r"),
        "builder": chain.builder,
        "gross": units("40.00"),
        "fee": units("4.00"),
        "sponsorBack": 0,
        "locked": units("60.00"),
    }
    chain.check(1)


def test_what_was_prepaid_goes_back_to_the_platform_with_a_release(chain: Chain) -> None:
    chain.open(1, "100.00", "20.00", bps=1000)
    receipt = chain.send(chain.do.release(1, units("100.00"), units("20.00"), key("r")), chain.operator)
    assert (chain.claimable(chain.builder), chain.claimable(chain.platform)) == (units("70.00"), units("30.00"))
    assert chain.event("EscrowReleased", receipt)["sponsorBack"] == units("20.00")
    assert chain.order(1).sponsored == 0
    chain.check(1)


def test_a_gift_is_the_builders_once_it_is_released(chain: Chain) -> None:
    chain.open(1, "100.00", "20.00", bps=1000)
    chain.send(chain.do.release(1, units("90.00"), 0, key("r")), chain.operator)
    assert chain.claimable(chain.builder) == units("81.00")
    assert chain.order(1).sponsored == units("10.00")  # never more than what is locked
    chain.send(chain.do.refund(1, units("10.00"), units("10.00"), key("b")), chain.operator)
    assert (chain.claimable(chain.client), chain.claimable(chain.platform)) == (0, units("19.00"))
    chain.check(1)


def test_a_refund_credits_the_client_less_what_was_lent(chain: Chain) -> None:
    chain.open(1, "100.00", "20.00", bps=1000)
    receipt = chain.send(chain.do.refund(1, units("50.00"), units("10.00"), key("b")), chain.operator)
    order = chain.order(1)
    assert (order.locked, order.sponsored, order.refunded) == (units("50.00"), units("10.00"), units("50.00"))
    assert (chain.claimable(chain.client), chain.claimable(chain.platform)) == (units("40.00"), units("10.00"))
    assert chain.event("EscrowRefunded", receipt) == {
        "orderId": 1,
        "opId": key("b"),
        "client": chain.client,
        "amount": units("50.00"),
        "sponsorBack": units("10.00"),
        "locked": units("50.00"),
    }
    chain.check(1)


@pytest.mark.parametrize("call", ["release", "refund"])
@pytest.mark.parametrize(
    ("number", "amount", "back", "op", "why"),
    [
        (2, "1.00", "0.00", "r", "no order"),
        (1, "0.00", "0.00", "r", "zero"),
        (1, "0.000001", "0.00", "r", "cents"),
        (1, "1.00", "0.000001", "r", "cents"),
        (1, "100.01", "0.00", "r", "locked"),
        (1, "100.00", "20.01", "r", "sponsored"),  # more than was lent
        (1, "1.00", "1.01", "r", "sponsored"),  # more than goes out
        (1, "1.00", "0.00", "open 1", "op used"),
    ],
)
def test_settling_is_refused(chain: Chain, call: str, number: int, amount: str, back: str, op: str, why: str) -> None:
    chain.open(1, "100.00", "20.00")
    asked = chain.do[call](number, units(amount), units(back), key(op))
    assert chain.refusal(asked, chain.operator) == why
    assert chain.refusal(chain.do[call](1, units("1.00"), 0, bytes(32)), chain.operator) == "op zero"
    assert chain.order(1).locked == units("100.00")


def test_the_platform_takes_back_no_more_than_the_builder_gets(chain: Chain) -> None:
    chain.open(1, "100.00", "95.00", bps=1000)
    assert chain.refusal(chain.do.release(1, units("100.00"), units("90.01"), key("r")), chain.operator) == "sponsored"
    assert chain.refusal(chain.do.release(1, units("100.00"), units("90.00"), key("r")), chain.operator) == ""


def test_in_a_dispute_only_the_arbiter_settles(chain: Chain) -> None:
    chain.open(1)
    receipt = chain.send(chain.do.setHold(1, True, key("hold")), chain.arbiter)
    assert chain.event("HoldSet", receipt) == {"orderId": 1, "opId": key("hold"), "hold": True}
    for call in (chain.do.release, chain.do.refund):
        assert chain.refusal(call(1, units("1.00"), 0, key("r")), chain.operator) == "role"
    chain.send(chain.do.refund(1, units("30.00"), 0, key("b")), chain.arbiter)
    chain.send(chain.do.release(1, units("20.00"), 0, key("r")), chain.arbiter)
    chain.send(chain.do.setHold(1, False, key("over")), chain.arbiter)
    chain.send(chain.do.release(1, units("50.00"), 0, key("rest")), chain.operator)
    assert (chain.claimable(chain.client), chain.claimable(chain.builder)) == (units("30.00"), units("63.00"))
    chain.check(1)


def test_a_hold_is_refused(chain: Chain) -> None:
    chain.open(1)
    assert chain.refusal(chain.do.setHold(1, True, key("hold")), chain.operator) == "role"
    assert chain.refusal(chain.do.setHold(2, True, key("hold")), chain.arbiter) == "no order"
    assert chain.refusal(chain.do.setHold(1, True, key("open 1")), chain.arbiter) == "op used"
    assert chain.refusal(chain.do.setHold(1, True, bytes(32)), chain.arbiter) == "op zero"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=AMOUNTS, bps=st.integers(0, 3000))
@example(amount=money.parse("1.01"), bps=333)
@example(amount=money.parse("0.01"), bps=3000)
@example(amount=money.parse("999999.99"), bps=1)
def test_the_fee_is_the_same_to_the_cent_as_in_the_books(chain: Chain, amount: Decimal, bps: int) -> None:
    tester = chain.w3.provider.ethereum_tester
    start = tester.take_snapshot()
    chain.open(1, str(amount), bps=bps)
    fee = chain.event("EscrowReleased", chain.send(chain.do.release(1, units(amount), 0, key("r")), chain.operator))["fee"]
    assert fee == units(money.fee(amount, bps))
    assert chain.claimable(chain.builder) == units(amount - money.fee(amount, bps))
    assert chain.claimable(chain.platform) == fee
    tester.revert_to_snapshot(start)
