"""Whatever is planned, changed and ended in whatever order, and whenever the clock stands: a date is later by the days away and by
nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from port444.accounts.models import User
from port444.away import actions
from port444.away.queries import preview, standing_of
from port444.away.terms import ONE_DAY, Plan, bounds, today
from port444.builders.models import Builder
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.orders.actions import answer_requirements, place_order, start_clock, stop_clock
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import pay_with_test_wallet
from tests.orders.conftest import ANSWERS

from .conftest import START, stored

ZONE = "Asia/Kolkata"
NONE = timedelta(0)


@dataclass
class Model:
    """Work is done while nobody is away and the clock runs; it is due when all of it is done."""

    moment: datetime
    left: timedelta
    away: tuple[datetime, datetime] | None = None
    stands: bool = False

    def go_on(self, to: datetime) -> None:
        if not self.stands:
            self.left -= (to - self.moment) - self._overlap(to)
        self.moment = to

    def _overlap(self, to: datetime) -> timedelta:
        return max(NONE, min(to, self.away[1]) - max(self.moment, self.away[0])) if self.away else NONE

    @property
    def due(self) -> datetime:
        due = self.moment + self.left
        if self.away is None or self.left <= NONE:
            return due
        begin = max(self.moment, self.away[0])
        return due + (self.away[1] - begin) if begin < min(due, self.away[1]) else due


steps = st.lists(
    st.tuples(
        st.sampled_from(["plan", "change", "end", "stop", "start", "wait"]),
        st.integers(1, 40),  # hours that pass before
        st.integers(0, 5),  # days until the first day away
        st.integers(0, 6),  # days more than one
        st.booleans(),  # the clock stops, too
    ),
    min_size=1,
    max_size=9,
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_in_any_order_the_same_date(builder_user: User, client_user: User, package: object, steps: list[tuple[str, int, int, int, bool]]) -> None:
    with transaction.atomic():
        order = _order(client_user, package)
        assert order.due_at is not None
        model, counts = Model(START, order.due_at - START), True
        for kind, hours, ahead, more, stops in steps:
            model.go_on(model.moment + timedelta(hours=hours))
            with at(model.moment):
                if model.away is not None and model.away[1] <= model.moment:
                    model.away = None
                counts = _take(kind, builder_user, order, model, ahead, more, stops=stops, counts=counts)
                if model.left <= NONE:
                    break  # what is late is another matter
                row = Order.objects.with_people().get(pk=order.pk)
                found = row.due_resumed(model.moment)
                assert found == model.due
        transaction.set_rollback(True)


def _order(client: User, package: object) -> Order:
    order = place_order(package.pk, actor=client, client_key=uuid7())  # type: ignore[attr-defined]
    pay_with_test_wallet(order.invoice_id, actor=client)  # type: ignore[arg-type]
    return answer_requirements(order.pk, actor=client, answers=ANSWERS)


def _take(kind: str, user: User, order: Order, model: Model, ahead: int, more: int, *, stops: bool, counts: bool) -> bool:
    """Carry the step out, in the actions and in the model; gives whether a span that stands counts."""
    moment, builder = model.moment, stored(user.builder)
    builder.user = user
    span = standing_of(builder, moment)
    if kind in ("plan", "change") and (span is None) == (kind == "plan"):
        first = today(ZONE, moment) + ahead * ONE_DAY
        runs = span is not None and span.starts_at <= moment
        if span is not None and runs:
            first = span.first_on
        plan = Plan(first, max(first, today(ZONE, moment)) + more * ONE_DAY, stops_clock=stops)
        saved = actions.plan_away(actor=user, plan=plan) if span is None else actions.change_away(span.pk, actor=user, plan=plan)
        begin = saved.starts_at if runs else bounds(plan, ZONE, moment)[0]
        model.away = (begin, bounds(plan, ZONE, moment)[1]) if stops else None
    elif kind == "end" and span is not None:
        actions.end_away(span.pk, actor=user)
        model.away = None
    elif kind in ("stop", "start"):
        model.stands = kind == "stop"
        with transaction.atomic():
            locked = Order.objects.lock(order.pk)
            (stop_clock if model.stands else start_clock)(locked)
    return counts


@given(begun=st.integers(-200, 200), work=st.integers(1, 300), first=st.integers(0, 100), length=st.integers(1, 100))
def test_moved_by_exactly_the_overlap(begun: int, work: int, first: int, length: int) -> None:
    """Of the days away those count that lie after the work has begun, and only when it would not be done before them."""
    hour = timedelta(hours=1)
    a, b = START + first * hour, START + (first + length) * hour
    builder = Builder(away_from=a, away_until=b, away_paused_at=START)
    order = Order(builder=builder)
    moment = START + begun * hour
    due = order.due_for(moment, work * hour)
    done, now = NONE, moment
    while done < work * hour:  # hour by hour, as a person would count
        done += NONE if a <= now < b else hour
        now += hour
    assert due == now
    order.due_at = due
    assert order.work_left(moment) == work * hour


@pytest.mark.django_db
def test_the_preview_says_what_saving_does(builder_user: User, builder: Builder, order: Order) -> None:
    plan = Plan(today(ZONE, START) + 2 * ONE_DAY, today(ZONE, START) + 5 * ONE_DAY)
    seen = preview(builder, plan, START)
    [row] = seen.orders
    assert (row.before, seen.told) == (order.due_at, 1)
    actions.plan_away(actor=builder_user, plan=plan)
    assert Order.objects.get(pk=order.pk).due_at == row.after
    kept = preview(stored(builder), replace(plan, keep=frozenset({order.pk})), START)
    assert kept.orders[0].after == order.due_at
    assert OrderStatus(order.status) == OrderStatus.IN_PROGRESS
