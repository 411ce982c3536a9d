"""A proposal to end an order is accepted, declined, countered and withdrawn while the work is delivered and disputed, all at one moment."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import DisputeReason, Order, OrderStatus, Parting, PartingStatus
from port444.payments import ledger
from port444.payments.models import EscrowOperation
from tests.conftest import assert_books_balance
from tests.orders.conftest import package, service

from .test_amendments import backend, chain_confirms, running_order
from .test_booking import rush

__all__ = ["backend", "package", "service"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)
TOLD = {"won", "wrong_state", "answered", "parting_open", "disputed", "dispute_open", "order_over", "escrow_changed"}
HALF = Decimal("90.00")


def test_the_money_goes_out_once(backend: str, package: Package, client_user: User, builder_user: User) -> None:
    order = running_order(package, client_user, builder_user, delivered=False)
    first = orders.propose_parting(order.pk, actor=client_user, client_key=uuid7(), to_client=HALF, reason="Enough.")
    yes = partial(orders.accept_parting, first.pk, actor=builder_user)
    no = partial(orders.decline_parting, first.pk, actor=builder_user)
    back = partial(orders.withdraw_parting, first.pk, actor=client_user)
    deliver = partial(orders.deliver, order.pk, actor=builder_user, note="Done.")
    wishes: list[Callable[[], Any]] = [yes, no, back, deliver, yes]
    for n in range(3):
        wishes.append(partial(orders.counter_parting, first.pk, actor=builder_user, client_key=uuid7(), to_client=HALF + n + 1, reason="Less."))
        wishes.append(partial(orders.propose_parting, order.pk, actor=client_user, client_key=uuid7(), to_client=HALF - n - 1, reason="More."))
    claim: dict[str, Any] = {"client_key": uuid7(), "reason": DisputeReason.OTHER, "claim": "Slow.", "to_client": HALF}
    wishes.append(partial(orders.open_dispute, order.pk, actor=client_user, **claim))
    told = rush(wishes)
    assert set(told) <= TOLD, told
    chain_confirms()
    found = Order.objects.get(pk=order.pk)
    agreed = Parting.objects.filter(order=order, status=PartingStatus.ACCEPTED)
    out = {row.kind: row.amount for row in EscrowOperation.objects.filter(subject_id=order.pk, kind__in=["refund", "release"])}
    if found.status == OrderStatus.CANCELLED:
        assert agreed.get() == first
        assert out == {"refund": HALF, "release": HALF}
        assert ledger.balance("escrow", subject=order.pk) == 0
    else:
        assert not agreed.exists()
        assert out == {}
        assert ledger.balance("escrow", subject=order.pk) == order.price
    assert Parting.objects.open().filter(order=order).count() <= 1
    assert_books_balance()
