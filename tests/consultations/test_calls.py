"""The pages of calls: the list, one call, the way into the room, the calendar file, and the hours of a builder."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from consultations import queries
from consultations.actions import cancel_call
from consultations.models import AvailabilityRule, CallSettings, Consultation
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import Invoice

from .conftest import MONDAY, TUESDAY_NINE, counts, free_time

Hold = Callable[..., Consultation]


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def several(hold: Hold, clients: list[User]) -> None:
    for n, actor in enumerate(clients):
        call = hold(actor, starts_at=TUESDAY_NINE + timedelta(minutes=30 * n))
        pay_with_test_wallet(Invoice.objects.get(subject_id=call.pk).pk, actor=actor)


def test_the_list_costs_the_same_for_few_and_many(
    client: Client, hold: Hold, builder_user: User, make_user: Callable[..., User], django_assert_num_queries: Any
) -> None:
    people = [make_user(f"Client{n} Many") for n in range(6)]
    several(hold, people[:1])
    client.force_login(builder_user)
    with django_assert_num_queries(6):
        client.get("/calls/")
    several_more = people[1:]
    for n, actor in enumerate(several_more, start=1):
        hold(actor, starts_at=TUESDAY_NINE + timedelta(minutes=30 * n))
        pay_with_test_wallet(Invoice.objects.get(payer=actor).pk, actor=actor)
    with django_assert_num_queries(6):
        page = client.get("/calls/")
    assert page.content.decode().count('class="row"') == 6


def test_the_list_goes_on_page_by_page(client: Client, hold: Hold, scheduled: Consultation, client_user: User) -> None:
    """Rows as they come: soonest first, each once, whatever the page."""
    for n in range(1, 45):
        Consultation.objects.create(
            builder=scheduled.builder,
            client=client_user,
            chain=uuid4(),
            conversation=scheduled.conversation,
            duration=15,
            price=Decimal(10),
            client_fee=Decimal(0),
            builder_fee_bps=0,
            scheduled_at=TUESDAY_NINE - timedelta(days=3 + n // 2),
            ends_at=TUESDAY_NINE - timedelta(days=3 + n // 2) + timedelta(minutes=15),
            client_zone="UTC",
            builder_zone="UTC",
            status="expired",
        )
    client.force_login(client_user)
    seen: list[str] = []
    url = "/calls/?show=past"
    for _ in range(5):
        page = client.get(url).content.decode()
        seen += re.findall(r'<a class="btn sm" href="(/calls/[0-9a-f-]{36}/)"', page)
        more = re.search(r'<a class="btn" href="(\?show=past[^"]+)"', page)
        if more is None:
            break
        url = "/calls/" + more[1].replace("&amp;", "&")
    assert (len(seen), len(set(seen))) == (44, 44)


def test_both_roles_see_their_calls_and_nobody_elses(client: Client, scheduled: Consultation, stranger: User) -> None:
    for user, other in ((scheduled.client, "Anaya Krishnan"), (scheduled.builder.user, "Jonas Vermeer")):
        client.force_login(user)
        assert other in text(client.get("/calls/"))
    client.force_login(stranger)
    assert "No calls ahead" in text(client.get("/calls/"))


def test_a_hold_is_the_clients_own_business(client: Client, hold: Hold, builder_user: User, client_user: User) -> None:
    call = hold()
    client.force_login(builder_user)
    assert client.get(call.url).status_code == 404
    assert "Jonas" not in text(client.get("/calls/"))
    client.force_login(client_user)
    assert "This time is held for you until 04:15." in text(client.get(call.url))  # 03:15 UTC in Amsterdam


def test_over_is_over_for_a_hold(client: Client, hold: Hold, client_user: User) -> None:
    call = hold()
    client.force_login(client_user)
    with clock.at(MONDAY + timedelta(minutes=20)):
        page = text(client.get(call.url))
        assert ("The time to pay is over." in page, "Pay $63.30" in page) == (True, False)


@pytest.mark.parametrize("path", ["", "join/", "call.ics"])
def test_others_find_nothing(client: Client, scheduled: Consultation, stranger: User, staff: User, path: str) -> None:
    assert client.get(scheduled.url + path)["Location"].startswith("/account/login/")
    for user in (stranger,):
        client.force_login(user)
        assert client.get(scheduled.url + path).status_code == 404


@pytest.mark.parametrize("path", ["complete/", "cancel/"])
def test_others_change_nothing(client: Client, after_start: Consultation, stranger: User, path: str) -> None:
    client.force_login(stranger)
    before = counts()
    assert client.post(after_start.url + path).status_code == 404
    assert client.get(after_start.url + path).status_code == 405
    assert counts() == before


def test_the_ticket_of_a_call_shows_both_clocks_to_both(client: Client, scheduled: Consultation) -> None:
    for user, mine, theirs in ((scheduled.client, "04:30", "09:00"), (scheduled.builder.user, "09:00", "04:30")):
        client.force_login(user)
        page = client.get(scheduled.url).content.decode()
        ticket = page[page.index('class="ticket"') :]
        assert re.findall(r"<b>(\d\d:\d\d)", ticket)[:2] == [mine, theirs]


def test_queries_of_a_call(client: Client, scheduled: Consultation, django_assert_num_queries: Any) -> None:
    client.force_login(scheduled.client)
    with django_assert_num_queries(12):
        client.get(scheduled.url)


def test_the_room_opens_ten_minutes_before(client: Client, scheduled: Consultation) -> None:
    client.force_login(scheduled.client)
    with clock.at(scheduled.scheduled_at - timedelta(minutes=10, seconds=1)):
        assert "Join the call" not in text(client.get(scheduled.url))
    with clock.at(scheduled.scheduled_at - timedelta(minutes=10)):
        assert "Join the call" in text(client.get(scheduled.url))


def test_the_file_for_the_calendar(client: Client, scheduled: Consultation, hold: Hold, stranger: User) -> None:
    client.force_login(scheduled.client)
    answer = client.get(scheduled.url + "call.ics")
    assert (answer["Content-Type"], answer.content[:15]) == ("text/calendar; charset=utf-8", b"BEGIN:VCALENDAR")
    held = hold(stranger, starts_at=TUESDAY_NINE + timedelta(hours=1))
    client.force_login(stranger)
    assert client.get(held.url + "call.ics").status_code == 404


def test_the_money_of_cancelling_is_told_before(client: Client, scheduled: Consultation) -> None:
    client.force_login(scheduled.client)
    with clock.at(free_time(scheduled) - timedelta(seconds=1)):
        assert "You get $63.30 USDC back" in text(client.get(scheduled.url))
    with clock.at(free_time(scheduled)):
        assert "You get nothing back." in text(client.get(scheduled.url))
    client.force_login(scheduled.builder.user)
    assert "Jonas gets $63.30 USDC back" in text(client.get(scheduled.url))


def test_a_cancelled_call_says_where_the_money_went(client: Client, scheduled: Consultation) -> None:
    with clock.at(free_time(scheduled) - timedelta(seconds=1)):
        cancel_call(scheduled.pk, actor=scheduled.client)
    client.force_login(scheduled.client)
    assert "$63.30 goes back to you, service fee included." in text(client.get(scheduled.url))
    client.force_login(scheduled.builder.user)
    seen = text(client.get(scheduled.url))
    assert ("$63.30 goes back to Jonas" in seen, "Yours" in seen) == (True, False)


def test_a_call_cancelled_late_is_paid(client: Client, scheduled: Consultation) -> None:
    with clock.at(free_time(scheduled)):
        cancel_call(scheduled.pk, actor=scheduled.client)
    client.force_login(scheduled.client)
    seen = text(client.get(scheduled.url))
    assert ("the price went to Anaya." in seen, "Paid back" in seen) == (True, False)
    client.force_login(scheduled.builder.user)
    assert "By the refund policy nothing goes back, so $54.00 is yours." in text(client.get(scheduled.url))


def test_cancel_and_complete_by_form(client: Client, scheduled: Consultation, hold: Hold, client_user: User) -> None:
    client.force_login(scheduled.client)
    assert client.post(scheduled.url + "cancel/", {"reason": "x" * 301}).status_code == 422
    answer = client.post(scheduled.url + "cancel/", {"reason": "Solved."}, follow=True)
    assert "You cancelled this call" in text(answer)
    assert client.post(scheduled.url + "cancel/").status_code == 409
    second = hold()
    pay_with_test_wallet(Invoice.objects.get(subject_id=second.pk).pk, actor=client_user)
    client.force_login(scheduled.builder.user)
    with clock.at(second.ends_at):
        done = client.post(second.url + "complete/", {"notes": "Index it."}, follow=True)
        assert ("The call is complete." in text(done), "Index it." in text(done)) == (True, True)


SAVE = {
    "enabled": "on",
    "price_15": "",
    "price_30": "60.00",
    "price_60": "110",
    "h": ["0-18", "0-19", "2-20"],
    "notice_hours": "12",
    "gap_minutes": "15",
    "horizon_days": "30",
    "time_zone": "Asia/Kolkata",
}


def test_hours_are_saved(client: Client, builder: Builder) -> None:
    client.force_login(builder.user)
    answer = client.post("/calls/availability/", SAVE, follow=True)
    assert "Your hours are saved." in text(answer)
    builder.refresh_from_db()
    assert builder.call_prices == {30: Decimal("60.00"), 60: Decimal("110.00")}
    rules = AvailabilityRule.objects.filter(builder=builder)
    assert [(r.weekday, r.start_minute, r.end_minute) for r in rules] == [(0, 540, 600), (2, 600, 630)]
    assert CallSettings.objects.get(builder=builder).gap_minutes == 15
    page = client.get("/calls/availability/")
    assert len(re.findall(r'name="h"[^>]* checked', page.content.decode())) == 3
    assert "1.5 hours open" in text(page)


@pytest.mark.parametrize(
    "changes",
    [
        {"price_30": "", "price_60": ""},
        {"price_30": "-1"},
        {"price_30": "1.234"},
        {"h": ["7-0"]},
        {"h": ["0-48"]},
        {"notice_hours": "5000"},
        {"time_zone": "Mars"},
    ],
)
def test_hours_that_make_no_sense_are_told(client: Client, open_builder: Builder, changes: dict[str, Any]) -> None:
    client.force_login(open_builder.user)
    before = counts()
    answer = client.post("/calls/availability/", SAVE | changes)
    assert (answer.status_code, counts()) == (422, before)
    assert "Please look at this again" in text(answer)


def test_a_shortcut_fills_the_grid_and_saves_nothing(client: Client, open_builder: Builder) -> None:
    client.force_login(open_builder.user)
    before = counts()
    answer = client.post("/calls/availability/", SAVE | {"do": "apply", "copy": "copy"})
    assert len(re.findall(r'name="h"[^>]* checked', answer.content.decode())) == 10
    assert ("Not saved yet." in text(answer), counts()) == (True, before)


def test_the_preview_counts_what_clients_see(client: Client, open_builder: Builder, django_assert_num_queries: Any) -> None:
    client.force_login(open_builder.user)
    with django_assert_num_queries(13):
        page = client.get("/calls/availability/")
    assert "313 times" in text(page)  # four weeks of 80, and today only from 12:30
    assert "The first is Mon 23 Nov, 12:30." in text(page)


def test_hours_are_for_builders(client: Client, client_user: User) -> None:
    assert client.get("/calls/availability/")["Location"].startswith("/account/login/")
    client.force_login(client_user)
    assert client.get("/calls/availability/").status_code == 404


def test_a_conversation_shows_its_next_call(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    key = scheduled.conversation_id
    assert queries.chips([key], client_user)[key].text == "Call, Tue 24 Nov"
    assert [(fact.value, fact.href) for fact in queries.facts(scheduled.conversation, client_user)] == [("Tue 24 Nov, 04:30", scheduled.url)]
    assert queries.facts(scheduled.conversation, builder_user)[0].value == "Tue 24 Nov, 09:00"
    with clock.at(scheduled.ends_at):
        assert queries.chips([key], client_user) == {}
        assert queries.facts(scheduled.conversation, client_user) == []
