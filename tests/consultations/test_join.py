"""The lobby of a call, which anybody's mail scanner may open, and the step into the room, which counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from consultations.actions import cancel_call, join_call, make_room, move_call
from consultations.models import Attendance, Consultation, MeetingRoom
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict, NotAllowed
from tests.fakes.zoom import HOSTS, FakeZoom

from .conftest import counts

OWN = "https://meet.example/anaya"


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def rows() -> tuple[int, ...]:
    return (*counts(), Attendance.objects.count())


@pytest.fixture
def at_start(scheduled: Consultation) -> Iterator[Consultation]:
    with clock.at(scheduled.scheduled_at):
        yield scheduled


@pytest.fixture
def zoom(settings: Any) -> Iterator[FakeZoom]:
    with FakeZoom() as fake:
        for name, value in fake.settings.items():
            setattr(settings, name, value)
        yield fake


@pytest.fixture
def zoomed(scheduled: Consultation, zoom: FakeZoom) -> Consultation:
    """The call takes place at Zoom."""
    room = MeetingRoom.objects.create(chain=scheduled.chain, consultation=scheduled, provider="zoom", next_try_at=clock.now())
    make_room(room.pk)
    scheduled.refresh_from_db()
    assert scheduled.meeting_provider == "zoom"
    return scheduled


def test_opening_the_link_changes_nothing(client: Client, at_start: Consultation) -> None:
    before = rows()
    for user in (at_start.client, at_start.builder.user):
        client.force_login(user)
        for _ in range(2):
            page = client.get(at_start.url + "join/")
            assert (page.status_code, "The room is open" in text(page), OWN in page.content.decode()) == (200, True, False)
    client.logout()
    assert client.get(at_start.url + "join/").status_code == 302
    assert rows() == before


def test_joining_notes_who_came_and_leads_on(client: Client, at_start: Consultation) -> None:
    client.force_login(at_start.client)
    page = client.post(at_start.url + "join/")
    html = page.content.decode()
    assert f'<meta http-equiv="refresh" content="0; url={OWN}">' in html
    assert f'href="{OWN}"' in html
    assert (page["Cache-Control"], page["Referrer-Policy"]) == ("no-store", "no-referrer")
    client.force_login(at_start.builder.user)
    client.post(at_start.url + "join/")
    seen = list(Attendance.objects.order_by("party").values_list("party", "source", "joined_at"))
    assert seen == [("builder", "join", at_start.scheduled_at), ("client", "join", at_start.scheduled_at)]


def test_pressing_twice_is_one_visit_and_coming_back_is_another(at_start: Consultation) -> None:
    for minutes in (0, 1, 12):
        with clock.at(at_start.scheduled_at + timedelta(minutes=minutes)):
            join_call(at_start.pk, actor=at_start.client)
    assert Attendance.objects.count() == 2


def test_strangers_neither_see_nor_join(client: Client, at_start: Consultation, stranger: User) -> None:
    client.force_login(stranger)
    before = rows()
    for path in ("join/", "join/room/"):
        assert client.get(at_start.url + path).status_code == 404
    assert client.post(at_start.url + "join/").status_code == 404
    with pytest.raises(NotAllowed):
        join_call(at_start.pk, actor=stranger)
    assert rows() == before


@pytest.mark.parametrize(("minutes", "code"), [(-11, "too_early"), (-10, ""), (59, ""), (60, "over")])
def test_open_from_ten_minutes_before_to_half_an_hour_after(scheduled: Consultation, minutes: int, code: str) -> None:
    with clock.at(scheduled.scheduled_at + timedelta(minutes=minutes)):
        if not code:
            assert join_call(scheduled.pk, actor=scheduled.client) == OWN
            return
        before = rows()
        with pytest.raises(Conflict) as caught:
            join_call(scheduled.pk, actor=scheduled.client)
        assert (caught.value.code, rows()) == (code, before)


def test_too_early_is_said_on_the_page(client: Client, scheduled: Consultation) -> None:
    client.force_login(scheduled.client)
    with clock.at(scheduled.scheduled_at - timedelta(minutes=70)):
        assert "Opens in 1 h The room opens" in text(client.get(scheduled.url + "join/"))
        answer = client.post(scheduled.url + "join/")
    assert (answer.status_code, "not open yet" in text(answer), OWN in answer.content.decode()) == (409, True, False)


def test_lobby_looks_again_by_itself_until_the_room_is_open(client: Client, scheduled: Consultation) -> None:
    client.force_login(scheduled.client)
    with clock.at(scheduled.scheduled_at - timedelta(minutes=11)):
        page = client.get(scheduled.url + "join/").content.decode()
        part = client.get(scheduled.url + "join/room/", headers={"HX-Request": "true"}).content.decode()
    poll = f'hx-get="{scheduled.url}join/room/"'
    assert (poll in page, "<noscript><a" in page, poll in part, "<html" in part) == (True, True, True, False)
    with clock.at(scheduled.scheduled_at):
        part = client.get(scheduled.url + "join/room/").content.decode()
    assert (poll in part, "Join the call" in part) == (False, True)


def test_cancelled_call_says_so(client: Client, at_start: Consultation) -> None:
    cancel_call(at_start.pk, actor=at_start.builder.user, reason="I am ill, sorry.")
    client.force_login(at_start.client)
    page = client.get(at_start.url + "join/")
    html = page.content.decode()
    assert ("This call was cancelled" in text(page), "I am ill, sorry." in html, f'action="{at_start.url}join/"' in html) == (True, True, False)
    before = rows()
    assert client.post(at_start.url + "join/").status_code == 409
    assert rows() == before


def test_moved_call_leads_to_the_new_time(client: Client, scheduled: Consultation) -> None:
    following = move_call(scheduled.pk, actor=scheduled.client, starts_at=scheduled.scheduled_at + timedelta(days=2))
    client.force_login(scheduled.client)
    with clock.at(scheduled.scheduled_at):
        page = client.get(scheduled.url + "join/")
        assert "This call was moved" in text(page)
        assert "Thursday 26 November, 04:30 (Amsterdam)" in text(page)
        assert f'href="{following.url}join/"' in page.content.decode()
        before = rows()
        assert client.post(scheduled.url + "join/").status_code == 409
        assert rows() == before


def test_room_that_is_named_late_opens(client: Client, at_start: Consultation) -> None:
    Consultation.objects.filter(pk=at_start.pk).update(meeting_url="")
    Builder.objects.update(meeting_url="")
    client.force_login(at_start.client)
    assert "No room is named yet" in text(client.get(at_start.url + "join/"))
    assert client.post(at_start.url + "join/").status_code == 409
    Builder.objects.update(meeting_url="https://meet.example/late")
    assert "The room is open" in text(client.get(at_start.url + "join/"))
    assert "https://meet.example/late" in client.post(at_start.url + "join/").content.decode()


def test_link_that_is_mended_in_the_profile_is_mended_for_the_call(at_start: Consultation) -> None:
    assert join_call(at_start.pk, actor=at_start.client) == OWN
    Builder.objects.update(meeting_url="https://meet.example/mended")
    for user in (at_start.client, at_start.builder.user):
        assert join_call(at_start.pk, actor=user) == "https://meet.example/mended"
    at_start.refresh_from_db()
    assert at_start.meeting_url == "https://meet.example/mended"


def test_only_the_builder_starts_as_host_and_the_address_is_kept_nowhere(client: Client, zoomed: Consultation, zoom: FakeZoom) -> None:
    start = zoom.meetings[int(zoomed.meeting_id)]["start_url"]
    with clock.at(zoomed.scheduled_at):
        client.force_login(zoomed.client)
        assert "Start as host" not in text(client.get(zoomed.url + "join/"))
        assert start not in client.post(zoomed.url + "join/", {"host": "1"}).content.decode()
        client.force_login(zoomed.builder.user)
        page = client.get(zoomed.url + "join/")
        assert ("Start as host" in text(page), start in page.content.decode()) == (True, False)
        assert f"url={start}" in client.post(zoomed.url + "join/", {"host": "1"}).content.decode()
    assert Attendance.objects.count() == 2
    stored = [str(value) for model in (Consultation, MeetingRoom) for row in model.objects.values() for value in row.values()]
    assert not [value for value in stored if "zak=" in value]


def test_host_can_join_although_zoom_does_not_answer(client: Client, zoomed: Consultation, zoom: FakeZoom) -> None:
    zoom.fail(500, times=1)
    client.force_login(zoomed.builder.user)
    with clock.at(zoomed.scheduled_at):
        answer = client.post(zoomed.url + "join/", {"host": "1"})
        assert (answer.status_code, "Join the call" in text(answer)) == (503, True)


def test_once_somebody_is_in_a_room_the_call_stays_there(zoom: FakeZoom, scheduled: Consultation) -> None:
    """The own link stood in for Zoom; the client went there, so the builder does, too."""
    room = MeetingRoom.objects.create(chain=scheduled.chain, consultation=scheduled, provider="zoom", next_try_at=clock.now())
    zoom.daily_limit = 0
    make_room(room.pk)
    with clock.at(scheduled.scheduled_at - timedelta(minutes=5)):
        assert join_call(scheduled.pk, actor=scheduled.client) == OWN
        zoom.daily_limit = 100
        make_room(room.pk)
        assert join_call(scheduled.pk, actor=scheduled.builder.user) == OWN
    assert zoom.meetings == {}
    assert zoom.hosts == HOSTS


def test_lobby_costs_the_same_queries_always(client: Client, at_start: Consultation, django_assert_num_queries: Any) -> None:
    client.force_login(at_start.client)
    with django_assert_num_queries(6):
        client.get(at_start.url + "join/")
