"""Reading connected calendars: what is busy, what somebody did to our own events, and what happens when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from consultations import actions, jobs, queries
from consultations.calendars import Limited, NotConnected, Refused, Unreachable, registry
from consultations.models import CalendarEvent, CalendarLink, Consultation, EventStatus, ExternalEvent, LinkedCalendar, LinkStatus, Proposal
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.notifications.models import Notification
from tests.fakes.calendar import FakeProvider

from .conftest import MONDAY, TUESDAY_NINE
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


def fresh(calendar: LinkedCalendar) -> LinkedCalendar:
    return LinkedCalendar.objects.select_related("link").get(pk=calendar.pk)


def starts(builder: Builder) -> list[datetime]:
    builder = queries.for_booking().get(pk=builder.pk)
    return queries.open_starts(builder, client_id=None, minutes=30, moment=clock.now())


def test_new_account_is_read_and_its_main_calendar_written(open_builder: Builder, provider: FakeProvider) -> None:
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    link = connect(open_builder, provider)
    assert [(row.external_id, row.is_read, row.is_written) for row in link.calendars.order_by("external_id")] == [
        ("main", True, True),
        ("team", False, False),
    ]
    assert ("consultations.jobs.sync_calendar", (str(main_calendar(link).pk),)) in waiting()
    work()
    assert ExternalEvent.objects.get().external_id == "dentist"
    assert main_calendar(link).synced_at == MONDAY


def test_busy_event_takes_its_time(open_builder: Builder, provider: FakeProvider, link: CalendarLink) -> None:
    before = starts(open_builder)
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    assert actions.sync_calendar(main_calendar(link).pk)
    assert set(before) - set(starts(open_builder)) == {TUESDAY_NINE, TUESDAY_NINE + HOUR / 2}
    provider.account.put("dentist", is_busy=False)
    assert actions.sync_calendar(main_calendar(link).pk)
    assert starts(open_builder) == before


def test_deleted_event_gives_its_time_back(open_builder: Builder, provider: FakeProvider, link: CalendarLink) -> None:
    before = starts(open_builder)
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    actions.sync_calendar(main_calendar(link).pk)
    provider.account.drop("dentist")
    actions.sync_calendar(main_calendar(link).pk)
    assert starts(open_builder) == before
    assert not ExternalEvent.objects.exists()


def test_token_that_is_gone_is_a_full_read_without_what_is_missing(provider: FakeProvider, link: CalendarLink) -> None:
    provider.account.put("a", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    provider.account.put("b", TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 3 * HOUR)
    actions.sync_calendar(main_calendar(link).pk)
    provider.account.drop("a")
    provider.account.forgotten = len(provider.account.log)
    provider.account.put("c", TUESDAY_NINE + 4 * HOUR, TUESDAY_NINE + 5 * HOUR)
    provider.account.forgotten = len(provider.account.log) + 1
    assert actions.sync_calendar(main_calendar(link).pk)
    assert set(ExternalEvent.objects.values_list("external_id", flat=True)) == {"b", "c"}


def test_window_rolls_once_a_day(provider: FakeProvider, link: CalendarLink) -> None:
    calendar = main_calendar(link)
    assert calendar.window_to == MONDAY + timedelta(days=61, hours=2)
    far = MONDAY + timedelta(days=61, hours=5)
    provider.account.put("far", far, far + HOUR)
    with clock.at(MONDAY + timedelta(hours=12)):
        actions.sync_calendar(calendar.pk)
        assert fresh(calendar).window_to == calendar.window_to
        assert not ExternalEvent.objects.exists()
    with clock.at(MONDAY + timedelta(hours=25)):
        actions.sync_calendar(calendar.pk)
        assert fresh(calendar).window_to == calendar.window_to + timedelta(hours=25)
        assert ExternalEvent.objects.get().external_id == "far"


def test_of_two_reads_at_once_the_later_is_dropped(provider: FakeProvider, link: CalendarLink) -> None:
    calendar = main_calendar(link)
    provider.account.put("a", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    inner: list[bool] = []

    def second(name: str) -> None:
        if name == "changes":
            provider.account.after = lambda name: None
            provider.account.put("b", TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 3 * HOUR)
            inner.append(actions.sync_calendar(calendar.pk))

    provider.account.after = second
    assert actions.sync_calendar(calendar.pk) is False
    assert inner == [True]
    assert ExternalEvent.objects.count() == 2
    assert fresh(calendar).sync_token == str(len(provider.account.log))


def test_call_is_written_and_its_echo_is_nothing(provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    work()
    copy = CalendarEvent.objects.get()
    assert (copy.status, copy.written, copy.external_id) == (EventStatus.WRITTEN, 0, f"p444{scheduled.chain.hex}")
    actions.sync_calendar(main_calendar(link).pk)
    assert not ExternalEvent.objects.exists()
    assert not Proposal.objects.exists()


def test_booking_says_what_the_builder_needs(provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    work()
    booking = next(iter(provider.account.bookings.values()))
    assert (booking.starts_at, booking.ends_at, booking.title) == (scheduled.scheduled_at, scheduled.ends_at, "Call with Jonas Vermeer")
    assert booking.location.endswith(f"/calls/{scheduled.pk}/join/")
    assert "The order list is slow." in booking.description


def test_call_moved_outside_is_a_proposal_once(provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    work()
    there = TUESDAY_NINE + 3 * HOUR
    provider.account.put(f"p444{scheduled.chain.hex}", there, there + HOUR / 2)
    for _ in range(2):
        actions.sync_calendar(main_calendar(link).pk)
    LinkedCalendar.objects.update(sync_token="")
    actions.sync_calendar(main_calendar(link).pk)
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.starts_at, proposal.from_calendar) == ("move", there, True)
    scheduled.refresh_from_db()
    assert scheduled.scheduled_at == TUESDAY_NINE
    assert not ExternalEvent.objects.exists()


@pytest.mark.parametrize("full", [False, True])
def test_call_deleted_outside_is_a_proposal_once(full: bool, provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    work()
    provider.account.drop(f"p444{scheduled.chain.hex}")
    if full:
        LinkedCalendar.objects.update(sync_token="")
    for _ in range(2):
        actions.sync_calendar(main_calendar(link).pk)
    assert Proposal.objects.get().kind == "cancel"
    scheduled.refresh_from_db()
    assert scheduled.status == "scheduled"


def test_what_was_read_before_our_own_write_is_not_judged(provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    """The call is moved here, and written there, between the provider's answer and its use: that answer shows the old time."""
    work()
    provider.account.put(f"p444{scheduled.chain.hex}")

    def moved(name: str) -> None:
        provider.account.after = lambda name: None
        actions.move_call(scheduled.pk, actor=scheduled.client, starts_at=TUESDAY_NINE + 2 * HOUR)
        work()

    provider.account.after = moved
    assert actions.sync_calendar(main_calendar(link).pk)
    actions.sync_calendar(main_calendar(link).pk)
    assert not Proposal.objects.exists()
    assert [event.starts_at for event in provider.account.of(scheduled.chain)] == [TUESDAY_NINE + 2 * HOUR]


def test_change_that_is_no_move_is_quiet(provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    work()
    event = provider.account.put(f"p444{scheduled.chain.hex}")
    actions.sync_calendar(main_calendar(link).pk)
    assert not Proposal.objects.exists()
    assert CalendarEvent.objects.get().etag == event.etag


def test_resized_call_is_put_right(provider: FakeProvider, link: CalendarLink, scheduled: Consultation) -> None:
    work()
    provider.account.put(f"p444{scheduled.chain.hex}", TUESDAY_NINE, TUESDAY_NINE + 3 * HOUR)
    actions.sync_calendar(main_calendar(link).pk)
    work()
    assert not Proposal.objects.exists()
    assert provider.account.of(scheduled.chain)[0].ends_at == scheduled.ends_at


def test_builder_is_warned_once_of_what_lies_over_a_call(
    provider: FakeProvider, link: CalendarLink, scheduled: Consultation, builder_user: User
) -> None:
    for name in ("dentist", "school"):
        provider.account.put(name, TUESDAY_NINE - HOUR, TUESDAY_NINE + HOUR / 4)
        actions.sync_calendar(main_calendar(link).pk)
    told = Notification.objects.filter(user=builder_user, kind="calendar_conflict")
    assert [note.url for note in told] == [scheduled.url]


def test_dead_token_breaks_the_link_and_is_told_once(provider: FakeProvider, link: CalendarLink, builder_user: User, open_builder: Builder) -> None:
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    actions.sync_calendar(main_calendar(link).pk)
    provider.account.fail("changes", NotConnected("invalid_grant"), NotConnected("invalid_grant"))
    for _ in range(2):
        actions.sync_calendar(main_calendar(link).pk)
    link.refresh_from_db()
    assert (link.status, link.last_error) == (LinkStatus.BROKEN, "Google Calendar does not let us in any more.")
    assert Notification.objects.filter(user=builder_user, kind="calendar_broken").count() == 1
    assert TUESDAY_NINE not in starts(open_builder)  # the last list still counts
    connect(open_builder, provider)
    link.refresh_from_db()
    assert (link.status, link.last_error, link.failed_at) == (LinkStatus.ACTIVE, "", None)
    assert CalendarLink.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "minutes"), [(Unreachable("500"), 1), (Limited("429", 1800), 30), (Refused("404"), 60)], ids=["down", "limited", "refused"]
)
def test_failure_waits_and_is_worded(error: Exception, minutes: int, provider: FakeProvider, link: CalendarLink) -> None:
    provider.account.fail("changes", error)
    assert actions.sync_calendar(main_calendar(link).pk) is False
    calendar = main_calendar(link)
    assert calendar.next_sync_at == MONDAY + timedelta(minutes=minutes)
    assert calendar.failed_at == MONDAY
    assert calendar.last_error.startswith("Google Calendar ")
    assert calendar.sync_token


def test_longer_failure_waits_longer(provider: FakeProvider, link: CalendarLink) -> None:
    provider.account.fail("changes", *[Unreachable("500")] * 3)
    for minutes, wait in ((0, 1), (6, 6), (50, 15)):
        with clock.at(MONDAY + timedelta(minutes=minutes)):
            actions.sync_calendar(main_calendar(link).pk)
            assert main_calendar(link).next_sync_at == clock.now() + timedelta(minutes=wait)
    with clock.at(MONDAY + timedelta(hours=2)):
        actions.sync_calendar(main_calendar(link).pk)
    assert (main_calendar(link).failed_at, main_calendar(link).last_error) == (None, "")


def test_one_bad_calendar_stops_no_other(provider: FakeProvider, link: CalendarLink, make_user: Callable[..., User]) -> None:
    other = Builder.objects.create(user=make_user("Bea Other", is_builder=True), slug="bea", headline="Also here")
    second = connect(other, FakeProvider(name="bea@example.com"))
    with clock.at(MONDAY + timedelta(minutes=20)):
        provider.account.fail("changes", Unreachable("500"))
        assert jobs.sweep_calendars() == 2
        work()
        assert main_calendar(second).synced_at == clock.now()
        assert jobs.sweep_calendars() == 0  # both are asked again later


def test_old_list_closes_the_booking_page(open_builder: Builder, provider: FakeProvider, link: CalendarLink, builder_user: User) -> None:
    with clock.at(MONDAY + timedelta(hours=23)):
        assert starts(open_builder)
    with clock.at(MONDAY + timedelta(hours=25)):
        assert starts(open_builder) == []
        jobs.sweep_channels()
        jobs.sweep_channels()
        assert Notification.objects.filter(user=builder_user, kind="calendar_stale").count() == 1
        actions.sync_calendar(main_calendar(link).pk)
        assert starts(open_builder)


def test_both_pages_say_that_a_list_is_too_old(client: Any, open_builder: Builder, provider: FakeProvider, link: CalendarLink) -> None:
    booking = f"/b/{open_builder.slug}/call/"
    assert "We do not know when" not in client.get(booking).content.decode()
    with clock.at(MONDAY + timedelta(hours=25)):
        assert "We do not know when Anaya is free." in client.get(booking).content.decode()
        client.force_login(open_builder.user)
        for page in ("/calls/calendars/", "/calls/availability/"):
            assert "Clients see no free times at the moment." in client.get(page).content.decode()


def test_private_words_are_not_kept() -> None:
    kept = {field.name for field in ExternalEvent._meta.get_fields()}
    assert kept == {"id", "calendar", "builder", "external_id", "starts_at", "ends_at", "is_busy", "is_all_day"}


def test_push_is_a_hint(client: Any, provider: FakeProvider, link: CalendarLink) -> None:
    work()
    calendar = main_calendar(link)
    ((channel, (_, secret, address)),) = provider.account.channels.items()
    path = address.removeprefix("http://127.0.0.1:8444")
    assert path == f"/hooks/google/{channel}/"
    for _ in range(3):
        assert client.post(path, headers={"X-Goog-Channel-Token": secret}).status_code == 204
    assert waiting() == [("consultations.jobs.sync_calendar", (str(calendar.pk),))]
    work()
    assert client.post(path, headers={"X-Goog-Channel-Token": "forged"}).status_code == 403
    assert client.post(path).status_code == 403
    assert client.post(f"/hooks/google/{calendar.pk}/", headers={"X-Goog-Channel-Token": secret}).status_code == 404
    assert client.post(path.replace("google", "graph"), headers={"X-Goog-Channel-Token": secret}).status_code == 404
    assert waiting() == []
