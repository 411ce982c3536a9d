"""Approving, paying, and the change being in force. Money is followed to the cent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from amendments import actions
from amendments.actions import Terms
from amendments.models import Amendment, AmendmentStatus
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus, Revision
from port444.payments import ledger
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import EscrowKind, EscrowOperation, Invoice, InvoiceStatus
from tests.orders.conftest import ANSWERS, MakeOrder, earnings

from .conftest import DELIVERABLE, REVISION, SCOPE, TIME, TOP_UP, Propose, now_of

A, S = AmendmentStatus, OrderStatus
Quiet = Callable[[Order], AbstractContextManager[None]]
HOUR = timedelta(hours=1)
NOTHING = Decimal("0.00")


def pay(amendment: Amendment) -> Amendment:
    assert amendment.invoice is not None
    pay_with_test_wallet(amendment.invoice.pk, actor=amendment.order.client)
    paid: Amendment = now_of(amendment)
    return paid


def in_escrow(order: Order) -> Decimal:
    return ledger.balance("escrow", subject=order.pk)


def test_the_order_changes_when_escrow_has_the_money_and_not_before(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    assert order.due_at is not None
    moment = now()
    with at(moment):
        amendment = propose(order)
    with at(moment + HOUR):
        amendment = actions.approve(amendment.pk, actor=client_user)
        assert (amendment.status, amendment.answered_by, amendment.expires_at) == (A.APPROVED, client_user, moment + 73 * HOUR)
        invoice = amendment.invoice
        assert invoice is not None
        assert (invoice.purpose, invoice.subject_id, invoice.deal_id) == ("amendment", amendment.pk, order.pk)
        assert (invoice.subtotal, invoice.fee, invoice.total) == (Decimal("60.00"), Decimal("3.30"), Decimal("63.30"))
        assert (invoice.payer, invoice.payee, invoice.expires_at) == (client_user, builder_user, amendment.expires_at)
        waiting = now_of(order)
        assert (waiting.price, waiting.due_at, waiting.deliverables) == (order.price, order.due_at, order.deliverables)
        assert in_escrow(order) == Decimal("180.00")
    with at(moment + 2 * HOUR):
        amendment = pay(amendment)
    assert (amendment.status, amendment.completed_at, amendment.funding_try) == (A.COMPLETED, moment + 2 * HOUR, 1)
    changed = now_of(order)
    assert (changed.price, changed.client_fee, changed.delivery_days) == (Decimal("240.00"), Decimal("13.20"), 10)
    assert changed.deliverables == ["Five pages", "A report", "Two reports"]
    assert changed.due_at == amendment.due_after == order.due_at + 2 * HOUR + timedelta(days=3)
    assert (changed.status, changed.clock_stopped_at) == (S.IN_PROGRESS, None)
    assert in_escrow(order) == Decimal("240.00")
    operation = EscrowOperation.objects.get(op_id=amendment.funding)
    assert (operation.kind, operation.amount, operation.status) == (EscrowKind.AMEND, Decimal("60.00"), "confirmed")
    log = AuditLog.objects.get(event_type="order.terms_changed")
    assert log.before_state is not None
    assert log.after_state is not None
    assert (log.before_state["price"], log.after_state["price"]) == ("180.00", "240.00")
    assert {row.user_id for row in Notification.objects.filter(kind="amendment.completed")} == {client_user.pk, builder_user.pk}
    assert "in force" in Message.objects.latest("created_at").body

    orders.deliver(order.pk, actor=builder_user, note="All of it.")
    orders.accept_delivery(order.pk, actor=client_user)
    assert earnings(builder_user) == Decimal("216.00")
    assert in_escrow(order) == NOTHING


def test_the_client_proposes_the_builder_approves_and_the_client_is_told_to_pay(
    order: Order, client_user: User, builder_user: User, propose: Propose
) -> None:
    amendment = actions.approve(propose(order, TOP_UP, client_user).pk, actor=builder_user)
    assert amendment.status == A.APPROVED
    told = Notification.objects.get(kind="amendment.approved")
    assert (told.user_id, "pay $42.20" in told.title) == (client_user.pk, True)
    with pytest.raises(NotAllowed):
        pay_with_test_wallet(amendment.invoice_id, actor=builder_user)  # type: ignore[arg-type]
    assert pay(amendment).status == A.COMPLETED
    assert now_of(order).price == Decimal("220.00")


def test_more_time_needs_no_payment_and_puts_off_the_end_of_escrow(order: Order, client_user: User, propose: Propose) -> None:
    assert order.due_at is not None
    moment = now()
    with at(moment):
        amendment = propose(order, TIME)
    with at(moment + HOUR):
        amendment = actions.approve(amendment.pk, actor=client_user)
    assert (amendment.status, amendment.invoice) == (A.COMPLETED, None)
    changed = now_of(order)
    assert changed.due_at == order.due_at + timedelta(days=5)  # the days alone: who asks for time wins none by asking
    assert EscrowOperation.objects.get(op_id=amendment.funding).kind == EscrowKind.EXTEND
    assert not Invoice.objects.filter(purpose="amendment").exists()


def test_a_deliverable_for_nothing_is_in_force_at_once(order: Order, client_user: User, propose: Propose) -> None:
    amendment = actions.approve(propose(order, DELIVERABLE).pk, actor=client_user)
    assert (amendment.status, amendment.funding) == (A.COMPLETED, "")
    assert now_of(order).deliverables == ["Five pages", "A report", "The sixth page"]


@pytest.mark.parametrize(
    ("terms", "status", "used", "allowed"),
    [
        (SCOPE, S.IN_PROGRESS, 0, 2),
        (DELIVERABLE, S.IN_PROGRESS, 0, 2),
        (TIME, S.IN_PROGRESS, 0, 2),
        (REVISION, S.IN_REVISION, 1, 3),
        (TOP_UP, S.DELIVERED, 0, 2),
    ],
    ids=lambda value: value.amendment_type if isinstance(value, Terms) else "",
)
def test_a_delivered_order_is_opened_again_where_there_is_work(
    make_order: MakeOrder, client_user: User, propose: Propose, terms: Terms, status: str, used: int, allowed: int
) -> None:
    order = make_order(S.DELIVERED)
    assert order.due_at is not None
    assert order.auto_accept_at is not None
    late = order.due_at + timedelta(days=1)
    Order.objects.filter(pk=order.pk).update(auto_accept_at=late + HOUR)
    with at(late):
        amendment = actions.approve(propose(order, terms).pk, actor=client_user)
        if amendment.invoice is not None:
            amendment = pay(amendment)
    changed = now_of(order)
    assert (amendment.status, changed.status) == (A.COMPLETED, status)
    assert (changed.revisions_used, changed.revisions_allowed) == (used, allowed)
    if status == S.DELIVERED:
        assert (changed.due_at, changed.auto_accept_at) == (order.due_at, late + HOUR)
        return
    assert changed.auto_accept_at is None
    assert changed.due_at == late + timedelta(days=terms.days or settings.REVISION_DAYS)
    assert Revision.objects.filter(order=order, note=REVISION.description).count() == (1 if status == S.IN_REVISION else 0)


def test_before_the_answers_the_days_of_work_grow(make_order: MakeOrder, client_user: User, propose: Propose) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    actions.approve(propose(order, TIME).pk, actor=client_user)
    changed = now_of(order)
    assert (changed.due_at, changed.delivery_days, changed.status) == (None, 12, S.PENDING_REQUIREMENTS)
    changed = orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    assert changed.started_at is not None
    assert changed.due_at == changed.started_at + timedelta(days=12)


def test_the_answers_may_come_while_a_change_waits(make_order: MakeOrder, client_user: User, builder_user: User, propose: Propose) -> None:
    """What was proposed before the clock began is good afterwards; the clock stands from its beginning on, and a client who wants more
    time gives the builder that time, too."""
    order = make_order(S.PENDING_REQUIREMENTS)
    moment = now()
    with at(moment):
        amendment = propose(order, TIME, client_user)
    with at(moment + HOUR):
        orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    with at(moment + 3 * HOUR):
        actions.approve(amendment.pk, actor=builder_user)
    assert now_of(order).due_at == moment + HOUR + timedelta(days=12) + 2 * HOUR


def test_only_the_other_side_approves(
    order: Order, client_user: User, builder_user: User, stranger: User, staff: User, propose: Propose, nothing_happens: Quiet
) -> None:
    amendment = propose(order)
    for person in (builder_user, stranger, staff):
        with nothing_happens(order), pytest.raises(NotAllowed):
            actions.approve(amendment.pk, actor=person)
    actions.decline(amendment.pk, actor=client_user, reason="No.")
    amendment = propose(order, actor=client_user)
    with nothing_happens(order), pytest.raises(NotAllowed):
        actions.approve(amendment.pk, actor=client_user)


def test_it_is_approved_once_and_in_time(order: Order, client_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    amendment = propose(order)
    with at(amendment.expires_at), nothing_happens(order), pytest.raises(WrongState) as refusal:
        actions.approve(amendment.pk, actor=client_user)
    assert refusal.value.code == "lapsed"
    actions.approve(amendment.pk, actor=client_user)
    with nothing_happens(order), pytest.raises(WrongState):
        actions.approve(amendment.pk, actor=client_user)


@pytest.mark.parametrize(
    "change",
    [{"price": Decimal("181.00")}, {"due_at": now() + timedelta(days=30)}, {"deliverables": ["Other"]}],
    ids=lambda change: next(iter(change)),
)
def test_an_order_that_moved_has_to_be_proposed_anew(
    order: Order, client_user: User, builder_user: User, propose: Propose, nothing_happens: Quiet, change: dict[str, object]
) -> None:
    amendment = propose(order)
    Order.objects.filter(pk=order.pk).update(**change)
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.approve(amendment.pk, actor=client_user)
    assert (refusal.value.code, refusal.value.status) == ("order_changed", 409)
    amendment = actions.revise(amendment.pk, actor=builder_user, client_key=amendment.order.pk, terms=DELIVERABLE)
    assert actions.approve(amendment.pk, actor=client_user).status == A.COMPLETED


def test_one_invoice_one_payment_one_operation(order: Order, client_user: User, propose: Propose) -> None:
    amendment = pay(actions.approve(propose(order).pk, actor=client_user))
    with pytest.raises(WrongState):
        pay_with_test_wallet(amendment.invoice_id, actor=client_user)  # type: ignore[arg-type]
    assert Invoice.objects.get(purpose="amendment").status == InvoiceStatus.PAID
    assert EscrowOperation.objects.filter(kind=EscrowKind.AMEND).count() == 1
    assert now_of(order).price == Decimal("240.00")


def test_changes_follow_one_another(order: Order, client_user: User, propose: Propose) -> None:
    for terms in (SCOPE, TOP_UP, replace(SCOPE, deliverables=())):
        pay(actions.approve(propose(order, terms).pk, actor=client_user))
    changed = now_of(order)
    assert (changed.price, changed.delivery_days) == (Decimal("340.00"), 13)
    assert in_escrow(order) == Decimal("340.00")
