"""Several workers remind the same people at once, and clients answer under their hands."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.notifications.models import Delivery, Notification
from port444.orders import actions, jobs
from port444.orders.models import Nudge, NudgeKind, NudgeStatus, Order, OrderStatus
from port444.payments.actions import pay_with_test_wallet

from .test_booking import rush

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2027, 3, 10, 12, tzinfo=UTC)
DUE = NOON + timedelta(hours=25)
WORKERS, PEOPLE = 4, 6
QUESTION = {"label": "Which pages are slow?", "kind": "long", "required": True, "options": []}


@pytest.fixture
def package(builder: Builder) -> Package:
    category = Category.objects.create(slug="web-test", name="Web for tests")
    service = Service.objects.create(
        builder=builder,
        category=category,
        title="Make slow pages fast",
        slug="fast-pages",
        summary="Queries.",
        questions=[QUESTION],
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal("50.00"),
        least_days=7,
        published_at=NOON,
    )
    return Package.objects.create(service=service, tier="basic", name="One page", price=Decimal("50.00"), delivery_days=7, revisions=1)


def buy(package: Package, client: User) -> Order:
    with at(NOON):
        order = actions.place_order(package.pk, actor=client, client_key=uuid7())
        assert order.invoice_id is not None
        pay_with_test_wallet(order.invoice_id, actor=client)
    return order


def sweeper(moment: datetime) -> Callable[[], object]:
    def sweep() -> int:
        with at(moment):
            return jobs.send_nudges()

    return sweep


def test_each_is_told_once_and_nobody_more_than_a_day_may_bring(
    make_user: Callable[..., User], package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "NUDGES", 2)  # so that the reminders of one person fall to several workers
    people = [make_user(f"Client{number} Test", time_zone="UTC") for number in range(PEOPLE)]
    orders = [buy(package, person) for person in people for _ in range(5)]
    assert rush([sweeper(DUE)] * WORKERS) == ["won"] * WORKERS
    sweeper(DUE + timedelta(minutes=1))()  # what two workers have passed over for each other's sake
    rows = Nudge.objects.filter(kind=NudgeKind.ANSWERS_24H)
    told = Notification.objects.filter(kind__startswith="order.nudge")
    assert Counter(told.values_list("user", "kind")) <= Counter(
        {**{(person.pk, "order.nudge_answers"): 3 for person in people}, **{(person.pk, "order.nudges"): 1 for person in people}}
    )
    assert rows.filter(status=NudgeStatus.SENT).values("order").distinct().count() == rows.filter(status=NudgeStatus.SENT).count()
    held = rows.filter(status=NudgeStatus.PLANNED).values_list("why", flat=True)
    assert set(held) <= {"As many as a day may bring were sent"}
    assert rows.filter(status=NudgeStatus.SENT).count() + len(held) == len(orders)
    assert Delivery.objects.count() == Notification.objects.count()


def test_who_is_answering_just_now_is_passed_over(client_user: User, package: Package) -> None:
    order = buy(package, client_user)
    begun, swept = threading.Event(), threading.Event()

    def answer() -> None:
        try:
            with at(DUE), transaction.atomic():
                actions.answer_requirements(order.pk, actor=client_user, answers={1: "All of them."})
                begun.set()
                swept.wait(timeout=30)
        finally:
            connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    assert begun.wait(timeout=30)
    try:
        assert sweeper(DUE)() == 1
    finally:
        swept.set()
        thread.join(timeout=30)
    row = Nudge.objects.get(order=order, kind=NudgeKind.ANSWERS_24H)
    assert (row.status, row.due_at) == (NudgeStatus.PLANNED, DUE + timedelta(minutes=1))
    sweeper(DUE + timedelta(minutes=1))()
    row.refresh_from_db()
    assert (row.status, row.why) == (NudgeStatus.SKIPPED, "The order had moved on")
    assert not Notification.objects.filter(kind="order.nudge_answers").exists()


def test_answers_and_sweeps_at_once_leave_no_reminder_after_the_answer(make_user: Callable[..., User], package: Package) -> None:
    orders = [buy(package, make_user(f"Client{number} Test", time_zone="UTC")) for number in range(PEOPLE)]

    def answer(order: Order) -> Callable[[], object]:
        def act() -> object:
            with at(DUE):
                return actions.answer_requirements(order.pk, actor=order.client, answers={1: "All of them."})

        return act

    assert set(rush([sweeper(DUE)] * 2 + [answer(order) for order in orders])) == {"won"}
    sweeper(DUE + timedelta(minutes=1))()
    assert not Nudge.objects.due(DUE + timedelta(minutes=1)).exists()
    assert set(Order.objects.values_list("status", flat=True)) == {OrderStatus.IN_PROGRESS}
    sent = Nudge.objects.filter(status=NudgeStatus.SENT)
    assert Notification.objects.filter(kind="order.nudge_answers").count() == sent.count()
