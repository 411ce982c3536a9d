"""A client says that the later date does not work, and the builder answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings

from port444.accounts.models import User
from port444.away import actions, jobs
from port444.away.models import DueMove, MoveStatus
from port444.kit.clock import at
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders.actions import cancel_order, deliver, request_revision
from port444.orders.models import CancelCause, Order, OrderStatus

from .conftest import FRI, FRIDAY, MONDAY, START, WEEKEND, now_of

S, M = OrderStatus, MoveStatus
DAY = timedelta(days=1)
Quiet = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def move(builder_user: User, order: Order) -> DueMove:
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    return DueMove.objects.get()


@pytest.fixture
def objected(move: DueMove, client_user: User) -> DueMove:
    return actions.object_to_move(move.pk, actor=client_user, reason="We go live on  Wednesday.")


def test_the_client_objects_and_the_builder_is_asked(objected: DueMove, builder_user: User) -> None:
    row = now_of(objected)
    assert (row.status, row.objection, row.objected_at) == (M.OBJECTED, "We go live on Wednesday.", START)
    assert "We go live on Wednesday." in Notification.objects.get(kind="away.objected", user=builder_user).body
    assert Message.objects.filter(icon="calendar-off").count() == 1


def test_who_may_object(move: DueMove, builder_user: User, stranger: User, order: Order, nothing_happens: Quiet) -> None:
    for other in (builder_user, stranger):
        with nothing_happens(order), pytest.raises(NotAllowed):
            actions.object_to_move(move.pk, actor=other, reason="No.")


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 301])
def test_a_reason_is_needed(move: DueMove, client_user: User, order: Order, nothing_happens: Quiet, reason: str) -> None:
    with nothing_happens(order), pytest.raises(Invalid):
        actions.object_to_move(move.pk, actor=client_user, reason=reason)


def test_once_and_before_the_return(objected: DueMove, client_user: User, order: Order, nothing_happens: Quiet) -> None:
    with nothing_happens(order), pytest.raises(WrongState):
        actions.object_to_move(objected.pk, actor=client_user, reason="Again.")


def test_not_after_the_return(move: DueMove, client_user: User, order: Order, nothing_happens: Quiet) -> None:
    with at(MONDAY), nothing_happens(order), pytest.raises(WrongState):
        actions.object_to_move(move.pk, actor=client_user, reason="Too late.")


def test_the_earlier_date_stands_again(objected: DueMove, builder_user: User, client_user: User, order: Order) -> None:
    actions.keep_date(objected.pk, actor=builder_user)
    row, move = now_of(order), now_of(objected)
    assert (row.due_at, row.works_through) == (order.due_at, move.span.created_at)
    assert (move.status, move.moved) == (M.KEPT, timedelta(0))
    assert "as before" in Notification.objects.get(kind="away.settled", user=client_user).body
    with at(FRIDAY + DAY):  # coming back sooner takes nothing from it a second time
        actions.end_away(move.span_id, actor=builder_user)
    assert now_of(order).due_at == order.due_at


def test_the_later_date_stays_and_the_client_may_leave(objected: DueMove, builder_user: User, client_user: User, order: Order) -> None:
    actions.hold_to_date(objected.pk, actor=builder_user)
    row = now_of(order)
    assert row.exit_until == START + timedelta(hours=settings.EXIT_HOURS)
    assert row.due_at == order.due_at + 3 * DAY  # type: ignore[operator]
    assert row.may_cancel(client_user, row.exit_until) is None
    ended = cancel_order(order.pk, actor=client_user)
    assert (ended.status, ended.cancel_cause) == (S.CANCELLED, CancelCause.AWAY)
    assert "is away beyond the date" in Message.objects.filter(icon="circle-x").get().body
    assert "is away beyond the date" in Notification.objects.get(kind="order.cancelled", user=builder_user).body


@pytest.mark.parametrize("answer", [actions.keep_date, actions.hold_to_date])
def test_who_may_answer_and_when(
    answer: Callable[..., DueMove], move: DueMove, builder_user: User, client_user: User, order: Order, nothing_happens: Quiet
) -> None:
    with nothing_happens(order), pytest.raises(WrongState):
        answer(move.pk, actor=builder_user)  # nobody objects
    actions.object_to_move(move.pk, actor=client_user, reason="No.")
    with nothing_happens(order), pytest.raises(NotAllowed):
        answer(move.pk, actor=client_user)
    answer(move.pk, actor=builder_user)
    with nothing_happens(order), pytest.raises(WrongState):
        answer(move.pk, actor=builder_user)


def test_nothing_to_answer_after_the_delivery(objected: DueMove, builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    deliver(order.pk, actor=builder_user, note="Done before.")
    with nothing_happens(order), pytest.raises(WrongState):
        actions.hold_to_date(objected.pk, actor=builder_user)


def test_a_date_that_has_passed_does_not_come_back(objected: DueMove, builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    assert order.due_at is not None
    with at(order.due_at), nothing_happens(order), pytest.raises(WrongState):
        actions.keep_date(objected.pk, actor=builder_user)


def test_not_going_settles_what_was_objected(objected: DueMove, builder_user: User, order: Order) -> None:
    actions.end_away(objected.span_id, actor=builder_user)
    assert (now_of(objected).status, now_of(order).due_at) == (M.KEPT, order.due_at)


def test_an_objection_is_not_lost_when_the_date_moves(objected: DueMove, builder_user: User, order: Order) -> None:
    actions.change_away(objected.span_id, actor=builder_user, plan=replace(WEEKEND, last_on=FRI))
    assert (now_of(objected).status, now_of(objected).moved) == (M.OBJECTED, DAY)


def test_a_still_later_date_may_be_objected_to_anew(objected: DueMove, builder_user: User, client_user: User, order: Order) -> None:
    actions.hold_to_date(objected.pk, actor=builder_user)
    actions.change_away(objected.span_id, actor=builder_user, plan=replace(WEEKEND, last_on=WEEKEND.last_on + DAY))
    assert now_of(objected).status == M.TOLD
    assert actions.object_to_move(objected.pk, actor=client_user, reason="Now really.").status == M.OBJECTED


def test_silence_means_that_the_later_date_stays(
    objected: DueMove, builder_user: User, client_user: User, order: Order, nothing_happens: Quiet
) -> None:
    over = START + timedelta(hours=settings.OBJECTION_HOURS)
    with at(over - timedelta(seconds=1)), nothing_happens(order):
        assert jobs.lapse() == 0
        with pytest.raises(WrongState):
            actions.lapse_objection(objected.pk)
    with at(over):
        assert (jobs.lapse(), jobs.lapse()) == (1, 0)
        row = now_of(order)
        assert (now_of(objected).status, row.exit_until) == (M.STANDS, over + timedelta(hours=settings.EXIT_HOURS))
        told = Notification.objects.get(kind="away.settled", user=client_user)
        assert "did not answer" in told.title
        with pytest.raises(WrongState):
            actions.keep_date(objected.pk, actor=builder_user)
        assert cancel_order(order.pk, actor=client_user).cancel_cause == CancelCause.AWAY


def test_who_has_the_work_does_not_object(builder_user: User, client_user: User, order: Order, nothing_happens: Quiet) -> None:
    deliver(order.pk, actor=builder_user, note="Here it is.")
    request_revision(order.pk, actor=client_user, note="The search is still slow.")
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    with nothing_happens(order), pytest.raises(WrongState):
        actions.object_to_move(DueMove.objects.get().pk, actor=client_user, reason="Too late.")


def test_an_order_that_was_delivered_settles_nothing(objected: DueMove, builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    deliver(order.pk, actor=builder_user, note="Here it is.")
    with at(START + timedelta(hours=settings.OBJECTION_HOURS)), nothing_happens(order):
        assert jobs.lapse() == 0


@pytest.mark.parametrize("answered", [True, False])
def test_who_has_the_work_does_not_leave_with_the_money(
    objected: DueMove, builder_user: User, client_user: User, order: Order, answered: bool
) -> None:
    if answered:
        actions.hold_to_date(objected.pk, actor=builder_user)
    with at(START + DAY):
        deliver(order.pk, actor=builder_user, note="All five are fast now.")
        request_revision(order.pk, actor=client_user, note="The search is still slow.")
        with pytest.raises(WrongState):
            cancel_order(order.pk, actor=client_user)
    with at(START + timedelta(hours=settings.OBJECTION_HOURS + 1)):
        jobs.lapse()
        if not answered:
            with pytest.raises(WrongState):
                actions.lapse_objection(objected.pk)
            with pytest.raises(WrongState):
                actions.hold_to_date(objected.pk, actor=builder_user)
        with pytest.raises(WrongState):
            cancel_order(order.pk, actor=client_user)
    assert now_of(order).status == S.IN_REVISION
