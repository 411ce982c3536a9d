"""People with something in every state that a bad request could damage."""

from __future__ import annotations

from decimal import Decimal

import pytest

from consultations.actions import hold_slot, set_availability
from consultations.actions.availability import Terms
from consultations.queries import open_starts
from consultations.slots import DAY_MINUTES, Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments import actions as payments

from .asking import World

QUESTIONS = [
    {"label": "Which pages are slow?", "kind": "long", "required": True, "options": []},
    {"label": "Which database?", "kind": "choice", "required": True, "options": ["PostgreSQL", "MySQL"]},
    {"label": "A dump", "kind": "file", "required": False, "options": []},
]


@pytest.fixture
def world(client_user: User, builder: Builder, stranger: User) -> World:
    other = Builder.objects.create(user=stranger, slug="sam-stranger", headline="Also open")
    windows = [Window(day, 0, DAY_MINUTES) for day in range(7)]
    for one, prices in ((builder, {30: Decimal("60.00")}), (other, {15: Decimal("20.00")})):
        terms = Terms("Asia/Kolkata", 4, 30, 0)
        set_availability(one.pk, actor=one.user, enabled=True, prices=prices, windows=windows, terms=terms)
        one.refresh_from_db()
    category = Category.objects.create(slug="web-test", name="Web for tests")
    service = Service.objects.create(
        builder=builder,
        category=category,
        title="Fast pages",
        slug="fast-pages",
        summary="Queries.",
        description="I measure.",
        questions=QUESTIONS,
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal("180.00"),
        least_days=7,
        published_at=now(),
    )
    package = Package.objects.create(service=service, tier="basic", name="Five", price=Decimal("180.00"), delivery_days=7, revisions=2)

    def order(steps: int) -> Order:
        row = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
        assert row.invoice_id is not None
        payments.pay_with_test_wallet(row.invoice_id, actor=client_user)
        if steps > 0:
            orders.answer_requirements(row.pk, actor=client_user, answers={1: "All", 2: "MySQL"})
        if steps > 1:
            orders.deliver(row.pk, actor=builder.user, note="Done.")
        if steps > 2:
            orders.accept_delivery(row.pk, actor=client_user)
        return Order.objects.with_people().get(pk=row.pk)

    order(3)  # earnings to withdraw
    payments.change_payout_address("0x" + "ab" * 20, actor=builder.user)
    starts = open_starts(builder, client_id=client_user.pk, minutes=30, moment=now())
    call = hold_slot(builder.pk, actor=client_user, minutes=30, starts_at=starts[40], client_zone="UTC", client_key=uuid7())
    assert call.invoice_id is not None
    payments.pay_with_test_wallet(call.invoice_id, actor=client_user)
    unpaid = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert unpaid.invoice_id is not None
    payment = payments.reach_provider(payments.start_payment(unpaid.invoice_id, actor=client_user).pk)
    call.refresh_from_db()
    return World(client_user, builder, other, package, order(0), order(1), order(2), call, payment)
