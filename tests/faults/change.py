"""Run inside the site by `manage.py shell`: an order on a chain with a change proposed, and the client's press on "Approve and pay"."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from uuid import uuid5

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import Amendment, AmendmentType
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments import actions as payments
from port444.payments.providers.sandbox import Decision

from .book import noon_zone

BUILDER = "anaya@fault.example"
PRICE, MORE = Decimal("100.00"), Decimal("25.50")


def prepare() -> None:
    """A builder with a package that asks nothing."""
    user = User.objects.create_user(BUILDER, name="Anaya Krishnan", is_builder=True, time_zone=noon_zone())
    builder = Builder.objects.create(user=user, slug="anaya", headline="Fast pages")
    service = Service.objects.create(
        builder=builder,
        category=Category.objects.create(name="Work", slug="work"),
        title="Fast pages",
        slug="fast-pages",
        summary="Work.",
        description="Work.",
        status=ServiceStatus.PUBLISHED,
        from_price=PRICE,
        least_days=3,
        published_at=now(),
    )
    Package.objects.create(service=service, tier="basic", name="One", price=PRICE, delivery_days=3, revisions=1)


def order(name: str) -> None:
    """A client of that name has paid an order; its money waits for the chain."""
    client = User.objects.create_user(f"{name.lower()}@fault.example", name=name, time_zone=noon_zone())
    placed = orders.place_order(Package.objects.get().pk, actor=client, client_key=uuid5(client.pk, "order"))
    assert placed.invoice_id is not None
    payments.pay_with_test_wallet(placed.invoice_id, actor=client)


def propose(name: str) -> None:
    """The builder proposes more work for more money."""
    placed = Order.objects.with_people().get(client__email=f"{name.lower()}@fault.example")
    terms = Terms(AmendmentType.SCOPE_CHANGE, "More pages.", "Two more.", MORE, 2)
    amendments.propose(placed.pk, actor=placed.builder.user, client_key=uuid5(placed.pk, "change"), terms=terms)


def approve(name: str) -> None:
    """The client approves and pays; again is what somebody does whose press seemed to be lost."""
    change = Amendment.objects.with_people().get(order__client__email=f"{name.lower()}@fault.example")
    client = change.order.client
    with suppress(Conflict):  # what a page says to a press that had arrived after all
        change = amendments.approve(change.pk, actor=client)
    assert change.invoice_id is not None
    with suppress(Conflict):
        payment = payments.reach_provider(payments.start_payment(change.invoice_id, actor=client).pk)
        payments.answer_wallet(payment.pk, actor=client, decision=Decision.APPROVE)
