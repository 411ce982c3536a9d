"""A dispute whose money lies in the contract: held by the arbiter, split by ruling, and let go, on a real node."""

from __future__ import annotations

from decimal import Decimal

import pytest

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.ids import uuid7
from port444.orders import actions
from port444.orders.models import DisputeReason, Order, OrderStatus
from port444.payments import ledger
from port444.payments.actions import pay_with_test_wallet
from port444.payments.escrow import Deal, current
from port444.payments.escrow.chain.contract import order_key, to_units
from port444.payments.models import EscrowOperation, EscrowStatus
from tests.orders.conftest import ANSWERS, package, service

from .rig import Rig

__all__ = ["package", "service"]  # fixtures

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("to_client", "status"), [("60.00", OrderStatus.COMPLETED), ("180.00", OrderStatus.CANCELLED), ("0.00", OrderStatus.COMPLETED)]
)
def test_the_contract_splits_what_was_settled(
    rig: Rig,
    package: Package,
    client_user: User,
    builder_user: User,
    to_client: str,
    status: str,
) -> None:
    placed = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert placed.invoice_id is not None
    pay_with_test_wallet(placed.invoice_id, actor=client_user)
    rig.settle_all()
    actions.answer_requirements(placed.pk, actor=client_user, answers=ANSWERS)
    figure, reason = Decimal(to_client), DisputeReason.NO_ANSWER
    dispute = actions.open_dispute(placed.pk, actor=client_user, client_key=uuid7(), reason=reason, claim="No word.", to_client=figure)
    actions.settle_dispute(dispute.pk, actor=builder_user, seen=figure)
    before = ledger.balance("earnings", builder_user.pk)
    rig.settle_all()
    order = Order.objects.with_people().get(pk=placed.pk)
    assert order.status == status
    operations = EscrowOperation.objects.filter(subject_id=order.pk)
    assert {one.status for one in operations} == {EscrowStatus.CONFIRMED}
    kept = rig.escrow.functions.orders(order_key(order.pk)).call()
    released = Decimal("180.00") - figure
    assert (kept[2], kept[4], kept[5], kept[6]) == (0, to_units(Decimal("180.00")), to_units(released), to_units(figure))
    assert not any(value is True for value in kept), "the hold is over"
    place = current().position(Deal("order", order.pk, client_user.pk, builder_user.pk))
    assert (place.locked, place.held, place.settled) == (Decimal(0), False, True)
    assert ledger.balance("earnings", builder_user.pk) - before == (order.builder_share if released else 0)
