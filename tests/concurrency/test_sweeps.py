"""Several workers run the sweeps that tell people at one moment, and a worker dies in one: everybody is told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils.module_loading import import_string

from auditlog.models import AuditLog
from port444.away.models import ReturnAlert, Span
from port444.catalog.models import PricePoint, Service
from port444.kit.clock import at, now
from port444.messaging.models import Conversation
from port444.notifications.models import Delivery, Notification
from port444.orders.actions import cancel_order
from port444.orders.models import Nudge, Order, Suggestion
from tests.faults.waiting import wait_for_sweeps

from .test_booking import rush

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, CLIENTS = 3, 5
JOBS = [
    "port444.orders.jobs.send_nudges",
    "port444.orders.jobs.suggest_offers",
    "port444.away.jobs.remind",
    "port444.away.jobs.welcome",
    "port444.catalog.jobs.refresh_points",
    "port444.catalog.jobs.refresh_services",
]
BATCHES = [
    "port444.orders.actions.send_nudges_batch",
    "port444.orders.actions.suggest_batch",
    "port444.away.actions.remind_batch",
    "port444.away.actions.welcome_batch",
    "port444.away.actions.tell_batch",
    "port444.catalog.actions.count_sales_batch",
    "port444.catalog.actions.refresh_points_batch",
    "port444.catalog.actions.refresh_services_batch",
]
TOLD = {"order.nudge_answers": CLIENTS, "away.near": 1, "away.back": 1, "away.returned": CLIENTS}


@pytest.fixture
def moment() -> Any:
    moment = now()
    wait_for_sweeps("crowd", moment, clients=CLIENTS)
    return moment


def told() -> Counter[str]:
    return Counter(Notification.objects.filter(kind__in=TOLD).values_list("kind", flat=True))


def run(path: str, moment: Any) -> Callable[[], object]:
    def sweep() -> int:
        with at(moment):
            done: int = import_string(path)()
        return done

    return sweep


def test_each_is_told_once_however_many_workers_sweep(moment: Any) -> None:
    assert rush([run(path, moment) for path in JOBS for _ in range(WORKERS)]) == ["won"] * WORKERS * len(JOBS)
    later = moment + timedelta(minutes=2)  # what two workers have passed over for each other's sake
    for path in [*JOBS, *JOBS]:
        run(path, later)()
    assert told() == TOLD
    mails = Counter(Delivery.objects.filter(notification__kind__in=TOLD).values_list("notification__user", "notification__kind", "channel"))
    assert (len(mails), set(mails.values())) == (sum(TOLD.values()), {1})
    assert Counter(Nudge.objects.filter(kind="answers_24h").values_list("status", flat=True)) == {"sent": CLIENTS}
    assert Suggestion.objects.count() == CLIENTS
    assert AuditLog.objects.filter(event_type="offer.suggested", target_id__in=Suggestion.objects.values("pk")).count() == CLIENTS
    assert not Conversation.objects.filter(rests_at__lte=later).exists()
    assert not ReturnAlert.objects.filter(told_at=None).exists()
    assert not Span.objects.filter(reminded_at=None).exists()
    assert Span.objects.filter(welcomed_at=None).count() == 1
    assert [point.sales for point in PricePoint.objects.all()] == [CLIENTS]


def standing() -> dict[str, object]:
    """Everything that a sweep could have written."""
    tables: list[Any] = [Notification, Delivery, Nudge, Suggestion, Span, ReturnAlert, PricePoint, Service]
    rows: dict[str, object] = {table.__name__: list(table.objects.order_by("pk").values()) for table in tables}
    rows["talks"] = list(Conversation.objects.order_by("pk").values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM django_q_ormq), (SELECT count(*) FROM audit_log)")
        rows["queue and log"] = cursor.fetchone()
    return rows


class Died(BaseException):
    """The worker is gone; no handler of the sweep may see to it."""


def die_in(path: str, moment: Any) -> None:
    with at(moment), transaction.atomic():
        assert import_string(path)(moment, 200)
        raise Died


def test_a_batch_that_dies_before_its_commit_has_told_nobody(moment: Any) -> None:
    for path in BATCHES:
        before = standing()
        with pytest.raises(Died):
            die_in(path, moment)
        assert standing() == before, path
        with at(moment):
            assert import_string(path)(moment, 200), path
        assert standing() != before, path
    assert told() == TOLD


def test_an_order_that_ends_meanwhile_is_reminded_before_or_not_at_all(moment: Any) -> None:
    orders = list(Order.objects.with_people())

    def cancel(order: Order) -> Callable[[], object]:
        def act() -> object:
            with at(moment):
                return cancel_order(order.pk, actor=order.client)

        return act

    assert set(rush([run(JOBS[0], moment)] * WORKERS + [cancel(order) for order in orders])) == {"won"}
    run(JOBS[0], moment + timedelta(minutes=2))()
    assert not Nudge.objects.due(moment).exists()
    sent = set(Nudge.objects.filter(status="sent").values_list("recipient", flat=True))
    reminded = Counter(Notification.objects.filter(kind="order.nudge_answers").values_list("user", flat=True))
    assert (set(reminded), set(reminded.values()) - {1}) == (sent, set())
