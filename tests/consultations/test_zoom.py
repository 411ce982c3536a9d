"""Zoom's client: every request is what the description asks for, every answer is worded, and no meeting is made twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from consultations.meetings import FullToday, MeetingError, NotAvailable, OpenRoom, RoomWish, TryLater
from consultations.meetings.zoom import ZoomClient
from port444.kit import clock
from tests.fakes.zoom import CLIENT, DAY_FULL, HOSTS, FakeZoom
from tests.specs.openapi import problems

CHAIN = UUID("019aaaaa-0000-7000-8000-00000000000a")
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
WISH = RoomWish(CHAIN, CHAIN, "Anaya and Jonas", NINE, NINE + timedelta(minutes=30), "Jonas Vermeer", "Europe/Amsterdam")


def later(wish: RoomWish = WISH) -> RoomWish:
    return RoomWish(CHAIN, CHAIN, wish.title, NINE + timedelta(days=1), NINE + timedelta(days=1, minutes=30), wish.attendee_name, wish.attendee_zone)


@pytest.fixture
def zoom(settings: Any) -> Iterator[FakeZoom]:
    """After every test: each request was right, and none of the refusals told a secret."""
    with FakeZoom() as fake:
        for name, value in fake.settings.items():
            setattr(settings, name, value)
        yield fake
        assert [problem for seen in fake.seen for problem in problems(seen, "zoom-meetings")] == []


def creates(zoom: FakeZoom) -> int:
    return len(zoom.asked("POST", "/meetings"))


def on_meetings(method: str) -> Any:
    return lambda seen: seen.method == method and "/meetings" in seen.path


def test_room_is_opened_moved_and_closed(zoom: FakeZoom) -> None:
    client = ZoomClient(HOSTS)
    room = client.open(WISH)
    assert room.host == HOSTS[0]
    assert room.url == zoom.meetings[int(room.external_id)]["join_url"]
    made = zoom.meetings[int(room.external_id)]
    assert (made["type"], made["start_time"], made["duration"], made["timezone"]) == (2, "2026-11-24T09:00:00Z", 30, "UTC")
    assert made["settings"]["join_before_host"]
    assert not made["settings"]["waiting_room"]
    assert made["agenda"].startswith(f"port444 call {CHAIN}")
    assert client.move(room, later()) == room
    assert made["start_time"] == "2026-11-25T09:00:00Z"
    client.close(room)
    assert zoom.meetings == {}
    client.close(room)  # gone already is fine


def test_token_is_asked_for_once_and_renewed_once_when_refused(zoom: FakeZoom) -> None:
    client = ZoomClient(HOSTS)
    room = client.open(WISH)
    client.host_url(room)
    assert len(zoom.asked("POST", "/oauth/token")) == 1
    zoom.end_token()
    client.host_url(room)
    assert len(zoom.asked("POST", "/oauth/token")) == 2
    zoom.fail(401, {"code": 124, "message": "Invalid access token."}, times=2, when=on_meetings("GET"))
    with pytest.raises(TryLater, match="refuses the token"):
        client.host_url(room)


def test_token_that_another_worker_ended_is_no_reason_for_another_host(zoom: FakeZoom) -> None:
    zoom.fail(401, {"code": 124, "message": "Invalid access token."}, times=2, when=on_meetings("POST"))
    with pytest.raises(TryLater):
        ZoomClient(HOSTS).open(WISH)
    assert not zoom.meetings


def test_token_is_not_readable_in_the_cache(zoom: FakeZoom) -> None:
    from django.core.cache import cache

    ZoomClient(HOSTS).open(WISH)
    kept = [value for key, value in cache._cache.items() if "zoom-token" in key]  # type: ignore[attr-defined]  # the test's memory cache
    assert kept
    assert zoom.token.encode() not in b"".join(kept)


def test_wrong_client_secret_needs_somebody(zoom: FakeZoom, settings: Any) -> None:
    settings.ZOOM_CLIENT_SECRET = "wrong"
    with pytest.raises(NotAvailable, match="client id or secret") as caught:
        ZoomClient(HOSTS).open(WISH)
    assert "wrong" not in str(caught.value)


def test_not_set_up_asks_nobody(zoom: FakeZoom, settings: Any) -> None:
    settings.ZOOM_HOSTS = []
    with pytest.raises(NotAvailable, match="not set up"):
        ZoomClient(HOSTS).open(WISH)
    assert zoom.seen == []


def test_host_address_is_asked_for_and_never_part_of_the_room(zoom: FakeZoom) -> None:
    client = ZoomClient(HOSTS)
    room = client.open(WISH)
    assert client.host_url(room).startswith("https://zoom.example/s/")
    assert "zak" not in f"{room}"


def test_full_host_is_passed_over(zoom: FakeZoom) -> None:
    zoom.changes_today[HOSTS[0]] = 100
    assert ZoomClient(HOSTS).open(WISH).host == HOSTS[1]
    zoom.changes_today[HOSTS[1]] = 100
    with pytest.raises(FullToday):
        ZoomClient(HOSTS).open(WISH)


def test_limit_as_the_old_description_words_it(zoom: FakeZoom) -> None:
    text = "A maximum of 100 meetings can be created/updated for a single user in one day."
    zoom.fail(300, {"code": 300, "message": text}, times=1, when=on_meetings("POST"))
    assert ZoomClient(HOSTS).open(WISH).host == HOSTS[1]


def test_a_host_who_left_the_account_is_passed_over(zoom: FakeZoom) -> None:
    assert ZoomClient(["gone@platform.example", HOSTS[1]]).open(WISH).host == HOSTS[1]
    with pytest.raises(NotAvailable, match="ZOOM_HOSTS"):
        ZoomClient(["gone@platform.example"]).open(WISH)


def test_no_free_host_makes_nothing(zoom: FakeZoom) -> None:
    with pytest.raises(NotAvailable, match="free"):
        ZoomClient([]).open(WISH)
    assert zoom.meetings == {}


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("Tue, 24 Nov 2026 08:00:20 GMT", 20), ("2026-11-24T08:00:30Z", 30), ("", 5), ("soon", 5), ("999999", 3600)]
)
def test_too_many_in_a_second_waits_as_long_as_told(zoom: FakeZoom, header: str, seconds: float) -> None:
    message = {"code": 429, "message": "You have reached the maximum per-second rate limit for this API. Try again later."}
    zoom.fail(429, message, headers={"Retry-After": header}, when=on_meetings("POST"))
    with clock.at(NINE - timedelta(hours=1)), pytest.raises(TryLater) as caught:
        ZoomClient(HOSTS).open(WISH)
    assert caught.value.seconds == pytest.approx(seconds)
    assert zoom.meetings == {}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"code": 300, "message": "Invalid start time"}, NotAvailable),
        (403, {"code": 4711, "message": "no scope secret-of-zoom"}, NotAvailable),
        (409, {"code": 409, "message": "Conflict"}, NotAvailable),
        (500, {"code": 500, "message": "oops"}, TryLater),
        (502, b"<html>bad gateway</html>", TryLater),
        (201, b"{}", TryLater),
        (201, b"[]", TryLater),
        (201, b'{"join_url": "https://zo', TryLater),
        (429, {"code": 429, "message": DAY_FULL}, FullToday),
    ],
)
def test_every_answer_is_worded(zoom: FakeZoom, status: int, body: Any, error: type[MeetingError]) -> None:
    zoom.fail(status, body, times=9, when=on_meetings("POST"))
    with pytest.raises(error) as caught:
        ZoomClient(HOSTS).open(WISH)
    assert type(caught.value) is error
    told = str(caught.value)
    assert not [secret for secret in (*CLIENT, zoom.token, "secret-of-zoom") if secret in told]


def test_answer_that_ends_early_is_found_again_not_repeated(zoom: FakeZoom) -> None:
    zoom.fail(201, {"join_url": "https://zoom.example/j/1", "id": 1}, cut=12, late=True, when=on_meetings("POST"))
    with pytest.raises(TryLater):
        ZoomClient(HOSTS).open(WISH)
    assert len(zoom.meetings) == 1
    room = ZoomClient(HOSTS, seek=HOSTS).open(WISH)
    assert (len(zoom.meetings), creates(zoom)) == (1, 1)
    assert zoom.meetings[int(room.external_id)]["join_url"] == room.url


def test_lost_room_is_found_on_a_later_page_of_a_later_host(zoom: FakeZoom) -> None:
    zoom.page_size = 2
    for day in range(5):
        other = UUID(int=day)
        ZoomClient(HOSTS).open(RoomWish(other, other, "x", NINE, NINE + timedelta(minutes=15), "J", "UTC"))
        ZoomClient(HOSTS[1:]).open(RoomWish(UUID(int=day + 50), other, "x", NINE, NINE + timedelta(minutes=15), "J", "UTC"))
    made = ZoomClient(HOSTS[1:]).open(WISH)
    before = creates(zoom)
    assert ZoomClient(HOSTS, seek=HOSTS).open(WISH) == made
    assert creates(zoom) == before


def test_move_of_a_meeting_that_is_gone_makes_another(zoom: FakeZoom) -> None:
    client = ZoomClient(HOSTS)
    room = client.open(WISH)
    zoom.meetings.clear()
    moved = client.move(room, later())
    assert moved.external_id != room.external_id
    assert zoom.meetings[int(moved.external_id)]["start_time"] == "2026-11-25T09:00:00Z"


def test_move_to_another_host_takes_the_first_meeting_away(zoom: FakeZoom) -> None:
    room = ZoomClient(HOSTS).open(WISH)
    moved = ZoomClient(HOSTS[1:]).move(room, later())
    assert moved.host == HOSTS[1]
    assert list(zoom.meetings) == [int(moved.external_id)]


def test_move_that_was_lost_half_way_ends_with_one_meeting(zoom: FakeZoom) -> None:
    room = ZoomClient(HOSTS).open(WISH)
    zoom.fail(500, times=1, when=on_meetings("DELETE"))
    with pytest.raises(TryLater):
        ZoomClient(HOSTS[1:]).move(room, later())
    assert len(zoom.meetings) == 2
    moved = ZoomClient(HOSTS[1:], seek=[HOSTS[1], HOSTS[0]]).move(room, later())
    assert list(zoom.meetings) == [int(moved.external_id)]


def test_meeting_in_progress_is_closed_later(zoom: FakeZoom) -> None:
    room = ZoomClient(HOSTS).open(WISH)
    zoom.fail(400, {"code": 3002, "message": "Sorry, you cannot delete this meeting since it is in progress."}, when=on_meetings("DELETE"))
    with pytest.raises(TryLater):
        ZoomClient(HOSTS).close(room)
    zoom.fail(400, {"code": 3007, "message": "Sorry, you cannot delete this meeting since it has ended."}, when=on_meetings("DELETE"))
    ZoomClient(HOSTS).close(room)
    assert len(zoom.meetings) == 1


def test_presence_is_read_page_by_page(zoom: FakeZoom) -> None:
    room = ZoomClient(HOSTS).open(WISH)
    zoom.page_size = 2
    zoom.participants[int(room.external_id)] = [
        {
            "id": "",
            "user_id": f"{n}",
            "name": f"Guest {n}",
            "user_email": "",
            "join_time": "2026-11-24T09:00:05Z",
            "leave_time": f"2026-11-24T09:2{n}:00Z",
        }
        for n in range(5)
    ]
    seen = ZoomClient().presence(room)
    assert [each.name for each in seen] == [f"Guest {n}" for n in range(5)]
    assert len({each.external_id for each in seen}) == 5
    assert seen[0].left_at == datetime(2026, 11, 24, 9, 20, tzinfo=UTC)


def test_free_plan_and_meeting_that_never_began_tell_of_nobody(zoom: FakeZoom) -> None:
    room = ZoomClient(HOSTS).open(WISH)
    assert ZoomClient().presence(room) == []
    zoom.is_paid = False
    assert ZoomClient().presence(room) == []


def test_nobody_there_is_told_from_no_answer(zoom: FakeZoom) -> None:
    room = OpenRoom("https://zoom.example/j/1", "1", HOSTS[0])
    zoom.fail(500, times=1, when=lambda seen: "past_meetings" in seen.path)
    with pytest.raises(TryLater):
        ZoomClient().presence(room)


def test_no_answer_at_all_says_nothing_of_the_account(settings: Any) -> None:
    with FakeZoom() as fake:
        for name, value in fake.settings.items():
            setattr(settings, name, value)
    with pytest.raises(TryLater) as caught:
        ZoomClient(HOSTS).open(WISH)
    assert not [secret for secret in (*CLIENT, "zoom-account") if secret in str(caught.value)]
    assert caught.value.__cause__ is None
