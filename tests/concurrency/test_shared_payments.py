"""Orders that were split and merged share their payments and their credits, and everybody gives something back out of them at one moment.

Each payment gives back what it brought at most, nobody waits for each other for ever, and afterwards every order can still be ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.actions import Share
from port444.orders.models import LIVE, Order
from port444.payments import ledger
from port444.payments.actions import Grant, issue_credit
from port444.payments.models import Basis, Credit, CreditSource, EscrowOperation, Payment
from tests.conftest import assert_books_balance
from tests.orders.conftest import package, service

from .test_amendments import backend, chain_confirms, running_order
from .test_booking import rush

__all__ = ["backend", "package", "service"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
TOLD = {"won", "wrong_state", "escrow_moving", "not_running", "not_over", "goes_on", "refund_exceeds", "not_joinable", "fee_exceeds"}


def family(package: Package, client: User, builder: User, staff: User) -> list[Order]:
    """Two orders, a half of each merged, and one that is done."""
    issue_credit(client, Grant(D("100.00"), CreditSource.PROMO, "A gift"), actor=None)
    first = running_order(package, client, builder, delivered=False)
    second = running_order(package, client, builder, delivered=False)
    parts = []
    for order in (first, second):
        parts.append(orders.split_order(order.pk, Share("A part", D("80.00"), (0,)), actor=staff)[0])
        chain_confirms()
    made, _ = orders.merge_orders(parts[0].pk, parts[1].pk, actor=staff)
    chain_confirms()
    done, _ = orders.split_order(made.pk, Share("Done", D("30.00"), (0,)), actor=staff)
    chain_confirms()
    orders.deliver(done.pk, actor=builder, note="Done.")
    orders.accept_delivery(done.pk, actor=client)
    chain_confirms()
    return [first, second, made, done]


@pytest.mark.parametrize("seed", range(2))
def test_everybody_gives_back_at_once(
    backend: str, package: Package, client_user: User, builder_user: User, staff: User, senior: User, seed: int
) -> None:
    first, second, made, done = family(package, client_user, builder_user, staff)

    def reduce(order: Order, amount: str, actor: User) -> Callable[[], Any]:
        return partial(orders.reduce_order, order.pk, D(amount), key=str(uuid7()), reason="Less", actor=actor)

    def give(order: Order, basis: Basis) -> Callable[[], Any]:
        return partial(orders.compensate_order, order.pk, D("20.00"), basis, key=str(uuid7()), reason="Sorry", actor=senior)

    wishes: list[Callable[[], Any]] = [
        *(partial(orders.cancel_order, one.pk, actor=builder_user) for one in (first, second, made)),
        *(reduce(one, "33.33", staff) for one in (first, second, made)),
        reduce(first, "50.00", senior),
        partial(orders.cancel_by_support, made.pk, reason="No", actor=staff),
        partial(orders.waive_fee, second.pk, D("1.00"), key=str(uuid7()), reason="Late", actor=senior),
        give(done, Basis.SCOPE),
        give(done, Basis.GOODWILL),
        give(first, Basis.GOODWILL),
        partial(orders.merge_orders, first.pk, made.pk, actor=staff),
        chain_confirms if backend == "web3" else give(made, Basis.GOODWILL),
    ]
    random.Random(seed).shuffle(wishes)
    told = rush(wishes)
    assert set(told) <= TOLD, told  # no deadlock, no unworded error
    chain_confirms()
    for row in Order.objects.filter(client=client_user, status__in=LIVE).order_by("number"):
        orders.cancel_order(row.pk, actor=builder_user)
        chain_confirms()
    assert not EscrowOperation.objects.open().exists()
    for payment in Payment.objects.all():
        assert sum(refund.amount for refund in payment.refunds.all()) == payment.refunded <= payment.amount
    assert ledger.balance("client", client_user.pk) == 0
    assert sum(ledger.balance("escrow", subject=row.pk) for row in Order.objects.all()) == 0
    assert Credit.objects.get().remaining <= 100
    assert_books_balance()
