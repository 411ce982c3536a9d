"""Google's client against a Google with real state; each request is judged by the discovery documents (see conftest)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID, uuid4

import pytest

from consultations.calendars import google as module
from consultations.calendars.google import GoogleCalendar, account, chain_of, event_id, meet_presence
from consultations.calendars.google.signin import MEET, NEEDED
from consultations.calendars.protocol import (
    Booking,
    CalendarClient,
    CalendarError,
    Conflicting,
    Event,
    Gone,
    Limited,
    NotConnected,
    Refused,
    Unreachable,
    Written,
)
from port444.kit import outbound
from port444.kit.clock import at
from port444.kit.ids import uuid7
from tests.fakes.google import FakeGoogle
from tests.fakes.server import Seen

ACCOUNT = "anaya@example.com"
BACK = "https://port444.example/calls/calendars/google/back/"
VERIFIER = "v" * 43
ALL = " ".join([*NEEDED, MEET])
SINCE, UNTIL = datetime(2027, 1, 4, tzinfo=UTC), datetime(2027, 4, 4, tzinfo=UTC)


def moment(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2027, 1, day, hour, minute, tzinfo=UTC)


def booking(**fields: Any) -> Booking:
    usual: dict[str, Any] = {
        "chain": uuid7(),
        "consultation": uuid7(),
        "sequence": 0,
        "starts_at": moment(12),
        "ends_at": moment(12, 9, 30),
        "title": "Call with Jonas Vermeer",
        "description": "Notes: <b>indexes</b> & vacuum",
        "location": "https://port444.example/calls/1/join/",
    }
    return Booking(**usual | fields)


@pytest.fixture
def kept() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def client(google: FakeGoogle, kept: list[dict[str, Any]]) -> GoogleCalendar:
    return module.client(google.tokens(ALL), kept.append)


def by_id(events: Any) -> dict[str, Event]:
    return {event.external_id: event for event in events}


# Signing in


def test_connecting(google: FakeGoogle) -> None:
    google.add_calendar("team@group.calendar.google.com", "Team", "Europe/Berlin", role="reader")
    url = module.authorize_url("state-1", BACK, VERIFIER)
    query = parse_qs(urlsplit(url).query)
    assert query["access_type"] == ["offline"]
    assert query["prompt"] == ["consent"]
    assert VERIFIER not in url
    answer = dict(parse_qsl(urlsplit(google.consent(url)).query))
    assert answer["state"] == "state-1"

    connection = module.connect(answer["code"], BACK, VERIFIER)

    assert connection.account == ACCOUNT
    assert connection.credentials["refresh_token"] in google.refresh_tokens
    assert connection.credentials["subject"] == google.subject
    assert [(each.external_id, each.time_zone, each.is_primary, each.can_write) for each in connection.calendars] == [
        (ACCOUNT, "Asia/Kolkata", True, True),
        ("team@group.calendar.google.com", "Europe/Berlin", False, False),
    ]
    again = module.client(connection.credentials, lambda credentials: None)
    assert len(again.calendars()) == 2


def test_saying_no_gives_no_code(google: FakeGoogle) -> None:
    answer = dict(parse_qsl(urlsplit(google.consent(module.authorize_url("state-1", BACK, VERIFIER), allow=False)).query))
    assert answer == {"error": "access_denied", "state": "state-1"}


def test_a_box_that_was_unticked_is_named(google: FakeGoogle) -> None:
    url = module.authorize_url("s", BACK, VERIFIER)
    scopes = [scope for scope in parse_qs(urlsplit(url).query)["scope"][0].split() if not scope.endswith("calendar.events")]
    code = dict(parse_qsl(urlsplit(google.consent(url, scopes=scopes)).query))["code"]
    with pytest.raises(Refused, match=r"^calls need your events\. Connect again"):
        module.connect(code, BACK, VERIFIER)


def test_calls_work_without_a_look_into_meet(google: FakeGoogle) -> None:
    url = module.authorize_url("s", BACK, VERIFIER)
    scopes = [scope for scope in parse_qs(urlsplit(url).query)["scope"][0].split() if scope != MEET]
    code = dict(parse_qsl(urlsplit(google.consent(url, scopes=scopes)).query))["code"]
    connection = module.connect(code, BACK, VERIFIER)
    assert meet_presence(connection.credentials, lambda credentials: None, "abc-defg-hij", SINCE, UNTIL) == []
    assert google.asked("GET", "/v2/conferenceRecords") == []


def test_a_code_is_good_once_and_with_its_verifier_only(google: FakeGoogle) -> None:
    def code() -> str:
        return dict(parse_qsl(urlsplit(google.consent(module.authorize_url("s", BACK, VERIFIER))).query))["code"]

    with pytest.raises(NotConnected):
        module.connect(code(), BACK, "w" * 43)
    used = code()
    module.connect(used, BACK, VERIFIER)
    with pytest.raises(NotConnected):
        module.connect(used, BACK, VERIFIER)


def test_without_a_lasting_permission_there_is_no_connection(google: FakeGoogle) -> None:
    code = dict(parse_qsl(urlsplit(google.consent(module.authorize_url("s", BACK, VERIFIER))).query))["code"]
    google.codes[code]["prompt"] = ""  # as Google answers somebody who has allowed it before
    with pytest.raises(Refused, match="lasting"):
        module.connect(code, BACK, VERIFIER)


# Tokens


def test_a_token_that_has_run_out_is_renewed_and_kept(google: FakeGoogle, kept: list[dict[str, Any]]) -> None:
    credentials = google.tokens(ALL) | {"expiry": "2026-01-01T00:00:00+00:00", "account": ACCOUNT}
    assert len(module.client(credentials, kept.append).calendars()) == 1
    assert [seen.path for seen in google.seen] == ["/token", "/calendar/v3/users/me/calendarList"]
    assert len(kept) == 1
    assert kept[0]["token"] in google.access_tokens
    assert kept[0]["refresh_token"] == credentials["refresh_token"]
    assert kept[0]["account"] == ACCOUNT
    assert datetime.fromisoformat(kept[0]["expiry"]) > datetime.now(UTC)


def test_a_token_that_google_no_longer_takes_is_renewed_once(google: FakeGoogle, client: GoogleCalendar, kept: list[dict[str, Any]]) -> None:
    google.expire_access_tokens()
    assert len(client.calendars()) == 1
    assert len(kept) == 1
    google.fail(401, {"error": {"code": 401, "errors": [{"reason": "authError"}]}}, times=9, when=lambda seen: seen.path != "/token")
    with pytest.raises(NotConnected):
        client.calendars()
    assert len(google.asked("POST", "/token")) == 2


def test_a_permission_taken_back_needs_the_builder(google: FakeGoogle, client: GoogleCalendar, kept: list[dict[str, Any]]) -> None:
    google.revoke()
    with pytest.raises(NotConnected):
        client.calendars()
    assert kept == []


def test_our_own_wrong_secret_costs_nobody_the_connection(google: FakeGoogle, settings: Any) -> None:
    settings.GOOGLE_CLIENT_SECRET = "wrong"
    client = module.client(google.tokens(ALL) | {"token": ""}, lambda credentials: None)
    with pytest.raises(Unreachable, match="invalid_client"):
        client.calendars()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, {"error": "server_error"}, Unreachable),
        (429, {}, Limited),
        (200, b'{"access_tok', Unreachable),
        (200, {}, Unreachable),
        (200, [], Unreachable),
    ],
)
def test_a_token_endpoint_in_trouble_is_no_broken_connection(google: FakeGoogle, status: int, body: Any, kind: type[CalendarError]) -> None:
    google.fail(status, body, times=9)
    began = time.monotonic()
    with pytest.raises(kind) as raised:
        module.client(google.tokens(ALL) | {"token": ""}, lambda credentials: None).calendars()
    assert not isinstance(raised.value, NotConnected)
    assert len(google.seen) == 1, "google-auth waits and tries again by itself"
    assert began <= time.monotonic()


# Reading


def test_it_is_a_calendar_client(client: GoogleCalendar) -> None:
    keeps_the_promise: CalendarClient = client
    assert keeps_the_promise is client


def test_calendars_of_all_pages(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.page_size = 2
    for number in range(4):
        google.add_calendar(f"c{number}", f"Calendar {number}")
    assert [each.external_id for each in client.calendars()] == [ACCOUNT, "c0", "c1", "c2", "c3"]
    assert len(google.asked("GET", "calendarList")) == 3


def test_changes_first_in_full_then_what_is_new(google: FakeGoogle, client: GoogleCalendar) -> None:
    inside = google.add_event(moment(5), moment(5, 10))
    google.add_event(moment(1), moment(1, 10))  # before the window
    full = client.changes(ACCOUNT, "", SINCE, UNTIL)
    assert full.is_full
    assert [(each.external_id, each.starts_at, each.ends_at, each.is_busy) for each in full.events] == [(inside, moment(5), moment(5, 10), True)]

    nothing = client.changes(ACCOUNT, full.token, SINCE, UNTIL)
    assert not nothing.is_full
    assert nothing.events == []

    later = google.add_event(moment(6), moment(6, 10))
    google.delete_event(inside)
    more = by_id(client.changes(ACCOUNT, nothing.token, SINCE, UNTIL).events)
    assert more[inside].is_gone
    assert more[later].starts_at == moment(6)
    assert len(more) == 2
    query = google.asked("GET", "/events")[-1].query
    assert {"timeMin", "timeMax"}.isdisjoint(query)


def test_pages_are_read_to_the_end_even_past_an_empty_one(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.page_size, google.empty_pages = 2, True
    ids = {google.add_event(moment(5, hour), moment(5, hour, 30)) for hour in range(5)}
    assert set(by_id(client.changes(ACCOUNT, "", SINCE, UNTIL).events)) == ids
    assert len(google.asked("GET", "/events")) == 4


def test_a_list_without_end_is_given_up(google: FakeGoogle, client: GoogleCalendar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MOST_PAGES", 3)
    google.fail(200, {"items": [], "nextPageToken": "again"}, times=9)
    with pytest.raises(Unreachable):
        client.changes(ACCOUNT, "", SINCE, UNTIL)
    assert len(google.seen) == 3


def test_an_old_sync_token_is_gone(google: FakeGoogle, client: GoogleCalendar) -> None:
    token = client.changes(ACCOUNT, "", SINCE, UNTIL).token
    google.expire_sync_tokens()
    with pytest.raises(Gone):
        client.changes(ACCOUNT, token, SINCE, UNTIL)
    with pytest.raises(Gone):
        client.changes(ACCOUNT, "of another life", SINCE, UNTIL)
    assert client.changes(ACCOUNT, "", SINCE, UNTIL).is_full


def test_a_recurring_event_comes_as_its_occurrences(google: FakeGoogle, client: GoogleCalendar) -> None:
    first, second, third = google.add_series([moment(5), moment(12), moment(19)], timedelta(hours=1))
    full = client.changes(ACCOUNT, "", SINCE, UNTIL)
    assert [each.starts_at for each in full.events] == [moment(5), moment(12), moment(19)]
    google.delete_event(second)
    google.move_event(third, moment(20, 15), moment(20, 16))
    changed = by_id(client.changes(ACCOUNT, full.token, SINCE, UNTIL).events)
    assert set(changed) == {second, third}
    assert changed[second].is_gone
    assert changed[third].starts_at == moment(20, 15)
    assert first not in changed


def test_what_has_left_the_window_is_gone(google: FakeGoogle, client: GoogleCalendar) -> None:
    event = google.add_event(moment(5), moment(5, 10))
    token = client.changes(ACCOUNT, "", SINCE, UNTIL).token
    google.move_event(event, UNTIL, UNTIL + timedelta(hours=1))
    (moved,) = client.changes(ACCOUNT, token, SINCE, UNTIL).events
    assert moved.is_gone


def test_an_event_beyond_all_years_hides_no_other(google: FakeGoogle, client: GoogleCalendar) -> None:
    odd = {"id": "odd", "status": "confirmed", "start": {"date": "9999-12-31"}, "end": {"date": "10000-01-01"}}
    even = {"id": "even", "status": "confirmed", "start": {"dateTime": "2027-01-05T09:00:00Z"}, "end": {"dateTime": "2027-01-05T10:00:00Z"}}
    google.fail(200, {"timeZone": "UTC", "items": [odd, even], "nextSyncToken": "v1"})
    events = by_id(client.changes(ACCOUNT, "v0", SINCE, UNTIL).events)
    assert events["odd"].is_gone
    assert events["even"].starts_at == moment(5)


@pytest.mark.parametrize(
    ("zone", "day", "starts_at", "ends_at"),
    [
        ("Asia/Kolkata", date(2027, 1, 12), datetime(2027, 1, 11, 18, 30, tzinfo=UTC), datetime(2027, 1, 12, 18, 30, tzinfo=UTC)),
        ("America/New_York", date(2027, 3, 14), datetime(2027, 3, 14, 5, tzinfo=UTC), datetime(2027, 3, 15, 4, tzinfo=UTC)),  # 23 hours
        ("America/New_York", date(2027, 11, 7), datetime(2027, 11, 7, 4, tzinfo=UTC), datetime(2027, 11, 8, 5, tzinfo=UTC)),  # 25 hours
        ("Pacific/Chatham", date(2027, 1, 12), datetime(2027, 1, 11, 10, 15, tzinfo=UTC), datetime(2027, 1, 12, 10, 15, tzinfo=UTC)),
        ("Africa/Cairo", date(2027, 4, 30), datetime(2027, 4, 29, 22, tzinfo=UTC), datetime(2027, 4, 30, 21, tzinfo=UTC)),  # no midnight
        ("Nowhere/Here", date(2027, 1, 12), moment(12, 0), moment(13, 0)),
    ],
)
def test_a_whole_day_is_a_day_of_the_calendars_zone(
    google: FakeGoogle, client: GoogleCalendar, zone: str, day: date, starts_at: datetime, ends_at: datetime
) -> None:
    google.add_calendar("other", "Other", "UTC")
    google.add_event(day, day + timedelta(days=1), calendar="other")
    google.calendars["other"].zone = zone if zone != "Nowhere/Here" else "UTC"
    if zone == "Nowhere/Here":
        item = {"id": "x" * 8, "status": "confirmed", "start": {"date": str(day)}, "end": {"date": str(day + timedelta(days=1))}}
        google.fail(200, {"timeZone": zone, "items": [item], "nextSyncToken": "v1"})
    (event,) = client.changes("other", "", datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)).events
    assert (event.starts_at, event.ends_at, event.is_all_day, event.is_busy) == (starts_at, ends_at, True, True)


@pytest.mark.parametrize(
    ("fields", "is_busy"),
    [
        ({}, True),
        ({"status": "tentative"}, True),
        ({"transparency": "transparent"}, False),
        ({"transparency": "opaque"}, True),
        ({"eventType": "outOfOffice"}, True),
        ({"eventType": "focusTime"}, True),
        ({"eventType": "workingLocation", "transparency": "opaque"}, False),
        ({"eventType": "birthday"}, False),
        ({"attendees": [{"email": ACCOUNT, "self": True, "responseStatus": "declined"}]}, False),
        ({"attendees": [{"email": ACCOUNT, "self": True, "responseStatus": "needsAction"}]}, True),
        (
            {"attendees": [{"email": "b@example.com", "responseStatus": "declined"}, {"email": ACCOUNT, "self": True, "responseStatus": "accepted"}]},
            True,
        ),
        (
            {"attendees": [{"email": "b@example.com", "responseStatus": "accepted"}, {"email": ACCOUNT, "self": True, "responseStatus": "declined"}]},
            False,
        ),
    ],
)
def test_what_blocks(google: FakeGoogle, client: GoogleCalendar, fields: dict[str, Any], is_busy: bool) -> None:
    google.add_event(moment(5), moment(5, 10), **fields)
    (event,) = client.changes(ACCOUNT, "", SINCE, UNTIL).events
    assert event.is_busy is is_busy


def test_titles_and_guests_stay_at_google(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.add_event(moment(5), moment(5, 10), summary="Surgery", attendees=[{"email": "doctor@example.com"}, {"email": ACCOUNT, "self": True}])
    client.changes(ACCOUNT, "", SINCE, UNTIL)
    fields = google.seen[-1].query["fields"]
    assert not any(word in fields for word in ("summary", "description", "location", "email", "organizer"))


def test_busy_in_pieces_that_google_takes(google: FakeGoogle, client: GoogleCalendar) -> None:
    for number in range(60):
        google.add_calendar(f"c{number}", f"Calendar {number}")
    google.add_event(moment(5), moment(5, 10), calendar="c0")
    google.add_event(moment(5, 9, 30), moment(5, 11), calendar="c0")
    google.add_event(datetime(2027, 5, 5, 9, tzinfo=UTC), datetime(2027, 5, 5, 10, tzinfo=UTC), calendar="c59")
    google.add_event(moment(6), moment(6, 10), calendar="c1", transparency="transparent")
    spans = client.busy([f"c{number}" for number in range(60)], SINCE, SINCE + timedelta(days=200))
    assert spans == [(moment(5), moment(5, 11)), (datetime(2027, 5, 5, 9, tzinfo=UTC), datetime(2027, 5, 5, 10, tzinfo=UTC))]
    assert sorted(len(seen.json["items"]) for seen in google.asked("POST", "freeBusy")) == [10, 10, 10, 50, 50, 50]


@pytest.mark.parametrize(("reason", "kind"), [("notFound", Refused), ("internalError", Unreachable), ("rateLimitExceeded", Limited)])
def test_a_calendar_that_cannot_be_read_does_not_look_free(
    google: FakeGoogle, client: GoogleCalendar, reason: str, kind: type[CalendarError]
) -> None:
    google.fail(200, {"calendars": {ACCOUNT: {"errors": [{"domain": "global", "reason": reason}], "busy": []}}})
    with pytest.raises(kind) as raised:
        client.busy([ACCOUNT], SINCE, UNTIL)
    assert type(raised.value) is kind


# Writing


def test_writing_and_moving_one_event(google: FakeGoogle, client: GoogleCalendar) -> None:
    first = booking()
    written = client.write(ACCOUNT, first, None)
    assert written.external_id == event_id(first.chain)
    (item,) = google.live_events()
    assert item["start"] == {"dateTime": "2027-01-12T09:00:00Z"}
    assert item["location"] == first.location
    assert item["description"] == "Notes: &lt;b&gt;indexes&lt;/b&gt; &amp; vacuum"
    assert written.etag == item["etag"]
    assert written.room is None

    moved = client.write(ACCOUNT, replace(first, consultation=uuid7(), sequence=1, starts_at=moment(13), ends_at=moment(13, 10)), written)
    assert moved.external_id == written.external_id
    assert moved.etag != written.etag
    (item,) = google.live_events()
    assert item["end"] == {"dateTime": "2027-01-13T10:00:00Z"}
    assert {seen.query["sendUpdates"] for seen in google.seen if seen.method in {"POST", "PATCH"}} == {"none"}


def test_our_own_event_is_known_again(google: FakeGoogle, client: GoogleCalendar) -> None:
    ours = booking()
    written = client.write(ACCOUNT, ours, None)
    theirs = google.add_event(moment(7), moment(7, 10))
    copied = google.add_event(moment(8), moment(8, 10), extendedProperties={"private": {"port444": str(ours.chain)}})
    full = client.changes(ACCOUNT, "", SINCE, UNTIL)
    events = by_id(full.events)
    assert events[written.external_id].chain == ours.chain
    assert events[written.external_id].etag == written.etag
    assert events[theirs].chain is None
    assert events[copied].chain is None, "a copy of our event belongs to whoever made it"

    google.move_event(written.external_id, UNTIL + timedelta(days=3), UNTIL + timedelta(days=3, hours=1))
    (moved,) = client.changes(ACCOUNT, full.token, SINCE, UNTIL).events
    assert (moved.chain, moved.is_gone, moved.starts_at) == (ours.chain, False, UNTIL + timedelta(days=3))

    google.delete_event(written.external_id)
    (deleted,) = client.changes(ACCOUNT, full.token, SINCE, UNTIL).events
    assert (deleted.chain, deleted.is_gone) == (ours.chain, True)


def test_ids_are_made_from_the_chain() -> None:
    chain = UUID("0199f3c4-5d6e-7abc-8def-0123456789ab")
    assert event_id(chain) == "06cv7h2tdptbp3ff04hkaps9lc"
    assert chain_of(event_id(chain)) == chain
    for other in ("", "abc", "x" * 26, "0" * 26, event_id(uuid4()), event_id(chain) + "_20270112T090000Z", event_id(chain).upper()):
        assert chain_of(other) is None


def test_a_lost_answer_makes_no_second_event(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking(wants_room=True)
    google.fail(503, {}, late=True, when=lambda seen: seen.method == "POST")
    with pytest.raises(Unreachable):
        client.write(ACCOUNT, call, None)
    again = client.write(ACCOUNT, call, None)
    assert len(google.live_events()) == 1
    assert again.external_id == event_id(call.chain)
    assert again.room is not None
    assert google.asked("PATCH")[-1].json.get("conferenceData") is None, "the room exists"


def test_an_answer_lost_in_the_middle_makes_no_second_event(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking()
    google.fail(200, {"id": "x" * 200}, cut=20, late=True, when=lambda seen: seen.method == "POST")
    with pytest.raises(Unreachable):
        client.write(ACCOUNT, call, None)
    client.write(ACCOUNT, call, None)
    assert len(google.live_events()) == 1


def test_an_event_that_was_deleted_comes_back(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking(wants_room=True)
    written = client.write(ACCOUNT, call, None)
    client.remove(ACCOUNT, written.external_id)
    assert google.live_events() == []
    again = client.write(ACCOUNT, replace(call, consultation=uuid7(), starts_at=moment(14), ends_at=moment(14, 10)), None)
    (item,) = google.live_events()
    assert item["id"] == again.external_id == written.external_id
    assert item["start"]["dateTime"] == "2027-01-14T09:00:00Z"
    assert again.room is not None
    assert again.room != written.room, "the old room may be gone with the old event"


def test_a_change_outside_is_not_written_over(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking()
    written = client.write(ACCOUNT, call, None)
    google.move_event(written.external_id, moment(20), moment(20, 10))
    for wants_room in (False, True):
        with pytest.raises(Conflicting):
            client.write(ACCOUNT, replace(call, sequence=1, wants_room=wants_room), written)
    assert google.event(written.external_id)["start"]["dateTime"].startswith("2027-01-20")


def test_an_event_that_google_has_forgotten_is_made_anew(google: FakeGoogle, client: GoogleCalendar) -> None:
    for wants_room in (False, True):
        call = booking(wants_room=wants_room)
        written = client.write(ACCOUNT, call, None)
        google.forget_event(written.external_id)
        again = client.write(ACCOUNT, call, Written(written.external_id, written.etag))
        assert google.event(again.external_id)["status"] == "confirmed"
        assert (again.room is not None) is wants_room


def test_an_event_made_into_a_whole_day_gets_its_times_again(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking()
    written = client.write(ACCOUNT, call, None)
    google.move_event(written.external_id, date(2027, 1, 12), date(2027, 1, 13))
    again = client.write(ACCOUNT, call, replace(written, etag=google.event(written.external_id)["etag"]))
    assert google.event(again.external_id)["start"] == {"dateTime": "2027-01-12T09:00:00Z"}


def test_what_the_builder_adds_to_the_event_stays(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking()
    written = client.write(ACCOUNT, call, None)
    google.change_event(written.external_id, colorId="5", reminders={"useDefault": False, "overrides": []})
    client.write(ACCOUNT, call, replace(written, etag=google.event(written.external_id)["etag"]))
    item = google.event(written.external_id)
    assert (item["colorId"], item["reminders"]) == ("5", {"useDefault": False, "overrides": []})


def test_a_room_comes_with_the_event_and_stays_with_it(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking(wants_room=True)
    written = client.write(ACCOUNT, call, None)
    assert written.room is not None
    assert written.room.url == f"https://meet.google.com/{written.room.external_id}"
    request = google.asked("POST")[-1].json["conferenceData"]["createRequest"]
    assert request == {"requestId": str(call.consultation), "conferenceSolutionKey": {"type": "hangoutsMeet"}}

    moved = replace(call, consultation=uuid7(), sequence=1, starts_at=moment(13), ends_at=moment(13, 10))
    again = client.write(ACCOUNT, moved, Written(written.external_id, written.etag))  # whoever writes need not remember the room
    assert again.room == written.room
    assert client.write(ACCOUNT, replace(moved, sequence=2), again).room == written.room


def test_a_room_that_is_still_being_made(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.conference = "pending"
    call = booking(wants_room=True)
    written = client.write(ACCOUNT, call, None)
    assert (written.room, written.room_pending) == (None, True)
    assert client.fetch(ACCOUNT, written.external_id).room_pending
    google.finish_conferences()
    fetched = client.fetch(ACCOUNT, written.external_id)
    assert fetched.room is not None
    assert not fetched.room_pending
    assert fetched.etag != written.etag


def test_a_room_that_could_not_be_made_is_asked_for_anew(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.conference = "failure"
    call = booking(wants_room=True)
    written = client.write(ACCOUNT, call, None)
    assert (written.room, written.room_pending) == (None, False)
    google.conference = "success"
    assert client.write(ACCOUNT, call, written).room is not None, "Google ignores a request whose id it knows"


def test_a_calendar_without_meet_still_shows_the_call(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.conference = "unsupported"
    written = client.write(ACCOUNT, booking(wants_room=True), None)
    assert (written.room, written.room_pending) == (None, False)
    assert len(google.live_events()) == 1


def test_a_room_wanted_later_is_added(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking()
    written = client.write(ACCOUNT, call, None)
    assert client.write(ACCOUNT, replace(call, wants_room=True), written).room is not None


def test_removing_is_done_once_and_said_often(google: FakeGoogle, client: GoogleCalendar) -> None:
    written = client.write(ACCOUNT, booking(), None)
    client.remove(ACCOUNT, written.external_id)
    client.remove(ACCOUNT, written.external_id)  # 410
    google.forget_event(written.external_id)
    client.remove(ACCOUNT, written.external_id)  # 404
    assert google.live_events() == []
    assert len(google.asked("DELETE")) == 3
    with pytest.raises(Refused):
        client.fetch(ACCOUNT, written.external_id)


def test_a_deleted_event_has_no_room_and_comes_back_by_its_etag(google: FakeGoogle, client: GoogleCalendar) -> None:
    call = booking(wants_room=True)
    written = client.write(ACCOUNT, call, None)
    google.delete_event(written.external_id)
    with pytest.raises(Conflicting):
        client.write(ACCOUNT, call, written)
    found = client.fetch(ACCOUNT, written.external_id)
    assert (found.room, found.room_pending) == (None, False)
    again = client.write(ACCOUNT, replace(call, consultation=uuid7()), found)
    assert again.room is not None
    assert google.event(written.external_id)["status"] == "confirmed"


def test_a_calendar_that_may_only_be_read(google: FakeGoogle, client: GoogleCalendar) -> None:
    google.add_calendar("team", "Team", role="reader")
    with pytest.raises(Refused, match="requiredAccessLevel"):
        client.write("team", booking(), None)
    assert google.live_events(calendar="team") == []


# Notifications


def test_watching(google: FakeGoogle, client: GoogleCalendar) -> None:
    channel = str(uuid4())
    subscription = client.watch(ACCOUNT, channel, "a secret", "https://port444.example/hooks/google/")
    assert subscription is not None
    assert subscription.expires_at is not None
    assert abs(subscription.expires_at - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    headers = google.push_headers(channel)
    assert headers["X-Goog-Channel-Token"] == "a secret"
    assert headers["X-Goog-Resource-ID"] == subscription.external_id
    client.unwatch(ACCOUNT, channel, subscription.external_id)
    assert google.channels == {}
    client.unwatch(ACCOUNT, channel, subscription.external_id)


def test_where_there_are_no_notifications(google: FakeGoogle, client: GoogleCalendar) -> None:
    assert client.watch(ACCOUNT, str(uuid4()), "s", "http://port444.example/hooks/google/") is None
    google.add_calendar("en.indian#holiday@group.v.calendar.google.com", "Holidays", role="reader")
    assert client.watch("en.indian#holiday@group.v.calendar.google.com", str(uuid4()), "s", "https://port444.example/hooks/google/") is None
    google.fail(401, {"error": {"code": 401, "errors": [{"reason": "push.webhookUrlUnauthorized"}]}})
    assert client.watch(ACCOUNT, str(uuid4()), "s", "https://port444.example/hooks/google/") is None
    assert google.asked("POST", "/token") == [], "a domain that is not verified is nothing about the token"
    with pytest.raises(Refused):
        client.watch("unknown", str(uuid4()), "s", "https://port444.example/hooks/google/")


# Errors


def calendar_error(status: int, reason: str) -> dict[str, Any]:
    message = "Not for anybody's eyes"
    return {"error": {"code": status, "message": message, "errors": [{"domain": "global", "reason": reason, "message": message}]}}


CALLS: list[Callable[[GoogleCalendar], object]] = [
    lambda client: client.calendars(),
    lambda client: client.busy([ACCOUNT], SINCE, UNTIL),
    lambda client: client.changes(ACCOUNT, "", SINCE, UNTIL),
    lambda client: client.write(ACCOUNT, booking(), None),
    lambda client: client.write(ACCOUNT, booking(wants_room=True), Written("abcdef", '"1"')),
    lambda client: client.fetch(ACCOUNT, "abcdef"),
    lambda client: client.remove(ACCOUNT, "abcdef"),
    lambda client: client.watch(ACCOUNT, str(uuid4()), "s", "https://port444.example/hooks/google/"),
    lambda client: client.unwatch(ACCOUNT, "c", "r"),
]
NAMES = ["calendars", "busy", "changes", "insert", "update", "fetch", "remove", "watch", "unwatch"]


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, calendar_error(401, "authError"), NotConnected),
        (403, calendar_error(403, "rateLimitExceeded"), Limited),
        (403, calendar_error(403, "userRateLimitExceeded"), Limited),
        (403, calendar_error(403, "quotaExceeded"), Limited),
        (403, calendar_error(403, "forbidden"), Refused),
        (403, b"<html>", Refused),
        (429, calendar_error(429, "rateLimitExceeded"), Limited),
        (500, calendar_error(500, "backendError"), Unreachable),
        (503, b"", Unreachable),
        (302, b"", Unreachable),
        (200, b"[]", Unreachable),
        (200, b'{"items": [{"id"', Unreachable),
        (400, calendar_error(400, "invalid"), Refused),
    ],
)
def test_errors_in_the_words_of_the_protocol(
    google: FakeGoogle, client: GoogleCalendar, call: Callable[[GoogleCalendar], object], status: int, body: Any, kind: type[CalendarError]
) -> None:
    google.fail(status, body, times=99, when=lambda seen: seen.path != "/token")
    with pytest.raises(kind) as raised:
        call(client)
    assert isinstance(raised.value, Limited) is (kind is Limited)
    assert isinstance(raised.value, Unreachable) is (kind in {Limited, Unreachable})


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize(
    "body",
    [
        {"items": [{"name": "no id"}], "calendars": {ACCOUNT: {"busy": [{"start": "soon"}]}}},
        {"items": 7, "calendars": [], "id": 7, "etag": '"1"', "conferenceData": [], "resourceId": "r", "expiration": "soon"},
    ],
)
def test_an_answer_that_is_not_as_described(google: FakeGoogle, client: GoogleCalendar, number: int, body: Any) -> None:
    google.fail(200, body, times=9)
    with pytest.raises(Unreachable):
        CALLS[number](client)


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_an_answer_that_breaks_off(google: FakeGoogle, client: GoogleCalendar, call: Callable[[GoogleCalendar], object]) -> None:
    google.fail(200, {"items": [], "nextSyncToken": "v1", "calendars": {}}, cut=10, times=9)
    with pytest.raises(Unreachable):
        call(client)


def test_an_answer_that_does_not_come(google: FakeGoogle, client: GoogleCalendar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "TIMEOUT", (1, 0.2))

    def slow(seen: Seen) -> bool:
        time.sleep(0.5)
        return False

    google.fail(500, when=slow)
    with pytest.raises(Unreachable, match="no answer"):
        client.calendars()


def test_nobody_there(google: FakeGoogle, client: GoogleCalendar, settings: Any) -> None:
    settings.GOOGLE_CALENDAR_URL = "http://127.0.0.1:9/calendar/v3"
    with pytest.raises(Unreachable):
        client.calendars()


@pytest.mark.parametrize(
    ("status", "reason", "after", "seconds"),
    [
        (429, "rateLimitExceeded", "17", 17),
        (429, "rateLimitExceeded", "Mon, 04 Jan 2027 09:01:30 GMT", 90),
        (429, "rateLimitExceeded", "Mon, 04 Jan 2027 08:00:00 GMT", 0),
        (429, "rateLimitExceeded", "soon", 60),
        (429, "rateLimitExceeded", None, 60),
        (403, "userRateLimitExceeded", None, 60),
        (403, "quotaExceeded", None, 3600),
        (403, "quotaExceeded", "5", 5),
    ],
)
def test_how_long_to_wait(google: FakeGoogle, client: GoogleCalendar, status: int, reason: str, after: str | None, seconds: float) -> None:
    google.fail(status, calendar_error(status, reason), headers={"Retry-After": after} if after else {})
    with at(moment(4)), pytest.raises(Limited) as raised:
        client.fetch(ACCOUNT, "abcdef")
    assert raised.value.seconds == seconds


@pytest.mark.parametrize(("status", "kind"), [(404, Refused), (409, Refused), (410, Gone), (412, Conflicting)])
def test_statuses_of_an_event(google: FakeGoogle, client: GoogleCalendar, status: int, kind: type[CalendarError]) -> None:
    google.fail(status, calendar_error(status, "said"))
    with pytest.raises(kind):
        client.fetch(ACCOUNT, "abcdef")


def test_no_secret_in_what_is_said(google: FakeGoogle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = google.tokens(ALL)
    secrets = [credentials["token"], credentials["refresh_token"], "fake-google-secret"]
    said = []

    def note(call: Callable[[], object]) -> None:
        with pytest.raises(CalendarError) as raised:
            call()
        said.append(repr(raised.value) + repr(raised.value.__cause__))

    for status in (400, 401, 403, 404, 429, 500):
        echo = {"error": {"code": status, "message": " ".join(secrets), "errors": [{"reason": " ".join(secrets)}]}}
        google.fail(status, echo, times=2, when=lambda seen: seen.path != "/token")
        note(lambda: module.client(credentials, lambda renewed: None).fetch(ACCOUNT, "abcdef"))
        google.failures.clear()
    google.fail(400, {"error": credentials["refresh_token"], "error_description": credentials["refresh_token"]}, times=2)
    note(lambda: module.client(credentials | {"token": ""}, lambda renewed: None).calendars())
    google.fail(200, credentials["token"].encode(), cut=3)
    note(lambda: module.client(credentials, lambda renewed: None).calendars())
    everything = caplog.text + "".join(said)
    assert said
    assert [secret for secret in [*secrets, *google.access_tokens] if secret in everything] == []


# Who was in the room


def test_who_was_there(google: FakeGoogle, kept: list[dict[str, Any]]) -> None:
    google.page_size = 1
    credentials = google.tokens(ALL) | {"account": ACCOUNT, "subject": google.subject}
    google.add_meeting("abc-defg-hij", [("Earlier", None, [(moment(11), moment(11, 9, 30))])])
    google.add_meeting(
        "abc-defg-hij",
        [
            ("Anaya Krishnan", google.subject, [(moment(12, 8, 58), moment(12, 9, 10)), (moment(12, 9, 11), None)]),
            ("Jonas", None, [(moment(12, 9, 2), moment(12, 9, 30))]),
            ("Somebody", "777", [(moment(12, 9, 3), moment(12, 9, 4))]),
        ],
    )
    google.add_meeting("zzz-zzzz-zzz", [("Stranger", None, [(moment(12), moment(12, 10))])])
    found = meet_presence(credentials, kept.append, "abc-defg-hij", moment(12, 8, 30), moment(12, 10))
    assert [(each.name, each.email, each.joined_at, each.left_at) for each in found] == [
        ("Anaya Krishnan", ACCOUNT, moment(12, 8, 58), moment(12, 9, 10)),
        ("Jonas", "", moment(12, 9, 2), moment(12, 9, 30)),
        ("Somebody", "", moment(12, 9, 3), moment(12, 9, 4)),
        ("Anaya Krishnan", ACCOUNT, moment(12, 9, 11), None),
    ]
    assert len({each.external_id for each in found}) == 4


def test_nobody_was_there(google: FakeGoogle) -> None:
    assert meet_presence(google.tokens(ALL), lambda credentials: None, "abc-defg-hij", SINCE, UNTIL) == []


def test_a_code_cannot_widen_the_question(google: FakeGoogle) -> None:
    with pytest.raises(Refused):
        meet_presence(google.tokens(ALL), lambda credentials: None, 'abc" OR space.meeting_code != "', SINCE, UNTIL)
    assert google.seen == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}}, Refused),
        (404, {"error": {"code": 404, "status": "NOT_FOUND"}}, Refused),
        (429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, Limited),
        (503, {"error": {"code": 503, "status": "UNAVAILABLE"}}, Unreachable),
    ],
)
def test_meet_in_trouble(google: FakeGoogle, status: int, body: Any, kind: type[CalendarError]) -> None:
    google.fail(status, body)
    with pytest.raises(kind):
        meet_presence(google.tokens(ALL), lambda credentials: None, "abc-defg-hij", SINCE, UNTIL)
