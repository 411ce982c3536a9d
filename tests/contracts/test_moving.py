"""Money that moves from one order to another, and the moment from which a client may take it back."""

from __future__ import annotations

import pytest

from .chain import DAY, MAX_LIFE, Chain, key, units


def test_an_order_is_split_and_merged(chain: Chain) -> None:
    chain.open(1, "100.00", "20.00")
    chain.open(2, "50.00", "10.00")
    receipt = chain.send(chain.do.moveEscrow(1, 2, units("40.00"), units("8.00"), key("m")), chain.operator)
    one, two = chain.order(1), chain.order(2)
    assert (one.locked, one.funded, one.sponsored) == (units("60.00"), units("60.00"), units("12.00"))
    assert (two.locked, two.funded, two.sponsored) == (units("90.00"), units("90.00"), units("18.00"))
    assert chain.event("EscrowMoved", receipt) == {
        "fromOrder": 1,
        "toOrder": 2,
        "opId": key("m"),
        "amount": units("40.00"),
        "sponsored": units("8.00"),
        "fromLocked": units("60.00"),
        "toLocked": units("90.00"),
    }
    assert chain.locked == units("150.00")
    chain.check(1, 2)


def test_another_builder_needs_the_arbiter(chain: Chain) -> None:
    chain.open(1)
    chain.open(2, "0.00", builder=chain.other_builder)
    call = chain.do.moveEscrow(1, 2, units("40.00"), 0, key("m"))
    assert chain.refusal(call, chain.operator) == "role"
    chain.send(call, chain.arbiter)
    assert chain.order(2).locked == units("40.00")
    chain.check(1, 2)


@pytest.mark.parametrize("who", ["operator", "arbiter"])
def test_another_clients_order_never_gets_it(chain: Chain, who: str) -> None:
    chain.open(1)
    chain.open(2, client=chain.other_client)
    assert chain.refusal(chain.do.moveEscrow(1, 2, units("40.00"), 0, key("m")), getattr(chain, who)) == "client"


@pytest.mark.parametrize("held", [1, 2])
def test_a_dispute_over_either_needs_the_arbiter(chain: Chain, held: int) -> None:
    chain.open(1)
    chain.open(2)
    chain.send(chain.do.setHold(held, True, key("hold")), chain.arbiter)
    call = chain.do.moveEscrow(1, 2, units("40.00"), 0, key("m"))
    assert chain.refusal(call, chain.operator) == "role"
    chain.send(call, chain.arbiter)
    chain.check(1, 2)


@pytest.mark.parametrize(
    ("source", "target", "amount", "sponsored", "op", "why"),
    [
        (3, 2, "1.00", "0.00", "m", "no order"),
        (1, 3, "1.00", "0.00", "m", "no order"),
        (1, 1, "1.00", "0.00", "m", "same order"),
        (1, 2, "0.00", "0.00", "m", "zero"),
        (1, 2, "0.000001", "0.00", "m", "cents"),
        (1, 2, "1.00", "0.000001", "m", "cents"),
        (1, 2, "100.01", "0.00", "m", "locked"),
        (1, 2, "100.00", "20.01", "m", "sponsored"),
        (1, 2, "1.00", "1.01", "m", "sponsored"),
        (1, 2, "1.00", "0.00", "open 1", "op used"),
    ],
)
def test_a_move_is_refused(chain: Chain, source: int, target: int, amount: str, sponsored: str, op: str, why: str) -> None:
    chain.open(1, "100.00", "20.00")
    chain.open(2, "50.00")
    assert chain.refusal(chain.do.moveEscrow(source, target, units(amount), units(sponsored), key(op)), chain.operator) == why
    assert chain.refusal(chain.do.moveEscrow(1, 2, units("1.00"), 0, bytes(32)), chain.operator) == "op zero"
    chain.check(1, 2)


def test_moved_money_keeps_its_age(chain: Chain) -> None:
    """Or the operator could put off the client's exit for ever, from one new order to the next."""
    chain.open(1)
    born = chain.order(1).created
    chain.travel(chain.now + 400 * DAY)
    chain.open(2, "0.00", expiry=born + MAX_LIFE + 1)
    assert chain.refusal(chain.do.moveEscrow(1, 2, units("100.00"), 0, key("m")), chain.operator) == "life"
    chain.open(3, "5.00", expiry=born + MAX_LIFE)
    chain.send(chain.do.moveEscrow(1, 3, units("100.00"), 0, key("m")), chain.operator)
    assert chain.order(3).created == born
    assert chain.refusal(chain.do.extendExpiry(3, born + MAX_LIFE + 1, key("e")), chain.operator) == "life"
    chain.travel(born + MAX_LIFE)
    chain.send(chain.do.reclaim(3), chain.client)
    assert chain.claimable(chain.client) == units("105.00")


def test_an_expiry_is_put_off(chain: Chain) -> None:
    chain.open(1)
    before = chain.order(1).expiry
    receipt = chain.send(chain.do.extendExpiry(1, before + DAY, key("e")), chain.operator)
    assert chain.order(1).expiry == before + DAY
    assert chain.event("ExpiryExtended", receipt) == {"orderId": 1, "opId": key("e"), "expiry": before + DAY}
    chain.send(chain.do.extendExpiry(1, before + 2 * DAY, key("f")), chain.arbiter)


@pytest.mark.parametrize("who", ["operator", "arbiter"])
def test_an_expiry_is_never_sooner_nor_too_far(chain: Chain, who: str) -> None:
    chain.open(1)
    order = chain.order(1)
    for expiry, why in (
        (order.expiry - 1, "expiry"),
        (order.expiry, "expiry"),
        (order.expiry + 1, ""),
        (order.created + MAX_LIFE, ""),
        (order.created + MAX_LIFE + 1, "life"),
    ):
        assert chain.refusal(chain.do.extendExpiry(1, expiry, key("e")), getattr(chain, who)) == why


def test_an_extension_is_refused(chain: Chain) -> None:
    chain.open(1)
    later = chain.order(1).expiry + DAY
    assert chain.refusal(chain.do.extendExpiry(2, later, key("e")), chain.operator) == "no order"
    assert chain.refusal(chain.do.extendExpiry(1, later, key("open 1")), chain.operator) == "op used"
    assert chain.refusal(chain.do.extendExpiry(1, later, bytes(32)), chain.operator) == "op zero"
    chain.send(chain.do.setHold(1, True, key("hold")), chain.arbiter)
    assert chain.refusal(chain.do.extendExpiry(1, later, key("e")), chain.operator) == "role"
    assert chain.refusal(chain.do.extendExpiry(1, later, key("e")), chain.arbiter) == ""
