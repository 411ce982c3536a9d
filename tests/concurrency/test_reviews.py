"""Both sides review at one moment, several sweeps publish at one moment, and a worker dies in one: sums move once, both are told once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders import jobs
from port444.orders.models import BLIND, Order, Review
from port444.payments.actions import pay_with_test_wallet
from tests.orders.conftest import ANSWERS, package, service

from .test_booking import rush

__all__ = ["package", "service"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


def completed(client: User, builder: User, package: Package) -> Order:
    order = orders.place_order(package.pk, actor=client, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client)
    orders.answer_requirements(order.pk, actor=client, answers=ANSWERS)
    orders.deliver(order.pk, actor=builder, note="Done.")
    return orders.accept_delivery(order.pk, actor=client)


def counted() -> tuple[int, int, int, int]:
    builder = Builder.objects.get()
    service = builder.services.get()
    return builder.rating_sum, builder.rating_count, service.rating_sum, service.rating_count


def told() -> int:
    return Notification.objects.filter(kind="order.reviews_shown").count()


def test_both_at_one_moment(client_user: User, builder_user: User, package: Package) -> None:
    order = completed(client_user, builder_user, package)
    both: list[Callable[[], Any]] = [partial(orders.leave_review, order.pk, actor=who, stars=4) for who in (client_user, builder_user, client_user)]
    outcomes = rush(both)
    assert outcomes.count("won") == 2, outcomes
    assert {*outcomes} <= {"won", "reviewed", "reviews_shown"}
    rows = Review.objects.filter(order=order)
    assert len({row.shown_at for row in rows}) == 1
    assert (rows.count(), rows.filter(counted_at__isnull=True).count(), counted(), told()) == (2, 0, (4, 1, 4, 1), 2)


def test_sweeps_at_one_moment_count_once(client_user: User, builder_user: User, package: Package) -> None:
    done = [completed(client_user, builder_user, package) for _ in range(3)]
    for order in done:
        orders.leave_review(order.pk, actor=client_user, stars=5)
    moment = max(order.completed_at for order in done if order.completed_at) + BLIND

    def sweep() -> int:
        with at(moment):
            return jobs.publish_reviews()

    rush([sweep] * 3)
    assert (counted(), told(), Review.objects.filter(counted_at__isnull=True).count()) == ((15, 3, 15, 3), 6, 0)
    assert sweep() == 0


def die(*args: Any) -> None:
    raise ConnectionError("the worker is dead")


def test_a_sweep_that_dies_has_done_nothing(client_user: User, builder_user: User, package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    order = completed(client_user, builder_user, package)
    orders.leave_review(order.pk, actor=client_user, stars=5)
    assert order.completed_at is not None
    with at(order.completed_at + BLIND):
        with monkeypatch.context() as patch:
            patch.setattr("port444.orders.actions.reviews.tell", die)
            assert jobs.publish_reviews() == 0
        assert (counted(), told()) == ((0, 0, 0, 0), 0)
        assert jobs.publish_reviews() == 1
        assert (counted(), told()) == ((5, 1, 5, 1), 2)
