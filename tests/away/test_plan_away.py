"""Planning to be away: what is written, whose dates move, who is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.away import actions
from port444.away.models import DueMove, MoveStatus, Span
from port444.away.terms import Plan
from port444.builders.models import Builder
from port444.kit.clock import at
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import FRI, FRIDAY, MONDAY, SAT, START, SUN, WEEKEND, now_of, stored

S = OrderStatus
THREE = timedelta(days=3)
Quiet = Callable[..., AbstractContextManager[None]]


def test_whole_days_in_the_zone_of_the_builder(builder_user: User, builder: Builder) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    assert (span.starts_at, span.ends_at, span.time_zone) == (FRIDAY, MONDAY, "Asia/Kolkata")
    row = stored(builder)
    assert (row.away_from, row.away_until, row.away_message, row.away_paused_at) == (FRIDAY, MONDAY, "At a wedding.", span.created_at)
    assert not row.is_away
    assert (row.is_away_at(FRIDAY - timedelta(seconds=1)), row.is_away_at(FRIDAY), row.is_away_at(MONDAY)) == (False, True, False)


def test_a_due_date_moves_by_the_days_away(builder_user: User, order: Order) -> None:
    before = order.due_at
    assert before is not None
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    assert now_of(order).due_at == before + THREE
    move = DueMove.objects.get()
    assert (move.span_id, move.order_id, move.before_at, move.moved, move.status) == (span.pk, order.pk, before, THREE, MoveStatus.TOLD)


def test_the_client_is_told_once_with_both_dates(builder_user: User, client_user: User, order: Order) -> None:
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    said = Notification.objects.get(kind="away.moved")
    assert said.user_id == client_user.pk
    assert "Tue 1 Dec, 09:00" in said.body
    assert "Fri 4 Dec, 09:00" in said.body
    notice = Message.objects.filter(icon="tree-palm").get()
    assert notice.body == f"Anaya is away 27 to 29 Nov (Kolkata). “At a wedding.” The due date of order {order.number} moves by 3 days."
    assert AuditLog.objects.filter(event_type="away.due_date_moved").count() == 1
    assert AuditLog.objects.filter(event_type="away.planned").count() == 1


def test_pressed_twice_it_is_one_span(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with nothing_happens(order):
        assert actions.plan_away(actor=builder_user, plan=WEEKEND).pk == span.pk


def test_another_one_beside_it_is_refused(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    with nothing_happens(order), pytest.raises(Conflict, match="planned to be away already"):
        actions.plan_away(actor=builder_user, plan=replace(WEEKEND, last_on=SAT))


def test_who_is_no_builder_cannot_be_away(client_user: User, nothing_happens: Quiet) -> None:
    with nothing_happens(), pytest.raises(NotAllowed):
        actions.plan_away(actor=client_user, plan=WEEKEND)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(SUN, FRI),
        Plan(date(2026, 11, 23), SUN),
        Plan(FRI, date(2027, 11, 26)),
        Plan(date(1, 1, 1), date(1, 1, 2)),
        Plan(FRI, date.max),
        replace(WEEKEND, message="x" * 301),
    ],
)
def test_days_that_do_not_fit_are_refused(builder_user: User, order: Order, nothing_happens: Quiet, plan: Plan) -> None:
    with nothing_happens(order), pytest.raises(Invalid):
        actions.plan_away(actor=builder_user, plan=plan)


def test_from_today_is_from_now(builder_user: User, builder: Builder) -> None:
    span = actions.plan_away(actor=builder_user, plan=Plan(date(2026, 11, 24), SUN))
    assert span.starts_at == START
    assert stored(builder).is_away


def test_a_date_before_the_days_away_is_not_touched(builder_user: User, order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(due_at=FRIDAY)
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    assert now_of(order).due_at == FRIDAY
    assert not DueMove.objects.exists()
    assert not Notification.objects.filter(kind="away.moved").exists()
    assert Message.objects.filter(icon="tree-palm").get().body.endswith(f"The due date of order {order.number} stays.")


def test_what_is_late_stays_late(builder_user: User, order: Order) -> None:
    late = START - timedelta(hours=1)
    Order.objects.filter(pk=order.pk).update(due_at=late)
    actions.plan_away(actor=builder_user, plan=Plan(date(2026, 11, 24), SUN))
    assert now_of(order).due_at == late


def test_a_kept_date_stays(builder_user: User, order: Order) -> None:
    before = order.due_at
    span = actions.plan_away(actor=builder_user, plan=replace(WEEKEND, keep=frozenset({order.pk})))
    row = now_of(order)
    assert (row.due_at, row.works_through) == (before, span.created_at)
    assert not DueMove.objects.exists()


def test_without_the_clock_no_date_moves(builder_user: User, order: Order) -> None:
    before = order.due_at
    actions.plan_away(actor=builder_user, plan=replace(WEEKEND, stops_clock=False))
    assert now_of(order).due_at == before


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.PENDING_REQUIREMENTS, S.COMPLETED, S.CANCELLED])
def test_orders_without_a_running_clock_keep_what_they_have(builder_user: User, make_order: MakeOrder, status: str) -> None:
    order = make_order(status)
    before = order.due_at
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    assert now_of(order).due_at == before
    assert not DueMove.objects.exists()


def test_the_date_of_what_is_delivered_moves_silently(builder_user: User, make_order: MakeOrder) -> None:
    """Should changes be asked for, their date starts from one that knows the days away."""
    order = make_order(S.DELIVERED)
    before = order.due_at
    assert before is not None
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    assert now_of(order).due_at == before + THREE
    assert not Notification.objects.filter(kind="away.moved").exists()


def test_midnight_that_does_not_come(make_user: Callable[..., User]) -> None:
    """In Cairo the clock goes from 24 April 2026, 00:00, straight to 01:00."""
    user = make_user("Nour Hassan", is_builder=True, time_zone="Africa/Cairo")
    Builder.objects.create(user=user, slug="nour", headline="Works")
    with at(datetime(2026, 4, 1, tzinfo=UTC)):
        span = actions.plan_away(actor=user, plan=Plan(date(2026, 4, 24), date(2026, 4, 24)))
    assert (span.starts_at, span.ends_at) == (datetime(2026, 4, 23, 22, tzinfo=UTC), datetime(2026, 4, 24, 21, tzinfo=UTC))
    assert Span.objects.count() == 1
