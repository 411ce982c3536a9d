"""What is ready and what still clears, against a plain model that follows every release by itself."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.payments import actions, clearing
from port444.payments.models import PayoutMethod, Withdrawal

from .conftest import ADDRESS, earn

pytestmark = pytest.mark.django_db

D = Decimal
START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 3


@dataclass
class Lot:
    """What one release brought, and what of it is left."""

    left: Decimal
    clear_at: datetime


class Model:
    """Withdrawals take the oldest money first, and only what has cleared."""

    def __init__(self) -> None:
        self.lots: list[Lot] = []

    def ready(self, moment: datetime) -> Decimal:
        return sum((lot.left for lot in self.lots if lot.clear_at <= moment), D(0))

    def clearing(self, moment: datetime) -> Decimal:
        return sum((lot.left for lot in self.lots if lot.clear_at > moment), D(0))

    def take(self, amount: Decimal) -> None:
        for lot in self.lots:
            part = min(amount, lot.left)
            lot.left -= part
            amount -= part


@pytest.fixture(autouse=True)
def rules(settings: Any) -> None:
    settings.CLEARING_DAYS = DAYS
    settings.LEAST_WITHDRAWAL = {"wallet": D("0.51"), "bank": D("0.51")}
    settings.MOST_WITHDRAWN_A_DAY = D("1000000.00")


def ask(builder: User, amount: Decimal) -> Withdrawal | None:
    """The withdrawal, or nothing when it is refused for its amount."""
    try:
        return actions.request_withdrawal(actor=builder, amount=amount, client_key=uuid7())
    except DomainError as refusal:
        if refusal.code not in ("not_covered", "amount_small", "amount_zero"):
            raise
        return None


@pytest.mark.parametrize("seed", range(6))
def test_a_life_of_releases_and_withdrawals(builder_user: User, seed: int) -> None:
    chance, model, moment = random.Random(seed), Model(), START
    with at(START - timedelta(days=30)):
        actions.change_payout_address(ADDRESS, actor=builder_user)
    refused = taken = 0
    for _ in range(45):
        # Whole days come up often: the moment at which something clears is a case of its own.
        moment += chance.choice([timedelta(0), timedelta(days=1), timedelta(days=DAYS), timedelta(minutes=chance.randrange(1, 3000))])
        with at(moment):
            if chance.random() < 0.5:
                price = D(chance.randrange(100, 30000)) / 100
                lent = D(chance.randrange(0, int(price * 50))) / 100 if chance.random() < 0.3 else D(0)
                net = earn(builder_user, str(price), bps=chance.choice([0, 250, 1000, 3000]), prepaid=f"{lent:.2f}")
                model.lots.append(Lot(net, moment + timedelta(days=DAYS)))
            else:
                ready = model.ready(moment)
                amount = chance.choice([ready, ready + D("0.01"), (ready * D(chance.random())).quantize(D("0.01"))])
                withdrawal = ask(builder_user, amount)
                assert (withdrawal is not None) == (D("0.51") <= amount <= ready)
                if withdrawal is None:
                    refused += 1
                elif chance.random() < 0.3:
                    actions.cancel_withdrawal(withdrawal.pk, actor=builder_user)
                else:
                    model.take(amount)
                    taken += 1
            found = clearing.cleared(builder_user.pk, moment)
            assert (found.ready, found.clearing) == (model.ready(moment), model.clearing(moment))
            assert found.balance == found.ready + found.clearing
            steps = clearing.coming(builder_user.pk, moment, found)
        for step in steps:
            assert step.at is not None
            with at(step.at - timedelta(microseconds=1)):
                before = clearing.cleared(builder_user.pk, now()).ready
            assert clearing.cleared(builder_user.pk, step.at).ready - before == step.amount
    assert taken
    assert refused


def test_what_clears_is_shown_with_its_date_and_cannot_be_withdrawn(builder_user: User) -> None:
    actions.change_payout_address(ADDRESS, actor=builder_user)
    with at(START):
        earn(builder_user, "40.00")
    with at(START + timedelta(days=1)):
        earn(builder_user, "60.00", bps=1000)
    moment = START + timedelta(days=3)
    with at(moment):
        found = clearing.cleared(builder_user.pk, moment)
        assert (found.ready, found.clearing) == (D("40.00"), D("54.00"))
        assert clearing.coming(builder_user.pk, moment, found) == [clearing.Coming(D("54.00"), START + timedelta(days=4))]
        with pytest.raises(DomainError, match=r"\$54\.00 is still clearing") as refusal:
            actions.request_withdrawal(actor=builder_user, amount=D("40.01"), client_key=uuid7())
        assert refusal.value.code == "not_covered"
        actions.request_withdrawal(actor=builder_user, amount=D("40.00"), client_key=uuid7())
        assert clearing.cleared(builder_user.pk, moment).ready == 0
    with at(moment - timedelta(microseconds=1)):
        assert clearing.cleared(builder_user.pk, now()).ready == 0


def test_a_release_that_a_reorganisation_took_back_clears_until_it_is_confirmed_anew(builder_user: User) -> None:
    with at(START):
        earn(builder_user, "30.00")
        earn(builder_user, "70.00", status="sent")
    moment = START + timedelta(days=30)
    found = clearing.cleared(builder_user.pk, moment)
    assert (found.ready, found.clearing) == (D("30.00"), D("70.00"))
    assert clearing.coming(builder_user.pk, moment, found) == [clearing.Coming(D("70.00"), None)]


def test_only_the_next_steps_are_listed(builder_user: User) -> None:
    for hour in range(8):
        with at(START + timedelta(hours=hour)):
            earn(builder_user, "10.00")
    moment = START + timedelta(days=1)
    steps = clearing.coming(builder_user.pk, moment, clearing.cleared(builder_user.pk, moment))
    assert [(step.amount, step.at) for step in steps] == [(D("10.00"), START + timedelta(days=DAYS, hours=hour)) for hour in range(5)]


CLAIMED = "0x" + "Cd" * 20


@pytest.fixture
def chain(settings: Any) -> None:
    settings.ESCROW_BACKEND = "web3"
    settings.CHAIN_ID, settings.ESCROW_ADDRESS, settings.CHAIN_PLATFORM_ADDRESS = 31337, "0x" + "11" * 20, "0x" + "99" * 20
    settings.CLEARING_DAYS = 0


@pytest.mark.usefixtures("chain")
def test_on_a_chain_money_goes_where_the_contract_holds_it(builder_user: User, settings: Any) -> None:
    earn(builder_user, "50.00", address=ADDRESS)
    earn(builder_user, "30.00", address=CLAIMED)
    earn(builder_user, "20.00", address=settings.CHAIN_PLATFORM_ADDRESS)
    actions.change_payout_address(ADDRESS, actor=builder_user)
    found = clearing.funds(builder_user.pk, now(), ADDRESS)
    assert found.most == {PayoutMethod.WALLET: D("70.00"), PayoutMethod.BANK: D("20.00")}
    assert found.elsewhere == {CLAIMED.lower(): D("30.00")}
    with pytest.raises(DomainError, match=r"\$70\.00 ready to withdraw this way"):
        actions.request_withdrawal(actor=builder_user, amount=D("70.01"), client_key=uuid7())
    withdrawal = actions.request_withdrawal(actor=builder_user, amount=D("60.00"), client_key=uuid7())
    assert withdrawal.fee == 0
    # It takes the claim first, so that the contract is emptied before the platform pays.
    found = clearing.funds(builder_user.pk, now(), ADDRESS)
    assert found.most == {PayoutMethod.WALLET: D("10.00"), PayoutMethod.BANK: D("10.00")}
    assert clearing.funds(builder_user.pk, now(), CLAIMED).most == {PayoutMethod.WALLET: D("40.00"), PayoutMethod.BANK: D("10.00")}
    actions.cancel_withdrawal(withdrawal.pk, actor=builder_user)
    assert clearing.funds(builder_user.pk, now(), ADDRESS).most[PayoutMethod.WALLET] == D("70.00")


@pytest.mark.usefixtures("chain")
def test_what_a_reorganisation_took_back_is_not_lent_by_the_platform(builder_user: User) -> None:
    earn(builder_user, "50.00", address=ADDRESS)
    earn(builder_user, "50.00", address=ADDRESS, status="sent")
    assert clearing.funds(builder_user.pk, now(), ADDRESS).most == {PayoutMethod.WALLET: D("50.00"), PayoutMethod.BANK: D("0.00")}
