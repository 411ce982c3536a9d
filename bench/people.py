"""Who goes on journeys under load: some of the people of `bench/crowd.py`, given a password, hours and a staff; made inside the site's Django."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from bench.world import PASSWORD
from consultations.actions import set_availability
from consultations.actions.availability import Terms
from consultations.models import CalendarLink, LinkStatus
from consultations.slots import Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.messaging.models import Conversation
from port444.orders.models import Order
from support.panels import PANELS
from support.queues import QUEUES
from support.roles import may


def people_of_load(*, count: int) -> dict[str, Any]:
    """So many of each kind, none of them twice: who they are, and where they go."""
    everybody = Builder.objects.filter(slug__startswith="builder-").select_related("user").order_by("pk")
    connected = CalendarLink.objects.exclude(status=LinkStatus.OFF).values("builder")  # to calendars that nobody answers for here
    selling, open_for = list(everybody.filter(pk__in=connected)[:count]), list(everybody.exclude(pk__in=connected)[:count])
    clients = list(User.objects.filter(email__startswith="c", email__endswith="@bench.example").order_by("pk")[: 2 * count])
    known = {*(user.pk for user in clients), *(builder.user_id for builder in [*selling, *open_for])}
    apart = Conversation.objects.exclude(client__in=known).exclude(builder__in=known).filter(builder__email__endswith="@bench.example")
    talks = list(apart.select_related("client", "builder").order_by("builder_id").distinct("builder_id")[:count])
    buyers, bookers = list(zip(clients, selling, strict=False)), list(zip(clients[count:], open_for, strict=False))
    agents = [User.objects.create_user(f"agent{number}@bench.example", name="Mara Tanaka", is_staff=True) for number in range(count // 10 + 1)]
    for agent in agents:
        agent.groups.set(Group.objects.filter(name__in=["Senior agent", "Security"]))
    let_in([*clients, *agents, *(builder.user for builder in selling), *(side for talk in talks for side in (talk.client, talk.builder))])
    for _, builder in bookers:
        open_for_calls(builder)
    monday = now().date() - timedelta(days=now().weekday())
    weeks = [(monday + timedelta(weeks=ahead)).isoformat() for ahead in (1, 5, 6, 7, 8)]  # between them everybody is away for a week
    services: dict[Any, list[str]] = {builder.pk: [] for _, builder in buyers}
    for service in Service.objects.filter(builder__in=services):
        services[service.builder_id].append(f"/s/{service.slug}/")
    looked_at = Order.objects.filter(client__in=known).select_related("client").order_by("client_id").distinct("client_id")[:count]
    return {
        "password": PASSWORD,
        "buyers": [{"client": client.email, "builder": builder.user.email, "services": services[builder.pk]} for client, builder in buyers],
        "bookers": [{"client": client.email, "builder": builder.slug, "weeks": weeks} for client, builder in bookers],
        "talkers": [{"client": talk.client.email, "builder": talk.builder.email, "thread": talk.get_absolute_url()} for talk in talks],
        "staff": [agent.email for agent in agents],
        "persons": [{"id": str(order.client_id), "email": order.client.email, "order": order.number} for order in looked_at],
        "queues": [queue.key for queue in QUEUES if not queue.url and may(agents[0], queue.permission)],
        "panels": [panel.key for panel in PANELS if may(agents[0], panel.permission)],
    }


def let_in(people: list[User]) -> None:
    """One password for all, made once, and an address that was confirmed."""
    User.objects.filter(pk__in=[user.pk for user in people]).update(password=make_password(PASSWORD))
    EmailAddress.objects.bulk_create(EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in people)


def open_for_calls(builder: Builder) -> None:
    windows, terms = [Window(day, 540, 1020) for day in range(5)], Terms("Europe/Amsterdam", 1, 90, 0)
    prices = {15: Decimal(35), 30: Decimal(60), 60: Decimal(110)}
    Builder.objects.filter(pk=builder.pk).update(meeting_url="https://meet.example/bench")
    set_availability(builder.pk, actor=builder.user, enabled=True, prices=prices, windows=windows, terms=terms)
