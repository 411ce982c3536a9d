"""Makes the demo happen: people sign up, talk, buy, deliver, call each other and withdraw, on a clock that is set back.

Everything goes through the actions, so the demo is always a state that can be reached. The same seed tells the same story; only
ids and the present moment differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from django.db import transaction

from port444.accounts.models import User
from port444.away.actions import plan_away, want_to_know
from port444.away.terms import Plan
from port444.builders.models import Builder
from port444.catalog.actions import count_sales_batch, pause_service, refresh_points_batch, refresh_services_batch
from port444.catalog.models import Service, ServiceDay, ServiceStatus
from port444.kit import clock
from port444.messaging.actions import mark_read, open_conversation
from port444.messaging.models import Conversation
from port444.notifications.actions import read_all
from port444.payments.models import Withdrawal

from . import calls, cases, cast, deals, finding, money, suspects
from .people import People
from .stage import DAY, Stage, Steps, play

MANY = 500


def tell(today: datetime, scale: int = 1) -> None:
    """Write the whole demo. `scale` more than 1 adds that many times the cast again, under numbered names, for load."""
    money.pay_out(today, *_tell(today, scale))


@transaction.atomic
def _tell(today: datetime, scale: int) -> tuple[User, Withdrawal, Withdrawal]:
    """All but what needs the detectors, which read what is committed. Gives a member of staff and what is to be paid out."""
    people = People(today)
    staff = [people.staff(name, email, groups) for name, email, groups in cast.STAFF_PEOPLE]
    sellers = [people.seller(seller, 120 + 3 * n) for n, seller in enumerate(cast.SELLERS)]
    buyers = [people.buyer(buyer, 100 + 2 * n) for n, buyer in enumerate(cast.BUYERS)]
    first, second = sellers[0], sellers[1]
    casts = [(sellers, buyers), *(people.numbered(copy) for copy in range(1, scale))]
    play(scene for copy, company in enumerate(casts) for scene in scenes(today, copy, *company))
    paid_out = money.withdraw(today, first)
    with clock.at(today - DAY):
        pause_service(sellers[-1].services.get().pk, actor=sellers[-1].user)
    cases.plans(today, {user.email: user for user in staff}, buyers)
    ring = [people.person(name, zone, "", today - days * DAY, is_client=False, is_builder=True) for name, zone, days in cast.RING]
    suspects.suspect(today, ring, [seller.user for seller in sellers], staff)
    look(today, [buyers[0], first.user])
    look_around(today)
    people.neighbours()
    with clock.at(today):
        leave(sellers[5], 0, 5, "On the west coast with a kayak and no signal. I read everything when I am back.")
        want_to_know(sellers[5].pk, actor=buyers[0])
        leave(second, 6, 9, "Four days at a conference. Running work waits for me, and so does your message.")
        finding.show(today, sellers, buyers[0])
        for batch in (count_sales_batch, refresh_points_batch, refresh_services_batch):
            while batch(today, MANY):
                pass
    return staff[0], *paid_out


def scenes(today: datetime, copy: int, sellers: Sequence[Builder], buyers: Sequence[User]) -> Iterator[Steps[object]]:
    """Orders in every state and calls in every state, between all of them; disputes only in the first copy of the cast."""
    stages = (Stage(today, Random(f"444 {copy} {number}")) for number in count())
    yield from deals.scenes(stages, Random(444), sellers, buyers)
    yield from calls.scenes(stages, sellers, buyers)
    if copy == 0:
        yield from cases.scenes(stages, sellers, buyers)
        yield question(next(stages), buyers[0], sellers[1])


def question(stage: Stage, client: User, builder: Builder) -> Steps[None]:
    """Somebody writes who has not ordered, and has no answer."""
    yield stage.today - DAY
    conversation = open_conversation(client, builder.user, actor=client)
    deals.say(conversation.pk, client, "Do you also build the server side, or only the app?")


def look(today: datetime, people: Sequence[User]) -> None:
    """The demo accounts have seen what is older than two days; a bell that says 77 is no welcome."""
    seen = today - 2 * DAY
    for person in people:
        with clock.at(seen):
            for conversation in Conversation.objects.visible_to(person):
                mark_read(conversation.pk, actor=person, until=seen)
            read_all(actor=person, until=seen)


def look_around(today: datetime) -> None:
    """People have looked at every live service for three months, fewer at weekends, more of late."""
    chance, days = Random(444), []
    for service in Service.objects.filter(status=ServiceStatus.PUBLISHED).order_by("pk"):
        liked = chance.uniform(2, 9)
        for ago in range(1, 90):
            day = today.date() - timedelta(days=ago)
            visitors = int(chance.gauss(liked * (1.4 - ago / 120), 2) * (0.5 if day.weekday() >= 5 else 1))
            if visitors > 0:
                days.append(ServiceDay(service=service, day=day, visitors=visitors))
    ServiceDay.objects.bulk_create(days)


def leave(builder: Builder, first: int, last: int, message: str) -> None:
    """The builder goes away from the `first` to the `last` day from now, on their own calendar."""
    here = clock.now().astimezone(ZoneInfo(builder.user.time_zone)).date()
    plan_away(actor=builder.user, plan=Plan(here + first * DAY, here + last * DAY, message))
