"""The judge of requests to Google itself: what is right passes, and each way of being wrong is named."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.fakes.server import Seen

from .discovery import Document, answer_problems, document_of, mask, masked, problems

EVENTS = "/calendar/v3/calendars/anaya%40example.com/events"
EDGES = {"start": {"dateTime": "2027-01-12T09:00:00Z"}, "end": {"dateTime": "2027-01-12T09:30:00+05:30"}}
WISH = {"conferenceData": {"createRequest": {"requestId": "1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}}}
RECORDS = "/v2/conferenceRecords"


def seen(method: str, target: str, body: Any = None, **headers: str) -> Seen:
    parts = urlsplit(target)
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"host": "127.0.0.1", "authorization": "Bearer x", **({"content-type": "application/json"} if content else {})}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Seen(method, parts.path, dict(parse_qsl(parts.query)), named, content, f"http://127.0.0.1{target}")


def judge(request: Seen) -> list[str]:
    document = document_of(request.path)
    assert document is not None
    return problems(request, document)


@pytest.mark.parametrize(
    "request_",
    [
        seen("GET", "/calendar/v3/users/me/calendarList?maxResults=250&minAccessRole=reader"),
        seen("GET", f"{EVENTS}?singleEvents=true&timeMin=2027-01-04T00:00:00Z&fields=nextPageToken,items(id,start/date,attendees(self))"),
        seen("GET", f"{EVENTS}?syncToken=v1&showDeleted=true&eventTypes=default&eventTypes=focusTime"),
        seen("POST", f"{EVENTS}?sendUpdates=none&conferenceDataVersion=1", {"id": "abcdefg", **EDGES, **WISH}),
        seen("PATCH", f"{EVENTS}/abcdefg", {"start": {"dateTime": "2027-01-12T09:00:00Z", "date": None}}, if_match='"1"'),
        seen("DELETE", f"{EVENTS}/abcdefg?sendUpdates=none"),
        seen("POST", f"{EVENTS}/watch", {"id": "c", "type": "web_hook", "address": "https://a.example/", "params": {"ttl": "60"}}),
        seen("POST", "/calendar/v3/channels/stop", {"id": "c", "resourceId": "r"}),
        seen("POST", "/calendar/v3/freeBusy", {"timeMin": "2027-01-04T00:00:00Z", "timeMax": "2027-01-05T00:00:00Z", "items": [{"id": "a"}]}),
        seen("GET", f"{RECORDS}?pageSize=100&filter=end_time+IS+NULL"),
        seen("GET", f"{RECORDS}/c1/participants?pageSize=100"),
        seen("GET", f"{RECORDS}/c1/participants/p1/participantSessions"),
    ],
    ids=lambda request: f"{request.method} {request.path}",
)
def test_what_is_right_passes(request_: Seen) -> None:
    assert judge(request_) == []


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (seen("GET", "/calendar/v3/users/me/calendars"), "no such method"),
        (seen("PUT", "/calendar/v3/freeBusy", {}), "no such method"),
        (seen("GET", f"{EVENTS}?singleEvent=true"), "singleEvent: not known"),
        (seen("GET", f"{EVENTS}?singleEvents=yes"), "yes is not a boolean"),
        (seen("GET", f"{EVENTS}?maxResults=many"), "many is not an integer"),
        (seen("GET", f"{EVENTS}?maxAttendees=0"), "0 is out of bounds"),
        (seen("GET", f"{EVENTS}?orderBy=start"), "start is none of"),
        (seen("GET", f"{EVENTS}?timeMin=2027-01-04T00:00:00"), "is not a date-time"),
        (seen("GET", f"{EVENTS}?q=a&q=b"), "q: given twice"),
        (seen("GET", f"{EVENTS}?syncToken=v1&timeMin=2027-01-04T00:00:00Z"), "timeMin: refused beside syncToken"),
        (seen("GET", f"{EVENTS}?syncToken=v1&orderBy=updated"), "orderBy: refused beside syncToken"),
        (seen("GET", f"{EVENTS}?syncToken=v1&showDeleted=false"), "showDeleted"),
        (seen("GET", f"{EVENTS}?fields=items(id,begin)"), "the answer has no items/begin"),
        (seen("GET", f"{EVENTS}?fields=items(id"), "not a mask"),
        (seen("GET", f"{EVENTS}", {"a": 1}), "body: none is expected"),
        (seen("POST", EVENTS, {"start": EDGES["start"]}), "'end' is a required property"),
        (seen("POST", EVENTS, {**EDGES, "title": "Call"}), "'title' was unexpected"),
        (seen("POST", EVENTS, {**EDGES, "summary": 7}), "7 is not of type 'string'"),
        (seen("POST", EVENTS, {**EDGES, "summary": None}), "None is not of type 'string'"),
        (seen("POST", EVENTS, {**EDGES, "status": "booked"}), "'booked' is not one of"),
        (seen("POST", EVENTS, {**EDGES, "transparency": "busy"}), "'busy' is not one of"),
        (
            seen("POST", EVENTS, {**EDGES, "hangoutLink": "https://meet.google.com/a"}),
            "should not be valid under {'title': 'read-only'}",
        ),
        (seen("POST", EVENTS, {**EDGES, "start": {"dateTime": "tomorrow"}}), "body start.dateTime: 'tomorrow' is not a 'date-time'"),
        (seen("POST", EVENTS, {**EDGES, "start": {"date": "2027-02-30"}}), "is not a 'date'"),
        (seen("POST", EVENTS, {**EDGES, "attendees": [{"mail": "a@example.com"}]}), "'mail' was unexpected"),
        (seen("POST", EVENTS, {**EDGES, "id": "0199f3c4-5d6e"}), "is not made of a-v and 0-9"),
        (seen("POST", EVENTS, {**EDGES, **WISH}), "dropped without conferenceDataVersion=1"),
        (seen("POST", EVENTS, EDGES, content_type="text/plain"), "not sent as application/json"),
        (seen("POST", EVENTS, b"{", content_type="application/json"), "not JSON"),
        (seen("POST", EVENTS, EDGES, x_goog_thing="1"), "header x-goog-thing: not known"),
        (seen("PATCH", f"{EVENTS}/abcdefg", {"begin": None}), "'begin' was unexpected"),
        (seen("POST", f"{EVENTS}/watch", {"id": "c", "expiration": "tomorrow"}), "is not a 'int64'"),
        (seen("POST", "/calendar/v3/freeBusy", {"items": [{"id": "a"}] * 51}), "more than 50"),
        (seen("POST", "/calendar/v3/freeBusy", {"items": []}), "timeMin: missing"),
        (seen("GET", f"{RECORDS}?page_size=10"), "page_size: not known"),
        (seen("GET", f"{RECORDS}/c1/people"), "no such method"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(request_: Seen, words: str) -> None:
    found = judge(request_)
    assert any(words in each for each in found), found


def test_a_document_of_its_own_for_each_service() -> None:
    documents: list[Document | None] = [document_of(path) for path in (EVENTS, RECORDS, "/token")]
    assert documents == ["google-calendar.v3", "google-meet.v2", None]


def test_what_a_mask_leaves() -> None:
    answer = {"items": [{"id": 1, "start": {"date": 2, "zone": 3}, "more": 4}], "etag": 5}
    assert masked(answer, mask("items(id,start/date)")) == {"items": [{"id": 1, "start": {"date": 2}}]}
    assert masked(answer, mask("items/*")) == {"items": answer["items"]}


@pytest.mark.parametrize(
    ("request_", "body", "words"),
    [
        (seen("GET", EVENTS), {"items": [{"id": "a", "status": "confirmed", "hangoutLink": "https://meet.google.com/a"}]}, ""),
        (seen("GET", EVENTS), {"items": [{"id": "a", "status": "booked"}]}, "answer items.0.status: 'booked' is not one of"),
        (seen("GET", EVENTS), {"events": []}, "'events' was unexpected"),
        (seen("GET", EVENTS), {"items": [{"start": {"dateTime": "2027-01-12T09:00:00"}}]}, "is not a 'date-time'"),
        (seen("DELETE", f"{EVENTS}/abcdefg"), {}, "answer: none is expected"),
        (seen("GET", RECORDS), {"conferenceRecords": [{"name": "conferenceRecords/a", "startTime": "2027-01-12T09:00:00Z"}]}, ""),
        (seen("GET", RECORDS), {"conferenceRecords": [{"startTime": "noon"}]}, "is not a 'google-datetime'"),
    ],
)
def test_answers_of_a_fake_are_judged_too(request_: Seen, body: Any, words: str) -> None:
    document = document_of(request_.path)
    assert document is not None
    found = answer_problems(request_, 200, body, document)
    assert any(words in each for each in found) if words else found == []
    assert answer_problems(request_, 404, {"error": {}}, document) == []
