"""Accepting, cancelling, and what happens when nobody acts. Money is followed to the cent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, WrongState
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions, emails, helm, jobs, notices
from port444.orders.models import CancelCause, Order, OrderStatus
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.models import EscrowOperation, Invoice, Refund, RefundStatus
from port444.payments.providers import Outcome

from .conftest import MakeOrder, earnings

S = OrderStatus
NOTHING = Decimal("0.00")


def in_escrow(order: Order) -> Decimal:
    return ledger.balance("escrow", subject=order.pk)


def test_accepting_pays_the_builder_out_of_escrow(make_order: MakeOrder, client_user: User, builder_user: User, builder: Builder) -> None:
    order = make_order(S.DELIVERED)
    assert in_escrow(order) == Decimal("180.00")
    order = actions.accept_delivery(order.pk, actor=client_user)
    assert (order.status, order.accepted_by_client) == (S.COMPLETED, True)
    assert in_escrow(order) == NOTHING
    assert earnings(builder_user) == Decimal("162.00") == order.builder_share
    assert ledger.balance("fees") == Decimal("18.00") + Decimal("9.90")
    assert ledger.balance("external") == -(Decimal("162.00") + Decimal("27.90"))
    builder.refresh_from_db()
    assert builder.completed_count == 1
    assert Notification.objects.filter(kind="order.completed").values_list("user", flat=True).get() == builder_user.pk


def test_a_delivery_is_accepted_by_itself_at_the_moment_and_not_before(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.DELIVERED)
    assert order.auto_accept_at is not None
    with at(order.auto_accept_at - timedelta(microseconds=1)):
        assert jobs.auto_accept() == 0
        with pytest.raises(WrongState):
            actions.auto_accept(order.pk)
    order.refresh_from_db()
    assert order.status == S.DELIVERED
    with at(order.auto_accept_at):
        assert jobs.auto_accept() == 1
        assert jobs.auto_accept() == 0
    order.refresh_from_db()
    assert (order.status, order.accepted_by_client, order.completed_at) == (S.COMPLETED, False, order.auto_accept_at)
    assert earnings(builder_user) == Decimal("162.00")
    assert Notification.objects.filter(kind="order.completed").count() == 2


def test_asking_for_changes_stops_the_acceptance(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.DELIVERED)
    deadline = order.auto_accept_at
    assert deadline is not None
    actions.request_revision(order.pk, actor=client_user, note="More.")
    with at(deadline + timedelta(days=1)):
        assert jobs.auto_accept() == 0


def test_an_order_without_answers_ends_after_seven_days_and_blames_nobody(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    assert order.requirements_until is not None
    with at(order.requirements_until - timedelta(seconds=1)):
        assert jobs.cancel_unanswered() == 0
    with at(order.requirements_until):
        assert jobs.cancel_unanswered() == 1
        assert jobs.cancel_unanswered() == 0
    order.refresh_from_db()
    assert (order.status, order.cancel_cause, order.cancelled_by) == (S.CANCELLED, CancelCause.NO_REQUIREMENTS, None)
    assert Refund.objects.get().amount == Decimal("189.90")
    told = Notification.objects.filter(kind="order.cancelled")
    assert {row.user_id for row in told} == {client_user.pk, builder_user.pk}
    assert all("counts against nobody" in row.body for row in told)


@pytest.mark.parametrize("side", ["client", "builder"])
def test_before_the_answers_either_side_may_cancel_and_all_comes_back(
    make_order: MakeOrder, client_user: User, builder_user: User, side: str
) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    actor = client_user if side == "client" else builder_user
    order = actions.cancel_order(order.pk, actor=actor, reason=" Changed plans. ")
    assert order.status == S.CANCELLED
    assert order.cancel_cause == (CancelCause.CLIENT_WISH if side == "client" else CancelCause.BUILDER_WISH)
    assert (order.cancelled_by, order.cancel_reason) == (actor, "Changed plans.")
    assert_all_came_back(order)
    assert Notification.objects.get(kind="order.cancelled").user_id == (builder_user.pk if side == "client" else client_user.pk)


@pytest.mark.parametrize("status", [S.IN_PROGRESS, S.IN_REVISION])
def test_the_builder_may_give_back_work_at_any_time(make_order: MakeOrder, builder_user: User, status: str) -> None:
    order = make_order(status)
    order = actions.cancel_order(order.pk, actor=builder_user)
    assert order.cancel_cause == CancelCause.BUILDER_WISH
    assert_all_came_back(order)


def test_the_client_may_cancel_when_the_delivery_is_late_and_not_before(make_order: MakeOrder, client_user: User, nothing_happens: Any) -> None:
    order = make_order(S.IN_PROGRESS)
    assert order.due_at is not None
    with at(order.due_at - timedelta(microseconds=1)), nothing_happens(order), pytest.raises(WrongState):
        actions.cancel_order(order.pk, actor=client_user)
    with at(order.due_at):
        order = actions.cancel_order(order.pk, actor=client_user)
    assert order.cancel_cause == CancelCause.LATE
    assert_all_came_back(order)


def test_a_client_may_not_cancel_a_revision(make_order: MakeOrder, client_user: User, nothing_happens: Any) -> None:
    order = make_order(S.IN_REVISION)
    with at(now() + timedelta(days=60)), nothing_happens(order), pytest.raises(WrongState):
        actions.cancel_order(order.pk, actor=client_user)


@pytest.mark.parametrize("status", [S.DELIVERED, S.COMPLETED, S.CANCELLED, S.EXPIRED])
@pytest.mark.parametrize("side", ["client", "builder"])
def test_nobody_cancels_what_is_delivered_or_over(
    make_order: MakeOrder, client_user: User, builder_user: User, nothing_happens: Any, status: str, side: str
) -> None:
    order = make_order(status)
    with nothing_happens(order), pytest.raises(WrongState):
        actions.cancel_order(order.pk, actor=client_user if side == "client" else builder_user)


def assert_all_came_back(order: Order) -> None:
    refund = Refund.objects.get()
    assert refund.amount == Decimal("189.90")
    assert in_escrow(order) == NOTHING
    payments.send_refund(refund.pk)
    refund.refresh_from_db()
    assert refund.status == RefundStatus.COMPLETED
    for kind in ("external", "fees", "refunds"):
        assert ledger.balance(kind) == NOTHING
    assert ledger.balance("client", order.client_id) == NOTHING
    assert earnings(order.builder.user) == NOTHING
    note = refund.credit_note
    assert note is not None
    assert (note.total, note.fee) == (Decimal("189.90"), Decimal("9.90"))


def test_cancelling_an_unpaid_order_voids_the_invoice(make_order: MakeOrder, client_user: User) -> None:
    order = make_order()
    order = actions.cancel_order(order.pk, actor=client_user)
    assert order.status == S.CANCELLED
    assert Invoice.objects.get().status == "void"
    assert Refund.objects.count() == 0


def test_money_that_comes_for_a_cancelled_order_goes_back(make_order: MakeOrder, client_user: User) -> None:
    order = make_order()
    payment = payments.reach_provider(payments.start_payment(order.invoice_id, actor=client_user).pk)  # type: ignore[arg-type]
    actions.cancel_order(order.pk, actor=client_user)
    payments.record_answer(payment.provider, "late", payment.pk, Outcome.SUCCEEDED)
    payments.settle_invoice(order.invoice_id)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert order.status == S.CANCELLED
    assert Refund.objects.get().amount == Decimal("189.90")
    assert EscrowOperation.objects.count() == 0


def test_a_long_reason_writes_nothing(make_order: MakeOrder, client_user: User, nothing_happens: Any) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    with nothing_happens(order), pytest.raises(Invalid):
        actions.cancel_order(order.pk, actor=client_user, reason="x" * 301)


def at_once(count: int, act: Any) -> list[Any]:
    """Run `act` in as many threads, let go together; gives results and refusals."""
    barrier = threading.Barrier(count)
    outcomes: list[Any] = []

    def run() -> None:
        try:
            barrier.wait(timeout=30)
            outcomes.append(act())
        except Exception as error:  # noqa: BLE001 - the refusals are what is looked at
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_eight_acceptances_at_once_release_once(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.DELIVERED)
    outcomes = at_once(8, lambda: actions.accept_delivery(order.pk, actor=client_user))
    assert sorted(type(one).__name__ for one in outcomes) == ["Order", *["WrongState"] * 7]
    assert EscrowOperation.objects.filter(kind="release").count() == 1
    assert earnings(builder_user) == Decimal("162.00")


@pytest.mark.django_db(transaction=True)
def test_acceptance_and_change_request_at_once_have_one_winner(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.DELIVERED)
    steps: list[Callable[[], object]] = [
        lambda: actions.accept_delivery(order.pk, actor=client_user),
        lambda: actions.request_revision(order.pk, actor=client_user, note="More."),
    ]
    outcomes = at_once(2, lambda: steps.pop()())
    order.refresh_from_db()
    assert sum(isinstance(one, Conflict) for one in outcomes) == 1
    released = EscrowOperation.objects.filter(kind="release").count()
    assert (order.status, released) in ((S.COMPLETED, 1), (S.IN_REVISION, 0))


@pytest.mark.django_db(transaction=True)
def test_eight_orders_with_one_key_at_once_are_one(client_user: User, package: Package) -> None:
    key = uuid7()
    outcomes = at_once(8, lambda: actions.place_order(package.pk, actor=client_user, client_key=key))
    assert len({one.pk for one in outcomes}) == 1
    assert Order.objects.count() == Invoice.objects.count() == 1


@pytest.mark.parametrize("status", [S.IN_PROGRESS, S.IN_REVISION])
def test_the_client_need_not_wait_for_a_suspended_builder(make_order: MakeOrder, client_user: User, builder_user: User, status: str) -> None:
    order = make_order(status)
    User.objects.filter(pk=builder_user.pk).update(suspended_at=now(), suspension_reason="Under review for now")
    order = actions.cancel_order(order.pk, actor=client_user)
    assert (order.cancel_cause, order.cancelled_by) == (CancelCause.BUILDER_WISH, client_user)
    assert_all_came_back(order)
    said = "because the account of Anaya is closed at the moment."
    assert f"{client_user.first_name} cancelled order {order.number}, {said}" in Message.objects.get(icon=notices.CANCELLED).body
    assert f"{client_user.first_name} cancelled {order.title}, {said}" in emails.cancelled_to(order, builder_user).body


def test_a_repeated_step_is_named_as_one(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.COMPLETED)
    with pytest.raises(WrongState, match="This order is completed already"):
        actions.accept_delivery(order.pk, actor=client_user)


def test_three_days_that_just_began_are_three() -> None:
    assert [helm.span_words(hours * 3600 - 60) for hours in (72, 61, 49, 5)] == ["3 days", "3 days", "2 days", "4 h"]
