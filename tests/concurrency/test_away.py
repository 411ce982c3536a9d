"""Somebody goes away at the moment at which an order of theirs begins, on a real PostgreSQL: the days away count once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.away import actions
from port444.away.actions import moves, planning
from port444.away.models import DueMove, Span
from port444.away.terms import Plan
from port444.catalog.models import Category, Package
from port444.kit.clock import at
from port444.orders.actions import accept_delivery, deliver, place_order, request_revision
from port444.orders.models import Order
from port444.payments.actions import pay_with_test_wallet

from .test_booking import rush
from .test_money import sell

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = MOMENT.date()
DAY = timedelta(days=1)
PLAN = Plan(TODAY, TODAY + 2 * DAY)  # until Thursday begins
THURSDAY = datetime(2026, 3, 5, tzinfo=UTC)
ROUNDS = 4


@pytest.fixture
def package() -> Package:
    return sell("seller", Category.objects.create(slug="race", name="Race"))


@pytest.fixture
def client() -> User:
    return User.objects.create_user("client@example.com", name="Client")


def then(wish: Callable[[], Any]) -> Callable[[], Any]:
    """At the same moment on each thread's clock, too."""

    def act() -> Any:
        with at(MOMENT):
            return wish()

    return act


def test_an_order_that_is_paid_meanwhile_counts_the_days_once(package: Package, client: User) -> None:
    builder = package.service.builder.user
    for _ in range(ROUNDS):
        with at(MOMENT):
            order = place_order(package.pk, actor=client, client_key=uuid4())
        said = rush(
            [
                then(lambda invoice=order.invoice_id: pay_with_test_wallet(invoice, actor=client)),  # type: ignore[misc]
                then(lambda: actions.plan_away(actor=builder, plan=PLAN)),
            ]
        )
        assert said == ["won", "won"]
        assert Order.objects.get(pk=order.pk).due_at == THURSDAY + DAY
        with at(MOMENT):
            actions.end_away(Span.objects.filter(cancelled_at__isnull=True).latest("created_at").pk, actor=builder)
            deliver(order.pk, actor=builder, note="Done.")
            accept_delivery(order.pk, actor=client)


def test_an_order_that_is_paid_between_two_steps(package: Package, client: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The payment comes when the builder's orders have been read and nothing is written yet: it waits, and then knows the span."""
    builder = package.service.builder.user
    with at(MOMENT):
        order = place_order(package.pk, actor=client, client_key=uuid4())
    read, paid = threading.Event(), threading.Event()
    real = moves.settle_past

    def settle(*args: Any) -> Any:
        read.set()
        paid.wait(2)  # unless the lock keeps it from being paid in between
        return real(*args)

    def pay() -> None:
        read.wait(30)
        pay_with_test_wallet(order.invoice_id, actor=client)  # type: ignore[arg-type]
        paid.set()

    monkeypatch.setattr(planning, "settle_past", settle)
    assert rush([then(pay), then(lambda: actions.plan_away(actor=builder, plan=PLAN))]) == ["won", "won"]
    assert Order.objects.get(pk=order.pk).due_at == THURSDAY + DAY


def test_changes_that_are_asked_for_meanwhile_count_them_once(package: Package, client: User) -> None:
    builder = package.service.builder.user
    for _ in range(ROUNDS):
        with at(MOMENT):
            order = place_order(package.pk, actor=client, client_key=uuid4())
            pay_with_test_wallet(order.invoice_id, actor=client)  # type: ignore[arg-type]
            deliver(order.pk, actor=builder, note="Done.")
        said = rush(
            [
                then(lambda pk=order.pk: request_revision(pk, actor=client, note="Blue.")),  # type: ignore[misc]
                then(lambda: actions.plan_away(actor=builder, plan=PLAN)),
            ]
        )
        assert said == ["won", "won"]
        assert Order.objects.get(pk=order.pk).due_at == THURSDAY + 2 * DAY
        with at(MOMENT):
            actions.end_away(Span.objects.filter(cancelled_at__isnull=True).latest("created_at").pk, actor=builder)
            deliver(order.pk, actor=builder, note="Done again.")
            accept_delivery(order.pk, actor=client)


def test_two_pages_of_one_builder(package: Package, client: User) -> None:
    """The same plan from two pages is one span; two answers to one objection are one."""
    builder = package.service.builder.user
    with at(MOMENT):
        order = place_order(package.pk, actor=client, client_key=uuid4())
        pay_with_test_wallet(order.invoice_id, actor=client)  # type: ignore[arg-type]
        due = Order.objects.get(pk=order.pk).due_at
    assert due is not None
    assert rush([then(lambda: actions.plan_away(actor=builder, plan=PLAN))] * 3) == ["won"] * 3
    assert Span.objects.count() == 1
    move = DueMove.objects.get()
    assert Order.objects.get(pk=order.pk).due_at == due + move.moved == THURSDAY + DAY
    with at(MOMENT):
        actions.object_to_move(move.pk, actor=client, reason="No.")
    said = rush([then(lambda: actions.keep_date(move.pk, actor=builder)), then(lambda: actions.hold_to_date(move.pk, actor=builder))])
    assert sorted(said) == ["move_settled", "won"]
    row = Order.objects.get(pk=order.pk)
    assert (row.due_at == due) == (row.exit_until is None)


def test_coming_back_and_objecting_at_once(package: Package, client: User) -> None:
    """Nobody waits for the other in a circle, and the date is back either way."""
    builder = package.service.builder.user
    with at(MOMENT):
        order = place_order(package.pk, actor=client, client_key=uuid4())
        pay_with_test_wallet(order.invoice_id, actor=client)  # type: ignore[arg-type]
        due = Order.objects.get(pk=order.pk).due_at
    for _ in range(ROUNDS):
        with at(MOMENT):
            span = actions.plan_away(actor=builder, plan=PLAN)
        move = DueMove.objects.get(span=span)
        said = rush(
            [
                then(lambda pk=move.pk: actions.object_to_move(pk, actor=client, reason="No.")),  # type: ignore[misc]
                then(lambda pk=span.pk: actions.end_away(pk, actor=builder)),  # type: ignore[misc]
            ]
        )
        assert said[1] == "won"
        assert said[0] in ("won", "move_settled")
        assert Order.objects.get(pk=order.pk).due_at == due
        move.refresh_from_db()
        assert move.status == "kept"
