"""An order in any state, reached through the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.messaging.models import Attachment, Message
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.models import Delivery, Order, OrderStatus, Review, Revision
from port444.payments import ledger
from port444.payments.actions import expire_invoice, pay_with_test_wallet
from port444.payments.models import EscrowOperation, JournalEntry, Refund

S = OrderStatus

QUESTIONS = [
    {"label": "Which pages are slow?", "kind": "long", "required": True, "options": []},
    {"label": "Which database?", "kind": "choice", "required": True, "options": ["PostgreSQL", "MySQL"]},
    {"label": "A dump of the schema", "kind": "file", "required": False, "options": []},
]
ANSWERS = {1: "The order list and the customer page.", 2: "PostgreSQL"}

MakeOrder = Callable[..., Order]
Quiet = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def service(builder: Builder) -> Service:
    moment = now()
    category = Category.objects.create(slug="web-test", name="Web for tests")
    return Service.objects.create(
        builder=builder,
        category=category,
        title="Make five slow Django pages fast",
        slug="fast-pages",
        summary="Queries, indexes, caching.",
        description="I measure, then I fix.",
        questions=QUESTIONS,
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal("180.00"),
        least_days=7,
        published_at=moment,
        created_at=moment,
    )


@pytest.fixture
def package(service: Service) -> Package:
    return Package.objects.create(
        service=service,
        tier="standard",
        name="Five pages",
        price=Decimal("180.00"),
        delivery_days=7,
        revisions=2,
        deliverables=["Five pages", "A report"],
    )


@pytest.fixture
def make_order(client_user: User, builder_user: User, package: Package) -> MakeOrder:
    """An order in the state that is asked for."""

    def make(status: str = S.PENDING_PAYMENT) -> Order:
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
        if status == S.PENDING_PAYMENT:
            return order
        if status == S.EXPIRED:
            with at(order.pay_until + timedelta(seconds=1)):
                expire_invoice(order.invoice_id)  # type: ignore[arg-type]
            return Order.objects.with_people().get(pk=order.pk)
        pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
        if status == S.CANCELLED:
            return actions.cancel_order(order.pk, actor=client_user)
        if status == S.FUNDING:  # as on a chain that has not confirmed yet
            Order.objects.filter(pk=order.pk).update(status=S.FUNDING, requirements_until=None)
            return Order.objects.with_people().get(pk=order.pk)
        if status != S.PENDING_REQUIREMENTS:
            actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
        if status in (S.DELIVERED, S.IN_REVISION, S.COMPLETED):
            actions.deliver(order.pk, actor=builder_user, note="All five are fast now.")
        if status == S.IN_REVISION:
            actions.request_revision(order.pk, actor=client_user, note="The search is still slow.")
        if status == S.COMPLETED:
            actions.accept_delivery(order.pk, actor=client_user)
        return Order.objects.with_people().get(pk=order.pk)

    return make


TABLES: list[Any] = [AuditLog, Message, Notification, OrmQ, EscrowOperation, JournalEntry, Refund, Delivery, Revision, Review, Attachment]


def traces(order: Order | None) -> dict[str, Any]:
    counts: dict[str, Any] = {table.__name__: table.objects.count() for table in TABLES}
    counts["orders"] = Order.objects.count()
    if order is not None:
        counts["row"] = Order.objects.filter(pk=order.pk).values().get()
        counts["answers"] = list(order.requirements.values("position", "answer"))
    return counts


@pytest.fixture
def nothing_happens() -> Callable[..., AbstractContextManager[None]]:
    """Asserts that the block writes nothing at all: no row of any kind, no job, no message."""

    @contextmanager
    def check(order: Order | None = None) -> Iterator[None]:
        before = traces(order)
        yield
        assert traces(order) == before

    return check


def earnings(user: User) -> Decimal:
    return ledger.balance("earnings", user.pk)
