"""The lives of `tests.support.money` with their money in a contract on a real node: at every stop the contract holds for each order what the
books say, and its pool covers all that it owes.

`./run test tests/chain` lives a few, `FAULTS=all ./run test tests/chain/test_all_money.py` many; the number of a life that fails is in
the name of its test, and it is lived the same again.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.orders.actions.telling import deal
from port444.payments import ledger
from port444.payments.escrow.chain.contract import to_units
from port444.payments.models import EscrowOperation, EscrowStatus
from tests.orders.conftest import package, service
from tests.support.money import STEPS, World

from .rig import Rig

__all__ = ["package", "service"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1800)]

ALL = os.environ.get("FAULTS") == "all"
LIVES = range(int(os.environ.get("LIVES", "30")) if ALL else 2)


class OnChain(World):
    """Now and then the worker catches up; in between everything is on its way."""

    rig: Rig
    chance: random.Random

    def check(self) -> None:
        if self.chance.random() < 0.5:
            self.settle()
            assert not EscrowOperation.objects.filter(status=EscrowStatus.NEEDS_REVIEW).exists()
        super().check()
        if not EscrowOperation.objects.open().exists():
            for order in self.orders:
                assert self.rig.locked(deal(order)) == to_units(ledger.balance("escrow", subject=order.pk)), order
            calls = self.rig.escrow.functions
            assert self.rig.token.functions.balanceOf(self.rig.escrow.address).call() == calls.totalLocked().call() + calls.totalClaimable().call()


def life(chance: random.Random) -> Any:
    bought = [(chance.randint(500, 90_000), chance.choice([0, chance.randint(1, 60_000)]), chance.random() < 0.5) for _ in range(2)]
    steps = [(chance.choice(STEPS), chance.randrange(10), chance.randrange(10), chance.randint(1, 110)) for _ in range(14)]
    return bought, steps


@pytest.mark.parametrize("number", LIVES)
def test_no_cent_is_lost_on_the_chain(
    rig: Rig, client_user: User, builder_user: User, staff: User, senior: User, package: Package, number: int
) -> None:
    world = OnChain(client_user, builder_user, staff, senior, package, settle=rig.settle_all)
    world.rig, world.chance = rig, random.Random(number)
    world.live(life(world.chance))
