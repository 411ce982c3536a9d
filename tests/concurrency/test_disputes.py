"""Everything about one dispute is pressed at one moment, by both sides, by support and by the sweeps, on a real PostgreSQL.

Whatever comes first, the money of the order goes out once: as settled, as decided, or not at all because the order goes on.
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
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Dispute, DisputeReason, DisputeStatus, Order, OrderStatus
from port444.payments import escrow, ledger
from port444.payments.models import EscrowOperation, Refund
from tests.conftest import assert_books_balance
from tests.orders.conftest import package, service

from .test_amendments import backend, chain_confirms, running_order
from .test_booking import rush

__all__ = ["backend", "package", "service"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

S, D = OrderStatus, DisputeStatus
TOLD = {
    "won",
    "wrong_state",
    "disputed",
    "dispute_over",
    "dispute_open",
    "figure_changed",
    "unanswered",
    "order_over",
    "answered",
    "not_escalated",
    "same_figure",
}
CLAIM, OFFER, RULING = Decimal("120.00"), Decimal("30.00"), Decimal("72.00")


def claim(order: Order, actor: User, to_client: Decimal = CLAIM) -> Dispute:
    reason = DisputeReason.OTHER
    return orders.open_dispute(order.pk, actor=actor, client_key=uuid7(), reason=reason, claim="Slow.", to_client=to_client)


def assert_one_outcome(order: Order, builder: User) -> str:
    chain_confirms()
    found = Order.objects.with_people().get(pk=order.pk)
    place = escrow.current().position(escrow.Deal("order", found.pk, found.client_id, builder.pk))
    back = sum(Refund.objects.values_list("amount", flat=True), Decimal(0))
    live = Dispute.objects.live().filter(order=order).exists()
    assert (found.disputed_at is not None) == live == place.held
    assert not EscrowOperation.objects.open().exists()
    assert_books_balance()
    if found.status not in (S.COMPLETED, S.CANCELLED):
        assert (place.locked, back, ledger.balance("earnings", builder.pk)) == (order.price, Decimal(0), Decimal(0))
        assert (found.clock_stopped_at is not None) == live
        return f"{found.status}, live {live}"
    assert place.locked == 0
    assert ledger.balance("earnings", builder.pk) == (found.builder_share if found.status == S.COMPLETED else 0)
    over = Dispute.objects.filter(order=order, status__in=[D.SETTLED, D.DECIDED])
    assert over.count() <= 1
    to_client = next((row.decided_to_client for row in over), None) or Decimal(0)
    assert place.refunded == to_client
    assert found.price == order.price - to_client
    assert back == order.total - found.total
    return f"{found.status}, {[row.status for row in over]}"


@pytest.mark.parametrize("seed", range(2))
def test_all_ends_at_once(backend: str, package: Package, client_user: User, builder_user: User, staff: User, seed: int) -> None:
    """It is with support, and everybody presses: both settle, the claimant withdraws, support decides, and some come closer."""
    order = running_order(package, client_user, builder_user, delivered=True)
    dispute = claim(order, client_user)
    orders.answer_dispute(dispute.pk, actor=builder_user, answer="Fast.", offer=OFFER)
    orders.escalate_dispute(dispute.pk, actor=client_user)
    wishes: list[Callable[[], Any]] = [
        partial(orders.settle_dispute, dispute.pk, actor=client_user, seen=OFFER),
        partial(orders.settle_dispute, dispute.pk, actor=builder_user, seen=CLAIM),
        partial(orders.withdraw_dispute, dispute.pk, actor=client_user),
        partial(orders.decide_dispute, dispute.pk, actor=staff, to_client=RULING, decision="Three of five."),
        partial(orders.change_figure, dispute.pk, actor=client_user, to_client=Decimal("100.00")),
        partial(orders.accept_delivery, order.pk, actor=client_user),
        partial(orders.auto_accept, order.pk),
        partial(orders.cancel_order, order.pk, actor=client_user),
    ] * 2
    random.Random(seed).shuffle(wishes)
    if backend == "web3":
        wishes[-1] = chain_confirms
    told = rush(wishes)
    assert set(told) <= TOLD, told  # no deadlock, no unworded error
    print(backend, assert_one_outcome(order, builder_user), sorted(told))
    assert not Dispute.objects.live().exists()


def test_a_dispute_meets_the_end_of_its_order(backend: str, package: Package, client_user: User, builder_user: User) -> None:
    """The time to review is over, and the sweep accepts while both sides open a dispute."""
    order = running_order(package, client_user, builder_user, delivered=True)
    assert order.auto_accept_at is not None
    moment = order.auto_accept_at

    def later(call: Callable[[], Any]) -> Callable[[], Any]:
        def act() -> None:
            with at(moment):
                call()

        return act

    wishes = [later(partial(claim, order, client_user)), later(partial(orders.auto_accept, order.pk)), later(partial(claim, order, builder_user))] * 4
    told = rush(wishes)
    assert set(told) <= TOLD, told
    assert told.count("won") == 1
    print(backend, assert_one_outcome(order, builder_user), sorted(told))


def test_the_sweep_and_an_answer(backend: str, package: Package, client_user: User, builder_user: User) -> None:
    """The last second to answer: it is answered and may be settled, or with support and answered there; never twice."""
    order = running_order(package, client_user, builder_user, delivered=False)
    dispute = claim(order, client_user)

    def sweep() -> None:
        with at(dispute.answer_until):
            orders.escalate_overdue(dispute.pk)

    answer = partial(orders.answer_dispute, dispute.pk, actor=builder_user, answer="Fast.", offer=OFFER)
    told = rush([sweep, answer] * 6)
    assert set(told) <= TOLD, told
    dispute.refresh_from_db()
    assert dispute.is_answered
    assert dispute.status in (D.ANSWERED, D.ESCALATED)
    assert told.count("won") == (1 if dispute.status == D.ANSWERED else 2)
    assert_one_outcome(order, builder_user)
