"""Connecting a calendar, choosing what it is used for, disconnecting it; and the page that shows how well it is."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from django.test import Client

from auditlog.models import AuditLog
from consultations import actions, jobs, queries
from consultations.actions.calendars import SECONDS, live_busy, without
from consultations.calendars import Calendar, Limited, NotConnected, Refused, Unreachable, registry
from consultations.models import CalendarEvent, CalendarLink, Consultation, ExternalEvent, LinkedCalendar, LinkStatus, PushChannel
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Invalid, NotAllowed
from tests.fakes.calendar import FakeAccount, FakeProvider

from .conftest import MONDAY, TUESDAY_NINE, counts
from .connected import connect, main_calendar, waiting, work

pytestmark = pytest.mark.django_db
HOME = "/calls/calendars/"
HOUR = timedelta(hours=1)
BACK = "http://127.0.0.1:8444/calls/calendars/callback/google/"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeProvider:
    fake = FakeProvider()
    for name in ("google", "graph", "caldav", "calcom"):
        monkeypatch.setitem(registry.MODULES, f"consultations.calendars.{name}", fake)
    settings.GOOGLE_CLIENT_ID = settings.GOOGLE_CLIENT_SECRET = "set"
    settings.MICROSOFT_CLIENT_ID = settings.MICROSOFT_CLIENT_SECRET = "set"
    settings.SITE_URL = "http://127.0.0.1:8444"
    return fake


@pytest.fixture
def link(open_builder: Builder, provider: FakeProvider) -> CalendarLink:
    link = connect(open_builder, provider)
    work()
    return link


@pytest.fixture
def browser(client: Client, open_builder: Builder) -> Client:
    client.force_login(open_builder.user)
    return client


def begin(browser: Client, provider: str = "google") -> dict[str, str]:
    """Press "Sign in at": what our page sends along to the provider."""
    response = browser.post(f"/calls/calendars/connect/{provider}/")
    assert response.status_code == 200
    found = re.search(r'content="0; url=([^"]+)"', response.content.decode())
    assert found is not None
    return {name: values[0] for name, values in parse_qs(urlsplit(found[1].replace("&amp;", "&")).query).items()}


def test_sign_in_connects(browser: Client, provider: FakeProvider, open_builder: Builder) -> None:
    sent = begin(browser)
    assert sent["redirect_uri"] == BACK
    response = browser.get(f"{HOME}callback/google/", {"state": sent["state"], "code": "c0de"})
    assert (response.status_code, response["Location"]) == (302, HOME)
    ((code, redirect_uri, verifier),) = provider.connects
    assert (code, redirect_uri) == ("c0de", BACK)
    assert 43 <= len(verifier) <= 128
    link = CalendarLink.objects.get()
    assert (link.builder, link.provider, link.account) == (open_builder, "google", "anaya@example.com")
    assert AuditLog.objects.filter(event_type="calendar.connected", target_id=link.pk).count() == 1


def test_what_opens_it_is_not_readable_in_the_database(link: CalendarLink) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT credentials FROM consultations_calendarlink")
        (stored,) = cursor.fetchone()
    assert "t0p-secret" not in stored
    assert link.credentials == {"token": "t0p-secret"}


@pytest.mark.parametrize("what", ["twice", "made up", "empty", "late", "of another provider", "of another session", "of another person"])
def test_callback_finishes_only_what_was_begun(
    what: str, browser: Client, provider: FakeProvider, make_user: Callable[..., User], client_user: User
) -> None:
    state, path = begin(browser)["state"], f"{HOME}callback/google/"
    moment = MONDAY
    if what == "twice":
        browser.get(path, {"state": state, "error": "access_denied"})
    if what in ("made up", "empty"):
        state = "made-up" if what == "made up" else ""
    if what == "late":
        moment += timedelta(minutes=11)
    if what == "of another provider":
        path = f"{HOME}callback/outlook/"
    if what == "of another session":
        other = Client()
        other.force_login(Builder.objects.get().user)
        browser = other
    if what == "of another person":
        session = browser.session
        session["calendar_sign_ins"][state]["user"] = str(client_user.pk)
        session.save()
    with clock.at(moment):
        response = browser.get(path, {"state": state, "code": "c0de"})
    assert response.status_code == 400
    assert "Nothing was connected" in response.content.decode()
    assert provider.connects == []
    assert not CalendarLink.objects.exists()


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ({"error": "access_denied"}, None, "You did not allow it"),
        ({"error": "server_error"}, None, "did not work out"),
        ({}, None, "sent no answer"),
        ({"code": "c"}, Refused("the permission to read calendars was not given"), "the permission to read calendars was not given"),
        ({"code": "c"}, NotConnected("invalid_grant"), "Please try again"),
        ({"code": "c"}, Unreachable("500"), "did not answer properly"),
        ({"code": "c"}, Limited("429", 30), "asks us to wait"),
    ],
)
def test_sign_in_that_fails_is_worded(query: dict[str, str], error: Exception | None, words: str, browser: Client, provider: FakeProvider) -> None:
    if error is not None:
        provider.account.fail("connect", error)
    response = browser.get(f"{HOME}callback/google/", {"state": begin(browser)["state"], **query})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert not CalendarLink.objects.exists()


def test_password_connects_and_a_wrong_one_is_worded(browser: Client, provider: FakeProvider) -> None:
    provider.account.fail("connect", NotConnected("401"))
    form = {"url": "https://dav.example/", "name": "anaya", "password": " with spaces "}
    response = browser.post(f"{HOME}connect/caldav/", form)
    assert response.status_code == 422
    assert "did not accept that" in response.content.decode()
    assert " with spaces " not in response.content.decode()
    assert browser.post(f"{HOME}connect/caldav/", form).status_code == 302
    assert provider.connects[-1] == ("https://dav.example/", "anaya", " with spaces ")
    assert CalendarLink.objects.get().provider == "caldav"


def test_apple_knows_its_address(browser: Client, provider: FakeProvider) -> None:
    assert 'name="url"' not in browser.get(f"{HOME}connect/apple/").content.decode()
    browser.post(f"{HOME}connect/apple/", {"name": "anaya@icloud.com", "password": "abcd-efgh"})
    assert provider.connects == [("https://caldav.icloud.com", "anaya@icloud.com", "abcd-efgh")]


def test_key_connects(browser: Client, provider: FakeProvider) -> None:
    browser.post(f"{HOME}connect/cal_com/", {"key": "cal_live_1"})
    assert provider.connects == [("cal_live_1",)]
    assert CalendarLink.objects.get().provider == "cal_com"


def test_passwords_are_not_tried_out_through_us(browser: Client, provider: FakeProvider) -> None:
    provider.account.fail("connect", *[NotConnected("401")] * 20)
    form = {"url": "https://dav.example/", "name": "anaya", "password": "guess"}
    statuses = [browser.post(f"{HOME}connect/caldav/", form).status_code for _ in range(12)]
    assert statuses == [422] * 10 + [429] * 2
    assert len(provider.connects) == 10


def test_provider_without_keys_is_not_offered(browser: Client, provider: FakeProvider, settings: Any) -> None:
    settings.GOOGLE_CLIENT_SECRET = ""
    page = browser.get(HOME).content.decode()
    assert "Not set up on this site" in page
    assert "/connect/google/" not in page
    assert browser.post(f"{HOME}connect/google/").status_code == 403
    assert browser.get(f"{HOME}connect/nonsense/").status_code == 404


def test_page_is_for_builders(client: Client, client_user: User) -> None:
    assert client.get(HOME).status_code == 302
    client.force_login(client_user)
    assert client.get(HOME).status_code == 404


def test_page_asks_the_same_for_any_number_of_calendars(
    browser: Client, provider: FakeProvider, link: CalendarLink, open_builder: Builder, django_assert_num_queries: Any
) -> None:
    for name in ("b@example.com", "c@example.com"):
        connect(open_builder, FakeProvider(name=name))
    with django_assert_num_queries(8):  # session, user, device, builder; links, calendars, copies; bell
        assert browser.get(HOME).status_code == 200


def test_page_says_how_old_the_list_is_and_what_is_wrong(
    browser: Client, provider: FakeProvider, link: CalendarLink, scheduled: Consultation
) -> None:
    provider.account.fail("changes", Unreachable("500"))
    provider.account.fail("write", Refused("you may not write here"))
    with clock.at(MONDAY + HOUR):
        actions.sync_calendar(main_calendar(link).pk)
        work()
        page = browser.get(HOME).content.decode()
    assert "1\xa0hour old" in page
    assert "Google Calendar did not answer properly. Since Mon 23 Nov" in page
    assert "you may not write here" in page
    copy = CalendarEvent.objects.get()
    response = browser.post(f"{HOME}copies/{copy.pk}/retry/")
    assert response.status_code == 302
    work()
    assert CalendarEvent.objects.get().status == "written"


def test_choice_is_kept(browser: Client, link: CalendarLink, provider: FakeProvider) -> None:
    main, team = main_calendar(link), link.calendars.get(external_id="team")
    browser.post(f"{HOME}choose/", {"read": [str(team.pk)], "written": ""})
    assert [(row.is_read, row.is_written) for row in (main_calendar(link), link.calendars.get(external_id="team"))] == [(False, False), (True, False)]
    assert AuditLog.objects.filter(event_type="calendar.changed").count() == 1
    assert ("consultations.jobs.sync_calendar", (str(team.pk),)) in waiting()
    assert main.pk


def test_calendar_that_is_not_read_blocks_nothing(link: CalendarLink, provider: FakeProvider, builder_user: User, open_builder: Builder) -> None:
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    actions.sync_calendar(main_calendar(link).pk)
    actions.choose_calendars(open_builder.pk, actor=builder_user, read=set(), written=None)
    assert not ExternalEvent.objects.exists()
    actions.choose_calendars(open_builder.pk, actor=builder_user, read={main_calendar(link).pk}, written=None)
    work()
    assert ExternalEvent.objects.count() == 1


def test_choice_of_others_is_refused(link: CalendarLink, open_builder: Builder, builder_user: User, stranger: User, make_user: Any) -> None:
    other = Builder.objects.create(user=make_user("Bea Other", is_builder=True), slug="bea", headline="Also here")
    theirs = main_calendar(connect(other, FakeProvider(name="bea@example.com")))
    read_only = link.calendars.get(external_id="team")
    before = counts()
    with pytest.raises(NotAllowed):
        actions.choose_calendars(open_builder.pk, actor=stranger, read=set(), written=None)
    for calendar in (theirs, read_only):
        with pytest.raises(Invalid):
            actions.choose_calendars(open_builder.pk, actor=builder_user, read=set(), written=calendar.pk)
    assert counts() == before
    assert main_calendar(link).is_written


@pytest.mark.parametrize("copies", ["remove", "keep"])
def test_disconnecting_forgets_everything(copies: str, browser: Client, link: CalendarLink, provider: FakeProvider, scheduled: Consultation) -> None:
    provider.account.put("dentist", TUESDAY_NINE + 5 * HOUR, TUESDAY_NINE + 6 * HOUR)
    actions.sync_calendar(main_calendar(link).pk)
    work()
    assert len(provider.account.channels) == 1
    browser.post(f"{HOME}{link.pk}/disconnect/", {"copies": copies})
    link.refresh_from_db()
    assert link.status == LinkStatus.OFF
    assert not ExternalEvent.objects.exists()
    work()
    link.refresh_from_db()
    assert (link.credentials, link.hook_secret) == ({}, "")
    assert provider.account.channels == {}
    assert not PushChannel.objects.exists()
    assert len(provider.account.of(scheduled.chain)) == (0 if copies == "remove" else 1)
    assert AuditLog.objects.filter(event_type="calendar.disconnected").count() == 1
    assert browser.post(f"{HOME}{link.pk}/disconnect/").status_code == 404


def test_farewell_is_tried_again_and_ends(browser: Client, link: CalendarLink, provider: FakeProvider) -> None:
    provider.account.fail("unwatch", *[Unreachable("500")] * 50)
    browser.post(f"{HOME}{link.pk}/disconnect/")
    work()
    link.refresh_from_db()
    assert link.credentials
    with clock.at(MONDAY + timedelta(minutes=61)):
        assert jobs.sweep_calendars() == 1
        work()
    link.refresh_from_db()
    assert (link.credentials, link.hook_secret) == ({}, "")


def test_same_account_again_goes_on_in_place(link: CalendarLink, provider: FakeProvider, open_builder: Builder, builder_user: User) -> None:
    main = main_calendar(link)
    actions.choose_calendars(open_builder.pk, actor=builder_user, read={main.pk}, written=None)
    provider.account.calendars = [Calendar("main", "Work, renamed", is_primary=True), Calendar("new", "New")]
    with clock.at(MONDAY + HOUR):
        again = connect(open_builder, provider)
    assert again.pk == link.pk
    assert {(row.external_id, row.name, row.is_read, row.is_written) for row in again.calendars.all()} == {
        ("main", "Work, renamed", True, False),
        ("new", "New", True, False),
    }


def test_account_in_which_nothing_can_be_written_is_read(open_builder: Builder, provider: FakeProvider) -> None:
    provider.account.calendars = [Calendar("made", "Booked there", is_primary=True, can_write=False), Calendar("other", "Other", can_write=False)]
    link = connect(open_builder, provider, "cal_com")
    assert set(link.calendars.values_list("is_read", "is_written")) == {(True, False)}


def test_second_account_does_not_take_over_writing(link: CalendarLink, provider: FakeProvider, open_builder: Builder) -> None:
    second = connect(open_builder, FakeProvider(name="b@example.com"))
    assert not second.calendars.filter(is_written=True).exists()
    assert LinkedCalendar.objects.filter(is_written=True).count() == 1


def test_graph_is_answered_and_believed_only_with_its_secret(client: Client, provider: FakeProvider, open_builder: Builder) -> None:
    link = connect(open_builder, provider, "outlook")
    work()
    channel = PushChannel.objects.get()
    path = f"/hooks/graph/{channel.pk}/"
    answer = client.post(f"{path}?validationToken=<b>hello</b>")
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"<b>hello</b>", "text/plain; charset=utf-8")
    assert answer["X-Content-Type-Options"] == "nosniff"
    for body in ("", "[]", '{"value": 3}', '{"value": [{"clientState": "forged"}]}'):
        assert client.post(path, body, content_type="application/json").status_code == 403
    assert waiting() == []
    told = {"value": [{"clientState": channel.secret, "subscriptionId": "s"}]}
    assert client.post(path, told, content_type="application/json").status_code == 202
    assert waiting() == [("consultations.jobs.sync_calendar", (str(main_calendar(link).pk),))]


def test_channel_that_graph_drops_is_made_again(client: Client, provider: FakeProvider, open_builder: Builder) -> None:
    connect(open_builder, provider, "outlook")
    work()
    old = PushChannel.objects.get()
    told = {"value": [{"clientState": old.secret, "subscriptionId": old.external_id, "lifecycleEvent": "subscriptionRemoved"}]}
    client.post(f"/hooks/graph/{old.pk}/", told, content_type="application/json")
    jobs.sweep_channels()
    work()
    new = PushChannel.objects.get()
    assert new.pk != old.pk
    assert list(provider.account.channels) == [str(new.pk)]


def test_channel_is_renewed_at_half_life_and_overlaps(link: CalendarLink, provider: FakeProvider) -> None:
    old = PushChannel.objects.get()
    assert old.expires_at is not None
    half = (old.expires_at - old.created_at) / 2
    with clock.at(MONDAY + half - timedelta(minutes=1)):
        assert jobs.sweep_channels() == 0
    provider.account.asked.clear()
    with clock.at(MONDAY + half):
        assert jobs.sweep_channels() == 1
        work()
    assert [name for name in provider.account.asked if "watch" in name] == ["watch", "unwatch"]
    new = PushChannel.objects.get()
    assert new.secret != old.secret
    assert list(provider.account.channels) == [str(new.pk)]


def test_channel_that_is_refused_is_asked_for_again_tomorrow(open_builder: Builder, provider: FakeProvider) -> None:
    provider.account.fail("watch", Refused("not over http"))
    connect(open_builder, provider)
    work()
    assert jobs.sweep_channels() == 0
    with clock.at(MONDAY + timedelta(days=1)):
        assert jobs.sweep_channels() == 1
        work()
    assert PushChannel.objects.get().external_id


def test_channel_waits_for_a_provider_that_is_down(open_builder: Builder, provider: FakeProvider) -> None:
    provider.account.fail("watch", Unreachable("500"))
    connect(open_builder, provider)
    work()
    assert not PushChannel.objects.exists()
    assert jobs.sweep_channels() == 1


def test_live_question(link: CalendarLink, provider: FakeProvider, open_builder: Builder, scheduled: Consultation) -> None:
    work()
    since, until = TUESDAY_NINE - HOUR, TUESDAY_NINE + 5 * HOUR
    assert live_busy(open_builder, since, until) == []  # our own event is no news
    provider.account.put("dentist", TUESDAY_NINE + 2 * HOUR, TUESDAY_NINE + 3 * HOUR)
    assert live_busy(open_builder, since, until) == [(int((TUESDAY_NINE + 2 * HOUR).timestamp()), int((TUESDAY_NINE + 3 * HOUR).timestamp()))]


def test_live_question_without_an_answer_says_nothing(link: CalendarLink, provider: FakeProvider, open_builder: Builder) -> None:
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    for error in (Unreachable("500"), NotConnected("401"), RuntimeError("nobody expected this")):
        provider.account.fail("busy", error)
        assert live_busy(open_builder, TUESDAY_NINE, TUESDAY_NINE + HOUR) == []
    assert len(live_busy(open_builder, TUESDAY_NINE, TUESDAY_NINE + HOUR)) == 1


def test_live_question_does_not_wait_for_long(
    link: CalendarLink, provider: FakeProvider, open_builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SECONDS <= 3
    monkeypatch.setattr("consultations.actions.calendars.SECONDS", 0.2)
    slow = FakeAccount()
    let_go = threading.Event()

    def hang(name: str) -> None:
        let_go.wait(10)

    slow.before = hang
    connect(open_builder, FakeProvider(slow, "slow@example.com"), "outlook")
    monkeypatch.setitem(registry.MODULES, "consultations.calendars.graph", FakeProvider(slow))
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR)
    assert len(live_busy(open_builder, TUESDAY_NINE, TUESDAY_NINE + HOUR)) == 1
    let_go.set()


@pytest.mark.parametrize(
    ("spans", "holes", "left"),
    [
        ([(0, 10)], [], [(0, 10)]),
        ([(0, 10)], [(0, 10)], []),
        ([(0, 10)], [(3, 5)], [(0, 3), (5, 10)]),
        ([(0, 10), (20, 30)], [(5, 25)], [(0, 5), (25, 30)]),
        ([(5, 10)], [(0, 6), (9, 20)], [(6, 9)]),
        ([(0, 10)], [(10, 20)], [(0, 10)]),
    ],
)
def test_without(spans: list[Any], holes: list[Any], left: list[Any]) -> None:
    assert without(spans, holes) == left


def test_links_of_others_are_not_there(client: Client, link: CalendarLink, client_user: User) -> None:
    client.force_login(client_user)
    for path in (f"{HOME}{link.pk}/disconnect/", f"{HOME}{link.pk}/read/"):
        assert client.post(path).status_code == 404
    assert queries.links_of(client_user).count() == 0


def test_reading_now_is_queued_once_and_finds_new_calendars(browser: Client, link: CalendarLink, provider: FakeProvider) -> None:
    for _ in range(3):
        assert browser.post(f"{HOME}{link.pk}/read/").status_code == 302
    assert waiting() == [("consultations.jobs.list_calendars", (str(link.pk),))]
    provider.account.calendars = [*provider.account.calendars, Calendar("new", "New")]
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + HOUR, calendar="new")
    work()
    assert set(link.calendars.filter(is_read=True).values_list("external_id", flat=True)) == {"main", "new"}
    assert ExternalEvent.objects.get().calendar.external_id == "new"


def test_list_of_calendars_that_fails_leaves_everything(link: CalendarLink, provider: FakeProvider) -> None:
    provider.account.fail("calendars", Unreachable("500"), NotConnected("401"))
    assert actions.list_calendars(link.pk) is False
    assert link.calendars.count() == 2
    assert actions.list_calendars(link.pk) is False
    link.refresh_from_db()
    assert link.status == LinkStatus.BROKEN


def test_site_says_that_calendars_are_not_read(link: CalendarLink) -> None:
    assert queries.reads_are_late() is False
    with clock.at(MONDAY + timedelta(minutes=24)):
        assert queries.reads_are_late() is False
    with clock.at(MONDAY + timedelta(minutes=26)):
        assert queries.reads_are_late() is True
        jobs.sweep_calendars()
        work()
        assert queries.reads_are_late() is False
