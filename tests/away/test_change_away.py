"""Saying something else, coming back sooner, not going at all: dates move by the difference, and who is not touched hears nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from port444.accounts.models import User
from port444.away import actions
from port444.away.models import DueMove, MoveStatus
from port444.away.terms import Plan
from port444.builders.models import Builder
from port444.kit.clock import at
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders.actions import start_clock, stop_clock
from port444.orders.models import Order, OrderStatus
from port444.payments import escrow
from port444.payments.escrow import Deal
from tests.orders.conftest import ANSWERS, MakeOrder

from .conftest import FRI, FRIDAY, MONDAY, SAT, START, SUN, WEEKEND, now_of, stored

S, M = OrderStatus, MoveStatus
DAY = timedelta(days=1)
Quiet = Callable[..., AbstractContextManager[None]]
SATURDAY_NOON = FRIDAY + 1.5 * DAY


def told() -> int:
    return Notification.objects.filter(kind="away.moved").count()


def test_a_shorter_absence_moves_dates_back_by_the_difference(builder_user: User, order: Order) -> None:
    before = order.due_at
    assert before is not None
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, last_on=FRI))
    assert now_of(order).due_at == before + DAY
    assert (DueMove.objects.get().moved, told()) == (DAY, 2)


def test_other_words_tell_nobody(builder_user: User, builder: Builder, order: Order) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    notices = Message.objects.count()
    actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, message="At the sea."))
    assert (stored(builder).away_message, told(), Message.objects.count()) == ("At the sea.", 1, notices)


def test_the_same_again_writes_nothing(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with nothing_happens(order):
        actions.change_away(span.pk, actor=builder_user, plan=WEEKEND)


def test_what_has_begun_keeps_its_first_day(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with at(SATURDAY_NOON):
        with nothing_happens(order), pytest.raises(Invalid):
            actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, first_on=SAT))
        longer = actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, last_on=date(2026, 11, 30)))
    assert (longer.starts_at, longer.ends_at) == (FRIDAY, MONDAY + DAY)


def test_another_last_day_is_reminded_of_again(builder_user: User) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    type(span).objects.filter(pk=span.pk).update(reminded_at=START)
    changed = actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, last_on=SAT))
    assert changed.reminded_at is None


def test_not_going_puts_everything_back(builder_user: User, builder: Builder, order: Order) -> None:
    before = order.due_at
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with at(START + DAY):
        ended = actions.end_away(span.pk, actor=builder_user)
    row = stored(builder)
    assert (now_of(order).due_at, ended.cancelled_at, ended.returned_at) == (before, START + DAY, None)
    assert (row.away_from, row.away_until, row.away_paused_at, row.away_message) == (None, None, None, "")
    assert (DueMove.objects.get().status, DueMove.objects.get().moved) == (M.KEPT, timedelta(0))
    assert Notification.objects.filter(kind="away.moved").latest("created_at").body.startswith("Anaya will not be away.")


def test_coming_back_sooner_gives_back_what_is_left(builder_user: User, builder: Builder, order: Order) -> None:
    before = order.due_at
    assert before is not None
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with at(SATURDAY_NOON):
        ended = actions.end_away(span.pk, actor=builder_user)
        assert not stored(builder).is_away
    assert now_of(order).due_at == before + 1.5 * DAY
    assert (ended.ends_at, ended.returned_at, stored(builder).away_until) == (SATURDAY_NOON,) * 3


def test_nobody_comes_back_twice(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with at(SATURDAY_NOON):
        actions.end_away(span.pk, actor=builder_user)
        with nothing_happens(order), pytest.raises(WrongState):
            actions.end_away(span.pk, actor=builder_user)
        with nothing_happens(order), pytest.raises(WrongState):
            actions.change_away(span.pk, actor=builder_user, plan=WEEKEND)
        actions.plan_away(actor=builder_user, plan=Plan(SAT, SUN))  # away again on the same day
    with at(MONDAY), nothing_happens(order), pytest.raises(WrongState):
        actions.end_away(span.pk, actor=builder_user)


def test_only_the_builder_of_the_span(builder_user: User, stranger: User, client_user: User, order: Order, nothing_happens: Quiet) -> None:
    Builder.objects.create(user=stranger, slug="sam", headline="Also here")
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    for other in (stranger, client_user):
        with nothing_happens(order), pytest.raises(NotAllowed):
            actions.end_away(span.pk, actor=other)
        with nothing_happens(order), pytest.raises(NotAllowed):
            actions.change_away(span.pk, actor=other, plan=WEEKEND)


def test_work_that_begins_meanwhile_counts_the_days_by_itself(builder_user: User, make_order: MakeOrder) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    order = make_order(S.IN_PROGRESS)
    assert order.due_at == START + 10 * DAY
    assert not DueMove.objects.exists()
    with at(SATURDAY_NOON):
        actions.end_away(span.pk, actor=builder_user)
    assert now_of(order).due_at == START + 8.5 * DAY
    assert DueMove.objects.get().moved == -1.5 * DAY


def test_a_kept_date_stays_whatever_happens_to_the_span(builder_user: User, order: Order) -> None:
    before, keep = order.due_at, frozenset({order.pk})
    span = actions.plan_away(actor=builder_user, plan=replace(WEEKEND, keep=keep))
    actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, last_on=SAT, keep=keep))
    with at(SATURDAY_NOON):
        actions.end_away(span.pk, actor=builder_user)
    assert (now_of(order).due_at, told()) == (before, 0)


def test_a_date_that_was_kept_may_move_after_all(builder_user: User, order: Order) -> None:
    before = order.due_at
    assert before is not None
    span = actions.plan_away(actor=builder_user, plan=replace(WEEKEND, keep=frozenset({order.pk})))
    actions.change_away(span.pk, actor=builder_user, plan=WEEKEND)
    assert (now_of(order).due_at, told()) == (before + 3 * DAY, 1)


def test_a_clock_that_stands_meanwhile_counts_no_day_twice(builder_user: User, order: Order) -> None:
    """From Thursday until Monday a change waits, and from Friday to Sunday the builder is away: four days and a half, not seven."""
    from_, until = FRIDAY - 12 * timedelta(hours=1), MONDAY + DAY
    before = order.due_at
    assert before is not None
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    _clock(order, "stop", from_)
    _clock(order, "start", until)
    assert now_of(order).due_at == before + (until - from_)


def _clock(order: Order, what: str, moment: datetime) -> None:
    with at(moment), transaction.atomic():
        (stop_clock if what == "stop" else start_clock)(Order.objects.lock(order.pk))


def test_a_second_absence_while_the_clock_stands(builder_user: User, order: Order) -> None:
    """The first one is over and in the date; the second one does not make it forgotten."""
    before = order.due_at
    assert before is not None
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    stopped = FRIDAY + DAY
    _clock(order, "stop", stopped)
    with at(MONDAY + DAY / 2):
        actions.plan_away(actor=builder_user, plan=Plan(date(2026, 12, 2), date(2026, 12, 2)))
    _clock(order, "start", MONDAY + DAY)
    # A day away before the clock stopped, three days in which it stood, and the second absence.
    assert now_of(order).due_at == before + DAY + 3 * DAY + DAY


def test_escrow_is_asked_when_the_date_comes_near(builder_user: User, order: Order) -> None:
    def expiry() -> Any:
        return escrow.current().position(Deal("order", order.pk, order.client_id, builder_user.pk)).expiry

    known = expiry()
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    assert expiry() == known  # three days are what the weeks to spare are for
    actions.change_away(span.pk, actor=builder_user, plan=replace(WEEKEND, last_on=date(2027, 3, 31)))
    row = now_of(order)
    assert expiry() is not None
    assert expiry() >= row.due_at + timedelta(days=60)


LONG = Plan(date(2026, 12, 1), date(2027, 4, 30), "Five months of leave.")


def _expiry(order: Order) -> datetime:
    found = escrow.current().position(Deal("order", order.pk, order.client_id, order.builder.user_id)).expiry
    assert found is not None
    return found


@pytest.mark.parametrize("planned", ["before the payment", "after the payment"])
def test_money_stays_in_escrow_while_work_that_begins_before_a_long_time_away_is_not_due(
    builder_user: User, client_user: User, make_order: MakeOrder, planned: str
) -> None:
    if planned == "before the payment":
        actions.plan_away(actor=builder_user, plan=LONG)
    order = make_order(S.PENDING_REQUIREMENTS)
    if planned == "after the payment":
        actions.plan_away(actor=builder_user, plan=LONG)
    orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    due_at = now_of(order).due_at
    assert due_at > datetime(2027, 5, 1, tzinfo=UTC)
    assert _expiry(order) >= due_at + timedelta(days=30)


def test_money_stays_in_escrow_through_a_revision_of_a_builder_who_goes_away(builder_user: User, client_user: User, make_order: MakeOrder) -> None:
    order = make_order(S.DELIVERED)
    with at(START + timedelta(days=6, hours=18)):  # the due date has passed, and the days away begin within the two days
        Order.objects.filter(pk=order.pk).update(due_at=START + timedelta(days=5))
        actions.plan_away(actor=builder_user, plan=LONG)
        orders.request_revision(order.pk, actor=client_user, note="The search is still slow.")
    due_at = now_of(order).due_at
    assert due_at > datetime(2027, 4, 30, tzinfo=UTC)
    assert _expiry(order) >= due_at + timedelta(days=30)
