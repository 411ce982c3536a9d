"""Claims that the platform pays out, and payments from its own money."""

from __future__ import annotations

import pytest

from .chain import PLENTY, Chain, key, units


@pytest.fixture
def earned(chain: Chain) -> Chain:
    """The builder has a claim of 90.00, the platform of 10.00."""
    chain.open(1)
    chain.send(chain.do.release(1, units("100.00"), 0, key("r")), chain.operator)
    return chain


def test_a_claim_is_paid_to_who_has_it(earned: Chain) -> None:
    receipt = earned.send(earned.do.withdraw(earned.builder, units("50.00"), key("w")), earned.operator)
    assert (earned.balance(earned.builder), earned.claimable(earned.builder)) == (units("50.00"), units("40.00"))
    assert earned.event("Withdrawn", receipt) == {"account": earned.builder, "opId": key("w"), "amount": units("50.00")}
    earned.check(1)


def test_a_withdrawal_is_refused(earned: Chain) -> None:
    for amount, op, why in (
        (0, "w", "zero"),
        (1, "w", "cents"),
        (units("90.01"), "w", "claimable"),
        (units("1.00"), "r", "op used"),
    ):
        assert earned.refusal(earned.do.withdraw(earned.builder, amount, key(op)), earned.operator) == why
    assert earned.refusal(earned.do.withdraw(earned.builder, units("1.00"), bytes(32)), earned.operator) == "op zero"
    assert earned.refusal(earned.do.withdraw(earned.stranger, units("1.00"), key("w")), earned.operator) == "claimable"
    for account in (earned.admin, earned.arbiter, earned.guardian, earned.builder, earned.stranger):
        assert earned.refusal(earned.do.withdraw(earned.builder, units("1.00"), key("w")), account) == "role"


def test_a_payment_comes_from_the_float_once(earned: Chain) -> None:
    before = earned.balance(earned.operator)
    receipt = earned.send(earned.do.pay(earned.stranger, units("25.00"), key("p")), earned.operator)
    assert earned.event("Paid", receipt) == {"account": earned.stranger, "opId": key("p"), "amount": units("25.00")}
    assert earned.balance(earned.stranger) == units("25.00")
    assert earned.balance(earned.operator) == before - units("25.00")
    assert earned.balance(earned.escrow.address) == units("100.00")  # the pool has nothing to do with it
    assert earned.refusal(earned.do.pay(earned.stranger, units("25.00"), key("p")), earned.operator) == "op used"
    earned.check(1)


def test_a_payment_is_refused(earned: Chain) -> None:
    for account, amount, op, why in (
        (earned.stranger, 0, "p", "zero"),
        (earned.stranger, 1, "p", "cents"),
        (earned.stranger, PLENTY, "p", "ERC20: transfer amount exceeds allowance"),
        (earned.stranger, units("1.00"), "r", "op used"),
        ("0x" + "0" * 40, units("1.00"), "p", "account"),
        (earned.escrow.address, units("1.00"), "p", "account"),
        (earned.operator, units("1.00"), "p", "account"),
    ):
        assert earned.refusal(earned.do.pay(account, amount, key(op)), earned.operator) == why
    assert earned.refusal(earned.do.pay(earned.stranger, units("1.00"), bytes(32)), earned.operator) == "op zero"
    for account in (earned.admin, earned.arbiter, earned.guardian, earned.builder, earned.stranger):
        assert earned.refusal(earned.do.pay(account, units("1.00"), key("p")), account) == "role"


def test_a_blocked_account_stops_only_its_own_withdrawal(earned: Chain) -> None:
    """USDC can block an account. Money is credited and then pulled, so that nobody else notices."""
    earned.open(2, "50.00")
    earned.send(earned.usdc.functions.setBlacklisted(earned.builder, True), earned.admin)
    why = "Blacklistable: account is blacklisted"
    assert earned.refusal(earned.do.withdraw(earned.builder, units("1.00"), key("w")), earned.operator) == why
    assert earned.refusal(earned.do.withdrawOwn(units("1.00")), earned.builder) == why
    earned.send(earned.do.release(2, units("20.00"), 0, key("r2")), earned.operator)
    earned.send(earned.do.refund(2, units("30.00"), 0, key("b2")), earned.operator)
    earned.send(earned.do.withdraw(earned.client, units("30.00"), key("w2")), earned.operator)
    earned.send(earned.do.withdraw(earned.platform, units("12.00"), key("w3")), earned.operator)
    assert earned.claimable(earned.builder) == units("108.00")
    earned.send(earned.usdc.functions.setBlacklisted(earned.builder, False), earned.admin)
    earned.send(earned.do.withdraw(earned.builder, units("108.00"), key("w")), earned.operator)
    assert earned.balance(earned.builder) == units("108.00")
    earned.check(1, 2)


def test_a_blocked_client_or_platform_stops_nobody_either(earned: Chain) -> None:
    earned.open(2, "50.00", "5.00")
    for account in (earned.client, earned.platform):
        earned.send(earned.usdc.functions.setBlacklisted(account, True), earned.admin)
    earned.send(earned.do.release(2, units("20.00"), units("2.00"), key("r2")), earned.operator)
    earned.send(earned.do.refund(2, units("30.00"), units("3.00"), key("b2")), earned.operator)
    earned.send(earned.do.withdraw(earned.builder, units("106.00"), key("w")), earned.operator)
    assert (earned.claimable(earned.client), earned.claimable(earned.platform)) == (units("27.00"), units("17.00"))
    earned.check(1, 2)


def test_while_usdc_is_paused_credits_go_on(earned: Chain) -> None:
    earned.open(2, "50.00")
    earned.send(earned.usdc.functions.setPaused(True), earned.admin)
    why = "Pausable: paused"
    assert earned.refusal(earned.do.amendEscrow(2, units("1.00"), 0, key("a")), earned.operator) == why
    assert earned.refusal(earned.do.withdraw(earned.builder, units("1.00"), key("w")), earned.operator) == why
    assert earned.refusal(earned.do.pay(earned.stranger, units("1.00"), key("p")), earned.operator) == why
    earned.send(earned.do.release(2, units("50.00"), 0, key("r2")), earned.operator)
    assert earned.claimable(earned.builder) == units("135.00")
    earned.check(1, 2)
