"""The judge of requests itself: what is right passes, and each way of being wrong is named."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.fakes.server import Seen

from .openapi import ALLOWED, Document, problems

EVENT = {
    "subject": "Call with Mara",
    "body": {"contentType": "text", "content": "Notes"},
    "start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2026-11-24T09:30:00", "timeZone": "UTC"},
    "showAs": "busy",
    "transactionId": "0198",
}
EVENTS = "/v1.0/me/calendars/AAMk%2FAb%3D/events"
MEETING = {"topic": "Call", "type": 2, "start_time": "2026-11-24T09:00:00Z", "duration": 30}
MEETINGS = "/v2/users/me/meetings"


def seen(method: str, target: str, body: Any = None, **headers: str) -> Seen:
    parts = urlsplit(target)
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"host": "127.0.0.1", "authorization": "Bearer x", **({"content-type": "application/json"} if content else {})}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Seen(method, parts.path, dict(parse_qsl(parts.query)), named, content, f"http://127.0.0.1{target}")


@pytest.mark.parametrize(
    ("document", "request_"),
    [
        ("msgraph-calendar", seen("POST", EVENTS, EVENT)),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calendars?$select=id,name,canEdit&$top=50")),
        ("msgraph-calendar", seen("PATCH", f"{EVENTS}/AAMk", {"subject": "x"}, if_match='W/"1"')),
        ("msgraph-calendar", seen("DELETE", f"{EVENTS}/AAMk")),
        ("msgraph-calendar", seen("POST", "/v1.0/me/calendar/getSchedule", {"schedules": ["a@b.example"], "availabilityViewInterval": 30})),
        (
            "msgraph-calendar",
            seen("GET", "/v1.0/me/calendars/A/calendarView/delta?startDateTime=2026-11-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z", prefer="x"),
        ),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calendars/A/calendarView/delta?$deltatoken=abc")),
        ("zoom-meetings", seen("POST", MEETINGS, MEETING)),
        ("zoom-meetings", seen("PATCH", "/v2/meetings/85746065432", {"start_time": "2026-11-24T09:00:00Z"})),
        ("zoom-meetings", seen("GET", "/v2/past_meetings/a%252Fb%253D%253D/participants?page_size=300")),
        ("zoom-meetings", seen("POST", "/oauth/token?grant_type=account_credentials", b"")),
    ],
)
def test_right_requests_pass(document: Document, request_: Seen) -> None:
    assert problems(request_, document) == []


@pytest.mark.parametrize(
    ("document", "request_", "said"),
    [
        ("msgraph-calendar", seen("POST", EVENTS, {**EVENT, "subjct": "x"}), "field subjct is not described"),
        ("msgraph-calendar", seen("POST", EVENTS, {**EVENT, "start": {"datetime": "2026"}}), "field start.datetime is not described"),
        ("msgraph-calendar", seen("POST", EVENTS, {**EVENT, "start": {"dateTime": 3}}), "start"),
        ("msgraph-calendar", seen("POST", EVENTS, {**EVENT, "showAs": "bussy"}), "showAs"),
        ("msgraph-calendar", seen("POST", EVENTS), "the body is missing"),
        ("msgraph-calendar", seen("POST", EVENTS, b"{"), "the body is no JSON"),
        ("msgraph-calendar", seen("POST", EVENTS, b"a=b", content_type="application/x-www-form-urlencoded"), "content type is"),
        ("msgraph-calendar", seen("PUT", EVENTS, EVENT), "not described"),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calenders"), "not described"),
        ("msgraph-calendar", seen("GET", "/v2.0/me/calendars"), "not below /v1.0"),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calendars?$select=nme"), "query $select"),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calendars?top=5"), "query top is not described"),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calendars?$top=x"), "query $top"),
        ("msgraph-calendar", seen("GET", "/v1.0/me/calendars/A/calendarView?startDateTime=2026-11-01T00:00:00Z"), "query endDateTime is missing"),
        ("msgraph-calendar", seen("DELETE", f"{EVENTS}/A", x_secret="1"), "header x-secret is not described"),
        ("msgraph-calendar", seen("POST", "/v1.0/subscriptions", {"changeType": "updated", "expirationDateTime": "tomorrow"}), "expirationDateTime"),
        ("zoom-meetings", seen("POST", MEETINGS, {**MEETING, "agenda": "a" * 2001}), "agenda"),
        ("zoom-meetings", seen("POST", MEETINGS, {**MEETING, "settings": {"lobby": True}}), "field settings.lobby is not described"),
        ("zoom-meetings", seen("GET", "/v2/meetings/abc"), "path meetingId"),
        ("zoom-meetings", seen("DELETE", "/v2/meetings/1?cancel=true"), "query cancel is not described"),
    ],
)
def test_wrong_requests_are_named(document: Document, request_: Seen, said: str) -> None:
    found = problems(request_, document)
    assert len(found) >= 1
    assert any(said in each for each in found), found


def test_gaps_are_named_and_no_wider() -> None:
    """What is let through for one path or method is a problem on the next."""
    assert problems(seen("GET", "/v1.0/me/calendars?startDateTime=2026-11-01T00:00:00Z"), "msgraph-calendar") != []
    assert problems(seen("DELETE", "/v1.0/me", None), "msgraph-calendar") != []
    assert problems(seen("PATCH", f"{EVENTS}/A", {"singleValueExtendedProperties": []}), "msgraph-calendar") != []
    assert problems(seen("POST", EVENTS, {**EVENT, "singleValueExtendedProperties": []}), "msgraph-calendar") == []
    assert set(ALLOWED) == {"msgraph-calendar", "zoom-meetings"}
