"""Declining, asking for changes, new versions, withdrawing: the order stays as it is, and its clock is right afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from amendments import actions
from amendments.models import Amendment, AmendmentStatus
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import answer_wallet, pay_with_test_wallet, reach_provider, reconcile_payment, settle_invoice, start_payment
from port444.payments.models import Invoice, InvoiceStatus, Payment, Refund
from port444.payments.providers.sandbox import Decision, Manner
from tests.orders.conftest import MakeOrder

from .conftest import DELIVERABLE, SCOPE, TIME, TOP_UP, Propose, now_of

A, S = AmendmentStatus, OrderStatus
Quiet = Callable[[Order], AbstractContextManager[None]]
HOUR = timedelta(hours=1)


def assert_untouched(order: Order, given: timedelta, to_client: timedelta | None = None) -> None:
    """Nothing of the change is in force, and the due date has moved on by `given`, the time to review by that or by `to_client`."""
    row = now_of(order)
    assert (row.price, row.deliverables, row.status, row.clock_stopped_at) == (order.price, order.deliverables, order.status, None)
    assert order.due_at is not None
    assert row.due_at == order.due_at + given
    if order.auto_accept_at is not None:
        assert row.auto_accept_at == order.auto_accept_at + (given if to_client is None else to_client)


@pytest.mark.parametrize("status", [S.IN_PROGRESS, S.IN_REVISION, S.DELIVERED])
def test_declining_leaves_the_order_and_gives_the_time_back(
    make_order: MakeOrder, client_user: User, builder_user: User, propose: Propose, status: str
) -> None:
    order, moment = make_order(status), now()
    with at(moment):
        amendment = propose(order)
    with at(moment + 5 * HOUR):
        amendment = actions.decline(amendment.pk, actor=client_user, reason=" Too dear. ")
    assert (amendment.status, amendment.answer, amendment.closed_at) == (A.REJECTED, "Too dear.", moment + 5 * HOUR)
    assert_untouched(order, 5 * HOUR)
    told = Notification.objects.get(kind="amendment.declined")
    assert (told.user_id, "Too dear." in told.body) == (builder_user.pk, True)
    assert AuditLog.objects.get(event_type="amendment.rejected").actor_id == client_user.pk


@pytest.mark.parametrize("by_builder", [True, False])
@pytest.mark.parametrize("status", [S.IN_PROGRESS, S.DELIVERED])
def test_withdrawing_gives_time_to_the_other_side_alone(
    make_order: MakeOrder, builder_user: User, client_user: User, propose: Propose, status: str, by_builder: bool
) -> None:
    order, moment = make_order(status), now()
    who, other = (builder_user, client_user) if by_builder else (client_user, builder_user)
    with at(moment):
        amendment = propose(order, actor=who)
    with at(moment + 5 * HOUR):
        assert actions.withdraw(amendment.pk, actor=who).status == A.WITHDRAWN
    none = timedelta(0)
    assert_untouched(order, none if by_builder else 5 * HOUR, 5 * HOUR if by_builder else none)
    assert Notification.objects.get(kind="amendment.withdrawn").user_id == other.pk


def test_nobody_becomes_late_by_a_withdrawal(order: Order, client_user: User, propose: Propose) -> None:
    """The client lets the clock stand beyond the due date and withdraws: the builder has the time back and is not late."""
    assert order.due_at is not None
    with at(order.due_at - HOUR):
        amendment = propose(order, actor=client_user)
    with at(order.due_at + HOUR):
        actions.withdraw(amendment.pk, actor=client_user)
        assert not now_of(order).is_late(now())
        assert now_of(order).may_cancel(client_user, now()) is None


def test_a_late_builder_stays_late(order: Order, client_user: User, propose: Propose) -> None:
    assert order.due_at is not None
    with at(order.due_at + HOUR):
        amendment = propose(order)
        assert now_of(order).is_late(now())
    with at(order.due_at + 9 * HOUR):
        assert now_of(order).is_late(now())
        actions.decline(amendment.pk, actor=client_user, reason="No.")
        assert now_of(order).is_late(now())


def test_nobody_becomes_late_while_the_clock_stands(order: Order, client_user: User, propose: Propose) -> None:
    assert order.due_at is not None
    with at(order.due_at - HOUR):
        amendment = propose(order)
    with at(order.due_at + 5 * HOUR):
        assert not now_of(order).is_late(now())
        assert now_of(order).may_cancel(client_user, now()) is None
        actions.decline(amendment.pk, actor=client_user, reason="No.")
        assert not now_of(order).is_late(now())
    with at(order.due_at + 6 * HOUR):
        assert now_of(order).is_late(now())


def test_asking_for_changes_and_a_new_version(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    moment = now()
    with at(moment):
        first = propose(order)
    with at(moment + HOUR):
        first = actions.ask_for_changes(first.pk, actor=client_user, note="One report is enough.")
        assert (first.status, first.answer, first.expires_at) == (A.CHANGES_REQUESTED, "One report is enough.", moment + 73 * HOUR)
        assert Notification.objects.get(kind="amendment.changes").user_id == builder_user.pk
    with at(moment + 3 * HOUR):
        second = actions.revise(first.pk, actor=builder_user, client_key=uuid7(), terms=DELIVERABLE)
    first = now_of(first)
    assert (first.status, first.closed_at) == (A.SUPERSEDED, moment + 3 * HOUR)
    assert (first.additional_amount, first.additional_days) == (SCOPE.amount, SCOPE.days)
    assert (second.status, second.version, second.replaces, second.expires_at) == (A.PENDING, 2, first, moment + 75 * HOUR)
    assert now_of(order).clock_stopped_at == moment
    log = AuditLog.objects.get(event_type="amendment.revised")
    assert log.before_state is not None
    assert log.after_state is not None
    assert (log.before_state["amount"], log.after_state["amount"]) == ("60.00", "0.00")
    with at(moment + 4 * HOUR):
        assert actions.approve(second.pk, actor=client_user).status == A.COMPLETED
    assert order.due_at is not None
    assert now_of(order).due_at == order.due_at + 4 * HOUR


def test_a_version_that_nobody_has_answered_may_be_replaced(order: Order, builder_user: User, client_user: User, propose: Propose) -> None:
    first = propose(order)
    key = uuid7()
    second = actions.revise(first.pk, actor=builder_user, client_key=key, terms=TOP_UP)
    assert actions.revise(first.pk, actor=builder_user, client_key=key, terms=TOP_UP) == second
    with pytest.raises(WrongState):
        actions.approve(first.pk, actor=client_user)
    with pytest.raises(WrongState):
        actions.revise(first.pk, actor=builder_user, client_key=uuid7(), terms=TIME)


def test_versions_count_as_proposals(order: Order, builder_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    amendment = propose(order)
    for _ in range(9):
        amendment = actions.revise(amendment.pk, actor=builder_user, client_key=uuid7(), terms=TIME)
    with nothing_happens(order), pytest.raises(TooMany):
        actions.revise(amendment.pk, actor=builder_user, client_key=uuid7(), terms=TIME)


def test_declining_is_possible_after_asking_for_changes_and_after_approving(order: Order, client_user: User, propose: Propose) -> None:
    amendment = actions.ask_for_changes(propose(order).pk, actor=client_user, note="Less.")
    assert actions.decline(amendment.pk, actor=client_user, reason="No, after all.").status == A.REJECTED
    amendment = actions.approve(propose(order).pk, actor=client_user)
    assert amendment.invoice is not None
    assert actions.decline(amendment.pk, actor=client_user, reason="No, after all.").status == A.REJECTED
    assert Invoice.objects.get(pk=amendment.invoice.pk).status == InvoiceStatus.VOID
    with pytest.raises(WrongState):
        pay_with_test_wallet(amendment.invoice.pk, actor=client_user)


Act = Callable[[Amendment, Any], Any]
ANSWERS: dict[str, tuple[Act, bool]] = {
    "approve": (lambda amendment, actor: actions.approve(amendment.pk, actor=actor), False),
    "decline": (lambda amendment, actor: actions.decline(amendment.pk, actor=actor, reason="No."), False),
    "ask": (lambda amendment, actor: actions.ask_for_changes(amendment.pk, actor=actor, note="Other."), False),
    "withdraw": (lambda amendment, actor: actions.withdraw(amendment.pk, actor=actor), True),
    "revise": (lambda amendment, actor: actions.revise(amendment.pk, actor=actor, client_key=uuid7(), terms=TIME), True),
}


@pytest.mark.parametrize("step", ANSWERS)
@pytest.mark.parametrize("by_builder", [True, False])
def test_each_answer_is_for_one_side(
    order: Order,
    client_user: User,
    builder_user: User,
    stranger: User,
    staff: User,
    propose: Propose,
    nothing_happens: Quiet,
    step: str,
    by_builder: bool,
) -> None:
    proposer, other = (builder_user, client_user) if by_builder else (client_user, builder_user)
    act, is_proposers = ANSWERS[step]
    amendment = propose(order, SCOPE, proposer)
    for person in (other if is_proposers else proposer, stranger, staff):
        with nothing_happens(order), pytest.raises(NotAllowed):
            act(amendment, person)
    act(amendment, proposer if is_proposers else other)


@pytest.mark.parametrize("step", ANSWERS)
def test_what_is_closed_takes_no_answer(
    order: Order, client_user: User, builder_user: User, propose: Propose, nothing_happens: Quiet, step: str
) -> None:
    act, is_proposers = ANSWERS[step]
    closed = [
        actions.decline(propose(order).pk, actor=client_user, reason="No."),
        actions.withdraw(propose(order).pk, actor=builder_user),
        actions.approve(propose(order, DELIVERABLE).pk, actor=client_user),
    ]
    assert [amendment.status for amendment in closed] == [A.REJECTED, A.WITHDRAWN, A.COMPLETED]
    for amendment in closed:
        with nothing_happens(order), pytest.raises(WrongState):
            act(amendment, builder_user if is_proposers else client_user)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001], ids=["empty", "blank", "long"])
def test_no_without_a_reason_is_no_answer(order: Order, client_user: User, propose: Propose, nothing_happens: Quiet, text: str) -> None:
    amendment = propose(order)
    with nothing_happens(order), pytest.raises(Invalid):
        actions.decline(amendment.pk, actor=client_user, reason=text)
    with nothing_happens(order), pytest.raises(Invalid):
        actions.ask_for_changes(amendment.pk, actor=client_user, note=text)


def test_a_new_version_is_of_what_runs(order: Order, builder_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    amendment = propose(order)
    with at(amendment.expires_at), nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.revise(amendment.pk, actor=builder_user, client_key=uuid7(), terms=TIME)
    assert refusal.value.code == "lapsed"


def approved_in_the_wallet(amendment: Amendment, payer: User) -> Payment:
    """The wallet has said yes, and we do not know it yet."""
    assert amendment.invoice is not None
    payment = reach_provider(start_payment(amendment.invoice.pk, actor=payer).pk)
    answer_wallet(payment.pk, actor=payer, decision=Decision.APPROVE, manner=Manner.SILENT)
    return payment


@pytest.mark.parametrize("step", ["withdraw", "decline"])
def test_money_that_comes_after_the_end_goes_back(order: Order, client_user: User, builder_user: User, propose: Propose, step: str) -> None:
    amendment = actions.approve(propose(order).pk, actor=client_user)
    payment = approved_in_the_wallet(amendment, client_user)
    ANSWERS[step][0](amendment, builder_user if step == "withdraw" else client_user)
    reconcile_payment(payment.pk)
    settle_invoice(payment.invoice_id)
    refund = Refund.objects.get()
    assert (refund.payment_id, refund.amount) == (payment.pk, payment.amount)
    assert now_of(order).price == order.price
    assert now_of(amendment).status in (A.WITHDRAWN, A.REJECTED)
