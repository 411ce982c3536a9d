"""What Zoom and Cal.com post to us: signed or refused, a hint or evidence, twice or in the wrong order without harm."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django_q.models import OrmQ

from consultations import actions, jobs
from consultations.actions import make_room
from consultations.actions.follow import follow
from consultations.models import Attendance, CalendarLink, Consultation, LinkedCalendar, MeetingRoom, Proposal, PushChannel
from port444.builders.models import Builder
from port444.kit import clock
from tests.fakes.calcom import KEY, FakeCalCom
from tests.fakes.zoom import FakeZoom

from .conftest import MONDAY, TUESDAY_NINE, counts

SECRET = "zoom-webhook-secret"
NUMBER = "81000000001"


@pytest.fixture
def zoomed(scheduled: Consultation, settings: Any) -> Consultation:
    """A call whose room is a meeting at Zoom."""
    settings.ZOOM_WEBHOOK_SECRET = SECRET
    fields = {"provider": "zoom", "status": "ready", "url": "https://zoom.example/j/1", "external_id": NUMBER, "host": "calls1@platform.example"}
    MeetingRoom.objects.create(chain=scheduled.chain, consultation=scheduled, made=0, **fields)
    Consultation.objects.filter(pk=scheduled.pk).update(meeting_provider="zoom", meeting_url="https://zoom.example/j/1", meeting_id=NUMBER)
    scheduled.refresh_from_db()
    return scheduled


def zoom_says(body: dict[str, Any] | bytes, *, secret: str = SECRET, age: int = 0, signature: str | None = None, stamp: str | None = None) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = stamp if stamp is not None else str(int(clock.now().timestamp()) - age)
    signed = "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    headers = {"x-zm-signature": signature if signature is not None else signed, "x-zm-request-timestamp": stamp}
    return Client().post("/hooks/zoom/", raw, content_type="application/json", headers=headers)


def person(event: str, **facts: Any) -> dict[str, Any]:
    """As Zoom sends it: ids are empty for people who are not signed in there."""
    who = {"id": "", "user_id": "16778240", "user_name": "Jonas Vermeer", "email": "", "participant_uuid": "10010282-DB44", **facts}
    meeting = {"id": NUMBER, "uuid": "Jt4PAh1jSaiRSDnd90ssWA==", "host_id": "host-1", "topic": "x", "type": 2, "participant": who}
    return {"event": f"meeting.participant_{event}", "event_ts": 1, "payload": {"account_id": "a", "object": meeting}}


def at(call: Consultation, minutes: float) -> str:
    return f"{call.scheduled_at + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def seen() -> list[tuple[str, str, str | None]]:
    rows = Attendance.objects.order_by("party", "joined_at").values_list("party", "joined_at", "left_at")
    return [(party, f"{joined:%H:%M}", f"{left:%H:%M}" if left else None) for party, joined, left in rows]


def test_zoom_asks_whether_the_address_is_ours(zoomed: Consultation) -> None:
    answer = zoom_says({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    right = hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert answer.json() == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": right}


def test_unsigned_question_is_not_answered(zoomed: Consultation) -> None:
    """Its answer would be a signature of whatever the asker writes."""
    raw = json.dumps(person("joined", join_time=at(zoomed, 0))).encode()
    forged = f"v0:{int(clock.now().timestamp())}:{raw.decode()}"
    answer = zoom_says({"event": "endpoint.url_validation", "payload": {"plainToken": forged}}, signature="")
    assert (answer.status_code, b"encryptedToken" in answer.content) == (403, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"age": 301},
        {"age": -301},
        {"signature": ""},
        {"signature": "v0=é"},
        {"stamp": ""},
        {"stamp": "x"},
        {"stamp": "9" * 40},
    ],
)
def test_post_that_zoom_did_not_sign_just_now_is_refused(zoomed: Consultation, wrong: dict[str, Any]) -> None:
    before = counts()
    assert zoom_says(person("joined", join_time=at(zoomed, 0)), **wrong).status_code == 403
    assert (counts(), seen()) == (before, [])


def test_without_a_secret_everything_is_refused(zoomed: Consultation, settings: Any) -> None:
    settings.ZOOM_WEBHOOK_SECRET = ""
    assert zoom_says(person("joined", join_time=at(zoomed, 0)), secret="").status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"event": 1, "payload": []}', b'{"event": "meeting.participant_joined", "payload": {"object": "x"}}']
)
def test_odd_bodies_are_nothing(zoomed: Consultation, body: bytes) -> None:
    assert zoom_says(body).status_code == 204
    assert seen() == []


def test_coming_and_going_are_one_visit(zoomed: Consultation) -> None:
    assert zoom_says(person("joined", join_time=at(zoomed, 1))).status_code == 204
    assert seen() == [("client", "03:31", None)]
    zoom_says(person("left", leave_time=at(zoomed, 29)))
    assert seen() == [("client", "03:31", "03:59")]


def test_any_order_and_any_number_of_posts_tell_the_same(zoomed: Consultation) -> None:
    posts = [person("left", leave_time=at(zoomed, 29)), person("joined", join_time=at(zoomed, 1))]
    for post in (*posts, *posts, posts[0]):
        zoom_says(post)
    assert seen() == [("client", "03:31", "03:59")]


@pytest.mark.parametrize(
    ("facts", "party"),
    [
        ({"user_name": "x", "email": "JONAS@example.com"}, "client"),
        ({"user_name": "jonas  VERMEER"}, "client"),
        ({"user_name": "Jonas"}, "client"),
        ({"user_name": "Anaya Krishnan"}, "builder"),
        ({"user_name": "x", "email": "anaya@example.com"}, "builder"),
        ({"user_name": "Zoom host", "email": "calls1@platform.example"}, "builder"),
        ({"user_name": "x", "id": "host-1"}, "builder"),
        ({"user_name": "iPhone"}, None),
        ({"user_name": ""}, None),
    ],
)
def test_who_it_is_is_told_by_address_and_name_and_never_guessed(zoomed: Consultation, facts: dict[str, str], party: str | None) -> None:
    zoom_says(person("joined", join_time=at(zoomed, 0), **facts))
    assert [row[0] for row in seen()] == ([party] if party else [])


def test_same_names_tell_nobody(zoomed: Consultation) -> None:
    type(zoomed.client).objects.update(name="Sam Same")
    zoom_says(person("joined", join_time=at(zoomed, 0), user_name="Sam Same"))
    assert seen() == []


@pytest.mark.parametrize("minutes", [-61, 30 + 121])
def test_visit_at_another_time_is_no_evidence(zoomed: Consultation, minutes: int) -> None:
    zoom_says(person("joined", join_time=at(zoomed, minutes)))
    assert seen() == []


def test_meeting_of_somebody_else_is_no_evidence(zoomed: Consultation) -> None:
    MeetingRoom.objects.update(external_id="5")
    zoom_says(person("joined", join_time=at(zoomed, 0)))
    assert seen() == []


def test_cancelled_call_takes_no_evidence(zoomed: Consultation) -> None:
    actions.cancel_call(zoomed.pk, actor=zoomed.client)
    zoom_says(person("joined", join_time=at(zoomed, 0)))
    assert seen() == []


class TestAfterwards:
    """Who was there, asked for when the call is over."""

    @pytest.fixture
    def zoom(self, zoomed: Consultation, settings: Any) -> Iterator[FakeZoom]:
        with FakeZoom() as fake:
            for name, value in fake.settings.items():
                setattr(settings, name, value)
            yield fake

    def was_there(self, zoom: FakeZoom, call: Consultation, name: str, first: float, last: float, **facts: str) -> None:
        row = {"id": "", "user_id": str(uuid4())[:8], "name": name, "user_email": "", "join_time": at(call, first), "leave_time": at(call, last)}
        zoom.participants.setdefault(int(NUMBER), []).append(row | facts)

    def test_asked_ten_minutes_after_the_end_and_not_again(self, zoom: FakeZoom, zoomed: Consultation) -> None:
        self.was_there(zoom, zoomed, "Jonas Vermeer", 0, 28)
        self.was_there(zoom, zoomed, "Anaya", -3, 30)
        with clock.at(zoomed.ends_at + timedelta(minutes=9)):
            assert jobs.ask_who_came() == 0
        with clock.at(zoomed.ends_at + timedelta(minutes=10)):
            assert (jobs.ask_who_came(), jobs.ask_who_came()) == (1, 0)
        assert seen() == [("builder", "03:27", "04:00"), ("client", "03:30", "03:58")]
        assert MeetingRoom.objects.get().status == "closed"

    def test_what_was_posted_already_is_not_told_twice(self, zoom: FakeZoom, zoomed: Consultation) -> None:
        zoom_says(person("joined", join_time=at(zoomed, 1)))
        self.was_there(zoom, zoomed, "Jonas Vermeer", 1, 28)
        with clock.at(zoomed.ends_at + timedelta(minutes=10)):
            jobs.ask_who_came()
        assert seen() == [("client", "03:31", "03:58")]

    def test_no_answer_is_asked_for_again_and_given_up_after_two_hours(self, zoom: FakeZoom, zoomed: Consultation) -> None:
        zoom.fail(500, times=1, when=lambda request: "past_meetings" in request.path)
        for minutes, status in ((10, "ready"), (31, "ready"), (121, "closed")):
            with clock.at(zoomed.ends_at + timedelta(minutes=minutes)):
                assert jobs.ask_who_came() == 1
            assert MeetingRoom.objects.get().status == status
        assert seen() == []

    def test_meet_is_asked_with_the_builders_own_account(
        self, scheduled: Consultation, open_builder: Builder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from consultations.calendars import google
        from consultations.meetings import Presence

        link = CalendarLink.objects.create(builder=open_builder, provider="google", account="a@example.com", credentials={"token": "t"})
        LinkedCalendar.objects.create(link=link, external_id="primary", name="Work", is_written=True)
        fields = {"provider": "google_meet", "status": "ready", "url": "https://meet.example/abc", "external_id": "abc"}
        MeetingRoom.objects.create(chain=scheduled.chain, consultation=scheduled, made=0, **fields)
        asked = []

        def presence(credentials: dict[str, Any], keep: Any, code: str, since: datetime, until: datetime) -> list[Presence]:
            asked.append((credentials, code, since < scheduled.scheduled_at, until > scheduled.ends_at))
            return [Presence("participants/1", "Anaya Krishnan", "", scheduled.scheduled_at, scheduled.ends_at)]

        monkeypatch.setattr(google, "meet_presence", presence)
        with clock.at(scheduled.ends_at + timedelta(minutes=10)):
            jobs.ask_who_came()
        assert asked == [({"token": "t"}, "abc", True, True)]
        assert seen() == [("builder", "03:30", "04:00")]


class TestCalCom:
    """A post of Cal.com is a hint: what follows is what the booking says."""

    @pytest.fixture
    def calcom(self, settings: Any) -> Iterator[FakeCalCom]:
        with FakeCalCom() as fake:
            settings.CALCOM_URL = fake.url
            yield fake

    @pytest.fixture
    def link(self, open_builder: Builder) -> CalendarLink:
        link = CalendarLink.objects.create(
            builder=open_builder, provider="cal_com", account="a@cal.example", hook_secret="s" * 43, credentials={"api_key": KEY, "username": "anaya"}
        )
        LinkedCalendar.objects.create(link=link, external_id="bookings", name="Booked", is_read=True, can_write=False, next_sync_at=MONDAY)
        return link

    @pytest.fixture
    def call(self, scheduled: Consultation, link: CalendarLink, calcom: FakeCalCom) -> Consultation:
        """A call whose room is a booking at Cal.com."""
        room = MeetingRoom.objects.create(chain=scheduled.chain, consultation=scheduled, provider="cal_com", next_try_at=MONDAY)
        make_room(room.pk)
        OrmQ.objects.all().delete()
        scheduled.refresh_from_db()
        assert scheduled.meeting_provider == "cal_com"
        return scheduled

    def post(self, calcom: FakeCalCom, link: CalendarLink, event: str, uid: str, secret: str | None = None) -> int:
        body, headers = calcom.signed(event, {"uid": uid, "status": "ACCEPTED"}, secret if secret is not None else link.hook_secret)
        return Client().post(f"/hooks/calcom/{link.pk}/", body, content_type="application/json", headers=headers).status_code

    def carry_out(self) -> None:
        """What the queue holds of hints."""
        for task in OrmQ.objects.all():
            name = task.task["func"].rpartition(".")[2]
            if name == "read_cal_com":
                jobs.read_cal_com(*task.task["args"])
                task.delete()

    def proposals(self) -> list[tuple[str, datetime | None]]:
        return list(Proposal.objects.filter(status="open", from_calendar=True).values_list("kind", "starts_at"))

    def test_unsigned_or_wrongly_signed_is_refused(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        before = counts()
        assert self.post(calcom, link, "BOOKING_CANCELLED", "x", secret="another") == 403
        assert Client().post(f"/hooks/calcom/{link.pk}/", b"{}", content_type="application/json").status_code == 403
        assert Client().post(f"/hooks/calcom/{uuid4()}/", b"{}", content_type="application/json").status_code == 403
        CalendarLink.objects.update(hook_secret="")
        assert self.post(calcom, link, "BOOKING_CANCELLED", "x", secret="") == 403
        assert counts() == before

    def test_our_own_booking_coming_back_is_nothing(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        assert self.post(calcom, link, "BOOKING_CREATED", call.meeting_id) == 204
        self.carry_out()
        assert self.proposals() == []

    def test_lie_of_the_post_is_not_believed(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        self.post(calcom, link, "BOOKING_CANCELLED", call.meeting_id)
        self.carry_out()
        assert self.proposals() == []

    def test_booking_that_was_cancelled_there_asks_the_builder(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        calcom.bookings[call.meeting_id]["status"] = "cancelled"
        for _ in range(3):
            self.post(calcom, link, "BOOKING_CANCELLED", call.meeting_id)
        self.carry_out()
        call.refresh_from_db()
        assert (self.proposals(), call.status) == ([("cancel", None)], "scheduled")
        assert (call.meeting_provider, call.meeting_url) == ("own_link", "https://meet.example/anaya")

    def test_room_is_made_again_when_the_call_takes_place_all_the_same(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        calcom.bookings[call.meeting_id]["status"] = "cancelled"
        self.post(calcom, link, "BOOKING_CANCELLED", call.meeting_id)
        self.carry_out()
        call.refresh_from_db()
        follow(call, MONDAY)
        make_room(MeetingRoom.objects.get().pk)
        call.refresh_from_db()
        assert calcom.bookings[call.meeting_id]["status"] == "accepted"
        assert call.meeting_url == calcom.bookings[call.meeting_id]["location"]

    def test_booking_that_was_moved_there_is_proposed_and_known_by_its_new_name(
        self, calcom: FakeCalCom, link: CalendarLink, call: Consultation
    ) -> None:
        made = calcom.move(call.meeting_id, "2026-11-24T05:30:00Z")
        self.post(calcom, link, "BOOKING_RESCHEDULED", made["uid"])
        self.post(calcom, link, "BOOKING_CANCELLED", call.meeting_id)
        self.carry_out()
        assert self.proposals() == [("move", datetime(2026, 11, 24, 5, 30, tzinfo=UTC))]
        call.refresh_from_db()
        assert (call.scheduled_at, call.meeting_id, call.meeting_url) == (TUESDAY_NINE, made["uid"], made["location"])

    def test_declined_move_is_taken_back_there(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        made = calcom.move(call.meeting_id, "2026-11-24T05:30:00Z")
        self.post(calcom, link, "BOOKING_RESCHEDULED", made["uid"])
        self.carry_out()
        call.refresh_from_db()
        follow(call, MONDAY)
        make_room(MeetingRoom.objects.get().pk)
        call.refresh_from_db()
        assert calcom.bookings[call.meeting_id]["start"] == "2026-11-24T03:30:00.000Z"

    @pytest.mark.parametrize(
        ("absent", "host", "there"), [(True, False, ["builder"]), (False, True, ["client"]), (True, True, []), (False, False, [])]
    )
    def test_marks_of_absence_are_the_word_of_who_was_there(
        self, calcom: FakeCalCom, link: CalendarLink, call: Consultation, absent: bool, host: bool, there: list[str]
    ) -> None:
        booking = calcom.bookings[call.meeting_id]
        for mark in (False, True):
            booking["attendees"][0]["absent"], booking["absentHost"] = mark and absent, mark and host
            with clock.at(call.ends_at):
                self.post(calcom, link, "BOOKING_NO_SHOW_UPDATED", call.meeting_id)
                self.carry_out()
        assert [row[0] for row in seen()] == there
        booking["attendees"][0]["absent"] = booking["absentHost"] = False
        with clock.at(call.ends_at):
            jobs.read_cal_com(str(link.pk), call.meeting_id)
        assert seen() == []

    def test_booking_of_somebody_else_only_has_the_calendar_read(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        other = calcom.book("2026-11-25T09:00:00Z", 30, metadata={"port444": str(uuid4())})
        self.post(calcom, link, "BOOKING_CREATED", other["uid"])
        self.carry_out()
        assert self.proposals() == []
        assert "sync_calendar" in [task.task["func"].rpartition(".")[2] for task in OrmQ.objects.all()]

    def test_no_answer_to_the_question_is_no_trouble(self, calcom: FakeCalCom, link: CalendarLink, call: Consultation) -> None:
        calcom.fail(500, times=9)
        jobs.read_cal_com(str(link.pk), call.meeting_id)
        assert self.proposals() == []

    def test_account_is_asked_to_post_once(self, calcom: FakeCalCom, link: CalendarLink, settings: Any) -> None:
        assert (jobs.watch_accounts(), jobs.watch_accounts()) == (1, 0)
        (hook,) = calcom.webhooks.values()
        assert (hook["subscriberUrl"], hook["secret"]) == (f"{settings.SITE_URL}/hooks/calcom/{link.pk}/", link.hook_secret)
        assert PushChannel.objects.get().external_id == hook["id"]
