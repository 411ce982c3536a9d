"""What benchmarks need in a site's database, made inside its Django."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consultations.actions import set_availability
from consultations.actions.availability import Terms
from consultations.models import CalendarLink, CalendarProvider, ExternalEvent, LinkedCalendar
from consultations.slots import Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.messaging.actions import open_conversation, send_message

PASSWORD = "a password of the benchmark"
HALF_HOUR = timedelta(minutes=30)


def busy_builder(*, slug: str, busy: int, horizon: int = 90) -> str:
    """A builder with weekdays from nine to five, and so many busy times in a connected calendar."""
    user = User.objects.create_user(f"{slug}@bench.example", PASSWORD, name="Bea Bench", is_builder=True, time_zone="America/New_York")
    builder = Builder.objects.create(user=user, slug=slug, headline="Busy", meeting_url="https://meet.example/bench")
    set_availability(
        builder.pk,
        actor=user,
        enabled=True,
        prices={15: Decimal(35), 30: Decimal(60), 60: Decimal(110)},
        windows=[Window(day, 540, 1020) for day in range(5)],
        terms=Terms("America/New_York", 1, horizon, 0),
    )
    link = CalendarLink.objects.create(builder=builder, provider=CalendarProvider.CALDAV, account=slug)
    calendar = LinkedCalendar.objects.create(link=link, external_id=slug, name="Work", synced_at=now())
    random, midnight = Random(slug), datetime.combine(now().date(), datetime.min.time(), UTC)
    starts = [midnight + HALF_HOUR * random.randrange(horizon * 48) for _ in range(busy)]
    ExternalEvent.objects.bulk_create(
        ExternalEvent(calendar=calendar, builder=builder, external_id=str(n), starts_at=start, ends_at=start + HALF_HOUR * random.randint(1, 3))
        for n, start in enumerate(starts)
    )
    return slug


def cookie(*, slug: str) -> str:
    """The session of the builder, as a browser would send it."""
    return _session(User.objects.get(email=f"{slug}@bench.example"))


def queries(*, path: str, slug: str = "", headers: dict[str, str] | None = None) -> int:
    """How many queries one page takes; signed in as the builder `slug`."""
    client: Any = _client(slug) if slug else Client()
    client.get(path, headers=headers)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path, headers=headers).status_code == 200
    return len(captured)


def _client(slug: str) -> Client:
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(User.objects.get(email=f"{slug}@bench.example"))
    return client


def talks(*, count: int) -> list[tuple[str, str]]:
    """So many conversations of two people each: for each side its cookies and the address of the talk, the two of one talk one after the other."""
    made = []
    for number in range(count):
        people = [User.objects.create_user(f"talk{number}-{side}@bench.example", name=f"Side {side}", is_builder=side == "b") for side in "ab"]
        Builder.objects.create(user=people[1], slug=f"talk-{number}", headline="Talks")
        conversation = open_conversation(*people, actor=people[0])
        for turn in range(4):
            send_message(conversation.pk, actor=people[turn % 2], body=f"Line {turn}", client_key=uuid4())
        made += [(f"{_session(person)}; csrftoken={'b' * 32}", conversation.get_absolute_url()) for person in people]
    return made


def _session(user: User) -> str:
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
