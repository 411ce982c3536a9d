"""Cal.com's clients: busy times for the calendar, bookings for rooms; every answer worded, nothing booked twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from consultations.calendars import Booking, CalendarError, Limited, NotConnected, Refused, Unreachable
from consultations.calendars.calcom import MADE_THERE, CalComClient, client, connect
from consultations.meetings import MeetingError, NotAvailable, RoomWish, TryLater
from consultations.meetings.calcom import CalComRooms
from port444.kit import clock
from tests.fakes.calcom import KEY, FakeCalCom

CHAIN = UUID("019aaaaa-0000-7000-8000-00000000000a")
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SINCE, UNTIL = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
WISH = RoomWish(CHAIN, CHAIN, "Anaya and Jonas", NINE, NINE + timedelta(minutes=30), "Jonas Vermeer", "Europe/Amsterdam")
LATER = RoomWish(CHAIN, CHAIN, "x", NINE + timedelta(days=1), NINE + timedelta(days=1, minutes=30), "Jonas Vermeer", "Europe/Amsterdam")
WORK = "11/work@example.com"


@pytest.fixture
def calcom(settings: Any) -> Iterator[FakeCalCom]:
    """After every test: each request carried the version that its path wants; the fake answers in another shape to any other."""
    with FakeCalCom() as fake:
        settings.CALCOM_URL = fake.url
        yield fake


def account() -> CalComClient:
    return client({"api_key": KEY}, lambda credentials: None)


class Rooms:
    """The rooms client with the credentials that it keeps."""

    def __init__(self) -> None:
        self.credentials: dict[str, Any] = {"api_key": KEY, "username": "anaya", "time_zone": "Asia/Kolkata"}

    def keep(self, credentials: dict[str, Any]) -> None:
        self.credentials = credentials

    def client(self, *, seek: bool = False) -> CalComRooms:
        return CalComRooms(self.credentials, self.keep, "call@port444.example", seek=seek)


@pytest.fixture
def rooms(calcom: FakeCalCom) -> Rooms:
    return Rooms()


def test_key_tells_whose_account_it_opens(calcom: FakeCalCom) -> None:
    connection = connect(f" {KEY}\n")
    assert connection.account == "anaya@cal.example"
    assert connection.credentials == {"api_key": KEY, "username": "anaya", "email": "anaya@cal.example", "time_zone": "Asia/Kolkata"}
    assert [(each.external_id, each.can_write) for each in connection.calendars] == [
        (MADE_THERE, False),
        (WORK, False),
        ("11/home@example.com", False),
    ]


@pytest.mark.parametrize("key", ["", "cal_wrong", "cal_\x00", "schlüssel", "a b\r\nX-Evil: 1"])
def test_wrong_key_is_refused(calcom: FakeCalCom, key: str) -> None:
    with pytest.raises(NotConnected) as caught:
        connect(key)
    assert not key or key not in str(caught.value)


def test_busy_times_are_a_whole_window_with_lasting_names(calcom: FakeCalCom) -> None:
    calcom.busy[WORK] = [("2026-11-24T10:00:00.000Z", "2026-11-24T11:00:00.000Z"), ("2027-01-01T10:00:00Z", "2027-01-01T11:00:00Z")]
    first = account().changes(WORK, "", SINCE, UNTIL)
    again = account().changes(WORK, first.token, SINCE, UNTIL)
    assert first == again
    assert first.is_full
    assert [(each.external_id, each.starts_at) for each in first.events] == [("20261124T100000/20261124T110000", NINE + timedelta(hours=1))]


def test_our_own_calls_are_not_among_the_changes(calcom: FakeCalCom) -> None:
    calcom.book("2026-11-24T09:00:00Z", 30, metadata={"port444": str(CHAIN)})
    calcom.book("2026-11-25T09:00:00Z", 60)
    calcom.book("2026-11-26T09:00:00Z", 60, status="cancelled")
    calcom.busy[WORK] = [("2026-11-24T09:00:00Z", "2026-11-24T09:30:00Z"), ("2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z")]
    assert [each.starts_at.hour for each in account().changes(WORK, "", SINCE, UNTIL).events if each.starts_at] == [12]
    assert [each.external_id for each in account().changes(MADE_THERE, "", SINCE, UNTIL).events] == ["uid0002"]
    assert len(account().busy([MADE_THERE, WORK], SINCE, UNTIL)) == 4


def test_bookings_are_read_to_the_last_page(calcom: FakeCalCom) -> None:
    for n in range(205):
        calcom.book(f"2026-11-2{4 + n % 5}T{n % 24:02d}:00:00Z", 15)
    assert len(account().changes(MADE_THERE, "", SINCE, UNTIL).events) == 205


def test_nothing_is_written(calcom: FakeCalCom) -> None:
    with pytest.raises(Refused):
        account().write(WORK, Booking(CHAIN, CHAIN, 0, NINE, NINE, "", "", ""), None)
    with pytest.raises(Refused):
        account().fetch(WORK, "x")
    account().remove(WORK, "x")
    assert calcom.seen == []


def test_one_webhook_for_an_account_however_often_it_is_asked_for(calcom: FakeCalCom) -> None:
    address = "https://port444.example/hooks/calcom/1/"
    first = account().watch(MADE_THERE, "1", "secret-1", address)
    second = account().watch(WORK, "2", "secret-2", address)
    assert first == second
    assert first is not None
    assert [(hook["subscriberUrl"], hook["secret"], hook["active"]) for hook in calcom.webhooks.values()] == [(address, "secret-2", True)]
    assert "payloadTemplate" not in next(iter(calcom.webhooks.values()))
    account().unwatch(WORK, "2", first.external_id)
    account().unwatch(WORK, "2", first.external_id)
    assert calcom.webhooks == {}


ANSWERS: list[tuple[int, Any, type[CalendarError], type[MeetingError]]] = [
    (400, {"status": "error", "error": {"message": f"bad {KEY}"}}, Refused, NotAvailable),
    (401, {"status": "error"}, NotConnected, NotAvailable),
    (403, {"status": "error"}, Refused, NotAvailable),
    (404, {"status": "error"}, Refused, NotAvailable),
    (409, {"status": "error"}, Refused, NotAvailable),
    (429, {"status": "error"}, Limited, TryLater),
    (500, b"oops", Unreachable, TryLater),
    (302, b"", Unreachable, TryLater),
    (200, {"status": "error", "error": {}}, Unreachable, TryLater),
    (200, {"status": "success", "data": {"an older version": 1}}, Unreachable, TryLater),
    (200, b'{"status": "succ', Unreachable, TryLater),
    (200, b"[]", Unreachable, TryLater),
]


@pytest.mark.parametrize(("status", "body", "error", "_room"), ANSWERS)
def test_every_answer_about_busy_times_is_worded(
    calcom: FakeCalCom, status: int, body: Any, error: type[CalendarError], _room: type[MeetingError]
) -> None:
    calcom.fail(status, body, times=9)
    with pytest.raises(error) as caught:
        account().changes(WORK, "", SINCE, UNTIL)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("status", "body", "_calendar", "error"), ANSWERS)
def test_every_answer_about_a_room_is_worded(
    calcom: FakeCalCom, rooms: Rooms, status: int, body: Any, _calendar: type[CalendarError], error: type[MeetingError]
) -> None:
    rooms.credentials["event_type_id"] = 1
    calcom.fail(status, body, times=9)
    with pytest.raises(MeetingError) as caught:
        rooms.client(seek=True).open(WISH)
    assert type(caught.value) is error
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset-Default": "1795510830", "X-RateLimit-Remaining-Default": "0"}, 30),
        ({"X-RateLimit-Reset-Long": "1795511000", "X-RateLimit-Remaining-Long": "7", "X-RateLimit-Reset-Short": "12"}, 12),
        ({"Retry-After": "9"}, 9),
        ({}, 60),
    ],
)
def test_limit_is_waited_for_as_its_headers_say(calcom: FakeCalCom, headers: dict[str, str], seconds: float) -> None:
    calcom.fail(429, {"status": "error"}, headers=headers)
    with clock.at(datetime.fromtimestamp(1795510800, UTC)), pytest.raises(Limited) as caught:
        account().calendars()
    assert caught.value.seconds == seconds


def test_answer_that_is_cut_short_is_no_answer(calcom: FakeCalCom) -> None:
    calcom.fail(200, {"status": "success", "data": []}, cut=9)
    with pytest.raises(Unreachable):
        account().calendars()


def test_room_is_a_booking_with_our_chain_and_without_the_clients_address(calcom: FakeCalCom, rooms: Rooms) -> None:
    room = rooms.client().open(WISH)
    (booking,) = calcom.bookings.values()
    assert (room.external_id, room.url) == (booking["uid"], booking["location"])
    assert booking["metadata"] == {"port444": str(CHAIN), "consultation": str(CHAIN)}
    assert booking["attendees"][0]["email"] == "call@port444.example"
    (event_type,) = calcom.event_types
    assert (event_type["lengthInMinutesOptions"], event_type["hidden"], event_type["scheduleId"]) == ([15, 30, 60], True, calcom.schedules[0]["id"])
    assert rooms.credentials["event_type_id"] == event_type["id"]


def test_event_type_is_made_once_and_found_again(calcom: FakeCalCom, rooms: Rooms) -> None:
    rooms.client().open(WISH)
    rooms.credentials.pop("event_type_id")
    rooms.client().open(LATER)
    assert (len(calcom.event_types), len(calcom.schedules)) == (1, 1)


def test_event_type_of_the_builders_own_is_used_when_it_takes_every_length(calcom: FakeCalCom, rooms: Rooms) -> None:
    calcom.event_types = [
        {"id": 5, "slug": "paid", "lengthInMinutesOptions": [15, 30, 60], "price": 900},
        {"id": 6, "slug": "asks", "lengthInMinutesOptions": [15, 30, 60], "confirmationPolicy": {"type": "always"}},
        {"id": 7, "slug": "short", "lengthInMinutesOptions": [15]},
        {"id": 8, "slug": "any", "lengthInMinutesOptions": [15, 30, 45, 60], "price": 0},
    ]
    rooms.client().open(WISH)
    assert rooms.credentials["event_type_id"] == 8


def test_event_type_that_was_deleted_there_is_found_or_made_anew(calcom: FakeCalCom, rooms: Rooms) -> None:
    rooms.credentials["event_type_id"] = 4
    with pytest.raises(TryLater):
        rooms.client().open(WISH)
    assert rooms.client().open(WISH).external_id in calcom.bookings


def test_lost_answer_is_found_by_its_chain(calcom: FakeCalCom, rooms: Rooms) -> None:
    calcom.fail(502, late=True, when=lambda seen: seen.method == "POST" and seen.path == "/v2/bookings")
    with pytest.raises(TryLater):
        rooms.client().open(WISH)
    room = rooms.client(seek=True).open(WISH)
    assert list(calcom.bookings) == [room.external_id]
    assert rooms.client().find(WISH) == room
    assert rooms.client().find(LATER) is None


def test_move_makes_another_booking_and_a_lost_one_is_not_moved_twice(calcom: FakeCalCom, rooms: Rooms) -> None:
    room = rooms.client().open(WISH)
    calcom.fail(502, late=True, when=lambda seen: seen.path.endswith("/reschedule"))
    with pytest.raises(TryLater):
        rooms.client().move(room, LATER)
    moved = rooms.client().move(room, LATER)
    assert moved.external_id != room.external_id
    assert [each["status"] for each in calcom.bookings.values()] == ["cancelled", "accepted"]
    assert rooms.client().move(moved, LATER) == moved


def test_move_of_a_booking_that_was_cancelled_there_books_anew(calcom: FakeCalCom, rooms: Rooms) -> None:
    room = rooms.client().open(WISH)
    calcom.bookings[room.external_id]["status"] = "cancelled"
    assert calcom.bookings[rooms.client().move(room, LATER).external_id]["start"] == "2026-11-25T09:00:00.000Z"


def test_closing_follows_the_booking_and_twice_is_fine(calcom: FakeCalCom, rooms: Rooms) -> None:
    room = rooms.client().open(WISH)
    calcom.move(room.external_id, "2026-11-26T09:00:00Z")
    rooms.client().close(room)
    rooms.client().close(room)
    assert {each["status"] for each in calcom.bookings.values()} == {"cancelled"}
    calcom.bookings.clear()
    rooms.client().close(room)


def test_room_without_an_address_is_no_room(calcom: FakeCalCom, rooms: Rooms) -> None:
    rooms.credentials["event_type_id"] = 1
    for location, error in (("integrations:daily", TryLater), ("Pier 4", NotAvailable), ("javascript:alert(1)", NotAvailable)):
        calcom.fail(201, {"status": "success", "data": {"uid": "u", "location": location}}, when=lambda seen: seen.method == "POST")
        with pytest.raises(MeetingError) as caught:
            rooms.client().open(WISH)
        assert type(caught.value) is error
