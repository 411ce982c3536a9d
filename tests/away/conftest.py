"""Orders of a builder who goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest

from port444.accounts.models import User
from port444.away.models import DueMove, ReturnAlert, Span
from port444.away.terms import Plan
from port444.builders.models import Builder
from port444.kit.clock import at
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder, make_order, package, service, traces

__all__ = ["make_order", "package", "service"]

S = OrderStatus
START = datetime(2026, 11, 24, 8, tzinfo=UTC)  # a Tuesday, 13:30 for the builder in Kolkata
FRI, SAT, SUN = date(2026, 11, 27), date(2026, 11, 28), date(2026, 11, 29)
WEEKEND = Plan(FRI, SUN, "At a wedding.")
FRIDAY = datetime(2026, 11, 26, 18, 30, tzinfo=UTC)  # when it begins in Kolkata
MONDAY = datetime(2026, 11, 29, 18, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """It is Tuesday unless a test says otherwise."""
    with at(START):
        yield


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    """In work since Tuesday, due the Tuesday after."""
    return make_order(S.IN_PROGRESS)


def now_of(row: Any) -> Any:
    """The row as it is stored."""
    rows = type(row).objects
    return (rows.with_people() if hasattr(rows, "with_people") else rows).get(pk=row.pk)


def stored(builder: Builder) -> Builder:
    return Builder.objects.get(pk=builder.pk)


@pytest.fixture
def nothing_happens(builder_user: User) -> Callable[..., AbstractContextManager[None]]:
    """Asserts that the block writes nothing at all."""

    @contextmanager
    def check(order: Order | None = None) -> Iterator[None]:
        before = (traces(order), all_rows())
        yield
        assert (traces(order), all_rows()) == before

    def all_rows() -> list[Any]:
        return [list(table.objects.order_by("pk").values()) for table in (Span, DueMove, ReturnAlert, Builder, Order)]

    return check
