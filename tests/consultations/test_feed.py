"""The private calendar address, as a calendar program sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from icalendar import Calendar

from auditlog.models import AuditLog
from consultations import ical, queries
from consultations.actions import cancel_call, complete_call, renew_feed
from consultations.models import CalendarFeed, Consultation
from consultations.views import feeds
from port444.accounts.models import User
from port444.kit import clock

from .conftest import MONDAY


def address(user: User) -> str:
    feed = CalendarFeed.objects.filter(user=user).first() or renew_feed(actor=user)
    return f"/calls/feed/{queries.token_of(feed)}.ics"


def read(user: User) -> dict[str, Any]:
    response = Client().get(address(user))
    assert response.status_code == 200
    book: Any = Calendar.from_ical(response.content)
    return {str(event["uid"]): event for event in book.walk("VEVENT")}


def test_both_sides_see_the_call_and_the_other(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    for reader, other in ((client_user, "Anaya Krishnan"), (builder_user, "Jonas Vermeer")):
        event = read(reader)[ical.uid(scheduled)]
        assert (str(event["summary"]), str(event["status"]), int(event["sequence"])) == (f"Call with {other}", "CONFIRMED", 0)
        assert (event["dtstart"].dt, event["dtend"].dt) == (scheduled.scheduled_at, scheduled.ends_at)
        assert str(event["location"]) == f"http://127.0.0.1:8444/calls/{scheduled.pk}/join/"


def test_it_holds_no_address_and_no_notes(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    for reader in (client_user, builder_user):
        text = Client().get(address(reader)).content.decode()
        assert "BEGIN:VEVENT" in text
        for private in ("example.com", "The order list is slow", "ATTENDEE", "ORGANIZER"):
            assert private not in text


def test_a_cancelled_call_stays_for_a_while_as_cancelled(scheduled: Consultation, client_user: User) -> None:
    cancel_call(scheduled.pk, actor=client_user)
    event = read(client_user)[ical.uid(scheduled)]
    assert (str(event["status"]), int(event["sequence"])) == ("CANCELLED", 1)
    assert "location" not in event
    with clock.at(MONDAY + timedelta(days=31)):
        assert read(client_user) == {}


def test_past_calls_leave_after_a_season(after_start: Consultation, builder_user: User) -> None:
    complete_call(after_start.pk, actor=builder_user, notes="")
    for days, there in ((89, True), (91, False)):
        with clock.at(after_start.ends_at + timedelta(days=days)):
            assert (ical.uid(after_start) in read(builder_user)) is there


def test_holds_and_calls_of_others_are_not_in_it(hold: Callable[..., Consultation], client_user: User, builder_user: User, stranger: User) -> None:
    hold()
    assert [read(user) for user in (client_user, builder_user, stranger)] == [{}, {}, {}]


def test_the_same_calls_are_answered_with_304(scheduled: Consultation, client_user: User) -> None:
    path = address(client_user)
    first = Client().get(path)
    assert (first["Cache-Control"], first["Content-Type"]) == ("private, max-age=300", "text/calendar; charset=utf-8")
    assert "Set-Cookie" not in first
    with clock.at(MONDAY + timedelta(minutes=10)):
        again = Client().get(path, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        cancel_call(scheduled.pk, actor=client_user)
        changed = Client().get(path, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_new_address_makes_the_old_one_worthless(client: Client, client_user: User) -> None:
    old = address(client_user)
    client.force_login(client_user)
    assert client.post("/calls/feed/renew/").status_code == 302
    assert Client().get(old).status_code == 404
    assert Client().get(address(client_user)).status_code == 200
    assert AuditLog.objects.filter(event_type="calendar_feed.renewed", actor_id=client_user.pk).count() == 2


def test_made_up_addresses_are_not_found(client_user: User, builder_user: User) -> None:
    token = queries.token_of(renew_feed(actor=client_user))
    value, _, signature = token.rpartition(".")
    nobody = queries.token_of(CalendarFeed(user=builder_user))  # signed, and nobody asked for it
    others = (f"{builder_user.pk.hex}-0.{signature}", f"{client_user.pk.hex}-1.{signature}", nobody)
    for wrong in (value, f"{value}.", f"{value}.{signature[:-2]}xx", *others, "x"):
        assert Client().get(f"/calls/feed/{wrong}.ics").status_code == 404


def test_who_is_suspended_or_gone_has_no_feed(scheduled: Consultation, client_user: User) -> None:
    path = address(client_user)
    for fields in ({"suspended_at": MONDAY, "suspension_reason": "Spam"}, {"suspended_at": None, "suspension_reason": "", "is_active": False}):
        User.objects.filter(pk=client_user.pk).update(**fields)
        assert Client().get(path).status_code == 404


def test_reading_is_noted_once_an_hour(client_user: User) -> None:
    path = address(client_user)
    noted = []
    for minutes in (0, 59, 60, 61):
        with clock.at(MONDAY + timedelta(minutes=minutes)):
            Client().get(path)
        noted.append(CalendarFeed.objects.get().read_at)
    assert noted == [MONDAY, MONDAY, MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=1)]


def test_queries_do_not_grow_with_calls(scheduled: Consultation, client_user: User, django_assert_num_queries: Any) -> None:
    path = address(client_user)
    Client().get(path)
    with django_assert_num_queries(2):  # the feed with its owner, the calls with both sides
        Client().get(path)


def test_asking_without_end_is_refused(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "READS_AN_HOUR", 2)
    path = address(client_user)
    assert [Client().get(path).status_code for _ in range(3)] == [200, 200, 429]
    assert CalendarFeed.objects.get().generation == 0


def test_the_page_shows_the_address_only_when_there_is_one(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert b".ics" not in client.get("/calls/feed/").content
    assert not CalendarFeed.objects.exists()
    client.post("/calls/feed/renew/")
    page = client.get("/calls/feed/").content.decode()
    assert f"http://127.0.0.1:8444{address(client_user)}" in page
    assert f'href="webcal://127.0.0.1:8444{address(client_user)}"' in page
    assert "No calendar has read it yet" in page


def test_my_calls_lead_to_it(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert b'href="/calls/feed/"' in client.get("/calls/").content
