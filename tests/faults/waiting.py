"""Something for every sweep that tells people: an order without answers, a talk at rest, a return that is near and one that is here."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from port444.accounts.models import User
from port444.away.models import ReturnAlert, Span
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import at
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation, Message
from port444.orders.actions import accept_delivery, answer_requirements, deliver, leave_review, place_order
from port444.payments.actions import pay_with_test_wallet

from .book import noon_zone

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
QUESTION = {"label": "What should it be called?", "kind": "text", "required": True, "options": []}


def wait_for_sweeps(tag: str, moment: datetime, *, clients: int = 1) -> None:
    """Everything of `tag` is due at `moment`: for each client a reminder, a hint, and the news of a return."""
    with at(moment - 9 * A_DAY):
        seller, talker, back, near = (sell(f"{role}-{tag}") for role in ("seller", "talker", "back", "near"))
        people = [User.objects.create_user(f"client{n}-{tag}@fault.example", name=f"Client {n} {tag}", time_zone=noon_zone()) for n in range(clients)]
    leave(back, moment - 5 * A_DAY, moment - timedelta(minutes=1))
    leave(near, moment - 5 * A_DAY, moment + 20 * AN_HOUR)
    began = moment - 30 * AN_HOUR
    for client in people:
        with at(moment - 25 * AN_HOUR):
            order = place_order(Package.objects.get(service__builder=seller).pk, actor=client, client_key=uuid4())
            assert order.invoice_id is not None
            pay_with_test_wallet(order.invoice_id, actor=client)
            talk = open_conversation(client, talker.user, actor=client)
        said = [Message(conversation=talk, author=(client, talker.user)[n % 2], body="And then?", created_at=began + n * AN_HOUR) for n in range(6)]
        Message.objects.bulk_create(said)
        Conversation.objects.filter(pk=talk.pk).update(rests_at=said[-1].created_at + A_DAY)
        ReturnAlert.objects.create(builder=back, user=client, created_at=moment - A_DAY)


def praise(client: User, slug: str, moment: datetime) -> None:
    """A review that only the client wrote, of an order that ended at `moment`."""
    with at(moment - A_DAY):
        builder = sell(slug)
        order = place_order(Package.objects.get(service__builder=builder).pk, actor=client, client_key=uuid4())
        assert order.invoice_id is not None
        pay_with_test_wallet(order.invoice_id, actor=client)
        answer_requirements(order.pk, actor=client, answers={1: "Boat"})
        deliver(order.pk, actor=builder.user, note="Done.")
    with at(moment):
        accept_delivery(order.pk, actor=client)
        leave_review(order.pk, actor=client, stars=4)


def sell(slug: str) -> Builder:
    """A builder with one package, who asks a question."""
    user = User.objects.create_user(f"{slug}@fault.example", name=slug.replace("-", " ").title(), is_builder=True, time_zone=noon_zone())
    builder = Builder.objects.create(user=user, slug=slug, headline="Fast pages")
    service = Service.objects.create(
        builder=builder,
        category=Category.objects.get_or_create(slug="work", defaults={"name": "Work"})[0],
        title="Fast pages",
        slug=slug,
        summary="Work.",
        description="Work.",
        questions=[QUESTION],
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal(100),
        least_days=3,
        published_at=user.created_at,
    )
    Package.objects.create(service=service, tier="basic", name="One", price=Decimal(100), delivery_days=3, revisions=1)
    return builder


def leave(builder: Builder, starts_at: datetime, ends_at: datetime) -> Span:
    """The builder is away from one moment to the other, which the builder's own row says as well."""
    builder.away_from, builder.away_until, builder.away_paused_at = starts_at, ends_at, starts_at
    builder.save()
    days = {"first_on": starts_at.date(), "last_on": ends_at.date(), "time_zone": builder.user.time_zone}
    return Span.objects.create(builder=builder, starts_at=starts_at, ends_at=ends_at, created_at=starts_at, **days)
