"""What benchmarks need in a site's database, made inside its Django."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

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
    return f"{settings.SESSION_COOKIE_NAME}={_client(slug).cookies[settings.SESSION_COOKIE_NAME].value}"


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
