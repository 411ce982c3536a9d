"""Outlook: every call of the protocol against a Graph on loopback, and every request judged by Microsoft's own description."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from consultations.calendars import (
    Booking,
    CalendarClient,
    CalendarError,
    Conflicting,
    Gone,
    Limited,
    NotConnected,
    Refused,
    Unreachable,
    Written,
    graph,
)
from port444.kit import clock
from port444.kit.ids import uuid7
from tests.fakes.graph import ACCOUNT, CLIENT_SECRET, MAIN, SECOND, SHARED, FakeGraph, sent_back
from tests.fakes.server import Seen
from tests.specs.openapi import problems

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HALF = timedelta(minutes=30)
SINCE, UNTIL = NOW, NOW + timedelta(days=60)
RETURN = "https://port444.example/calls/calendars/return/"
HOOK = "https://port444.example/hooks/outlook/"
VERIFIER = "v" * 64
TEAPOT = {"error": {"code": "Oops", "message": "bearer of bad news"}}


@pytest.fixture(autouse=True)
def fake(settings: Any) -> Iterator[FakeGraph]:
    """Stops the clock, serves Graph, and asks at the end whether all requests were as described."""
    with clock.at(NOW), FakeGraph() as fake:
        fake.use(settings)
        fake.now = lambda: NOW  # type: ignore[method-assign]
        fake.deliver = lambda url, body: (200, "text/plain; charset=utf-8", parse_qs(urlsplit(url).query)["validationToken"][0])
        yield fake
        assert [problem for seen in fake.seen for problem in problems(seen, "msgraph-calendar")] == []


@pytest.fixture
def kept() -> list[dict[str, Any]]:
    """What was handed to `keep`."""
    return []


@pytest.fixture
def account(fake: FakeGraph, kept: list[dict[str, Any]]) -> CalendarClient:
    return graph.client(fake.credentials(), kept.append)


def booking(chain: UUID | None = None, starts: datetime = NINE, title: str = "Call with Noor") -> Booking:
    chain = chain or uuid7()
    return Booking(chain, chain, 0, starts, starts + HALF, title, "Notes: Größe & <b>", "https://port444.example/calls/1/join/")


def spans(account: CalendarClient, *calendars: str) -> list[tuple[datetime, datetime]]:
    return list(account.busy(calendars or (MAIN,), SINCE, UNTIL))


def is_creation(request: Seen) -> bool:
    return request.method == "POST" and request.path.endswith("/events")


# Signing in.


def test_consent_page_is_asked_for_with_pkce(fake: FakeGraph) -> None:
    url = graph.authorize_url("s-1", RETURN, VERIFIER)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{fake.url}/common/oauth2/v2.0/authorize?")
    assert asked["scope"] == "offline_access User.Read Calendars.ReadWrite"
    assert (asked["state"], asked["redirect_uri"], asked["code_challenge_method"]) == ("s-1", RETURN, "S256")
    assert VERIFIER not in url


def test_connect_gives_account_calendars_and_zone(fake: FakeGraph) -> None:
    back = sent_back(fake.consent(graph.authorize_url("s-1", RETURN, VERIFIER)))
    assert back["state"] == "s-1"
    found = graph.connect(back["code"], RETURN, VERIFIER)
    assert found.account == ACCOUNT
    assert [(each.external_id, each.name, each.is_primary, each.can_write, each.time_zone) for each in found.calendars] == [
        (MAIN, "Calendar", True, True, "Europe/Berlin"),
        (SECOND, "Family", False, True, "Europe/Berlin"),
        (SHARED, "Team", False, False, "Europe/Berlin"),
    ]
    assert set(found.credentials) == {"access_token", "refresh_token", "expires_at", "time_zone"}
    assert found.credentials["expires_at"] == NOW.timestamp() + 3600


def test_connect_works_for_a_personal_account_without_working_hours(fake: FakeGraph) -> None:
    fake.is_personal = True
    back = sent_back(fake.consent(graph.authorize_url("s", RETURN, VERIFIER)))
    found = graph.connect(back["code"], RETURN, VERIFIER)
    assert (found.account, found.credentials["time_zone"]) == (ACCOUNT, "")


@pytest.mark.parametrize("zone", ["Customized Time Zone", "", "../../etc/passwd"])
def test_connect_lives_without_a_known_zone(fake: FakeGraph, zone: str) -> None:
    fake.mailbox_zone = zone
    back = sent_back(fake.consent(graph.authorize_url("s", RETURN, VERIFIER)))
    assert graph.connect(back["code"], RETURN, VERIFIER).credentials["time_zone"] == ""


def test_connect_refuses_a_code_that_another_asked_for(fake: FakeGraph) -> None:
    back = sent_back(fake.consent(graph.authorize_url("s", RETURN, VERIFIER)))
    with pytest.raises(NotConnected):
        graph.connect(back["code"], RETURN, "another verifier")
    assert fake.asked("GET", "/me") == []


def test_connect_refuses_less_than_the_calendars(fake: FakeGraph) -> None:
    fake.granted = "User.Read"
    back = sent_back(fake.consent(graph.authorize_url("s", RETURN, VERIFIER)))
    with pytest.raises(Refused):
        graph.connect(back["code"], RETURN, VERIFIER)


def test_denied_consent_brings_no_code(fake: FakeGraph) -> None:
    assert sent_back(fake.consent(graph.authorize_url("s", RETURN, VERIFIER), allow=False)) == {"state": "s", "error": "access_denied"}


# Tokens.


def test_ended_token_is_renewed_first_and_kept(fake: FakeGraph, kept: list[dict[str, Any]]) -> None:
    before = fake.credentials(expires_at=int(NOW.timestamp()) + 60)
    graph.client(before, kept.append).calendars()
    assert [request.path for request in fake.seen] == ["/common/oauth2/v2.0/token", "/v1.0/me/calendars"]
    (after,) = kept
    assert after["refresh_token"] != before["refresh_token"]
    assert after["time_zone"] == "Europe/Amsterdam"
    assert fake.seen[-1].headers["authorization"] == f"Bearer {after['access_token']}"


def test_refused_token_is_renewed_once(fake: FakeGraph, account: CalendarClient, kept: list[dict[str, Any]]) -> None:
    fake.end_access()
    assert len(account.calendars()) == 3
    assert [request.path.rsplit("/", 1)[-1] for request in fake.seen] == ["calendars", "token", "calendars"]
    assert len(kept) == 1
    account.calendars()
    assert len(kept) == 1


def test_renewed_token_is_kept_even_if_the_request_then_fails(fake: FakeGraph, account: CalendarClient, kept: list[dict[str, Any]]) -> None:
    fake.end_access()
    fake.fail(500, TEAPOT, when=lambda request: bool(kept) and "calendars" in request.path)
    with pytest.raises(Unreachable):
        account.calendars()
    assert len(kept) == 1


def test_token_refused_twice_is_not_connected(fake: FakeGraph, account: CalendarClient) -> None:
    fake.fail(401, TEAPOT, times=9, when=lambda request: "calendars" in request.path)
    with pytest.raises(NotConnected):
        account.calendars()
    assert len(fake.asked("GET", "/me/calendars")) == 2


def test_taken_back_consent_is_not_connected(fake: FakeGraph, account: CalendarClient, kept: list[dict[str, Any]]) -> None:
    fake.revoke()
    with pytest.raises(NotConnected):
        account.calendars()
    assert kept == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "interaction_required", NotConnected),
        (400, "consent_required", NotConnected),
        (401, "invalid_client", Unreachable),
        (400, "temporarily_unavailable", Unreachable),
        (500, "server_error", Unreachable),
        (429, "too_many", Limited),
    ],
)
def test_refusals_of_the_token_endpoint(fake: FakeGraph, account: CalendarClient, status: int, code: str, error: type[CalendarError]) -> None:
    fake.end_access()
    fake.fail(status, {"error": code, "error_description": "secret"}, when=lambda request: request.path.endswith("/token"))
    with pytest.raises(error) as raised:
        account.calendars()
    assert type(raised.value) is error
    assert "secret" not in str(raised.value)


def test_token_endpoint_without_token_is_unreachable(fake: FakeGraph, account: CalendarClient) -> None:
    fake.end_access()
    fake.fail(200, {"token_type": "Bearer"}, when=lambda request: request.path.endswith("/token"))
    with pytest.raises(Unreachable):
        account.calendars()


def test_account_without_refresh_token_is_not_connected(fake: FakeGraph, kept: list[dict[str, Any]]) -> None:
    with pytest.raises(NotConnected):
        graph.client({}, kept.append).calendars()
    assert fake.seen == []


def test_two_renewals_at_once_do_no_harm(fake: FakeGraph, kept: list[dict[str, Any]]) -> None:
    credentials = fake.credentials(expires_at=0)
    failures: list[Exception] = []

    def work() -> None:
        try:
            graph.client(credentials, kept.append).calendars()
        except CalendarError as failure:
            failures.append(failure)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(kept) == 4
    for each in kept:  # whichever of them was written last, it works
        graph.client({**each, "expires_at": 0}, lambda renewed: None).calendars()


# Errors.


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "ErrorInvalidRequest", Refused),
        (403, "ErrorAccessDenied", Refused),
        (404, "ErrorItemNotFound", Refused),
        (409, "ConcurrentItemSave", Conflicting),
        (410, "SyncStateNotFound", Gone),
        (400, "SyncStateInvalid", Gone),
        (412, "ErrorIrresolvableConflict", Conflicting),
        (408, "Timeout", Unreachable),
        (302, "", Unreachable),
        (500, "ErrorInternalServerError", Unreachable),
        (502, "BadGateway", Unreachable),
        (503, "ServiceUnavailable", Unreachable),
        (504, "ActivityLimit", Unreachable),
    ],
)
def test_statuses_in_words(fake: FakeGraph, account: CalendarClient, status: int, code: str, error: type[CalendarError]) -> None:
    fake.fail(status, {"error": {"code": code, "message": "of mara@outlook.example"}})
    with pytest.raises(error) as raised:
        account.calendars()
    assert isinstance(raised.value, error)
    assert isinstance(raised.value, Unreachable) is (error is Unreachable)
    assert str(status) in str(raised.value)
    assert code in str(raised.value)
    assert "mara" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "wait", "seconds"),
    [
        (429, "17", 17),
        (503, "17", 17),
        (429, "Mon, 23 Nov 2026 03:02:00 GMT", 120),
        (429, "Mon, 23 Nov 2026 02:00:00 GMT", 1),
        (429, "soon", 60),
        (429, "nan", 60),
        (429, "", 60),
        (429, "99999999", 24 * 3600),
    ],
)
def test_limits_say_how_long(fake: FakeGraph, account: CalendarClient, status: int, wait: str, seconds: float) -> None:
    fake.fail(status, TEAPOT, headers={"Retry-After": wait})
    with pytest.raises(Limited) as raised:
        account.calendars()
    assert raised.value.seconds == seconds


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b'{"value": [', b'"x"'])
def test_answers_that_cannot_be_read(fake: FakeGraph, account: CalendarClient, body: bytes) -> None:
    fake.fail(200, body)
    if body:
        with pytest.raises(Unreachable):
            account.calendars()
    else:
        assert account.calendars() == []


def test_cut_answer_is_unreachable(fake: FakeGraph, account: CalendarClient) -> None:
    fake.fail(200, {"value": []}, cut=5)
    with pytest.raises(Unreachable):
        account.calendars()


def test_nobody_there_is_unreachable(fake: FakeGraph, account: CalendarClient, settings: Any) -> None:
    settings.MICROSOFT_GRAPH_URL = "http://127.0.0.1:1/v1.0"
    with pytest.raises(Unreachable) as raised:
        account.calendars()
    assert raised.value.__cause__ is None
    assert "127.0.0.1" not in str(raised.value)


def test_no_secret_is_said(fake: FakeGraph, account: CalendarClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.fail(403, {"error": {"code": "Bearer access-123 refresh-1", "message": CLIENT_SECRET}})
    with pytest.raises(Refused) as raised:
        account.calendars()
    fake.revoke()
    with pytest.raises(NotConnected) as lost:
        account.calendars()
    for text in (str(raised.value), str(lost.value), caplog.text):
        assert "access-" not in text
        assert "refresh-" not in text
        assert CLIENT_SECRET not in text


# Busy times.


def test_busy_spans_of_several_calendars(fake: FakeGraph, account: CalendarClient) -> None:
    fake.add_event(NINE, NINE + HALF)
    fake.add_event(NINE + HALF, NINE + 2 * HALF, calendar=SECOND)
    fake.add_event(NINE, NINE + HALF, calendar=SHARED)
    assert spans(account, MAIN, SECOND) == [(NINE, NINE + HALF), (NINE + HALF, NINE + 2 * HALF)]


@pytest.mark.parametrize(
    ("fields", "blocks"),
    [
        ({"showAs": "busy"}, True),
        ({"showAs": "tentative"}, True),
        ({"showAs": "oof"}, True),
        ({"showAs": "unknown"}, True),
        ({"showAs": "somethingNew"}, True),
        ({"showAs": None}, True),
        ({"showAs": "free"}, False),
        ({"showAs": "workingElsewhere"}, False),
        ({"isCancelled": True}, False),
        ({"responseStatus": {"response": "declined"}}, False),
        ({"responseStatus": {"response": "tentativelyAccepted"}}, True),
        ({"responseStatus": {"response": "notResponded"}, "showAs": "tentative"}, True),
        ({"responseStatus": None}, True),
    ],
)
def test_what_blocks(fake: FakeGraph, account: CalendarClient, fields: dict[str, Any], blocks: bool) -> None:
    fake.add_event(NINE, NINE + HALF, **fields)
    assert bool(spans(account)) is blocks
    (event,) = account.changes(MAIN, "", SINCE, UNTIL).events
    assert event.is_busy is blocks


def test_busy_reads_every_page(fake: FakeGraph, account: CalendarClient) -> None:
    fake.page = 3
    for hour in range(8):
        fake.add_event(NINE + timedelta(hours=hour), NINE + timedelta(hours=hour) + HALF)
    assert len(spans(account)) == 8
    assert len(fake.asked("GET", "/calendarView")) == 3


def test_link_to_another_host_is_not_followed(fake: FakeGraph, account: CalendarClient) -> None:
    with FakeGraph() as other:
        fake.fail(200, {"value": [], "@odata.nextLink": f"{other.url}/v1.0/me/calendars"})
        with pytest.raises(Unreachable):
            account.calendars()
        with pytest.raises(Unreachable):
            account.changes(MAIN, f"{other.url}/v1.0/me/calendars/x/calendarView/delta?$deltatoken=1", SINCE, UNTIL)
        assert other.seen == []


def test_list_without_end_is_given_up(fake: FakeGraph, account: CalendarClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph.wire, "MOST_PAGES", 5)
    fake.fail(200, {"value": [], "@odata.nextLink": f"{fake.url}/v1.0/me/calendars"}, times=99)
    with pytest.raises(Unreachable):
        account.calendars()
    assert len(fake.seen) == 6


# Times.


@pytest.mark.parametrize(
    "zone", ["UTC", "Pacific Standard Time", "W. Europe Standard Time", "India Standard Time", "Europe/Amsterdam", "Nepal Standard Time"]
)
def test_times_in_any_zone(fake: FakeGraph, account: CalendarClient, zone: str) -> None:
    """Also where the preference for UTC is not heeded."""
    fake.speaks = zone
    fake.add_event(NINE, NINE + HALF, zone=zone)
    assert spans(account) == [(NINE, NINE + HALF)]


@pytest.mark.parametrize(
    ("starts", "zone"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "UTC"),  # the repeated hour of Berlin, first pass
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "UTC"),  # and second
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "W. Europe Standard Time"),  # the first instant after the gap
        (datetime(2026, 3, 8, 10, 0, tzinfo=UTC), "Pacific Standard Time"),
    ],
)
def test_times_about_the_changes_of_the_clock(fake: FakeGraph, account: CalendarClient, starts: datetime, zone: str) -> None:
    fake.speaks = zone
    fake.add_event(starts, starts + HALF, zone="W. Europe Standard Time")
    assert list(account.busy([MAIN], starts - HALF, starts + HALF)) == [(starts, starts + HALF)]


def test_zone_nobody_knows_is_the_mailbox_zone(fake: FakeGraph, account: CalendarClient) -> None:
    value = {"dateTime": "2026-11-24T10:00:00.1234567", "timeZone": "Customized Time Zone"}
    fake.fail(200, {"value": [{"id": "x", "start": value, "end": value, "showAs": "busy"}]})
    assert spans(account) == [(NINE.replace(microsecond=123456),) * 2]


@pytest.mark.parametrize(
    ("zone", "starts", "ends"),
    [
        ("Europe/Amsterdam", datetime(2026, 11, 24, 23, tzinfo=UTC), datetime(2026, 11, 25, 23, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 11, 24, 18, 30, tzinfo=UTC), datetime(2026, 11, 25, 18, 30, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 11, 25, 8, tzinfo=UTC), datetime(2026, 11, 26, 8, tzinfo=UTC)),
        ("", datetime(2026, 11, 25, 8, tzinfo=UTC), datetime(2026, 11, 26, 8, tzinfo=UTC)),  # unknown: where the event was made
    ],
)
def test_whole_days_are_days_of_the_calendar(fake: FakeGraph, zone: str, starts: datetime, ends: datetime) -> None:
    fake.add_event(date(2026, 11, 25), date(2026, 11, 26), zone="Pacific Standard Time")
    account = graph.client(fake.credentials(time_zone=zone), lambda renewed: None)
    assert list(account.busy([MAIN], SINCE, UNTIL)) == [(starts, ends)]
    (event,) = account.changes(MAIN, "", SINCE, UNTIL).events
    assert (event.starts_at, event.ends_at, event.is_all_day) == (starts, ends, True)


def test_whole_day_of_a_changing_clock_has_its_own_length(fake: FakeGraph) -> None:
    fake.add_event(date(2027, 3, 28), date(2027, 3, 29))
    account = graph.client(fake.credentials(time_zone="Europe/Amsterdam"), lambda renewed: None)
    ((starts, ends),) = account.busy([MAIN], datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC))
    assert ends - starts == timedelta(hours=23)


def test_whole_day_that_was_converted_finds_its_day(fake: FakeGraph, account: CalendarClient) -> None:
    """Midnight in Amsterdam said as 23:00 of the day before in UTC."""
    start, end = ({"dateTime": f"2026-11-{day}T23:00:00.0000000", "timeZone": "UTC"} for day in (24, 25))
    fake.fail(200, {"value": [{"id": "x", "start": start, "end": end, "isAllDay": True, "showAs": "oof"}]})
    assert spans(account) == [(datetime(2026, 11, 24, 23, tzinfo=UTC), datetime(2026, 11, 25, 23, tzinfo=UTC))]


def test_event_that_cannot_be_read_stops_nothing(fake: FakeGraph, account: CalendarClient) -> None:
    good = {"dateTime": "2026-11-24T09:00:00.0000000", "timeZone": "UTC"}
    items: list[Any] = [{"id": "a"}, {"id": "b", "start": None, "end": None}, {"id": "c", "start": {"dateTime": "x"}, "end": good}]
    fake.fail(200, {"value": [*items, {"id": "d", "start": good, "end": good}]})
    assert spans(account) == [(NINE, NINE)]


# Changes.


def test_first_read_is_full_and_the_next_only_news(fake: FakeGraph, account: CalendarClient) -> None:
    kept, gone = fake.add_event(NINE, NINE + HALF), fake.add_event(NINE + 2 * HALF, NINE + 3 * HALF)
    fake.add_event(UNTIL + HALF, UNTIL + 2 * HALF)
    fake.add_event(NINE, NINE + HALF, calendar=SECOND)
    first = account.changes(MAIN, "", SINCE, UNTIL)
    assert first.is_full
    assert {event.external_id for event in first.events} == {kept, gone}

    assert account.changes(MAIN, first.token, SINCE, UNTIL).events == []
    fake.move_event(kept, NINE + timedelta(days=1), NINE + timedelta(days=1) + HALF)
    fake.delete_event(gone)
    new = fake.add_event(NINE, NINE + HALF)
    second = account.changes(MAIN, first.token, SINCE, UNTIL)
    assert not second.is_full
    assert {event.external_id: (event.starts_at, event.is_gone) for event in second.events} == {
        kept: (NINE + timedelta(days=1), False),
        new: (NINE, False),
        gone: (None, True),
    }
    # The same token again tells the same: nothing is lost when what it told was not applied.
    again = account.changes(MAIN, first.token, SINCE, UNTIL)
    assert {event.external_id for event in again.events} == {kept, new, gone}
    assert account.changes(MAIN, second.token, SINCE, UNTIL).events == []


def test_event_that_leaves_the_window_is_gone(fake: FakeGraph, account: CalendarClient) -> None:
    event = fake.add_event(NINE, NINE + HALF)
    token = account.changes(MAIN, "", SINCE, UNTIL).token
    fake.move_event(event, UNTIL + HALF, UNTIL + 2 * HALF)
    assert [(each.external_id, each.is_gone) for each in account.changes(MAIN, token, SINCE, UNTIL).events] == [(event, True)]


def test_changes_follow_every_link(fake: FakeGraph, account: CalendarClient) -> None:
    fake.page = 2
    for hour in range(5):
        fake.add_event(NINE + timedelta(hours=hour), NINE + timedelta(hours=hour) + HALF)
    first = account.changes(MAIN, "", SINCE, UNTIL)
    assert len(first.events) == 5
    assert len(fake.asked("GET", "/delta")) == 3
    for hour in range(3):
        fake.add_event(NINE + timedelta(days=1, hours=hour), NINE + timedelta(days=1, hours=hour) + HALF)
    assert len(account.changes(MAIN, first.token, SINCE, UNTIL).events) == 3
    for request in fake.asked("GET", "/delta"):
        assert "odata.maxpagesize=200" in request.headers["prefer"]
        assert 'outlook.timezone="UTC"' in request.headers["prefer"]
        assert 'IdType="ImmutableId"' in request.headers["prefer"]


def test_id_that_comes_twice_counts_as_it_came_last(fake: FakeGraph, account: CalendarClient) -> None:
    at = {"dateTime": "2026-11-24T09:00:00.0000000", "timeZone": "UTC"}
    fake.fail(
        200,
        {"value": [{"id": "x", "start": at, "end": at}, {"id": "x", "@removed": {"reason": "deleted"}}], "@odata.deltaLink": f"{fake.url}/v1.0/d"},
    )
    assert [(event.external_id, event.is_gone) for event in account.changes(MAIN, "", SINCE, UNTIL).events] == [("x", True)]


def test_changes_without_a_token_at_the_end_are_not_believed(fake: FakeGraph, account: CalendarClient) -> None:
    fake.fail(200, {"value": []})
    with pytest.raises(Unreachable):
        account.changes(MAIN, "", SINCE, UNTIL)


def test_old_token_is_gone(fake: FakeGraph, account: CalendarClient) -> None:
    token = account.changes(MAIN, "", SINCE, UNTIL).token
    fake.forget_rounds()
    with pytest.raises(Gone):
        account.changes(MAIN, token, SINCE, UNTIL)
    assert account.changes(MAIN, "", SINCE, UNTIL).is_full


def test_token_that_ends_between_two_pages_is_gone(fake: FakeGraph, account: CalendarClient) -> None:
    fake.page = 1
    for _ in range(2):
        fake.add_event(NINE, NINE + HALF)
    fake.fail(410, {"error": {"code": "SyncStateNotFound", "message": ""}}, when=lambda request: "$skiptoken" in request.query)
    with pytest.raises(Gone):
        account.changes(MAIN, "", SINCE, UNTIL)


def test_occurrences_take_from_their_series(fake: FakeGraph, account: CalendarClient) -> None:
    """Graph's delta tells of an occurrence little more than its times; whether it blocks stands with the series."""
    days = [NINE + timedelta(days=7 * week) for week in range(3)]
    series, occurrences = fake.add_series(days, HALF, showAs="free")
    first = account.changes(MAIN, "", SINCE, UNTIL)
    assert {event.external_id: (event.starts_at, event.is_busy) for event in first.events} == {
        id_: (day, False) for id_, day in zip(occurrences, days, strict=True)
    }
    assert fake.asked("GET", "/events/") == []

    fake.move_event(occurrences[1], days[1] + HALF, days[1] + 2 * HALF)
    fake.move_event(occurrences[2], days[2] + HALF, days[2] + 2 * HALF)
    second = account.changes(MAIN, first.token, SINCE, UNTIL)
    assert {event.external_id: event.is_busy for event in second.events} == {occurrences[1]: False, occurrences[2]: False}
    assert len(fake.asked("GET", "/events/")) == 1  # the series, read once

    fake.change_event(series, showAs="busy")
    for occurrence in occurrences:
        fake.change_event(occurrence)
    third = account.changes(MAIN, second.token, SINCE, UNTIL)
    assert {event.external_id: event.is_busy for event in third.events} == dict.fromkeys(occurrences, True)


def test_occurrence_of_a_series_that_is_gone_blocks(fake: FakeGraph, account: CalendarClient) -> None:
    series, (occurrence,) = fake.add_series([NINE], HALF, showAs="free")
    token = account.changes(MAIN, "", SINCE, UNTIL).token
    fake.delete_event(series)
    fake.move_event(occurrence, NINE + HALF, NINE + 2 * HALF)
    events = {event.external_id: event for event in account.changes(MAIN, token, SINCE, UNTIL).events}
    assert events[series].is_gone
    assert events[occurrence].is_busy


def test_busy_sees_occurrences_and_not_the_series(fake: FakeGraph, account: CalendarClient) -> None:
    fake.add_series([NINE, NINE + timedelta(days=7)], HALF)
    assert [starts for starts, _ in spans(account)] == [NINE, NINE + timedelta(days=7)]


def test_our_own_event_is_known_by_its_chain(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    written = account.write(MAIN, ours, None)
    fake.add_event(NINE, NINE + HALF, transactionId=str(uuid4()))
    fake.add_event(NINE, NINE + HALF, transactionId="localevent:5")
    events = {event.external_id: event for event in account.changes(MAIN, "", SINCE, UNTIL).events}
    assert [(event.chain, event.etag) for event in events.values() if event.chain] == [(ours.chain, written.etag)]
    assert events[written.external_id].chain == ours.chain


# Writing.


def test_write_makes_an_event(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    written = account.write(MAIN, ours, None)
    (item,) = fake.ours()
    assert (written.external_id, item.starts, item.ends) == (item.id, NINE, NINE + HALF)
    assert item.fields["subject"] == "Call with Noor"
    assert item.fields["body"] == {"contentType": "text", "content": "Notes: Größe & <b>"}
    assert item.fields["location"] == {"displayName": "https://port444.example/calls/1/join/"}
    assert item.fields["showAs"] == "busy"
    assert item.fields["transactionId"] == str(ours.chain)
    assert "attendees" not in item.fields  # Outlook would mail them
    assert account.fetch(MAIN, written.external_id) == written


def test_lost_answer_makes_no_second_event(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    fake.fail(504, TEAPOT, when=is_creation, late=True)
    with pytest.raises(Unreachable):
        account.write(MAIN, ours, None)
    assert len(fake.ours()) == 1
    written = account.write(MAIN, ours, None)
    assert [item.id for item in fake.ours()] == [written.external_id]


def test_answer_cut_off_makes_no_second_event(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    fake.fail(201, {"id": "x"}, when=is_creation, late=True, cut=3)
    with pytest.raises(Unreachable):
        account.write(MAIN, ours, None)
    assert account.write(MAIN, ours, None).external_id == fake.ours()[0].id
    assert len(fake.ours()) == 1


def test_repeat_is_found_where_graph_refuses_it(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    fake.refuses_repeats = True
    first = account.write(MAIN, ours, None)
    assert account.write(MAIN, ours, None) == first
    assert len(fake.ours()) == 1
    assert len(fake.asked("GET", "/events")) == 1


def test_name_that_is_taken_and_not_found_is_tried_later(fake: FakeGraph, account: CalendarClient) -> None:
    fake.fail(409, TEAPOT, when=is_creation, times=2)
    with pytest.raises(Unreachable):
        account.write(MAIN, booking(), None)
    assert fake.ours() == []


@pytest.mark.parametrize("refuses", [False, True])
def test_repeat_after_a_move_brings_the_first_event_along(fake: FakeGraph, account: CalendarClient, refuses: bool) -> None:
    ours = booking()
    fake.fail(504, TEAPOT, when=is_creation, late=True)
    with pytest.raises(Unreachable):
        account.write(MAIN, ours, None)
    fake.refuses_repeats = refuses
    later = booking(ours.chain, NINE + timedelta(days=1))
    written = account.write(MAIN, later, None)
    (item,) = fake.ours()
    assert (item.id, item.starts) == (written.external_id, later.starts_at)
    assert account.fetch(MAIN, written.external_id).etag == written.etag


def test_known_event_is_brought_up_to_date(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    first = account.write(MAIN, ours, None)
    second = account.write(MAIN, booking(ours.chain, NINE + HALF, "Call moved"), first)
    (item,) = fake.ours()
    assert (item.starts, item.fields["subject"]) == (NINE + HALF, "Call moved")
    assert second.external_id == first.external_id
    assert second.etag != first.etag
    assert fake.asked("PATCH")[0].headers["if-match"] == first.etag


def test_event_moved_outside_is_a_conflict(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    first = account.write(MAIN, ours, None)
    fake.move_event(first.external_id, NINE + timedelta(hours=5), NINE + timedelta(hours=6))
    with pytest.raises(Conflicting):
        account.write(MAIN, booking(ours.chain, NINE + HALF), first)
    assert fake.ours()[0].starts == NINE + timedelta(hours=5)


def test_lost_answer_of_an_update_is_no_conflict(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    first = account.write(MAIN, ours, None)
    later = booking(ours.chain, NINE + HALF)
    fake.fail(504, TEAPOT, when=lambda request: request.method == "PATCH", late=True)
    with pytest.raises(Unreachable):
        account.write(MAIN, later, first)
    second = account.write(MAIN, later, first)
    assert second == account.fetch(MAIN, first.external_id)
    assert fake.ours()[0].starts == later.starts_at


def test_event_touched_outside_but_not_moved_is_no_conflict(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    first = account.write(MAIN, ours, None)
    fake.change_event(first.external_id, isReminderOn=False, subject="Noor!")
    account.write(MAIN, booking(ours.chain, title="New title"), first)
    assert fake.ours()[0].fields["subject"] == "New title"


@pytest.mark.parametrize("refuses", [False, True])
def test_event_deleted_outside_is_made_again(fake: FakeGraph, account: CalendarClient, refuses: bool) -> None:
    """Also where Graph still knows the name of the deleted one; and again is harmless here, too."""
    ours = booking()
    first = account.write(MAIN, ours, None)
    fake.delete_event(first.external_id)
    fake.refuses_repeats = refuses
    with pytest.raises(Refused):
        account.fetch(MAIN, first.external_id)
    second = account.write(MAIN, ours, first)
    assert [item.id for item in fake.ours()] == [second.external_id]
    assert account.write(MAIN, ours, None) == second
    assert len(fake.ours()) == 1
    assert [event.chain for event in account.changes(MAIN, "", SINCE, UNTIL).events] == [ours.chain]


def test_event_in_a_calendar_that_is_gone_is_refused(fake: FakeGraph, account: CalendarClient) -> None:
    ours = booking()
    first = account.write(SECOND, ours, None)
    del fake.calendars[SECOND]
    with pytest.raises(Refused):
        account.write(SECOND, ours, first)


def test_calendar_that_may_only_be_read_refuses(fake: FakeGraph, account: CalendarClient) -> None:
    with pytest.raises(Refused):
        account.write(SHARED, booking(), None)
    assert fake.ours(SHARED) == []


def test_remove_and_again(fake: FakeGraph, account: CalendarClient) -> None:
    first = account.write(MAIN, booking(), None)
    account.remove(MAIN, first.external_id)
    assert fake.ours() == []
    account.remove(MAIN, first.external_id)
    assert len(fake.asked("DELETE")) == 2


@pytest.mark.parametrize(("status", "error"), [(403, Refused), (500, Unreachable), (429, Limited)])
def test_remove_that_fails_says_so(fake: FakeGraph, account: CalendarClient, status: int, error: type[CalendarError]) -> None:
    fake.fail(status, TEAPOT)
    with pytest.raises(error):
        account.remove(MAIN, "x")


# Being told.


def test_watch_answers_the_handshake(fake: FakeGraph, account: CalendarClient) -> None:
    found = account.watch(MAIN, "channel", "s-1", HOOK)
    assert found is not None
    assert found.expires_at == NOW + timedelta(minutes=4200)
    assert fake.watches[found.external_id].body == {
        "changeType": "created,updated,deleted",
        "notificationUrl": HOOK,
        "lifecycleNotificationUrl": HOOK,
        "resource": "/me/calendars/AAMkAGI1%2Fmain%2B0%3D/events",
        "clientState": "s-1",
        "expirationDateTime": "2026-11-26T01:00:00Z",
    }
    account.unwatch(MAIN, "channel", found.external_id)
    account.unwatch(MAIN, "channel", found.external_id)
    assert fake.watches == {}


@pytest.mark.parametrize("answer", [(200, "text/html", ""), (200, "text/plain", "other"), (500, "text/plain", "")])
def test_address_that_does_not_echo_is_refused(fake: FakeGraph, account: CalendarClient, answer: tuple[int, str, str]) -> None:
    fake.deliver = lambda url, body: answer
    with pytest.raises(Refused):
        account.watch(MAIN, "channel", "s-1", HOOK)
    assert fake.watches == {}


@pytest.mark.parametrize("only_one", [False, True])
def test_renewal_is_a_new_watch(fake: FakeGraph, account: CalendarClient, only_one: bool) -> None:
    fake.allows_one_watch = only_one
    first = account.watch(MAIN, "one", "s-1", HOOK)
    other = account.watch(SECOND, "two", "s-2", HOOK)
    second = account.watch(MAIN, "three", "s-3", HOOK)
    assert first
    assert other
    assert second
    assert set(fake.watches) == {other.external_id, second.external_id} | (set() if only_one else {first.external_id})
    account.unwatch(MAIN, "one", first.external_id)
    assert set(fake.watches) == {other.external_id, second.external_id}


def test_notifications_twice_and_out_of_order_are_read_once(fake: FakeGraph, account: CalendarClient) -> None:
    posted: list[bytes] = []
    one, two = account.watch(MAIN, "1", "s-1", HOOK), account.watch(SECOND, "2", "s-2", HOOK)
    assert one
    assert two
    fake.deliver = collect(posted)
    event = fake.add_event(NINE, NINE + HALF)
    fake.move_event(event, NINE + HALF, NINE + 2 * HALF)
    fake.add_event(NINE, NINE + HALF, calendar=SECOND)
    assert fake.push() == [202, 202]
    assert [graph.read_notifications(body) for body in posted] == [[("s-1", one.external_id, "changed"), ("s-2", two.external_id, "changed")]] * 2
    assert fake.push() == []


@pytest.mark.parametrize(("event", "kind"), [("missed", "missed"), ("subscriptionRemoved", "removed"), ("reauthorizationRequired", "reauthorize")])
def test_lifecycle(fake: FakeGraph, account: CalendarClient, event: str, kind: str) -> None:
    posted: list[bytes] = []
    one = account.watch(MAIN, "1", "s-1", HOOK)
    assert one
    fake.deliver = collect(posted)
    fake.lifecycle(event)
    assert graph.read_notifications(posted[0]) == [("s-1", one.external_id, kind)]
    assert (fake.watches == {}) is (kind == "removed")


def collect(posted: list[bytes]) -> Callable[[str, Any], tuple[int, str, str]]:
    def deliver(url: str, body: Any) -> tuple[int, str, str]:
        posted.append(json.dumps(body).encode())
        return 202, "", ""

    return deliver


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"value": 3}', b'{"value": [3, null, {"subscriptionId": 4}, {"clientState": "x"}]}', b"\xff\xfe", b"[" * 100_000],
)
def test_nonsense_is_no_news(body: bytes) -> None:
    assert graph.read_notifications(body) == []


def test_notification_without_secret_has_none() -> None:
    assert graph.read_notifications(
        b'{"value": [{"subscriptionId": "a", "clientState": null}, {"subscriptionId": "b", "lifecycleEvent": "new"}]}'
    ) == [
        ("", "a", "changed"),
        ("", "b", "missed"),
    ]


def test_validation_token() -> None:
    assert graph.validation_token({"validationToken": "Validation: <x>"}) == "Validation: <x>"
    assert graph.validation_token({}) is None
    assert graph.validation_token({"validationToken": ""}) is None


def test_written_events_have_no_room(account: CalendarClient) -> None:
    assert account.write(MAIN, booking(), None) == Written(account.changes(MAIN, "", SINCE, UNTIL).events[0].external_id, etag='W/"key-1"')
