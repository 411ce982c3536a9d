"""The CalDAV client and servers that refuse, fail, lie, or lead astray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest

from consultations.calendars import (
    Booking,
    CalendarError,
    Conflicting,
    Event,
    Gone,
    Limited,
    NotConnected,
    Refused,
    Unreachable,
    Written,
    caldav,
)
from port444.kit import outbound
from port444.kit.clock import now
from tests.fakes.caldav import XML, FakeCalDAV, multistatus

SINCE = datetime(2026, 11, 23, tzinfo=UTC)
UNTIL = datetime(2026, 12, 23, tzinfo=UTC)
TUESDAY = "DTSTART:20261124T090000Z\nDTEND:20261124T100000Z"
ANSWER = b'<d:multistatus xmlns:d="DAV:"><d:response><d:href>&a;</d:href></d:response></d:multistatus>'
BOMB = b'<!DOCTYPE m [<!ENTITY b "bbbb"><!ENTITY a "&b;&b;&b;">]>' + ANSWER
FILE = b'<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + ANSWER


@pytest.fixture
def fake(settings: Any) -> Iterator[FakeCalDAV]:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    with FakeCalDAV() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[FakeCalDAV]:
    """Another server, which must never see the password."""
    with FakeCalDAV() as server:
        yield server


@pytest.fixture
def client(fake: FakeCalDAV) -> caldav.CalDAV:
    return caldav.client({"url": f"{fake.url}/", "name": "anaya", "password": "secret", "home": f"{fake.url}/home/", "time_zone": "Asia/Kolkata"})


def booking() -> Booking:
    start = datetime(2026, 11, 24, 9, tzinfo=UTC)
    return Booking(uuid4(), uuid4(), 0, start, start + timedelta(hours=1), "Call", "Join", "https://port444.example/calls/1/join/")


def every_call(client: caldav.CalDAV, calendar: str) -> list[Callable[[], object]]:
    return [
        client.calendars,
        lambda: client.busy([calendar], SINCE, UNTIL),
        lambda: client.changes(calendar, "", SINCE, UNTIL),
        lambda: client.write(calendar, booking(), None),
        lambda: client.fetch(calendar, "a.ics"),
        lambda: client.remove(calendar, "a.ics"),
    ]


@pytest.mark.parametrize(
    ("status", "headers", "reading", "writing"),
    [
        (401, {}, NotConnected, NotConnected),
        (403, {}, NotConnected, Refused),
        (429, {"Retry-After": "120"}, Limited, Limited),
        (429, {}, Limited, Limited),
        (503, {"Retry-After": "120"}, Limited, Limited),
        (503, {}, Unreachable, Unreachable),
        (500, {}, Unreachable, Unreachable),
        (502, {}, Unreachable, Unreachable),
        (507, {}, Refused, Refused),
        (405, {}, Refused, Refused),
    ],
)
def test_refusals_are_told_apart(
    fake: FakeCalDAV, client: caldav.CalDAV, status: int, headers: dict[str, str], reading: type[CalendarError], writing: type[CalendarError]
) -> None:
    calls = every_call(client, f"{fake.url}/cal/")
    for call, expected in zip(calls, [reading, reading, reading, writing, reading, writing], strict=True):
        fake.fail(status, b"no", headers=headers)
        with pytest.raises(expected) as error:
            call()
        assert type(error.value) is expected
        assert "secret" not in str(error.value)
    assert fake.stored == {}


@pytest.mark.parametrize(("text", "seconds"), [("120", 120), ("999999", 3600), ("0", 1), ("soon", 60), ("", 60), ("-5", 60)])
def test_the_wait_is_what_the_server_says_within_reason(fake: FakeCalDAV, client: caldav.CalDAV, text: str, seconds: float) -> None:
    fake.fail(429, headers={"Retry-After": text})
    with pytest.raises(Limited) as error:
        client.calendars()
    assert error.value.seconds == seconds


def test_the_wait_may_be_a_date(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.fail(503, headers={"Retry-After": format_datetime(now() + timedelta(minutes=10), usegmt=False)})
    with pytest.raises(Limited) as error:
        client.calendars()
    assert 500 < error.value.seconds <= 600


NONSENSE = b'<?xml version="1.0" encoding="nonsense"?><a/>'


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"<not closed", b"\xff\xfe\x00", BOMB, FILE, NONSENSE])
def test_answers_that_are_no_calendar_are_not_read(fake: FakeCalDAV, client: caldav.CalDAV, body: bytes) -> None:
    for call in every_call(client, f"{fake.url}/cal/")[:3]:
        fake.fail(207, body, headers=XML)
        with pytest.raises(Unreachable):
            call()


def test_a_page_in_place_of_an_answer_is_not_read(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.fail(200, b"<html>Welcome</html>")
    with pytest.raises(Unreachable):
        client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL)


def test_an_answer_that_breaks_off_is_not_read(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.put("a.ics", TUESDAY)
    whole = multistatus(("/cal/a.ics", '<d:getetag>"1"</d:getetag>')).bytes()
    for cut in (len(whole) // 2, len(whole) - 1):
        fake.fail(207, whole, headers=XML, cut=cut)
        with pytest.raises(Unreachable):
            client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL)


def test_a_server_that_is_down_is_unreachable(client: caldav.CalDAV) -> None:
    nobody = caldav.client({"url": "http://127.0.0.1:1/", "name": "a", "password": "secret", "home": "http://127.0.0.1:1/home/"})
    with pytest.raises(Unreachable):
        nobody.calendars()


# Finding the server


def test_the_well_known_address_leads_there(fake: FakeCalDAV) -> None:
    fake.fail(301, headers={"Location": "/dav/"}, when=lambda seen: seen.path == "/.well-known/caldav")
    connection = caldav.connect(fake.url, " anaya ", "secret")
    assert [calendar.name for calendar in connection.calendars] == ["Work"]
    assert connection.credentials["home"] == f"{fake.url}/home/"
    assert [seen.path for seen in fake.seen[:2]] == ["/.well-known/caldav", "/dav/"]
    assert all(seen.headers["authorization"] == "Basic YW5heWE6c2VjcmV0" for seen in fake.seen)


def test_a_server_without_a_well_known_address_is_asked_at_its_root(fake: FakeCalDAV) -> None:
    for status in (404, 405, 200):
        fake.fail(status, b"<html></html>", when=lambda seen: seen.path == "/.well-known/caldav")
        assert len(caldav.connect(fake.url, "anaya", "secret").calendars) == 1


@pytest.mark.parametrize("status", [404, 405, 410, 501, 200, 400])
def test_no_calendar_server_is_said_in_words(fake: FakeCalDAV, status: int) -> None:
    fake.fail(status, b"<html></html>", times=9)
    with pytest.raises(Refused, match=r"There is no calendar server at 127\.0\.0\.1"):
        caldav.connect(f"{fake.url}/calendar", "anaya", "secret")


def test_a_server_without_calendars_for_you_is_said_in_words(fake: FakeCalDAV) -> None:
    fake.fail(207, multistatus(("/me/", "")).bytes(), headers=XML, when=lambda seen: b"calendar-home-set" in seen.body)
    with pytest.raises(Refused, match="no calendars for you"):
        caldav.connect(fake.url, "anaya", "secret")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_password_is_not_tried_elsewhere(fake: FakeCalDAV, status: int) -> None:
    fake.fail(status, times=9)
    with pytest.raises(NotConnected):
        caldav.connect(fake.url, "anaya", "wrong")
    assert len(fake.seen) == 1


NO_ADDRESS = ["", "   ", "https://", "https://me:x@calendar.example/", "ftp://calendar.example", "https://calendar.example:x/", "//", "https://[::1"]


@pytest.mark.parametrize("typed", NO_ADDRESS)
def test_what_is_no_address_is_refused(settings: Any, typed: str) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = False
    with pytest.raises(Refused):
        caldav.connect(typed, "anaya", "secret")


@pytest.mark.parametrize("typed", ["127.0.0.1", "http://calendar.example/", "https://169.254.169.254/", "https://localhost/", "[::ffff:10.0.0.1]"])
def test_addresses_inside_are_refused(settings: Any, typed: str) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = False
    with pytest.raises(Refused, match="public https"):
        caldav.connect(typed, "anaya", "secret")


# The password stays where it belongs


def test_a_redirect_to_another_server_is_not_followed(fake: FakeCalDAV, elsewhere: FakeCalDAV, client: caldav.CalDAV) -> None:
    for call in [lambda: caldav.connect(fake.url, "anaya", "secret"), *every_call(client, f"{fake.url}/cal/")]:
        fake.fail(302, headers={"Location": f"{elsewhere.url}/home/"})
        with pytest.raises(Refused, match="sends us on to 127"):
            call()
    assert elsewhere.seen == []


def test_a_home_on_another_server_is_not_visited(fake: FakeCalDAV, elsewhere: FakeCalDAV) -> None:
    fake.home = f"{elsewhere.url}/home/"
    with pytest.raises(Refused, match="sends us on"):
        caldav.connect(fake.url, "anaya", "secret")
    assert elsewhere.seen == []


def test_redirects_end(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.fail(302, headers={"Location": "/again/"}, times=99)
    with pytest.raises(Refused, match="without end"):
        client.calendars()
    assert len(fake.seen) == 6


@pytest.mark.parametrize(
    ("start", "url", "may"),
    [
        ("https://caldav.icloud.com/", "https://p42-caldav.icloud.com:443/1234/calendars/", True),
        ("https://caldav.icloud.com/", "https://p142-caldav.icloud.com/", True),
        ("https://caldav.icloud.com/", "https://p42-caldav.icloud.com.evil.example/", False),
        ("https://caldav.icloud.com/", "https://evil-caldav.icloud.com/", False),
        ("https://caldav.icloud.com/", "http://p42-caldav.icloud.com/", False),
        ("https://fastmail.com/", "https://caldav.fastmail.com/dav/", True),
        ("https://caldav.fastmail.com/", "https://fastmail.com/", False),
        ("https://fastmail.com/", "https://evilfastmail.com/", False),
        ("https://fastmail.com/", "https://caldav.fastmail.com:8443/", False),
        ("https://cloud.example:8443/", "https://cloud.example:8443/dav/", True),
        ("https://cloud.example:8443/", "https://cloud.example/dav/", True),
        ("https://cloud.example/", "https://cloud.example:8443/", False),
        ("https://cloud.example/", "http://cloud.example/", False),
        ("https://cloud.example/", "https://me@cloud.example/", False),
        ("https://localhost/", "https://a.localhost/", False),
        ("https://10.0.0.1/", "https://1.10.0.0.1/", False),
    ],
)
def test_where_the_password_may_go(monkeypatch: pytest.MonkeyPatch, start: str, url: str, may: bool) -> None:
    server = caldav._Server(start, "anaya", "secret")
    sent: list[str] = []

    def send(method: str, url: str, *args: object) -> object:
        sent.append(url)
        raise Unreachable("not in a test")

    monkeypatch.setattr(server, "_send", send)
    with pytest.raises(Unreachable if may else Refused):
        server.ask("PROPFIND", url)
    assert sent == ([url] if may else [])


# Reading from lesser servers


def marks_of(fake: FakeCalDAV, **marks: str) -> None:
    for name, value in marks.items():
        setattr(fake.marks, name, value)


@pytest.mark.parametrize("marks", [{}, {"ctag": "1"}, {"sync": "s1"}, {"sync": "s1", "ctag": "1"}])
def test_changes_are_found_with_what_the_server_offers(fake: FakeCalDAV, client: caldav.CalDAV, marks: dict[str, str]) -> None:
    calendar = f"{fake.url}/cal/"
    marks_of(fake, **marks)
    fake.put("a.ics", TUESDAY)
    first = client.changes(calendar, "", SINCE, UNTIL)
    assert [event.external_id for event in first.events] == ["a.ics"]
    fake.seen.clear()
    assert client.changes(calendar, first.token, SINCE, UNTIL).is_full is False
    assert all(b"calendar-data" not in seen.body for seen in fake.seen)
    fake.put("b.ics", TUESDAY, '"2"')
    marks_of(fake, **{name: f"{value}+" for name, value in marks.items()})
    fake.marks.changed = ["b.ics"]
    later = client.changes(calendar, first.token, SINCE, UNTIL)
    assert (sorted(event.external_id for event in later.events), later.is_full) == (["a.ics", "b.ics"], True)


@pytest.mark.parametrize("status", [403, 409, 412, 507])
def test_a_refused_sync_token_is_gone(fake: FakeCalDAV, client: caldav.CalDAV, status: int) -> None:
    marks_of(fake, sync="s1")
    token = client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL).token
    fake.fail(status, b'<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>', when=lambda seen: b"sync-collection" in seen.body)
    with pytest.raises(Gone):
        client.changes(f"{fake.url}/cal/", token, SINCE, UNTIL)


def test_the_zone_of_the_calendar_goes_before_the_builders(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.put("a.ics", "DTSTART;VALUE=DATE:20261124")
    for zone, hour in (("", "23 18:30"), ("Romance Standard Time", "23 23:00"), ("Mars/Base", "23 18:30")):
        fake.marks.zone = zone
        (event,) = client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL).events
        assert f"{event.starts_at:%d %H:%M}" == hour


def test_large_answers_are_asked_for_in_parts(fake: FakeCalDAV, client: caldav.CalDAV, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        fake.put(f"{number}.ics", f"{TUESDAY}\nX-FILE:{'x' * 3000}")
    fake.put("large.ics", f"{TUESDAY}\nX-FILE:{'x' * 30_000}")
    monkeypatch.setattr(outbound, "MOST_BYTES", 16_000)
    found = client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL)
    assert sorted(event.external_id for event in found.events) == [f"{number}.ics" for number in range(8)]
    assert client.passed_over == 1
    span = (datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 24, 10, tzinfo=UTC))
    assert client.busy([f"{fake.url}/cal/"], SINCE, UNTIL) == [span]


def test_a_calendar_without_end_is_given_up(fake: FakeCalDAV, client: caldav.CalDAV, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        fake.put(f"{number}.ics", TUESDAY)
    monkeypatch.setattr(caldav, "MOST_RESOURCES", 2)
    with pytest.raises(Unreachable, match="too many"):
        client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL)
    monkeypatch.setattr(caldav, "MOST_RESOURCES", 9)
    monkeypatch.setattr(caldav, "PATIENCE", -1.0)
    with pytest.raises(Unreachable, match="in time"):
        client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL)
    with pytest.raises(Unreachable, match="in time"):
        client.busy([f"{fake.url}/cal/"], SINCE, UNTIL)


def test_what_is_gone_between_two_questions_is_left_out(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.put("a.ics", TUESDAY)
    listed = multistatus(("/cal/a.ics", '<d:getetag>"1"</d:getetag>'), ("/cal/b.ics", '<d:getetag>"1"</d:getetag>')).bytes()
    fake.fail(207, listed, headers=XML, when=lambda seen: b"calendar-query" in seen.body)
    found = client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL)
    assert [event.external_id for event in found.events] == ["a.ics"]
    assert client.passed_over == 0


def test_long_names_are_shortened(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    fake.put(f"{'long' * 200}.ics", f"{TUESDAY}\nRRULE:FREQ=DAILY;COUNT=2")
    found: list[Event] = list(client.changes(f"{fake.url}/cal/", "", SINCE, UNTIL).events)
    assert len(found) == 2
    assert all(event.external_id.startswith("sha256-") and len(event.external_id) < 100 for event in found)


# Writing


def test_an_answer_that_is_lost_makes_no_second_event(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    call = booking()
    fake.fail(500, late=True, when=lambda seen: seen.method == "PUT")
    with pytest.raises(Unreachable):
        client.write(f"{fake.url}/cal/", call, None)
    fake.fail(412, when=lambda seen: seen.headers.get("if-none-match") == "*")
    written = client.write(f"{fake.url}/cal/", call, None)
    assert list(fake.stored) == [written.external_id]
    assert fake.asked("PUT")[-1].headers["if-match"] == '"written"'


def test_an_etag_that_is_not_said_is_asked_for(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    assert client.write(f"{fake.url}/cal/", booking(), None).etag == '"written"'


def test_a_change_between_reading_and_writing_is_a_conflict(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    call = booking()
    written = client.write(f"{fake.url}/cal/", call, None)
    fake.fail(412, when=lambda seen: seen.method == "PUT")
    with pytest.raises(Conflicting):
        client.write(f"{fake.url}/cal/", call, Written(written.external_id, '"old"'))
    assert fake.asked("PUT")[-1].headers["if-match"] == '"old"'


def test_the_same_uid_in_another_calendar_is_refused(fake: FakeCalDAV, client: caldav.CalDAV) -> None:
    conflict = '<d:error xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><c:no-uid-conflict><d:href>{}</d:href></c:no-uid-conflict></d:error>'
    fake.fail(409, conflict.format("/other/x.ics").encode())
    with pytest.raises(Refused, match="another calendar"):
        client.write(f"{fake.url}/cal/", booking(), None)
    fake.put("x.ics", TUESDAY)
    fake.fail(403, conflict.format("/cal/x.ics").encode())
    assert client.write(f"{fake.url}/cal/", booking(), None).external_id == "x.ics"


def test_names_and_passwords_of_any_alphabet_are_sent(fake: FakeCalDAV) -> None:
    caldav.connect(fake.url, "änaya", "pässwörd ☂")
    assert fake.seen[0].headers["authorization"] == "Basic w6RuYXlhOnDDpHNzd8O2cmQg4piC"
