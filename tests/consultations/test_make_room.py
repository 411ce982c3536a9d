"""A call gets a room, keeps it when it moves, loses it when it ends, and never has two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django_q.models import OrmQ

from consultations import jobs, queries
from consultations.actions import cancel_call, make_room, move_call, room_made
from consultations.calendars import Room
from consultations.models import CalendarLink, CallSettings, Consultation, LinkedCalendar, MeetingRoom
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.notifications.models import Notification
from port444.payments.actions import pay_with_test_wallet
from tests.fakes.calcom import KEY, FakeCalCom
from tests.fakes.zoom import HOSTS, FakeZoom
from tests.specs.openapi import problems

from .conftest import MONDAY, TUESDAY_NINE

Hold = Callable[..., Consultation]
OWN = "https://meet.example/anaya"


@pytest.fixture
def zoom(settings: Any) -> Iterator[FakeZoom]:
    with FakeZoom() as fake:
        for name, value in fake.settings.items():
            setattr(settings, name, value)
        yield fake
        assert [problem for seen in fake.seen for problem in problems(seen, "zoom-meetings")] == []


@pytest.fixture
def book(hold: Hold, client_user: User) -> Callable[..., Consultation]:
    """Book and pay a call that takes place at `provider`."""

    def act(provider: str, actor: User = client_user, **changes: Any) -> Consultation:
        CallSettings.objects.update(meeting_provider=provider)
        call = hold(actor, **changes)
        assert call.invoice_id is not None
        pay_with_test_wallet(call.invoice_id, actor=actor)
        call.refresh_from_db()
        return call

    return act


def room_of(call: Consultation) -> MeetingRoom:
    return MeetingRoom.objects.get(chain=call.chain)


def place(call: Consultation) -> tuple[str, str]:
    call.refresh_from_db()
    return call.meeting_provider, call.meeting_url


def told(builder: Builder) -> int:
    return Notification.objects.filter(user=builder.user, kind="call_room_missing").count()


def move(call: Consultation, days: int) -> Consultation:
    return move_call(call.pk, actor=call.client, starts_at=call.scheduled_at + timedelta(days=days))


def test_own_link_needs_no_row(book: Callable[..., Consultation]) -> None:
    call = book("own_link")
    assert place(call) == ("own_link", OWN)
    assert not MeetingRoom.objects.exists()


def test_zoom_room_is_made_by_the_queue(book: Callable[..., Consultation], zoom: FakeZoom) -> None:
    call = book("zoom")
    assert place(call) == ("zoom", "")
    assert "make_room" in [task.func().rpartition(".")[2] if callable(task.func) else str(task.func) for task in OrmQ.objects.all()]
    jobs.make_room(str(room_of(call).pk))
    room = room_of(call)
    assert (room.status, room.made, room.host) == ("ready", call.ical_sequence, HOSTS[0])
    assert place(call) == ("zoom", room.url)
    assert call.meeting_id == room.external_id
    jobs.make_room(str(room.pk))
    assert jobs.make_rooms() == 0
    assert len(zoom.asked("POST", "/meetings")) == 1


def test_moved_call_moves_its_meeting(book: Callable[..., Consultation], zoom: FakeZoom) -> None:
    call = book("zoom")
    make_room(room_of(call).pk)
    url = room_of(call).url
    following = move(call, days=1)
    assert place(following) == ("zoom", url)  # good meanwhile
    make_room(room_of(call).pk)
    room = room_of(call)
    assert (room.status, room.made, room.consultation_id, room.url) == ("ready", following.ical_sequence, following.pk, url)
    assert [meeting["start_time"] for meeting in zoom.meetings.values()] == ["2026-11-25T03:30:00Z"]


def test_cancelled_call_closes_its_meeting(book: Callable[..., Consultation], zoom: FakeZoom, client_user: User) -> None:
    call = book("zoom")
    make_room(room_of(call).pk)
    cancel_call(call.pk, actor=client_user)
    assert room_of(call).status == "unwanted"
    make_room(room_of(call).pk)
    assert (room_of(call).status, zoom.meetings) == ("closed", {})


def test_call_cancelled_before_anything_was_asked_needs_no_request(book: Callable[..., Consultation], zoom: FakeZoom, client_user: User) -> None:
    call = book("zoom")
    cancel_call(call.pk, actor=client_user)
    make_room(room_of(call).pk)
    assert (room_of(call).status, zoom.seen) == ("closed", [])


def test_two_calls_at_one_time_get_two_hosts_and_a_third_gets_the_own_link(
    book: Callable[..., Consultation], zoom: FakeZoom, make_user: Callable[..., User], open_builder: Builder
) -> None:
    first = book("zoom", starts_at=TUESDAY_NINE)
    second = book("zoom", make_user("Mira Second"), starts_at=TUESDAY_NINE + timedelta(minutes=30))
    third = book("zoom", make_user("Tom Third"), starts_at=TUESDAY_NINE + timedelta(minutes=60))
    for call in (first, second):
        make_room(room_of(call).pk)
    assert [room_of(call).host for call in (first, second)] == HOSTS
    assert queries.free_hosts(third, but=room_of(third)) == [HOSTS[0]]
    zoom.fail(404, {"code": 1001, "message": "User not exist"}, when=lambda seen: seen.method == "POST" and "meetings" in seen.path)
    make_room(room_of(third).pk)
    assert place(third) == ("own_link", OWN)
    assert (room_of(third).status, told(open_builder)) == ("wanted", 0)


def test_full_day_stands_in_and_is_tried_again_after_midnight(book: Callable[..., Consultation], zoom: FakeZoom, open_builder: Builder) -> None:
    call = book("zoom")
    zoom.daily_limit = 0
    make_room(room_of(call).pk)
    assert place(call) == ("own_link", OWN)
    assert room_of(call).next_try_at == MONDAY.replace(hour=0, minute=1) + timedelta(days=1)
    zoom.daily_limit = 100
    make_room(room_of(call).pk)
    assert zoom.meetings == {}
    with clock.at(MONDAY.replace(hour=0, minute=2) + timedelta(days=1)):
        assert jobs.make_rooms() == 1
    assert place(call) == ("zoom", room_of(call).url)
    assert told(open_builder) == 0


def test_builder_without_any_link_is_told_once(book: Callable[..., Consultation], zoom: FakeZoom, open_builder: Builder) -> None:
    Builder.objects.update(meeting_url="")
    call = book("zoom")
    zoom.fail(403, {"code": 4711, "message": "no scope"}, times=9, when=lambda seen: "meetings" in seen.path)
    make_room(room_of(call).pk)
    with clock.at(MONDAY + timedelta(hours=4)):
        jobs.make_rooms()
    assert place(call) == ("own_link", "")
    assert (room_of(call).attempts, told(open_builder)) == (2, 1)


def test_killed_between_answer_and_record_finds_the_room(book: Callable[..., Consultation], zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch) -> None:
    call = book("zoom")

    def die(*args: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("consultations.actions.meetings._record", die)
        with pytest.raises(SystemExit):
            make_room(room_of(call).pk)
    assert len(zoom.meetings) == 1
    make_room(room_of(call).pk)  # still in the hands of the run that died
    assert room_of(call).status == "wanted"
    with clock.at(MONDAY + timedelta(minutes=2)):
        assert jobs.make_rooms() == 1
    assert (room_of(call).status, len(zoom.meetings), len(zoom.asked("POST", "/meetings"))) == ("ready", 1, 1)


def test_lost_answer_is_found_again(book: Callable[..., Consultation], zoom: FakeZoom) -> None:
    call = book("zoom")
    zoom.fail(504, late=True, when=lambda seen: seen.method == "POST" and "meetings" in seen.path)
    make_room(room_of(call).pk)
    assert (room_of(call).status, len(zoom.meetings)) == ("wanted", 1)
    with clock.at(MONDAY + timedelta(minutes=2)):
        jobs.make_rooms()
    assert (room_of(call).status, len(zoom.meetings), len(zoom.asked("POST", "/meetings"))) == ("ready", 1, 1)


def test_call_cancelled_while_the_room_is_made_leaves_no_meeting(
    book: Callable[..., Consultation], zoom: FakeZoom, client_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = book("zoom")
    from consultations.actions import meetings

    carry_out = meetings._carry_out

    def slowly(errand: meetings.Errand) -> Any:
        made = carry_out(errand)
        monkeypatch.setattr(meetings, "_carry_out", carry_out)
        cancel_call(call.pk, actor=client_user)
        make_room(room_of(call).pk)  # the job of the cancellation finds the row taken
        assert room_of(call).status == "unwanted"
        return made

    monkeypatch.setattr(meetings, "_carry_out", slowly)
    make_room(room_of(call).pk)
    assert len(zoom.meetings) == 1
    make_room(room_of(call).pk)
    assert (room_of(call).status, zoom.meetings) == ("closed", {})


def test_call_moved_while_the_room_is_made_ends_at_the_new_time(
    book: Callable[..., Consultation], zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = book("zoom")
    from consultations.actions import meetings

    carry_out = meetings._carry_out

    def slowly(errand: meetings.Errand) -> Any:
        made = carry_out(errand)
        monkeypatch.setattr(meetings, "_carry_out", carry_out)
        move(call, days=1)
        make_room(room_of(call).pk)
        return made

    monkeypatch.setattr(meetings, "_carry_out", slowly)
    make_room(room_of(call).pk)
    assert room_of(call).status == "wanted"
    make_room(room_of(call).pk)
    assert room_of(call).status == "ready"
    assert [meeting["start_time"] for meeting in zoom.meetings.values()] == ["2026-11-25T03:30:00Z"]


def test_call_cancelled_after_a_lost_answer_leaves_no_meeting(book: Callable[..., Consultation], zoom: FakeZoom, client_user: User) -> None:
    call = book("zoom")
    zoom.fail(504, late=True, when=lambda seen: seen.method == "POST" and "meetings" in seen.path)
    make_room(room_of(call).pk)
    cancel_call(call.pk, actor=client_user)
    assert room_of(call).status == "unwanted"
    with clock.at(MONDAY + timedelta(minutes=3)):
        jobs.make_rooms()
    assert (room_of(call).status, zoom.meetings) == ("closed", {})


def test_a_limit_in_the_last_minutes_is_tried_until_the_call_begins(book: Callable[..., Consultation], zoom: FakeZoom) -> None:
    call = book("zoom")
    zoom.fail(500, times=4, when=lambda seen: "meetings" in seen.path)
    with clock.at(call.scheduled_at - timedelta(minutes=4)):
        make_room(room_of(call).pk)
    assert room_of(call).next_try_at <= call.scheduled_at - timedelta(minutes=2)
    assert place(call) == ("own_link", OWN)


def connect(builder: Builder, provider: str, **fields: Any) -> CalendarLink:
    link = CalendarLink.objects.create(builder=builder, provider=provider, account="anaya@example.com", **fields)
    LinkedCalendar.objects.create(link=link, external_id="primary", name="Work", is_written=provider == "google", can_write=True)
    return link


def test_meet_room_comes_with_the_calendar_event(book: Callable[..., Consultation], open_builder: Builder, settings: Any) -> None:
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "id", "secret"
    connect(open_builder, "google")
    call = book("google_meet")
    assert (room_of(call).status, place(call)) == ("wanted", ("google_meet", ""))
    room_made(call.chain, Room("https://meet.google.example/abc-defg-hij", "abc-defg-hij"))
    assert place(call) == ("google_meet", "https://meet.google.example/abc-defg-hij")
    room_made(call.chain, Room("https://meet.google.example/abc-defg-hij", "abc-defg-hij"))
    following = move(call, days=1)
    assert (room_of(call).status, place(following)[1]) == ("ready", "https://meet.google.example/abc-defg-hij")


def test_meet_room_that_does_not_come_is_replaced_and_still_taken_later(
    book: Callable[..., Consultation], open_builder: Builder, settings: Any
) -> None:
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "id", "secret"
    connect(open_builder, "google")
    call = book("google_meet")
    for minute in (0, 2, 6):
        with clock.at(MONDAY + timedelta(minutes=minute)):
            make_room(room_of(call).pk)
    assert place(call) == ("own_link", OWN)
    assert queries.wants_meet(call.chain)  # the event is still to bring it
    room_made(call.chain, Room("https://meet.google.example/abc-defg-hij", "abc-defg-hij"))
    assert place(call) == ("google_meet", "https://meet.google.example/abc-defg-hij")


@pytest.mark.parametrize("provider", ["google_meet", "zoom", "cal_com"])
def test_provider_that_is_not_there_any_more_is_the_own_link(book: Callable[..., Consultation], provider: str) -> None:
    call = book(provider)
    assert place(call) == ("own_link", OWN)
    assert not MeetingRoom.objects.exists()


def test_room_of_a_call_that_is_over_is_not_asked_for(book: Callable[..., Consultation], zoom: FakeZoom) -> None:
    call = book("zoom")
    assert not queries.rooms_are_late()
    with clock.at(call.ends_at):
        assert queries.rooms_are_late()  # the queue stood still
        jobs.make_rooms()
        assert not queries.rooms_are_late()
    assert (room_of(call).status, zoom.seen) == ("failed", [])


def test_room_of_an_unknown_chain_is_nobodys(db: None) -> None:
    room_made(uuid4(), Room("https://meet.google.example/x", "x"))
    assert not MeetingRoom.objects.exists()


def test_cal_com_makes_moves_and_cancels_a_booking(book: Callable[..., Consultation], open_builder: Builder, settings: Any) -> None:
    with FakeCalCom() as fake:
        settings.CALCOM_URL = fake.url
        link = connect(open_builder, "cal_com", credentials={"api_key": KEY, "username": "anaya"})
        call = book("cal_com")
        make_room(room_of(call).pk)
        first = room_of(call)
        assert (first.status, place(call)) == ("ready", ("cal_com", first.url))
        link.refresh_from_db()
        assert link.credentials["event_type_id"] == fake.event_types[0]["id"]
        following = move(call, days=1)
        make_room(first.pk)
        second = room_of(call)
        assert second.external_id != first.external_id
        assert place(following) == ("cal_com", second.url)
        cancel_call(following.pk, actor=following.client)
        make_room(first.pk)
        assert [each["status"] for each in fake.bookings.values()] == ["cancelled", "cancelled"]
        assert room_of(call).status == "closed"


def test_choices_say_why_not(open_builder: Builder, settings: Any, zoom: FakeZoom, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        choices = {choice.provider.value: choice for choice in queries.meeting_choices(open_builder)}
    assert [name for name, choice in choices.items() if choice.is_open] == ["own_link", "zoom"]
    assert choices["google_meet"].why_not == "Google is not set up on this site."
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "id", "secret"
    link = connect(open_builder, "google")
    connect(open_builder, "cal_com")
    assert [choice.why_not for choice in queries.meeting_choices(open_builder)] == ["", "", "", ""]
    link.move_to("broken")
    assert queries.why_not(open_builder, "google_meet") == "Connect your Google Calendar again first."
