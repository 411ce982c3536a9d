"""A builder's Google Calendar and port444, from the first press to the last change, over real HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from consultations import actions, jobs, queries
from consultations.actions import cancel_call
from consultations.calendars.google import event_id
from consultations.models import (
    Attendance,
    CalendarEvent,
    CalendarLink,
    CallSettings,
    Consultation,
    EventStatus,
    ExternalEvent,
    LinkedCalendar,
    LinkStatus,
    MeetingProvider,
    MeetingRoom,
    Party,
    Proposal,
    ProposalKind,
    PushChannel,
    RoomStatus,
    Source,
)
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict
from port444.notifications.models import Notification
from tests.consultations.conftest import MONDAY, TUESDAY_NINE
from tests.consultations.connected import waiting, work
from tests.fakes.google import FakeGoogle

pytestmark = pytest.mark.django_db
ACCOUNT = "anaya@example.com"
HALF, HOUR = timedelta(minutes=30), timedelta(hours=1)


@pytest.fixture
def at_google(google: FakeGoogle, settings: Any) -> FakeGoogle:
    settings.SITE_URL = "https://testserver"
    return google


def sign_in(client: Client, google: FakeGoogle, **consent: Any) -> Any:
    """Press "Connect", go where the page leads, press a button there, come back."""
    page = client.post(reverse("consultations:connect_calendar", args=["google"])).content.decode()
    found = re.search(r'<a class="btn primary" href="([^"]+)"', page)
    assert found is not None
    back = urlsplit(google.consent(html.unescape(found[1]), **consent))
    return client.get(f"{back.path}?{back.query}")


@pytest.fixture
def link(client: Client, open_builder: Builder, at_google: FakeGoogle) -> CalendarLink:
    client.force_login(open_builder.user)
    assert sign_in(client, at_google).status_code == 302
    work()
    return CalendarLink.objects.get()


def main(link: CalendarLink) -> LinkedCalendar:
    return link.calendars.get(external_id=ACCOUNT)


def starts(builder: Builder) -> set[datetime]:
    builder = queries.for_booking().get(pk=builder.pk)
    return set(queries.open_starts(builder, client_id=None, minutes=30, moment=clock.now()))


def tell(google: FakeGoogle, *numbers: int) -> list[int]:
    """Google posts what has changed on its channel, these messages in this order."""
    (channel,) = google.channels.values()
    web = Client()
    path = urlsplit(channel.address).path
    return [web.post(path, headers=google.push_headers(channel.id, number=number)).status_code for number in numbers]


def test_connecting_reads_the_calendar_and_opens_a_channel(link: CalendarLink, at_google: FakeGoogle) -> None:
    assert (link.account, link.status) == (ACCOUNT, LinkStatus.ACTIVE)
    calendar = main(link)
    assert (calendar.is_read, calendar.is_written, calendar.time_zone) == (True, True, "Asia/Kolkata")
    assert calendar.synced_at == MONDAY
    channel = PushChannel.objects.get()
    assert at_google.channels[str(channel.pk)].token == channel.secret
    assert channel.external_id == at_google.channels[str(channel.pk)].resource_id


def test_saying_no_and_unticking_connect_nothing(client: Client, open_builder: Builder, at_google: FakeGoogle) -> None:
    client.force_login(open_builder.user)
    assert sign_in(client, at_google, allow=False).status_code == 400
    page = sign_in(client, at_google, scopes=["openid", "email"])
    assert page.status_code == 400
    assert "leave every box ticked" in page.content.decode()
    assert not CalendarLink.objects.exists()


def test_what_is_entered_by_hand_takes_its_time(link: CalendarLink, at_google: FakeGoogle, open_builder: Builder) -> None:
    before = starts(open_builder)
    dentist = at_google.add_event(TUESDAY_NINE, TUESDAY_NINE + HOUR)
    at_google.add_event(TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 3 * HOUR, transparency="transparent")
    assert tell(at_google, 1) == [204]
    assert work() == 1
    assert before - starts(open_builder) == {TUESDAY_NINE, TUESDAY_NINE + HALF}
    at_google.delete_event(dentist)
    assert tell(at_google, 2) == [204]
    work()
    assert starts(open_builder) == before


def test_notifications_doubled_and_out_of_order_are_one_read(link: CalendarLink, at_google: FakeGoogle) -> None:
    at_google.add_event(TUESDAY_NINE, TUESDAY_NINE + HOUR)
    assert tell(at_google, 3, 2, 2, 3) == [204] * 4
    assert [func for func, _ in waiting() if func.endswith("sync_calendar")] == ["consultations.jobs.sync_calendar"]
    work()
    assert ExternalEvent.objects.count() == 1


def test_a_notification_of_somebody_else_reads_nothing(link: CalendarLink, at_google: FakeGoogle) -> None:
    (channel,) = at_google.channels.values()
    path = urlsplit(channel.address).path
    headers = at_google.push_headers(channel.id) | {"X-Goog-Channel-Token": "guessed"}
    assert Client().post(path, headers=headers).status_code == 403
    assert [func for func, _ in waiting() if func.endswith("sync_calendar")] == []


def test_a_call_that_is_paid_stands_in_google_once(link: CalendarLink, at_google: FakeGoogle, scheduled: Consultation) -> None:
    at_google.fail(503, {}, late=True, when=lambda seen: seen.method == "POST" and seen.path.endswith("/events"))
    work()  # made, and the answer lost
    copy = CalendarEvent.objects.get()
    assert copy.status == EventStatus.WANTED
    with clock.at(copy.next_try_at + timedelta(seconds=1)):
        assert actions.write_copy(copy.pk)
    (event,) = at_google.live_events()
    assert event["id"] == event_id(scheduled.chain)
    assert datetime.fromisoformat(event["start"]["dateTime"]) == TUESDAY_NINE
    assert f"/calls/{scheduled.pk}/join/" in event["location"]
    copy.refresh_from_db()
    assert (copy.status, copy.external_id, copy.etag) == (EventStatus.WRITTEN, event["id"], event["etag"])

    tell(at_google, 1)
    work()
    assert not ExternalEvent.objects.exists(), "our own event, coming back, is no busy time of somebody else"
    assert not Proposal.objects.exists()


def test_a_call_moved_in_google_is_proposed(link: CalendarLink, at_google: FakeGoogle, scheduled: Consultation) -> None:
    work()
    at_google.move_event(event_id(scheduled.chain), TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 2 * HOUR + HALF)
    tell(at_google, 1, 1)
    work()
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.from_calendar, proposal.starts_at) == (ProposalKind.MOVE, True, TUESDAY_NINE + 2 * HOUR)
    scheduled.refresh_from_db()
    assert scheduled.scheduled_at == TUESDAY_NINE, "a change outside moves no money and no call by itself"


def test_a_call_deleted_in_google_is_asked_about(link: CalendarLink, at_google: FakeGoogle, scheduled: Consultation) -> None:
    work()
    at_google.delete_event(event_id(scheduled.chain))
    tell(at_google, 1)
    work()
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.from_calendar) == (ProposalKind.CANCEL, True)
    assert proposal.answer_by == MONDAY + 2 * HOUR


def test_a_call_that_is_cancelled_leaves_google(link: CalendarLink, at_google: FakeGoogle, scheduled: Consultation, client_user: User) -> None:
    work()
    assert len(at_google.live_events()) == 1
    cancel_call(scheduled.pk, actor=client_user)
    work()
    assert at_google.live_events() == []
    assert CalendarEvent.objects.get().status == EventStatus.REMOVED


def test_a_deletion_that_was_not_read_yet_does_not_keep_a_change_from_being_written(
    link: CalendarLink, at_google: FakeGoogle, scheduled: Consultation
) -> None:
    work()
    at_google.delete_event(event_id(scheduled.chain))
    actions.want_copies(scheduled, clock.now())
    work()
    (event,) = at_google.live_events()
    assert event["id"] == event_id(scheduled.chain)
    assert CalendarEvent.objects.get().status == EventStatus.WRITTEN


def test_an_old_token_is_answered_with_everything_anew(link: CalendarLink, at_google: FakeGoogle) -> None:
    gone = at_google.add_event(TUESDAY_NINE, TUESDAY_NINE + HOUR)
    tell(at_google, 1)
    work()
    at_google.forget_event(gone)
    at_google.expire_sync_tokens()
    stays = at_google.add_event(TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 3 * HOUR)
    tell(at_google, 2)
    work()
    assert [row.external_id for row in ExternalEvent.objects.all()] == [stays]


def test_a_token_that_ran_out_is_renewed_and_kept(link: CalendarLink, at_google: FakeGoogle) -> None:
    before = link.credentials["token"]
    at_google.expire_access_tokens()
    tell(at_google, 1)
    work()
    link.refresh_from_db()
    assert link.credentials["token"] != before
    assert link.credentials["token"] in at_google.access_tokens
    assert link.status == LinkStatus.ACTIVE


def test_a_permission_taken_back_is_told_once(link: CalendarLink, at_google: FakeGoogle, client: Client) -> None:
    at_google.revoke()
    for number in (1, 2):
        tell(at_google, number)
        work()
    link.refresh_from_db()
    assert link.status == LinkStatus.BROKEN
    assert Notification.objects.filter(kind="calendar_broken").count() == 1
    assert sign_in(client, at_google).status_code == 302
    link.refresh_from_db()
    assert link.status == LinkStatus.ACTIVE
    assert CalendarLink.objects.count() == 1


def test_a_limit_is_waited_out(link: CalendarLink, at_google: FakeGoogle) -> None:
    at_google.fail(403, {"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}]}}, headers={"Retry-After": "300"})
    tell(at_google, 1)
    work()
    calendar = main(link)
    assert calendar.next_sync_at == MONDAY + timedelta(minutes=5)
    assert link.status == LinkStatus.ACTIVE


def test_what_google_knows_and_we_do_not_is_asked_before_a_time_is_taken(
    link: CalendarLink, at_google: FakeGoogle, hold: Callable[..., Consultation], open_builder: Builder
) -> None:
    at_google.add_event(TUESDAY_NINE, TUESDAY_NINE + HALF)  # no notification has come yet
    assert actions.live_busy(open_builder, TUESDAY_NINE, TUESDAY_NINE + HOUR) == [
        (int(TUESDAY_NINE.timestamp()), int((TUESDAY_NINE + HALF).timestamp()))
    ]
    with pytest.raises(Conflict):
        hold()
    assert not Consultation.objects.exists()
    at_google.fail(503, {}, times=9)
    assert hold().scheduled_at == TUESDAY_NINE, "a Google in trouble keeps nobody from booking"


def test_a_channel_is_renewed_at_half_of_its_life(link: CalendarLink, at_google: FakeGoogle) -> None:
    first = PushChannel.objects.get()
    assert first.expires_at is not None
    with clock.at(first.created_at + (first.expires_at - first.created_at) / 2 + timedelta(minutes=1)):
        jobs.sweep_channels()
        work()
    second = PushChannel.objects.get()
    assert second.pk != first.pk
    assert list(at_google.channels) == [str(second.pk)]


def test_disconnecting_takes_everything_back(client: Client, link: CalendarLink, at_google: FakeGoogle, scheduled: Consultation) -> None:
    work()
    client.post(reverse("consultations:disconnect_calendar", args=[link.pk]), {"copies": "remove"})
    work()
    link.refresh_from_db()
    assert (link.status, link.credentials) == (LinkStatus.OFF, {})
    assert at_google.channels == {}
    assert at_google.live_events() == []


# Rooms of Google Meet


@pytest.fixture
def in_meet(link: CalendarLink, open_builder: Builder) -> CalendarLink:
    CallSettings.objects.filter(builder=open_builder).update(meeting_provider=MeetingProvider.GOOGLE_MEET)
    return link


def test_a_room_comes_with_the_event_and_moves_with_the_call(
    in_meet: CalendarLink, at_google: FakeGoogle, scheduled: Consultation, client_user: User
) -> None:
    work()
    room = MeetingRoom.objects.get()
    (event,) = at_google.live_events()
    assert (room.status, room.url) == (RoomStatus.READY, event["hangoutLink"])
    moved = actions.move_call(scheduled.pk, actor=client_user, starts_at=TUESDAY_NINE + 2 * HOUR)
    work()
    room.refresh_from_db()
    (event,) = at_google.live_events()
    assert datetime.fromisoformat(event["start"]["dateTime"]) == moved.scheduled_at
    assert (room.status, room.url, room.consultation) == (RoomStatus.READY, event["hangoutLink"], moved)
    assert len([seen for seen in at_google.seen if b"createRequest" in seen.body]) == 1


def test_a_room_that_takes_its_time_is_fetched_later(in_meet: CalendarLink, at_google: FakeGoogle, scheduled: Consultation) -> None:
    at_google.conference = "pending"
    work()
    room = MeetingRoom.objects.get()
    assert room.status == RoomStatus.WANTED
    at_google.finish_conferences()
    with clock.at(MONDAY + timedelta(minutes=2)):
        jobs.sweep_calendars()
        work()
    room.refresh_from_db()
    assert room.status == RoomStatus.READY
    tell(at_google, 1)
    work()
    assert not Proposal.objects.exists(), "an etag that changed because the room was made is nobody's doing"


def test_who_was_in_the_room_is_written_down_once(in_meet: CalendarLink, at_google: FakeGoogle, scheduled: Consultation, client_user: User) -> None:
    link = in_meet
    CalendarLink.objects.filter(pk=link.pk).update(account="anaya.private@example.org")
    CalendarLink.objects.filter(pk=link.pk).update(credentials=link.credentials | {"account": "anaya.private@example.org"})
    work()
    room = MeetingRoom.objects.get()
    came = TUESDAY_NINE + timedelta(minutes=1)
    people = [("A. K.", at_google.subject, [(TUESDAY_NINE, TUESDAY_NINE + HALF)]), (client_user.name, None, [(came, came + HALF)])]
    at_google.add_meeting(room.external_id, [*people, ("Somebody", None, [(came, came + HALF)])])
    with clock.at(scheduled.ends_at + timedelta(minutes=11)):
        jobs.ask_who_came()
        MeetingRoom.objects.filter(pk=room.pk).update(status=RoomStatus.READY, next_try_at=clock.now())
        jobs.ask_who_came()
    assert list(Attendance.objects.order_by("joined_at").values_list("party", "source", "joined_at")) == [
        (Party.BUILDER, Source.GOOGLE_MEET, TUESDAY_NINE),
        (Party.CLIENT, Source.GOOGLE_MEET, came),
    ]
