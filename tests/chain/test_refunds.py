"""A part of an order's money given back while it lies in the contract: the chain, the books and the order say the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from port444.accounts.models import User
from port444.kit.errors import WrongState
from port444.kit.ids import uuid7
from port444.orders import actions
from port444.orders.models import Order, OrderStatus
from port444.payments import ledger
from port444.payments.actions import pay_with_test_wallet
from port444.payments.escrow import Deal
from port444.payments.escrow.chain.contract import to_units
from port444.payments.models import EscrowOperation, Refund
from tests.orders.conftest import ANSWERS, package, service  # noqa: F401 - fixtures

from .rig import Rig

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def test_a_lower_price_on_the_chain(rig: Rig, client_user: User, builder_user: User, package: object, staff: User) -> None:  # noqa: F811
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())  # type: ignore[attr-defined]
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    of = Deal("order", order.pk, client_user.pk, builder_user.pk)
    with pytest.raises(WrongState):
        actions.reduce_order(order.pk, D("60.00"), key="k", reason="Less", actor=staff)
    rig.settle_all()
    assert rig.locked(of) == to_units(D("180.00"))
    actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    actions.reduce_order(order.pk, D("60.00"), key="k", reason="Less", actor=staff)
    assert (fresh(order).price, Refund.objects.count()) == (D("120.00"), 0), "the price at once, the money when the chain has said so"
    with pytest.raises(WrongState, match="on its way"):
        actions.reduce_order(order.pk, D("10.00"), key="k2", reason="Less", actor=staff)
    actions.deliver(order.pk, actor=builder_user, note="Done.")
    actions.accept_delivery(order.pk, actor=client_user)  # behind the refund in the queue of the deal
    rig.settle_all()
    assert not EscrowOperation.objects.filter(subject_id=order.pk).exclude(status="confirmed").exists()
    assert (rig.locked(of), ledger.balance("escrow", subject=order.pk)) == (0, D("0.00"))
    assert Refund.objects.get().amount == D("63.30")
    after = fresh(order)
    assert (after.status, ledger.balance("earnings", builder_user.pk)) == (OrderStatus.COMPLETED, after.builder_share)
    assert after.builder_share == D("108.00")
