"""How people get their money when the platform is gone, or would rather not."""

from __future__ import annotations

from .chain import DAY, HOLD_GRACE, MAX_LIFE, Chain, key, units


def test_the_client_reclaims_from_the_expiry_on(chain: Chain) -> None:
    chain.open(1, "100.00", "20.00", expiry=chain.now + DAY)
    expiry = chain.order(1).expiry
    chain.travel(expiry - 1)
    assert chain.refusal(chain.do.reclaim(1), chain.client) == "expiry"
    chain.travel(expiry)
    receipt = chain.send(chain.do.reclaim(1), chain.client)
    assert (chain.claimable(chain.client), chain.claimable(chain.platform)) == (units("80.00"), units("20.00"))
    assert chain.event("EscrowRefunded", receipt) == {
        "orderId": 1,
        "opId": bytes(32),
        "client": chain.client,
        "amount": units("100.00"),
        "sponsorBack": units("20.00"),
        "locked": 0,
    }
    assert chain.refusal(chain.do.reclaim(1), chain.client) == "zero"
    chain.check(1)


def test_nobody_else_reclaims(chain: Chain) -> None:
    chain.open(1, expiry=chain.now + DAY)
    chain.travel(chain.now + 2 * DAY)
    for account in (chain.admin, chain.operator, chain.arbiter, chain.guardian, chain.builder, chain.other_client, chain.stranger):
        assert chain.refusal(chain.do.reclaim(1), account) == "client"
    assert chain.refusal(chain.do.reclaim(2), chain.client) == "client"


def test_a_dispute_puts_it_off_by_ninety_days_and_no_more(chain: Chain) -> None:
    chain.open(1, expiry=chain.now + DAY)
    expiry = chain.order(1).expiry
    chain.travel(expiry - 60)
    chain.send(chain.do.setHold(1, True, key("hold")), chain.arbiter)
    chain.travel(expiry + HOLD_GRACE - 1)
    assert chain.refusal(chain.do.reclaim(1), chain.client) == "expiry"
    chain.travel(expiry + HOLD_GRACE)
    chain.send(chain.do.setHold(1, True, key("hold again")), chain.arbiter)
    chain.send(chain.do.reclaim(1), chain.client)
    assert chain.claimable(chain.client) == units("100.00")


def test_whoever_holds_the_keys_the_client_is_out_in_time(chain: Chain) -> None:
    """730 days after the order was opened, and 90 in a dispute: nothing that any key can do moves that."""
    chain.open(1, expiry=chain.now + DAY)
    born = chain.order(1).created
    for number in range(1, 4):
        chain.travel(born + number * 200 * DAY)
        chain.send(chain.do.extendExpiry(1, born + (number * 200 + 110) * DAY, key(f"e{number}")), chain.operator)
    chain.send(chain.do.extendExpiry(1, born + MAX_LIFE, key("last")), chain.arbiter)
    assert chain.refusal(chain.do.extendExpiry(1, born + MAX_LIFE + 1, key("more")), chain.arbiter) == "life"
    chain.send(chain.do.setHold(1, True, key("hold")), chain.arbiter)
    chain.send(chain.do.setPaused(True), chain.admin)
    chain.travel(born + MAX_LIFE + HOLD_GRACE)
    chain.send(chain.do.reclaim(1), chain.client)
    chain.send(chain.do.withdrawOwn(units("100.00")), chain.client)
    assert chain.balance(chain.client) == units("100.00")


def test_both_exits_are_open_while_paused(chain: Chain) -> None:
    chain.open(1, expiry=chain.now + DAY)
    chain.send(chain.do.release(1, units("10.00"), 0, key("r")), chain.operator)
    chain.travel(chain.now + 2 * DAY)
    chain.send(chain.do.setPaused(True), chain.guardian)
    chain.send(chain.do.reclaim(1), chain.client)
    for account, amount in ((chain.client, "90.00"), (chain.builder, "9.00"), (chain.platform, "1.00")):
        chain.send(chain.do.withdrawOwn(units(amount)), account)
        assert chain.balance(account) == units(amount)
    assert chain.balance(chain.escrow.address) == 0
    chain.check(1)


def test_taking_out_ones_own(chain: Chain) -> None:
    chain.open(1)
    chain.send(chain.do.release(1, units("100.00"), 0, key("r")), chain.operator)
    receipt = chain.send(chain.do.withdrawOwn(units("30.00")), chain.builder)
    assert (chain.balance(chain.builder), chain.claimable(chain.builder)) == (units("30.00"), units("60.00"))
    assert chain.event("Withdrawn", receipt) == {"account": chain.builder, "opId": bytes(32), "amount": units("30.00")}
    for amount, why in ((0, "zero"), (1, "cents"), (units("60.01"), "claimable")):
        assert chain.refusal(chain.do.withdrawOwn(amount), chain.builder) == why
    assert chain.refusal(chain.do.withdrawOwn(units("0.01")), chain.stranger) == "claimable"
    chain.check(1)


def test_an_owner_cannot_burn_the_id_of_a_pending_operation(chain: Chain) -> None:
    """The id of the platform's next operation can be seen in the pool, or computed: whoever could consume it would block it."""
    chain.open(1)
    chain.send(chain.do.release(1, units("10.00"), 0, key("r")), chain.operator)
    pending = key("the amendment that is on its way")
    for account in (chain.builder, chain.client, chain.stranger):
        for call in (
            chain.do.withdraw(account, units("0.01"), pending),
            chain.do.pay(account, units("0.01"), pending),
            chain.do.amendEscrow(1, units("0.01"), 0, pending),
            chain.do.createEscrow(2, chain.client, chain.builder, 0, 0, 0, chain.now + DAY, pending),
            chain.do.release(1, units("0.01"), 0, pending),
            chain.do.refund(1, units("0.01"), 0, pending),
            chain.do.extendExpiry(1, chain.now + 40 * DAY, pending),
            chain.do.setHold(1, True, pending),
            chain.do.moveEscrow(1, 1, units("0.01"), 0, pending),
        ):
            assert chain.refusal(call, account) in ("role", "same order")
    chain.send(chain.do.withdrawOwn(units("0.01")), chain.builder)  # takes no id
    assert chain.do.opUsed(pending).call() is False
    chain.send(chain.do.amendEscrow(1, units("50.00"), 0, pending), chain.operator)
    assert chain.order(1).locked == units("140.00")
