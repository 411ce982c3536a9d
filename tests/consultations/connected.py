"""What tests of connected calendars share."""

from __future__ import annotations

from typing import Any

from django_q.models import OrmQ
from django_q.signing import SignedPackage

from consultations import jobs
from consultations.actions import connect_calendar
from consultations.calendars import Connection
from consultations.models import CalendarLink, LinkedCalendar
from port444.builders.models import Builder
from tests.fakes.calendar import FakeProvider


def connect(builder: Builder, provider: FakeProvider, key: str = "google") -> CalendarLink:
    connection = Connection(provider.name, {"token": "t0p-secret"}, provider.account.calendars)
    return connect_calendar(builder.pk, actor=builder.user, provider=key, connection=connection)


def main_calendar(link: CalendarLink) -> LinkedCalendar:
    return link.calendars.get(external_id="main")


def waiting(prefix: str = "consultations.jobs.") -> list[tuple[str, tuple[Any, ...]]]:
    """The jobs in the queue, in order."""
    tasks = [SignedPackage.loads(row.payload) for row in OrmQ.objects.order_by("pk")]
    return [(task["func"], tuple(task["args"])) for task in tasks if task["func"].startswith(prefix)]


CALENDAR_JOBS = ("sync_calendar", "write_copy", "fetch_room", "tend_channels", "close_link", "list_calendars")


def work() -> int:
    """Carry out what the queue holds about calendars, as the worker would; how much it was."""
    done = 0
    while True:
        rows = [(row, SignedPackage.loads(row.payload)) for row in OrmQ.objects.order_by("pk")]
        row, task = next(((row, task) for row, task in rows if task["func"].rpartition(".")[2] in CALENDAR_JOBS), (None, None))
        if row is None or task is None:
            return done
        row.delete()
        getattr(jobs, task["func"].rpartition(".")[2])(*task["args"])
        done += 1
