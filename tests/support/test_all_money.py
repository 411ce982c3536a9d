"""Random lives of several orders with everything that may happen to their money, in any order: merges, splits, what undoes them, refunds of all
kinds, credits, changes, disputes, deliveries. No cent is lost or found, no payment gives back more than it brought, what a preview says
is what happens, and at the end nothing lies where nobody can reach it.

`./run test tests/support/test_all_money.py` tries a few, `FAULTS=all ./run test tests/support/test_all_money.py` many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as trying

from port444.accounts.models import User
from port444.catalog.models import Package
from tests.confirming import use_chain
from tests.orders.conftest import package, service

from .money import ON_A_CHAIN, STEPS, World, lives

__all__ = ["package", "service"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600)]

ALL = os.environ.get("FAULTS") == "all"
MANY = int(os.environ.get("LIVES", "400"))
LOOSE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@contextmanager
def apart() -> Iterator[None]:
    """Each life begins with nothing that the last one left."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@trying(max_examples=MANY if ALL else 8, deadline=None, suppress_health_check=LOOSE)
@given(life=lives(STEPS, 16))
def test_no_cent_is_lost_in_the_ledger(client_user: User, builder_user: User, staff: User, senior: User, package: Package, life: Any) -> None:
    with apart():
        World(client_user, builder_user, staff, senior, package).live(life)


@trying(max_examples=MANY if ALL else 6, deadline=None, suppress_health_check=LOOSE)
@given(life=lives((*STEPS, *ON_A_CHAIN), 18))
def test_no_cent_is_lost_while_a_chain_takes_its_time_or_refuses(
    client_user: User, builder_user: User, staff: User, senior: User, package: Package, settings: Any, life: Any
) -> None:
    use_chain(settings)
    with apart():
        World(client_user, builder_user, staff, senior, package).live(life)
