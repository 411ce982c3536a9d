"""A builder's CalDAV calendar in use: connected, read, written, and changed outside, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from consultations import queries
from consultations.actions import cancel_call, connect_calendar, live_busy, sync_calendar, write_copy
from consultations.calendars import caldav
from consultations.models import CalendarEvent, CalendarLink, Consultation, EventStatus, ExternalEvent, LinkedCalendar, LinkStatus, Proposal
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from tests.consultations.conftest import MONDAY, TUESDAY_NINE
from tests.fakes.radicale import PASSWORD, Person, Radicale

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with Radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@dataclass
class Desk:
    person: Person
    url: str
    calendar: LinkedCalendar

    def read(self, minutes: int) -> bool:
        """Read the calendar some minutes into the morning."""
        with clock.at(MONDAY + timedelta(minutes=minutes)):
            return sync_calendar(self.calendar.pk)


@pytest.fixture
def desk(radicale: Radicale, open_builder: Builder, settings: Any) -> Desk:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    person = radicale.person()
    person.make("work")
    connection = caldav.connect(radicale.url, person.name, PASSWORD)
    link = connect_calendar(open_builder.pk, actor=open_builder.user, provider="caldav", connection=connection)
    calendar = link.calendars.get()
    return Desk(person, calendar.external_id, calendar)


@pytest.fixture
def written(desk: Desk, scheduled: Consultation) -> CalendarEvent:
    copy = CalendarEvent.objects.get(chain=scheduled.chain)
    assert write_copy(copy.pk)
    assert desk.read(1)
    copy.refresh_from_db()
    return copy


def test_what_is_busy_there_is_not_offered_here(desk: Desk, open_builder: Builder) -> None:
    def offered() -> bool:
        return TUESDAY_NINE in queries.open_starts(open_builder, client_id=None, minutes=30, moment=MONDAY)

    assert offered()
    name = desk.person.put(desk.url, "a.ics", "DTSTART:20261124T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY")
    assert name
    assert desk.read(1)
    assert not offered()
    first = ExternalEvent.objects.earliest("starts_at")
    assert (first.starts_at, first.external_id) == (TUESDAY_NINE, "a.ics#20261124T033000Z")  # on the clock of the builder's hours
    since = int(TUESDAY_NINE.timestamp())
    assert live_busy(open_builder, TUESDAY_NINE, TUESDAY_NINE + timedelta(hours=2)) == [(since, since + 3600)]
    desk.person.put(desk.url, "a.ics", "DTSTART:20261124T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\nEXDATE:20261124T090000")
    assert desk.read(11)
    assert offered()
    assert ExternalEvent.objects.count() > 3


def test_a_call_comes_into_the_calendar_and_goes_again(desk: Desk, written: CalendarEvent, client_user: User) -> None:
    assert desk.person.names(desk.url) == [f"{written.chain}.ics"]
    assert written.status == EventStatus.WRITTEN
    assert not ExternalEvent.objects.exists()  # our own entry is nobody else's event
    assert not Proposal.objects.exists()
    cancel_call(written.consultation_id, actor=client_user)
    assert write_copy(written.pk)
    assert desk.person.names(desk.url) == []
    assert desk.read(11)
    assert not Proposal.objects.exists()


def test_moving_it_there_proposes_another_time(desk: Desk, written: CalendarEvent, scheduled: Consultation) -> None:
    text = desk.person.get(desk.url, written.external_id)
    moved = text.replace("T040000Z", "T060000Z").replace("T033000Z", "T053000Z")
    assert moved != text
    desk.person.store(desk.url, written.external_id, moved)
    assert desk.read(11)
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.from_calendar, proposal.starts_at) == ("move", True, TUESDAY_NINE + timedelta(hours=2))
    scheduled.refresh_from_db()
    assert scheduled.scheduled_at == TUESDAY_NINE


def test_deleting_it_there_asks_before_anything_is_cancelled(desk: Desk, written: CalendarEvent, scheduled: Consultation) -> None:
    desk.person.delete(desk.url, written.external_id)
    assert desk.read(11)
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.from_calendar) == ("cancel", True)
    scheduled.refresh_from_db()
    assert scheduled.status == "scheduled"


def test_breaking_it_there_is_mended_and_cancels_nothing(desk: Desk, written: CalendarEvent) -> None:
    text = desk.person.get(desk.url, written.external_id)
    desk.person.store(desk.url, written.external_id, text.replace("STATUS:", f"X-FILE:{'x' * 600_000}\nSTATUS:"))
    assert desk.read(11)
    assert not Proposal.objects.exists()
    written.refresh_from_db()
    assert written.status == EventStatus.WANTED
    with clock.at(MONDAY + timedelta(minutes=12)):
        assert write_copy(written.pk)
    assert "X-FILE" not in desk.person.get(desk.url, written.external_id)


def test_a_password_that_stopped_working_breaks_the_link(desk: Desk) -> None:
    link = CalendarLink.objects.get()
    CalendarLink.objects.update(credentials={**link.credentials, "password": "changed since"})
    assert not desk.read(11)
    link.refresh_from_db()
    assert link.status == LinkStatus.BROKEN
