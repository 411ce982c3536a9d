"""Our copies of calls in a builder's calendar: one event for a chain, whatever fails or is killed on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consultations import actions, jobs
from consultations.actions import copies, reading
from consultations.calendars import Limited, NotConnected, Refused, Room, Unreachable, registry
from consultations.models import CalendarEvent, CalendarLink, Consultation, EventStatus, ExternalEvent, LinkStatus, MeetingProvider, Proposal
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import NotAllowed, WrongState
from port444.notifications.models import Notification
from tests.fakes.calendar import FakeProvider

from .conftest import MONDAY, TUESDAY_NINE, counts
from .connected import connect, main_calendar, waiting, work

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    fake = FakeProvider()
    monkeypatch.setitem(registry.MODULES, "consultations.calendars.google", fake)
    return fake


@pytest.fixture
def link(open_builder: Builder, provider: FakeProvider) -> CalendarLink:
    link = connect(open_builder, provider)
    work()
    return link


@pytest.fixture
def copy(link: CalendarLink, scheduled: Consultation) -> CalendarEvent:
    """Booked and not written yet."""
    return CalendarEvent.objects.get()


def fresh(copy: CalendarEvent) -> CalendarEvent:
    return CalendarEvent.objects.get(pk=copy.pk)


def test_copy_is_wanted_with_the_call(copy: CalendarEvent, scheduled: Consultation) -> None:
    assert (copy.status, copy.chain, copy.wanted, copy.written) == (EventStatus.WANTED, scheduled.chain, 0, -1)
    assert ("consultations.jobs.write_copy", (str(copy.pk),)) in waiting()


def test_writing_twice_makes_one_event(copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider) -> None:
    assert actions.write_copy(copy.pk) is True
    assert actions.write_copy(copy.pk) is False
    actions.want_copies(scheduled, MONDAY)
    assert actions.write_copy(copy.pk) is True
    assert len(provider.account.of(scheduled.chain)) == 1


def test_cancelled_call_leaves_the_calendar(copy: CalendarEvent, scheduled: Consultation, client_user: User, provider: FakeProvider) -> None:
    work()
    actions.cancel_call(scheduled.pk, actor=client_user, reason="")
    work()
    assert fresh(copy).status == EventStatus.REMOVED
    assert provider.account.of(scheduled.chain) == []
    actions.sync_calendar(copy.calendar_id)
    assert not Proposal.objects.exists()


def test_cancelled_before_it_was_written_is_never_written(
    copy: CalendarEvent, scheduled: Consultation, client_user: User, provider: FakeProvider
) -> None:
    actions.cancel_call(scheduled.pk, actor=client_user, reason="")
    assert fresh(copy).status == EventStatus.REMOVED
    work()
    assert "write" not in provider.account.asked


def test_call_that_took_place_stays(copy: CalendarEvent, scheduled: Consultation, builder_user: User, provider: FakeProvider) -> None:
    work()
    with clock.at(scheduled.scheduled_at + HOUR):
        actions.complete_call(scheduled.pk, actor=builder_user, notes="")
    work()
    assert fresh(copy).status == EventStatus.WRITTEN
    assert len(provider.account.of(scheduled.chain)) == 1


def test_changed_outside_is_written_over_with_what_was_agreed(copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider) -> None:
    work()
    provider.account.put(f"p444{scheduled.chain.hex}", TUESDAY_NINE + 5 * HOUR, TUESDAY_NINE + 6 * HOUR)
    actions.want_copies(scheduled, MONDAY)
    work()
    assert fresh(copy).status == EventStatus.WRITTEN
    assert [event.starts_at for event in provider.account.of(scheduled.chain)] == [TUESDAY_NINE]
    assert provider.account.asked.count("fetch") == 1


def test_wanted_anew_while_it_is_written(copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider) -> None:
    """The call is called off between the request and its answer: the event that was just made goes again."""

    def called_off(name: str) -> None:
        provider.account.after = lambda name: None
        actions.cancel_call(scheduled.pk, actor=scheduled.client, reason="")

    provider.account.after = called_off
    assert actions.write_copy(copy.pk) is False
    assert fresh(copy).status == EventStatus.UNWANTED
    work()
    assert fresh(copy).status == EventStatus.REMOVED
    assert provider.account.of(scheduled.chain) == []


def test_one_worker_at_a_time(copy: CalendarEvent, provider: FakeProvider) -> None:
    inner: list[bool] = []
    provider.account.before = lambda name: inner.append(actions.write_copy(copy.pk))
    assert actions.write_copy(copy.pk) is True
    assert inner == [False]


@pytest.mark.parametrize(("error", "minutes"), [(Unreachable("500"), 1), (Limited("429", 600), 10)], ids=["down", "limited"])
def test_failure_is_tried_again(error: Exception, minutes: int, copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider) -> None:
    provider.account.fail("write", error)
    assert actions.write_copy(copy.pk) is False
    row = fresh(copy)
    assert (row.status, row.lease_until, row.next_try_at) == (EventStatus.WANTED, None, MONDAY + timedelta(minutes=minutes))
    assert row.last_error.startswith("Google Calendar ")
    assert actions.write_copy(copy.pk) is False
    with clock.at(MONDAY + timedelta(minutes=minutes)):
        CalendarEvent.objects.update(queued_at=None)
        assert jobs.sweep_calendars() == 1
        work()
    assert fresh(copy).status == EventStatus.WRITTEN


def test_refused_for_good_is_told_once_and_can_be_retried(
    copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider, builder_user: User, stranger: User
) -> None:
    provider.account.fail("write", Refused("you may not write here"), Refused("you may not write here"))
    for _ in range(2):
        actions.write_copy(copy.pk)
    assert fresh(copy).status == EventStatus.FAILED
    assert Notification.objects.filter(user=builder_user, kind="calendar_copy_failed").count() == 1
    before = counts()
    with pytest.raises(NotAllowed):
        actions.retry_copy(copy.pk, actor=stranger)
    assert counts() == before
    actions.retry_copy(copy.pk, actor=builder_user)
    provider.account.errors.clear()
    work()
    assert fresh(copy).status == EventStatus.WRITTEN
    with pytest.raises(WrongState):
        actions.retry_copy(copy.pk, actor=builder_user)


def test_many_failures_end(copy: CalendarEvent, provider: FakeProvider, builder_user: User) -> None:
    provider.account.fail("write", *[Unreachable("500")] * 30)
    moment, tries = MONDAY, 0
    while fresh(copy).status == EventStatus.WANTED:
        moment = max(moment, fresh(copy).next_try_at)
        with clock.at(moment):
            actions.write_copy(copy.pk)
        tries += 1
    assert tries == copies.MOST_ATTEMPTS
    assert fresh(copy).status == EventStatus.FAILED
    assert moment - MONDAY < timedelta(hours=12)


def test_dead_token_waits_for_the_builder(copy: CalendarEvent, link: CalendarLink, provider: FakeProvider, open_builder: Builder) -> None:
    provider.account.fail("write", NotConnected("revoked"))
    actions.write_copy(copy.pk)
    link.refresh_from_db()
    assert link.status == LinkStatus.BROKEN
    assert actions.write_copy(copy.pk) is False
    connect(open_builder, provider)
    work()
    assert fresh(copy).status == EventStatus.WRITTEN


def test_room_comes_with_the_event(copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(copies, "room_made", lambda *given: made.append(given))
    Consultation.objects.update(meeting_provider=MeetingProvider.GOOGLE_MEET)
    provider.account.room = Room("https://meet.google.com/abc", "abc")
    work()
    assert made == [(scheduled.chain, provider.account.room)]


def test_switching_the_written_calendar_moves_what_is_ahead(
    copy: CalendarEvent, link: CalendarLink, scheduled: Consultation, provider: FakeProvider, builder_user: User
) -> None:
    work()
    link.calendars.filter(external_id="team").update(can_write=True)
    team = link.calendars.get(external_id="team")
    main = main_calendar(link)
    actions.choose_calendars(link.builder_id, actor=builder_user, read={main.pk}, written=team.pk)
    work()
    assert [event.external_id for event in provider.account.live("team")] == [f"p444{scheduled.chain.hex}"]
    assert provider.account.live("main") == []
    assert {row.calendar_id: row.status for row in CalendarEvent.objects.all()} == {main.pk: "removed", team.pk: "written"}


class Killed(BaseException):
    """What a killed worker looks like to the code that it runs."""


WRITE_STEPS: list[tuple[Any, str]] = [
    (copies, "_lease"),
    (copies, "client_of"),
    (copies, "booking_of"),
    (copies, "_written"),
    (copies, "room_made"),
    (copies, "_locked"),
    (copies, "times_hash"),
]


def kill_at(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, *, after: bool) -> Callable[[], bool]:
    """The next call of `place.name` dies before or after it has done its work; whether it has happened."""
    original, dead = getattr(place, name), list[bool]()

    def dies(*args: Any, **options: Any) -> Any:
        if dead:
            return original(*args, **options)
        if after:
            original(*args, **options)
        dead.append(True)
        raise Killed

    monkeypatch.setattr(place, name, dies)
    return lambda: bool(dead)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("place", "name"), WRITE_STEPS, ids=[name for _, name in WRITE_STEPS])
@pytest.mark.parametrize("then", ["stays", "cancelled"])
def test_killed_while_writing(
    place: Any,
    name: str,
    after: bool,
    then: str,
    copy: CalendarEvent,
    scheduled: Consultation,
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run again, there is one event and one state; or none, when the call was called off in between."""
    Consultation.objects.update(meeting_provider=MeetingProvider.GOOGLE_MEET)
    provider.account.room = Room("https://meet.google.com/abc", "abc")
    happened = kill_at(monkeypatch, place, name, after=after)
    with pytest.raises(Killed):
        actions.write_copy(copy.pk)
    assert happened()
    if then == "cancelled":
        actions.cancel_call(scheduled.pk, actor=scheduled.client, reason="")
    with clock.at(MONDAY + copies.LEASE + copies.LOST):
        jobs.sweep_calendars()
        work()
        actions.sync_calendar(copy.calendar_id)
    row = fresh(copy)
    assert row.lease_until is None
    assert len(provider.account.of(scheduled.chain)) == (1 if then == "stays" else 0)
    assert row.status == (EventStatus.WRITTEN if then == "stays" else EventStatus.REMOVED)
    assert not Proposal.objects.exists()
    assert not ExternalEvent.objects.exists()


def test_killed_at_the_provider(copy: CalendarEvent, scheduled: Consultation, provider: FakeProvider) -> None:
    """The event was made, and its answer never arrived."""

    def dies(name: str) -> None:
        provider.account.after = lambda name: None
        raise Killed

    provider.account.after = dies
    with pytest.raises(Killed):
        actions.write_copy(copy.pk)
    actions.sync_calendar(copy.calendar_id)  # sees an event of ours that we do not know of yet
    with clock.at(MONDAY + copies.LEASE + copies.LOST):
        jobs.sweep_calendars()
        work()
    assert fresh(copy).status == EventStatus.WRITTEN
    assert len(provider.account.of(scheduled.chain)) == 1
    assert not ExternalEvent.objects.exists()


READ_STEPS: list[tuple[Any, str]] = [
    (reading, "_begin"),
    (reading, "_read"),
    (reading, "_sort_out"),
    (reading, "_store"),
    (reading, "_look_after_copies"),
    (reading, "_came_back"),
    (reading, "_warn_of_conflicts"),
    (reading, "provider_of"),
    (reading, "_apply"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("place", "name"), READ_STEPS, ids=[name for _, name in READ_STEPS])
def test_killed_while_reading(
    place: Any,
    name: str,
    after: bool,
    link: CalendarLink,
    scheduled: Consultation,
    provider: FakeProvider,
    builder_user: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Either all of what was read is kept, and the token with it, or nothing is; run again, everything has happened once."""
    work()
    calendar = main_calendar(link)
    there = TUESDAY_NINE + 3 * HOUR
    provider.account.put(f"p444{scheduled.chain.hex}", there, there + HOUR / 2)
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    happened = kill_at(monkeypatch, place, name, after=after)
    with pytest.raises(Killed):
        actions.sync_calendar(calendar.pk)
    assert happened()
    kept = main_calendar(link).sync_token != calendar.sync_token
    assert (ExternalEvent.objects.count(), Proposal.objects.count()) == ((1, 1) if kept else (0, 0))
    with clock.at(MONDAY + reading.LEASE + timedelta(minutes=20)):
        assert jobs.sweep_calendars() == 1
        work()
    assert ExternalEvent.objects.get().external_id == "dentist"
    assert Proposal.objects.get().starts_at == there
    assert Notification.objects.filter(user=builder_user, kind="calendar_conflict").count() == 1
    assert main_calendar(link).sync_token == str(len(provider.account.log))


def test_steps_are_real() -> None:
    for place, name in (*WRITE_STEPS, *READ_STEPS):
        assert callable(getattr(place, name))
