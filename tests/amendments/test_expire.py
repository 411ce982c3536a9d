"""What happens when nobody answers or nobody pays, and when the order ends meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from amendments import actions, jobs
from amendments.models import AmendmentStatus
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import WrongState
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders import jobs as order_jobs
from port444.orders.models import Order, OrderStatus
from port444.payments import jobs as payment_jobs
from port444.payments.actions import reconcile_payment, settle_invoice
from port444.payments.models import Invoice, InvoiceStatus, Refund
from tests.orders.conftest import MakeOrder

from .conftest import TIME, TOP_UP, Propose, now_of
from .test_answers import approved_in_the_wallet, assert_untouched

A, S = AmendmentStatus, OrderStatus
Quiet = Callable[[Order], AbstractContextManager[None]]
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)


@pytest.mark.parametrize("asked", [False, True])
def test_a_proposal_that_nobody_answers_expires_at_the_moment_and_not_before(
    order: Order, client_user: User, builder_user: User, propose: Propose, asked: bool
) -> None:
    moment = now()
    with at(moment):
        amendment = propose(order)
        if asked:
            amendment = actions.ask_for_changes(amendment.pk, actor=client_user, note="Less.")
    with at(amendment.expires_at - MOMENT):
        assert jobs.expire() == 0
        with pytest.raises(WrongState):
            actions.expire(amendment.pk)
    with at(amendment.expires_at):
        assert jobs.expire() == 1
        assert jobs.expire() == 0
    assert now_of(amendment).status == A.EXPIRED
    assert_untouched(order, 72 * HOUR)
    assert {row.user_id for row in Notification.objects.filter(kind="amendment.expired")} == {client_user.pk, builder_user.pk}
    assert AuditLog.objects.get(event_type="amendment.expired").actor_id is None


def test_an_approved_change_that_nobody_pays_expires_with_its_invoice(order: Order, client_user: User, propose: Propose) -> None:
    moment = now()
    with at(moment):
        amendment = propose(order)
    with at(moment + HOUR):
        amendment = actions.approve(amendment.pk, actor=client_user)
    with at(moment + 73 * HOUR):
        assert jobs.expire() == 0
        assert payment_jobs.expire_invoices() == 1
        assert payment_jobs.expire_invoices() == 0
    assert now_of(amendment).status == A.EXPIRED
    assert Invoice.objects.get(purpose="amendment").status == InvoiceStatus.VOID
    assert_untouched(order, 73 * HOUR)


def test_money_that_was_on_its_way_when_the_time_ended_counts(order: Order, client_user: User, propose: Propose) -> None:
    amendment = actions.approve(propose(order).pk, actor=client_user)
    payment = approved_in_the_wallet(amendment, client_user)
    with at(amendment.expires_at):
        payment_jobs.expire_invoices()
        settle_invoice(payment.invoice_id)
    assert now_of(amendment).status == A.COMPLETED


def test_money_that_came_after_the_time_goes_back(order: Order, client_user: User, propose: Propose) -> None:
    amendment = actions.approve(propose(order).pk, actor=client_user)
    with at(amendment.expires_at):
        payment_jobs.expire_invoices()
    assert now_of(amendment).status == A.EXPIRED
    assert not Refund.objects.exists()


def test_a_delivery_is_not_accepted_by_itself_while_a_change_waits(make_order: MakeOrder, client_user: User, propose: Propose) -> None:
    order = make_order(S.DELIVERED)
    assert order.auto_accept_at is not None
    with at(order.auto_accept_at - HOUR):
        amendment = propose(order)
    with at(order.auto_accept_at + 5 * HOUR):
        assert order_jobs.auto_accept() == 0
        with pytest.raises(WrongState):
            orders.auto_accept(order.pk)
        actions.decline(amendment.pk, actor=client_user, reason="No.")
        assert order_jobs.auto_accept() == 0
    with at(order.auto_accept_at + 6 * HOUR):
        assert order_jobs.auto_accept() == 1


def test_a_delivery_made_while_the_clock_stands_gets_its_whole_time_to_review(
    order: Order, client_user: User, builder_user: User, propose: Propose
) -> None:
    moment = now()
    with at(moment):
        amendment = propose(order)
    with at(moment + 10 * HOUR):
        orders.deliver(order.pk, actor=builder_user, note="Done.")
        delivered = now_of(order)
    with at(moment + 12 * HOUR):
        actions.decline(amendment.pk, actor=client_user, reason="No.")
    assert now_of(order).auto_accept_at == delivered.auto_accept_at + 2 * HOUR


@pytest.mark.parametrize("approved", [False, True])
def test_accepting_the_delivery_ends_a_change_that_has_no_money(make_order: MakeOrder, client_user: User, propose: Propose, approved: bool) -> None:
    order = make_order(S.DELIVERED)
    amendment = propose(order)
    payment = None
    if approved:
        amendment = actions.approve(amendment.pk, actor=client_user)
        payment = approved_in_the_wallet(amendment, client_user)
    ended = orders.accept_delivery(order.pk, actor=client_user)
    assert (ended.status, ended.price, ended.clock_stopped_at) == (S.COMPLETED, order.price, None)
    amendment = now_of(amendment)
    assert (amendment.status, amendment.answer) == (A.EXPIRED, "The order ended")
    if payment is not None:
        reconcile_payment(payment.pk)
        settle_invoice(payment.invoice_id)
        assert Refund.objects.get().amount == payment.amount
        assert now_of(order).price == order.price


def test_cancelling_ends_a_change_that_has_no_money(order: Order, builder_user: User, propose: Propose) -> None:
    amendment = propose(order)
    assert orders.cancel_order(order.pk, actor=builder_user).status == S.CANCELLED
    assert now_of(amendment).status == A.EXPIRED
    assert now_of(order).clock_stopped_at is None


def test_an_order_whose_questions_are_not_answered_ends_with_its_change(make_order: MakeOrder, propose: Propose) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    assert order.requirements_until is not None
    with at(order.requirements_until - HOUR):
        amendment = propose(order, TIME)
    with at(order.requirements_until):
        assert order_jobs.cancel_unanswered() == 1
    assert (now_of(order).status, now_of(amendment).status) == (S.CANCELLED, A.EXPIRED)


def test_who_cannot_end_the_order_cannot_end_its_change(order: Order, client_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    propose(order, TOP_UP)
    with nothing_happens(order), pytest.raises(WrongState):
        orders.cancel_order(order.pk, actor=client_user)
    with nothing_happens(order), pytest.raises(WrongState):
        orders.accept_delivery(order.pk, actor=client_user)
