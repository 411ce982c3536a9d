"""Orders that were put together or apart share payments and credits, and what is on its way counts: whoever takes first, everybody else
finds what is theirs, and no order is left that nobody can end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import WrongState
from port444.kit.ids import uuid7
from port444.orders import actions
from port444.orders.actions import Share
from port444.orders.models import DisputeReason, Order, OrderStatus
from port444.payments import ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.escrow import books
from port444.payments.models import Basis, Compensation, Credit, CreditSource, EscrowOperation, Payment, Refund
from tests.confirming import confirm_all, use_chain
from tests.conftest import assert_books_balance

from .conftest import ANSWERS, MakeOrder

pytestmark = pytest.mark.django_db

S, D = OrderStatus, Decimal


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def split_off(order: Order, price: str, staff: User) -> Order:
    return actions.split_order(order.pk, Share("A part", D(price), (0,)), actor=staff)[0]


def give(order: Order, amount: str, staff: User) -> Compensation:
    return actions.compensate_order(order.pk, D(amount), Basis.GOODWILL, key=str(uuid7()), reason="Sorry", actor=staff)


def assert_all_is_back(client: User) -> None:
    assert all(payment.refunded == payment.amount for payment in Payment.objects.filter(settled_at__isnull=False))
    assert (ledger.balance("client", owner=client.pk), ledger.balance("fees")) == (D(0), D(0))
    assert_books_balance()


@pytest.fixture
def on_chain(client_user: User, package: Package, settings: Any) -> Callable[[], Order]:
    use_chain(settings)

    def make() -> Order:
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
        assert isinstance(order.invoice_id, UUID)
        pay_with_test_wallet(order.invoice_id, actor=client_user)
        confirm_all()
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
        return fresh(order)

    return make


def test_what_two_halves_gave_back_is_there_for_what_they_were_split_from(make_order: MakeOrder, staff: User, client_user: User) -> None:
    """Halves of two orders become one, which takes its money out of the nearest payment first. The two orders find theirs in the rest."""
    issue_credit(client_user, Grant(D("100.00"), CreditSource.PROMO, "A gift"), actor=None)
    first, second = make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)
    made, _ = actions.merge_orders(split_off(first, "80.00", staff).pk, split_off(second, "80.00", staff).pk, actor=staff)
    for order in (made, first, second):
        actions.cancel_order(order.pk, actor=order.builder.user)
        assert_books_balance()
    assert Credit.objects.get().remaining == 100
    assert_all_is_back(client_user)


def test_the_fee_of_a_sibling_is_not_given_back_twice(make_order: MakeOrder, staff: User, client_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    part = split_off(order, "80.00", staff)
    actions.cancel_order(part.pk, actor=part.builder.user)
    with pytest.raises(Exception, match=r"Only \$0.00"):
        give(part, "1.00", staff)
    actions.cancel_order(order.pk, actor=order.builder.user)
    assert_all_is_back(client_user)


def test_what_goes_on_as_another_order_gives_nothing_back_itself(make_order: MakeOrder, staff: User, client_user: User) -> None:
    first, second = make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)
    made, _ = actions.merge_orders(first.pk, second.pk, actor=staff)
    for basis in Basis:
        with pytest.raises(WrongState, match="goes on"):
            actions.compensate_order(first.pk, D("1.00"), basis, key="k", reason="Sorry", actor=staff)
    actions.cancel_order(made.pk, actor=made.builder.user)
    assert_all_is_back(client_user)


@pytest.mark.parametrize("ends", ["accept", "cancel"])
def test_what_is_on_its_way_out_is_not_given_back_beside(on_chain: Callable[[], Order], staff: User, ends: str) -> None:
    """Until escrow has answered nobody knows what is left, and a second refund would leave too little for the first."""
    order = on_chain()
    if ends == "cancel":
        actions.cancel_order(order.pk, actor=order.builder.user)
    else:
        actions.reduce_order(order.pk, D("60.00"), key="k", reason="Less", actor=staff)
        actions.deliver(order.pk, actor=order.builder.user, note="Done.")
        actions.accept_delivery(order.pk, actor=order.client)
    for basis in Basis:
        with pytest.raises(WrongState, match="on its way"):
            actions.compensate_order(order.pk, D("70.00"), basis, key="k", reason="Sorry", actor=staff)
    confirm_all()
    assert not EscrowOperation.objects.open().exists()
    if ends == "accept":
        give(fresh(order), "70.00", staff)
    assert sum(refund.amount for refund in Refund.objects.all()) <= Payment.objects.get().amount
    assert_books_balance()


def test_no_dispute_begins_about_money_on_its_way(on_chain: Callable[[], Order], staff: User) -> None:
    """When the refund comes to nothing the price is again what it was; a dispute about less could not be decided by anybody."""
    order = on_chain()
    operation = actions.reduce_order(order.pk, D("60.00"), key="k", reason="Less", actor=staff)

    def dispute() -> Any:
        said: dict[str, Any] = {"reason": DisputeReason.OTHER, "claim": "Slow.", "to_client": D("50.00")}
        return actions.open_dispute(order.pk, actor=order.client, client_key=uuid7(), **said)

    with pytest.raises(WrongState, match="on its way"):
        dispute()
    books.give_up(operation.pk, "The contract said no.")
    opened = dispute()
    assert opened.amount == fresh(order).price == order.price
    confirm_all()
    actions.settle_dispute(opened.pk, actor=order.builder.user, seen=D("50.00"))
    confirm_all()
    assert fresh(order).status == S.COMPLETED
    assert ledger.balance("escrow", subject=order.pk) == 0
