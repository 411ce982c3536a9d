"""A builder's Outlook from the consent to the goodbye: the site on one side, Graph on loopback on the other, nothing between them replaced."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from consultations import actions, jobs, queries
from consultations.models import (
    CalendarEvent,
    CalendarLink,
    Consultation,
    EventStatus,
    ExternalEvent,
    LinkedCalendar,
    LinkStatus,
    Proposal,
    ProposalKind,
    ProposalStatus,
    PushChannel,
)
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.notifications.models import Notification
from port444.payments.actions import pay_with_test_wallet
from tests.consultations.conftest import MONDAY, TUESDAY_NINE
from tests.consultations.connected import waiting, work
from tests.fakes.graph import ACCOUNT, MAIN, SECOND, SHARED, FakeGraph
from tests.specs.openapi import problems

pytestmark = pytest.mark.django_db
HALF, HOUR = timedelta(minutes=30), timedelta(hours=1)
ZONE = "Asia/Calcutta"  # as Windows names lead there; the same clock as Asia/Kolkata
SITE = "https://port444.example"
CONNECT, CALLBACK = "/calls/calendars/connect/outlook/", "/calls/calendars/callback/outlook/"


def post_to_site(url: str, body: Any) -> tuple[int, str, str]:
    """What Graph posts, as a request of its own."""
    assert url.startswith(f"{SITE}/hooks/")
    target = urlsplit(url)
    with clock.at(MONDAY):
        answer = Client().post(f"{target.path}?{target.query}", data=body or "", content_type="application/json" if body else "text/plain")
    return answer.status_code, answer.headers.get("Content-Type", ""), answer.content.decode()


@pytest.fixture
def fake(settings: Any, db: None) -> Iterator[FakeGraph]:
    """While Graph asks whether an address answers, we wait for Graph: its thread may use our connection meanwhile."""
    ours = connections["default"]

    def deliver(url: str, body: Any) -> tuple[int, str, str]:
        before, connections["default"] = connections["default"], ours
        try:
            return post_to_site(url, body)
        finally:
            connections["default"] = before

    ours.inc_thread_sharing()
    with FakeGraph(deliver=deliver) as fake:
        fake.use(settings)
        fake.mailbox_zone = "India Standard Time"
        fake.now = lambda: MONDAY  # type: ignore[method-assign]
        settings.SITE_URL = SITE
        yield fake
        assert [problem for seen in fake.seen for problem in problems(seen, "msgraph-calendar")] == []
    ours.dec_thread_sharing()


@pytest.fixture
def visitor(open_builder: Builder) -> Client:
    visitor = Client()
    visitor.force_login(open_builder.user)
    return visitor


def consent(visitor: Client, fake: FakeGraph, *, allow: bool = True) -> Any:
    """From the button to the page that the builder is sent back to."""
    page = visitor.post(CONNECT)
    address = re.search(r'content="0; url=([^"]+)"', page.content.decode())
    assert address is not None
    back = urlsplit(fake.consent(html.unescape(address[1]), allow=allow))
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{SITE}{CALLBACK}"
    return visitor.get(f"{back.path}?{back.query}")


@pytest.fixture
def link(visitor: Client, fake: FakeGraph, open_builder: Builder) -> CalendarLink:
    """Connected, read once, and watched."""
    assert consent(visitor, fake).status_code == 302
    work()
    return CalendarLink.objects.get(builder=open_builder)


def calendar_of(link: CalendarLink, external_id: str = MAIN) -> LinkedCalendar:
    return link.calendars.get(external_id=external_id)


def starts(builder: Builder) -> list[datetime]:
    builder = queries.for_booking().get(pk=builder.pk)
    return queries.open_starts(builder, client_id=None, minutes=30, moment=clock.now())


def booked(hold: Callable[..., Consultation], client_user: User) -> Consultation:
    call = hold()
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=client_user)
    work()
    call.refresh_from_db()
    return call


def test_consent_connects_reads_and_watches(visitor: Client, fake: FakeGraph, open_builder: Builder) -> None:
    before = starts(open_builder)
    fake.add_event(TUESDAY_NINE, TUESDAY_NINE + HOUR)
    fake.add_event(TUESDAY_NINE + HOUR, TUESDAY_NINE + 2 * HOUR, showAs="free")
    fake.add_series([TUESDAY_NINE + timedelta(days=day) for day in (1, 8)], HALF, calendar=SECOND)
    fake.add_event(date(2026, 11, 27), date(2026, 11, 28), showAs="oof")
    assert consent(visitor, fake).status_code == 302
    work()
    link = CalendarLink.objects.get(builder=open_builder)
    assert (link.account, link.status) == (ACCOUNT, LinkStatus.ACTIVE)
    assert {(row.external_id, row.time_zone, row.is_read, row.is_written) for row in link.calendars.all()} == {
        (MAIN, ZONE, True, True),
        (SECOND, ZONE, True, False),
        (SHARED, ZONE, False, False),
    }
    lost = set(before) - set(starts(open_builder))
    friday = {start for start in before if start.date() == date(2026, 11, 27)}
    assert lost == {TUESDAY_NINE, TUESDAY_NINE + HALF, TUESDAY_NINE + timedelta(days=1), TUESDAY_NINE + timedelta(days=8)} | friday
    assert {watch.calendar for watch in fake.watches.values()} == {MAIN, SECOND}
    assert set(PushChannel.objects.values_list("external_id", flat=True)) == set(fake.watches)
    assert visitor.get(reverse("consultations:calendars")).status_code == 200


def test_denied_consent_connects_nothing(visitor: Client, fake: FakeGraph) -> None:
    assert consent(visitor, fake, allow=False).status_code == 400
    assert not CalendarLink.objects.exists()
    assert waiting() == []


def test_consent_without_the_calendars_connects_nothing(visitor: Client, fake: FakeGraph) -> None:
    fake.granted = "User.Read"
    assert consent(visitor, fake).status_code == 400
    assert not CalendarLink.objects.exists()


def test_push_leads_to_one_read_of_what_changed(fake: FakeGraph, link: CalendarLink, open_builder: Builder) -> None:
    before = starts(open_builder)
    event = fake.add_event(TUESDAY_NINE, TUESDAY_NINE + HOUR)
    assert set(fake.push()) == {202}
    assert [name for name, _ in waiting()] == ["consultations.jobs.sync_calendar"]
    work()
    assert set(before) - set(starts(open_builder)) == {TUESDAY_NINE, TUESDAY_NINE + HALF}
    fake.delete_event(event)
    fake.push()
    work()
    assert starts(open_builder) == before
    assert "$deltatoken" in fake.asked("GET", "/delta")[-1].query


def test_post_with_a_wrong_secret_changes_nothing(fake: FakeGraph, link: CalendarLink) -> None:
    channel = PushChannel.objects.get(calendar=calendar_of(link))
    url = f"{SITE}{reverse('consultations:graph_hook', args=[channel.pk])}"
    for secret in ("", "wrong", None, "ü"):
        assert post_to_site(url, {"value": [{"subscriptionId": channel.external_id, "clientState": secret}]})[0] == 403
    assert post_to_site(url, "[" * 100_000)[0] == 403
    assert waiting() == []


def test_watch_that_graph_dropped_is_made_again(fake: FakeGraph, link: CalendarLink) -> None:
    assert fake.watches
    assert set(fake.lifecycle("subscriptionRemoved")) == {202}
    assert fake.watches == {}
    jobs.sweep_channels()
    work()
    assert {watch.calendar for watch in fake.watches.values()} == {MAIN, SECOND}


def test_watch_is_renewed_before_it_ends(fake: FakeGraph, link: CalendarLink) -> None:
    before = set(fake.watches)
    with clock.at(MONDAY + timedelta(hours=40)) as moment:
        fake.now = lambda: moment  # type: ignore[method-assign]
        jobs.sweep_channels()
        work()
    assert len(fake.watches) == 2
    assert not before & set(fake.watches)


def test_call_is_written_and_its_own_echo_is_nothing(
    fake: FakeGraph, link: CalendarLink, hold: Callable[..., Consultation], client_user: User
) -> None:
    call = booked(hold, client_user)
    (item,) = fake.ours()
    copy = CalendarEvent.objects.get()
    assert (copy.status, copy.external_id, copy.chain) == (EventStatus.WRITTEN, item.id, call.chain)
    assert (item.starts, item.ends) == (call.scheduled_at, call.ends_at)
    assert call.client.name in item.fields["subject"]
    fake.push()
    work()
    assert not Proposal.objects.exists()
    assert not ExternalEvent.objects.exists()
    assert len(fake.asked("PATCH")) == 0


def test_lost_answer_writes_one_event(fake: FakeGraph, link: CalendarLink, hold: Callable[..., Consultation], client_user: User) -> None:
    fake.fail(504, {}, when=lambda request: request.method == "POST" and request.path.endswith("/events"), late=True)
    booked(hold, client_user)
    assert CalendarEvent.objects.get().status == EventStatus.WANTED
    assert len(fake.ours()) == 1
    with clock.at(MONDAY + timedelta(minutes=2)):
        jobs.sweep_calendars()
        work()
    assert CalendarEvent.objects.get().status == EventStatus.WRITTEN
    assert [item.id for item in fake.ours()] == [CalendarEvent.objects.get().external_id]


@pytest.mark.parametrize("deleted", [False, True])
def test_builder_changes_our_event_outside(
    fake: FakeGraph, link: CalendarLink, hold: Callable[..., Consultation], client_user: User, deleted: bool
) -> None:
    call = booked(hold, client_user)
    fake.push()
    work()
    (item,) = fake.ours()
    if deleted:
        fake.delete_event(item.id)
    else:
        fake.move_event(item.id, call.scheduled_at + 2 * HOUR, call.ends_at + 2 * HOUR)
    fake.push()
    work()
    proposal = Proposal.objects.get()
    assert (proposal.from_calendar, proposal.status) == (True, ProposalStatus.OPEN)
    assert proposal.kind == (ProposalKind.CANCEL if deleted else ProposalKind.MOVE)
    assert proposal.starts_at == (None if deleted else call.scheduled_at + 2 * HOUR)


def test_lost_count_of_changes_reads_everything_and_forgets_what_is_gone(fake: FakeGraph, link: CalendarLink, open_builder: Builder) -> None:
    before = starts(open_builder)
    event = fake.add_event(TUESDAY_NINE, TUESDAY_NINE + HOUR)
    fake.push()
    work()
    fake.delete_event(event)
    fake.forget_rounds()
    fake.push()
    work()
    assert starts(open_builder) == before
    assert not ExternalEvent.objects.exists()


def test_renewed_token_is_stored(fake: FakeGraph, link: CalendarLink) -> None:
    before = dict(link.credentials)
    fake.end_access()
    assert actions.sync_calendar(calendar_of(link).pk)
    link.refresh_from_db()
    assert link.credentials["refresh_token"] != before["refresh_token"]
    assert link.credentials["time_zone"] == ZONE


def test_consent_taken_back_breaks_the_link_and_connecting_again_mends_it(
    visitor: Client, fake: FakeGraph, link: CalendarLink, open_builder: Builder
) -> None:
    fake.revoke()
    assert not actions.sync_calendar(calendar_of(link).pk)
    link.refresh_from_db()
    assert link.status == LinkStatus.BROKEN
    assert Notification.objects.filter(user=open_builder.user, kind="calendar_broken").count() == 1
    assert consent(visitor, fake).status_code == 302
    work()
    link.refresh_from_db()
    assert link.status == LinkStatus.ACTIVE
    assert CalendarLink.objects.count() == 1
    assert actions.sync_calendar(calendar_of(link).pk)


def test_live_question_sees_what_is_not_read_yet(fake: FakeGraph, link: CalendarLink, open_builder: Builder) -> None:
    fake.add_event(TUESDAY_NINE, TUESDAY_NINE + HALF, calendar=SECOND)
    seconds = (int(TUESDAY_NINE.timestamp()), int((TUESDAY_NINE + HALF).timestamp()))
    assert actions.live_busy(open_builder, TUESDAY_NINE - HOUR, TUESDAY_NINE + HOUR) == [seconds]
    fake.fail(500, {}, times=9)
    assert actions.live_busy(open_builder, TUESDAY_NINE - HOUR, TUESDAY_NINE + HOUR) == []


def test_disconnecting_leaves_nothing_behind(
    visitor: Client, fake: FakeGraph, link: CalendarLink, hold: Callable[..., Consultation], client_user: User
) -> None:
    booked(hold, client_user)
    assert len(fake.ours()) == 1
    visitor.post(reverse("consultations:disconnect_calendar", args=[link.pk]), {"copies": "remove"})
    work()
    link.refresh_from_db()
    assert (link.status, link.credentials) == (LinkStatus.OFF, {})
    assert fake.watches == {}
    assert fake.ours() == []
