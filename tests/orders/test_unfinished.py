"""What a chain gave up after an order had gone on: support asks for it again, and can end any order that runs. Nothing stays where nobody
can reach it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import Conflict, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.actions import Share, plan_again
from port444.orders.models import LIVE, CancelCause, DisputeReason, Order, OrderStatus
from port444.payments import ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.escrow import books
from port444.payments.models import Credit, CreditSource, EscrowKind, EscrowOperation, Payment, Refund
from tests.confirming import confirm_all, use_chain
from tests.conftest import assert_books_balance

from .conftest import ANSWERS, MakeOrder, earnings

pytestmark = pytest.mark.django_db

S, D, K = OrderStatus, Decimal, EscrowKind
Buy = Callable[[], Order]


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


@pytest.fixture
def buy(client_user: User, package: Package, settings: Any) -> Buy:
    """An order in work whose money is in the contract."""
    use_chain(settings)

    def make() -> Order:
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
        assert isinstance(order.invoice_id, UUID)
        pay_with_test_wallet(order.invoice_id, actor=client_user)
        confirm_all()
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
        return fresh(order)

    return make


def give_up(kind: str, order: Order, *, target: Order | None = None) -> EscrowOperation:
    found = EscrowOperation.objects.open().filter(kind=kind, subject_id=order.pk)
    if target is not None:
        found = found.filter(target_id=target.pk)
    return books.give_up(found.get().pk, "The contract said no.")


def accept(order: Order) -> None:
    actions.deliver(order.pk, actor=order.builder.user, note="Done.")
    actions.accept_delivery(order.pk, actor=order.client)


def assert_over(order: Order) -> None:
    """Nothing of it is in escrow, nothing can be asked again, and the books agree."""
    confirm_all()
    assert not EscrowOperation.objects.open().exists()
    assert ledger.balance("escrow", subject=order.pk) == 0
    assert plan_again(fresh(order)) == []
    assert_books_balance()


def assert_all_is_back(client: User) -> None:
    assert all(payment.refunded == payment.amount for payment in Payment.objects.filter(settled_at__isnull=False))
    assert (ledger.balance("client", owner=client.pk), ledger.balance("fees")) == (D(0), D(0))
    assert_books_balance()


def test_a_release_that_was_given_up_is_asked_for_again(buy: Buy, staff: User, builder_user: User) -> None:
    order = buy()
    accept(order)
    give_up(K.RELEASE, order)
    assert (earnings(builder_user), ledger.balance("escrow", subject=order.pk)) == (D(0), order.price)
    (asked,) = actions.ask_again(order.pk, actor=staff)
    assert actions.ask_again(order.pk, actor=staff) == [], "once, while it is on its way"
    assert (asked.kind, asked.amount) == (K.RELEASE, order.price)
    assert_over(order)
    assert earnings(builder_user) == order.builder_share
    assert AuditLog.objects.filter(event_type="money.rest_sent", actor_id=staff.pk).count() == 1


def test_it_may_be_given_up_more_than_once(buy: Buy, staff: User, builder_user: User) -> None:
    order = buy()
    accept(order)
    for _ in range(3):
        give_up(K.RELEASE, order)
        actions.ask_again(order.pk, actor=staff)
    assert_over(order)
    assert earnings(builder_user) == order.builder_share


def test_a_refund_that_was_given_up_is_asked_for_again(buy: Buy, staff: User, client_user: User) -> None:
    order = buy()
    actions.cancel_order(order.pk, actor=order.builder.user)
    give_up(K.REFUND, order)
    assert not Refund.objects.exists()
    actions.ask_again(order.pk, actor=staff)
    assert_over(order)
    assert_all_is_back(client_user)


def test_what_was_put_back_is_not_asked_for_again(buy: Buy, staff: User, builder_user: User) -> None:
    """A lower price that came to nothing was told to both sides as such, and the order went on at its old price."""
    order = buy()
    actions.reduce_order(order.pk, D("60.00"), key="k", reason="Less", actor=staff)
    give_up(K.REFUND, order)
    assert fresh(order).price == order.price
    accept(order)
    give_up(K.RELEASE, order)
    (again,) = plan_again(fresh(order))
    assert (again.first.kind, again.amount) == (K.RELEASE, order.price)
    actions.ask_again(order.pk, actor=staff)
    assert_over(order)
    assert (earnings(builder_user), Refund.objects.count()) == (order.builder_share, 0)


def test_a_lower_price_that_comes_to_nothing_after_the_end(buy: Buy, staff: User, builder_user: User) -> None:
    order = buy()
    actions.reduce_order(order.pk, D("60.00"), key="k", reason="Less", actor=staff)
    accept(order)
    give_up(K.REFUND, order)
    confirm_all()
    assert (earnings(builder_user), ledger.balance("escrow", subject=order.pk)) == (fresh(order).builder_share, D("60.00"))
    actions.ask_again(order.pk, actor=staff)
    assert_over(order)
    assert Refund.objects.get().amount == D("63.30")


@pytest.mark.parametrize("far", ["working", "delivered", "accepted", "cancelled"])
def test_a_merge_of_which_one_half_did_not_move(buy: Buy, staff: User, client_user: User, builder_user: User, far: str) -> None:
    first, second = buy(), buy()
    made, _ = actions.merge_orders(first.pk, second.pk, actor=staff)
    if far == "cancelled":
        actions.cancel_order(made.pk, actor=builder_user)
    elif far == "accepted":
        accept(made)
    elif far == "delivered":
        actions.deliver(made.pk, actor=builder_user, note="Done.")
    give_up(K.MOVE, first, target=made)
    confirm_all()
    assert ledger.balance("escrow", subject=first.pk) == first.price
    if far == "delivered":
        with pytest.raises(Conflict, match="less than"):
            actions.accept_delivery(made.pk, actor=client_user)
    assert actions.ask_again(made.pk, actor=staff)
    confirm_all()
    if far == "working":
        accept(fresh(made))
    elif far == "delivered":
        actions.accept_delivery(made.pk, actor=client_user)
    assert_over(made)
    if far == "cancelled":
        assert_all_is_back(client_user)
    else:
        assert earnings(builder_user) == fresh(made).builder_share


@pytest.mark.parametrize("far", ["delivered", "accepted", "cancelled"])
def test_a_merge_whose_escrow_was_never_opened(buy: Buy, staff: User, client_user: User, builder_user: User, far: str) -> None:
    """The money cannot be moved there any more: the two halves pay out, or give back, where they lie."""
    credit = issue_credit(client_user, Grant(D("50.01"), CreditSource.PROMO, "A gift"), actor=None)
    first, second = buy(), buy()
    made, _ = actions.merge_orders(first.pk, second.pk, actor=staff)
    if far == "delivered":
        actions.deliver(made.pk, actor=builder_user, note="Done.")
    elif far == "accepted":
        accept(made)
    elif far == "cancelled":
        actions.cancel_order(made.pk, actor=builder_user)
    give_up(K.OPEN, made)
    confirm_all()
    if far == "delivered":
        with pytest.raises(Conflict, match="less than"):
            actions.accept_delivery(made.pk, actor=client_user)
        assert plan_again(fresh(made)) == []
        actions.cancel_by_support(made.pk, reason="It could not be merged", actor=staff)
    else:
        assert len(actions.ask_again(made.pk, actor=staff)) == 2
    assert_over(made)
    assert [ledger.balance("escrow", subject=one.pk) for one in (first, second)] == [D(0), D(0)]
    credit.refresh_from_db()
    if far == "accepted":
        assert (earnings(builder_user), Refund.objects.count()) == (fresh(made).builder_share, 0)
    else:
        assert credit.remaining == D("50.01")
        assert_all_is_back(client_user)


def test_a_split_that_did_not_move_is_undone(buy: Buy, staff: User, builder_user: User) -> None:
    order = buy()
    made, manifest = actions.split_order(order.pk, Share("A part", D("80.00"), (0,)), actor=staff)
    give_up(K.MOVE, order, target=made)
    confirm_all()
    assert ledger.balance("escrow", subject=order.pk) == order.price
    (back,) = actions.undo_joining(manifest, actor=staff)
    confirm_all()
    assert (back.price, back.client_fee, fresh(made).status) == (order.price, order.client_fee, S.CANCELLED)
    accept(fresh(order))
    assert_over(order)
    assert earnings(builder_user) == order.builder_share


def test_a_split_that_did_not_move_is_moved_or_ended(buy: Buy, staff: User, builder_user: User, client_user: User) -> None:
    """The part is paid out of what it was split from, and that keeps just what is its own."""
    order = buy()
    made, _ = actions.split_order(order.pk, Share("A part", D("80.00"), (0,)), actor=staff)
    accept(made)
    give_up(K.MOVE, order, target=made)
    assert [(one.first.kind, one.amount) for one in plan_again(fresh(made))] == [(K.MOVE, D("80.00")), (K.RELEASE, D("80.00"))]
    actions.ask_again(made.pk, actor=staff)
    assert_over(made)
    assert earnings(builder_user) == fresh(made).builder_share
    actions.cancel_order(order.pk, actor=builder_user)
    assert_over(order)
    assert Payment.objects.get().refunded == fresh(order).total


def test_a_hold_whose_end_was_given_up(buy: Buy, staff: User, builder_user: User, client_user: User) -> None:
    order = buy()
    said: dict[str, Any] = {"reason": DisputeReason.OTHER, "claim": "Slow.", "to_client": D("50.00")}
    dispute = actions.open_dispute(order.pk, actor=client_user, client_key=uuid7(), **said)
    actions.withdraw_dispute(dispute.pk, actor=client_user)
    confirmed = EscrowOperation.objects.open().order_by("number").first()
    assert confirmed is not None
    books.confirm(confirmed.pk)
    give_up(K.HOLD, order)
    actions.deliver(order.pk, actor=builder_user, note="Done.")
    with pytest.raises(WrongState, match="in dispute"):
        actions.accept_delivery(order.pk, actor=client_user)
    actions.ask_again(order.pk, actor=staff)
    actions.accept_delivery(order.pk, actor=client_user)
    assert_over(order)
    assert earnings(builder_user) == order.builder_share


# Ending an order from outside


@pytest.mark.parametrize("status", [*LIVE, S.FUNDING])
def test_support_ends_what_runs_and_everything_goes_back(make_order: MakeOrder, staff: User, client_user: User, status: str) -> None:
    issue_credit(client_user, Grant(D("33.33"), CreditSource.PROMO, "A gift"), actor=None)
    order = make_order(status)
    ended = actions.cancel_by_support(order.pk, reason="It was not what was agreed", actor=staff)
    assert actions.cancel_by_support(order.pk, reason="It was not what was agreed", actor=staff) == ended, "quiet when it is done"
    assert (fresh(order).status, fresh(order).cancel_cause) == (S.CANCELLED, CancelCause.SUPPORT)
    assert Credit.objects.get().remaining == D("33.33")
    assert_over(order)
    assert_all_is_back(client_user)
    told = Notification.objects.filter(kind="order.cancelled").values_list("user_id", flat=True)
    assert sorted(told) == sorted([order.client_id, order.builder.user_id])


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.COMPLETED, S.CANCELLED, S.EXPIRED])
def test_only_what_runs_is_ended(make_order: MakeOrder, staff: User, status: str, nothing_happens: Callable[..., Any]) -> None:
    order = make_order(status)
    with nothing_happens(order), pytest.raises(WrongState):
        actions.cancel_by_support(order.pk, reason="No", actor=staff)


def test_a_dispute_is_decided_and_not_ended_beside(
    make_order: MakeOrder, staff: User, client_user: User, nothing_happens: Callable[..., Any]
) -> None:
    order = make_order(S.IN_PROGRESS)
    said: dict[str, Any] = {"reason": DisputeReason.OTHER, "claim": "Slow.", "to_client": D("50.00")}
    actions.open_dispute(order.pk, actor=client_user, client_key=uuid7(), **said)
    with nothing_happens(order), pytest.raises(WrongState, match="dispute"):
        actions.cancel_by_support(order.pk, reason="No", actor=staff)


def test_what_is_on_its_way_into_escrow_follows_the_end(client_user: User, package: Package, staff: User, settings: Any) -> None:
    use_chain(settings)
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    EscrowOperation.objects.update(status="signed")
    actions.cancel_by_support(order.pk, reason="No", actor=staff)
    assert not Refund.objects.exists()
    assert_over(order)
    assert_all_is_back(client_user)
