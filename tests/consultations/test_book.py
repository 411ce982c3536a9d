"""The booking page: what is seen signed in and out, with and without script, and when somebody was first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from consultations.actions import set_availability
from consultations.models import AvailabilityRule, CalendarLink, CallSettings, Consultation, LinkedCalendar, SlotClaim
from consultations.slots import LAST, AnyWindow, MonthDay, MonthWeekday, Once, Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict

from .conftest import MONDAY, PRICES, TERMS, TUESDAY_NINE, counts

Hold = Callable[..., Consultation]
PAGE = "/b/anaya-krishnan/call/"
NINE = "2026-11-24T03:30:00Z"
HTMX = {"HX-Request": "true"}


def wish(**changes: str) -> dict[str, str]:
    return {"minutes": "30", "tz": "Europe/Amsterdam", "week": "2026-11-23", "slot": NINE, "notes": "Slow list", "client_key": str(uuid4())} | changes


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_signed_out_everything_is_seen(client: Client, open_builder: Builder) -> None:
    page = client.get(PAGE, {"tz": "Europe/Amsterdam", "slot": NINE})
    body = text(page)
    assert page.status_code == 200
    assert "Book a call with Anaya" in body
    assert ("Pay $63.30" in body, "Everything back if you cancel until Mon 23 Nov" in body, "$35.00" in body, "$110.00" in body) == (
        True,
        True,
        True,
        True,
    )
    assert page.content.decode().count('name="slot"') == 5 * 16 - 7  # Monday's hours before 12:30 are within the notice of 4 hours


def test_both_hours_of_the_ticket_are_right(client: Client, open_builder: Builder) -> None:
    page = client.get(PAGE, {"tz": "America/New_York", "slot": NINE}).content.decode()
    ticket = page[page.index('id="summary"') :]
    assert re.findall(r"<b>(\d\d:\d\d)", ticket)[:2] == ["22:30", "09:00"]
    assert "Monday 23 November" in ticket
    assert re.search(r"<sup>\+1", ticket)
    assert "New York" in ticket
    assert "Kolkata" in ticket


def test_days_are_those_of_the_viewer(client: Client, open_builder: Builder) -> None:
    page = client.get(PAGE, {"tz": "Pacific/Honolulu", "week": "2026-11-23"}).content.decode()
    monday = page[page.index('class="day d1"') : page.index('class="day d2"')]
    times = re.findall(r'<time datetime="([^"]+)">(\d\d:\d\d)', monday)
    assert times[0] == ("2026-11-23T10:00:00Z", "00:00")  # Monday 15:30 in Kolkata
    assert ("2026-11-24T03:30:00Z", "17:30") in times  # Tuesday 09:00 in Kolkata


def test_the_zone_is_remembered_and_else_the_persons_own(client: Client, open_builder: Builder, client_user: User) -> None:
    assert '<option value="UTC" selected>' in client.get(PAGE).content.decode()
    client.force_login(client_user)
    assert '<option value="Europe/Amsterdam" selected>' in client.get(PAGE).content.decode()
    client.get(PAGE, {"tz": "Asia/Tokyo"})
    assert '<option value="Asia/Tokyo" selected>' in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    "query",
    [{"tz": "Mars"}, {"minutes": "45"}, {"week": "soon"}, {"week": "9999-12-31"}, {"week": "0001-01-01"}, {"slot": "x\x00"}, {"slot": "9" * 400}],
)
def test_nonsense_in_the_address_is_not_chosen(client: Client, open_builder: Builder, query: dict[str, str]) -> None:
    page = client.get(PAGE, query)
    assert page.status_code == 200
    assert "Pick a time to pay" in text(page)


def test_queries_of_the_page(client: Client, client_user: User, hold: Hold, stranger: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(6):
        client.get(PAGE)
    hold(stranger)
    hold(client_user, starts_at=TUESDAY_NINE + timedelta(hours=2))
    with django_assert_num_queries(6):
        client.get(PAGE)
    client.force_login(client_user)
    with django_assert_num_queries(10):
        client.get(PAGE)


def test_weeks_go_from_this_one_to_the_horizon(client: Client, open_builder: Builder) -> None:
    first, last = client.get(PAGE, {"week": "2026-01-01"}).content.decode(), client.get(PAGE, {"week": "2027-06-01"}).content.decode()
    assert ("Earlier week" in first, "Later week" in first) == (False, True)
    assert ("Earlier week" in last, "Later week" in last, "18 – 24 Jan 2027" in last) == (True, False, True)


def test_an_empty_week_names_the_next_free_time(client: Client, open_builder: Builder) -> None:
    """Open on Mondays from nine to ten, and this Monday is within the notice."""
    AvailabilityRule.objects.filter(builder=open_builder, weekday__gt=0).delete()
    AvailabilityRule.objects.filter(builder=open_builder).update(end_minute=600)
    page = text(client.get(PAGE, {"tz": "Europe/Amsterdam", "week": "2026-11-23"}))
    assert ("No open times this week" in page, "The next one is Mon 30 Nov, 04:30 ." in page, "Go to 30 Nov" in page) == (True, True, True)
    assert "30 Nov – 6 Dec 2026" in text(client.get(PAGE, {"tz": "Europe/Amsterdam"}))


def test_being_away_lies_over_its_own_days(client: Client, open_builder: Builder) -> None:
    """From Wednesday to Saturday: third column, four wide; Sunday is only closed, and what is past is not away."""
    Builder.objects.filter(pk=open_builder.pk).update(
        away_paused_at=MONDAY, away_from=MONDAY, away_until=MONDAY + timedelta(days=6), away_message="Diving"
    )
    with clock.at(MONDAY + timedelta(days=2)):
        page = client.get(PAGE, {"tz": "Asia/Kolkata", "week": "2026-11-23"})
    body = page.content.decode()
    assert re.findall(r'class="gone ([^"]+)"', body) == ["s3 g4"]
    assert body.count('name="slot"') == 0
    assert ("Anaya is away until Sun 29 Nov." in text(page), "Diving" in text(page), "Times from 30 Nov" in text(page)) == (True, True, True)


def test_fully_booked_and_without_calls(client: Client, open_builder: Builder) -> None:
    AvailabilityRule.objects.filter(builder=open_builder).delete()
    assert "Anaya is fully booked" in text(client.get(PAGE))
    Builder.objects.filter(pk=open_builder.pk).update(consultation_enabled=False)
    page = client.get(PAGE)
    assert ("Anaya takes no calls at the moment" in text(page), 'id="booking"' in page.content.decode()) == (True, False)


def test_a_calendar_that_does_not_answer_hides_every_time_and_the_page_says_so(client: Client, open_builder: Builder) -> None:
    link = CalendarLink.objects.create(builder=open_builder, provider="caldav", account="work")
    LinkedCalendar.objects.create(link=link, external_id="work", name="Work", synced_at=MONDAY - timedelta(hours=23))
    assert client.get(PAGE).content.decode().count('name="slot"') == 5 * 16 - 7
    with clock.at(MONDAY + timedelta(hours=1)):
        page = client.get(PAGE)
        assert ("Times cannot be shown right now" in text(page), page.content.decode().count('name="slot"')) == (True, 0)
        client.force_login(open_builder.user)
        assert "Your calendar has not answered for a day." in text(client.get("/calls/availability/"))


OTHER_HOURS: list[tuple[AnyWindow, str, list[str]]] = [
    (Window(1, 540, 570, 2, date(2026, 12, 8)), "2026-12-01", []),
    (Window(1, 540, 570, 2, date(2026, 12, 8)), "2026-12-08", ["2026-12-08T03:30:00Z"]),
    (Window(1, 540, 570, 2, date(2026, 12, 8)), "2026-12-15", []),
    (Window(1, 540, 570, 2, date(2026, 12, 8)), "2026-12-22", ["2026-12-22T03:30:00Z"]),
    (MonthDay(LAST, 540, 570), "2026-12-31", ["2026-12-31T03:30:00Z"]),
    (MonthWeekday(1, 1, 540, 570), "2026-12-01", ["2026-12-01T03:30:00Z"]),
    (MonthWeekday(1, 1, 540, 570), "2026-12-08", []),
    (Once(date(2026, 12, 9), 540, 570), "2026-12-09", ["2026-12-09T03:30:00Z"]),
]


@pytest.mark.parametrize(("window", "week", "starts"), OTHER_HOURS)
def test_hours_that_do_not_come_every_week_are_seen_in_their_weeks_alone(
    client: Client, open_builder: Builder, window: AnyWindow, week: str, starts: list[str]
) -> None:
    set_availability(open_builder.pk, actor=open_builder.user, enabled=True, prices=PRICES, windows=[window], terms=TERMS)
    page = client.get(PAGE, {"week": week, "tz": "Asia/Kolkata"}).content.decode()
    assert re.findall(r'name="slot" data-q value="([^"]+)"', page) == starts


def test_a_day_with_enough_calls_is_closed_for_the_list_and_the_hold(client: Client, hold: Hold, client_user: User, stranger: User) -> None:
    builder = Builder.objects.get(slug="anaya-krishnan")
    CallSettings.objects.filter(builder=builder).update(calls_a_day=1)
    hold(stranger)
    client.force_login(client_user)
    seen = client.get(PAGE, {"week": "2026-11-23", "tz": "Asia/Kolkata"}).content.decode()
    assert ("2026-11-24T" in "".join(re.findall(r'name="slot" data-q value="([^"]+)"', seen)), "2026-11-25T03:30:00Z" in seen) == (False, True)
    before = counts()
    with pytest.raises(Conflict) as refusal:
        hold(client_user, starts_at=TUESDAY_NINE + timedelta(hours=5))
    assert (refusal.value.code, counts()) == ("slot_taken", before)
    assert hold(client_user, starts_at=TUESDAY_NINE + timedelta(days=1)).scheduled_at == TUESDAY_NINE + timedelta(days=1)


def test_a_builder_who_never_set_hours_and_unknown_ones(client: Client, builder: Builder) -> None:
    assert "takes no calls" in text(client.get(PAGE))
    assert client.get("/b/nobody/call/").status_code == 404
    User.objects.filter(pk=builder.user_id).update(suspended_at=MONDAY, suspension_reason="x")
    assert client.get(PAGE).status_code == 404


def test_the_own_page_cannot_be_paid(client: Client, open_builder: Builder) -> None:
    client.force_login(open_builder.user)
    page = client.get(PAGE, {"slot": NINE})
    assert "This is your own page." in text(page)
    assert re.search(r'id="pay"[^>]*disabled', page.content.decode())


def test_pay_holds_and_goes_to_the_checkout(client: Client, open_builder: Builder, client_user: User) -> None:
    client.force_login(client_user)
    answer = client.post(f"{PAGE}hold/", wish())
    call = Consultation.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, reverse("payments:checkout", args=[call.invoice_id]))
    assert (call.scheduled_at, call.client_zone, call.client_notes) == (TUESDAY_NINE, "Europe/Amsterdam", "Slow list")


def test_pay_with_script(client: Client, open_builder: Builder, client_user: User) -> None:
    client.force_login(client_user)
    data = wish()
    answer = client.post(f"{PAGE}hold/", data, headers=HTMX)
    again = client.post(f"{PAGE}hold/", data, headers=HTMX)
    assert answer["HX-Redirect"] == again["HX-Redirect"] == reverse("payments:checkout", args=[Consultation.objects.get().invoice_id])


def test_the_same_form_can_change_its_mind(client: Client, open_builder: Builder, client_user: User) -> None:
    """Back from the checkout the page still has its old key."""
    client.force_login(client_user)
    data = wish()
    for slot in (NINE, "2026-11-24T04:00:00Z", NINE):
        assert client.post(f"{PAGE}hold/", data | {"slot": slot}).status_code == 302
    assert SlotClaim.objects.filter(status="held").count() == 1
    assert Consultation.objects.get(status="held").scheduled_at == TUESDAY_NINE


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_signed_out_pay_asks_to_sign_in_and_keeps_the_choice(
    client: Client, open_builder: Builder, client_user: User, headers: dict[str, str]
) -> None:
    before = counts()
    answer = client.post(f"{PAGE}hold/", wish(), headers=headers)
    where = answer["HX-Redirect"] if headers else answer["Location"]
    assert where.startswith("/account/login/?next=/b/anaya-krishnan/call/%3F")
    assert counts() == before
    client.force_login(client_user)
    page = client.get(PAGE, {"minutes": "30", "tz": "Europe/Amsterdam", "slot": NINE})
    assert ("Pay $63.30" in text(page), "Slow list" in text(page)) == (True, True)


def test_update_without_script_shows_the_choice_anew(client: Client, open_builder: Builder) -> None:
    data = wish(update="1", minutes="60", tz="Asia/Tokyo")
    answer = client.post(f"{PAGE}hold/", data, follow=True)
    body = answer.content.decode()
    assert (answer.status_code, "Slow list" in body, '<option value="Asia/Tokyo" selected>' in body) == (200, True, True)
    assert "Pay $116.05" in text(answer)


def test_somebody_was_first(client: Client, hold: Hold, client_user: User, stranger: User) -> None:
    hold(stranger)
    client.force_login(client_user)
    before = counts()
    fragment = client.post(f"{PAGE}hold/", wish(), headers=HTMX)
    body = text(fragment)
    assert (fragment.status_code, counts()) == (409, before)
    assert fragment.content.decode().strip().startswith('<div class="cal" id="when">')
    assert "Tue 24 Nov, 04:30 is gone." in body
    assert [at in body for at in ("Tue 24 Nov, 05:00", "Tue 24 Nov, 05:30", "Tue 24 Nov, 06:00")] == [True] * 3
    assert f'value="{NINE}"' not in fragment.content.decode()
    page = client.post(f"{PAGE}hold/", wish())
    assert (page.status_code, "Slow list" in text(page), "<!doctype html>" in page.content.decode()) == (409, True, True)


FORGED = [
    {"slot": ""},
    {"slot": "now"},
    {"slot": "2026-11-24T03:40:00Z"},
    {"slot": "2026-11-24T03:30:00+01:00"},
    {"slot": "0001-01-01T00:00:00Z"},
    {"slot": "9999-12-31T23:59:59Z"},
    {"slot": "2019-01-01T03:30:00Z"},
    {"slot": "2026-11-24T03:30:00Z' OR 1=1"},
    {"minutes": "45"},
    {"minutes": "-30"},
    {"tz": "Europe/Atlantis"},
    {"notes": "x" * 601},
    {"client_key": "not-a-key"},
]


@pytest.mark.parametrize("forged", FORGED, ids=[str(f)[:40] for f in FORGED])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_forged_form_writes_nothing(
    client: Client, open_builder: Builder, client_user: User, forged: dict[str, str], headers: dict[str, str]
) -> None:
    client.force_login(client_user)
    before = counts()
    answer = client.post(f"{PAGE}hold/", wish(**forged), headers=headers)
    assert (answer.status_code, counts()) == (422, before)
    assert 'role="alert"' in answer.content.decode()


def test_the_builder_who_posts_to_the_own_page_is_refused(client: Client, open_builder: Builder) -> None:
    client.force_login(open_builder.user)
    before = counts()
    assert client.post(f"{PAGE}hold/", wish()).status_code == 403
    assert counts() == before


def test_times_and_quote_are_fragments_with_script_and_the_page_without(client: Client, open_builder: Builder) -> None:
    query = {"minutes": "60", "tz": "Europe/Amsterdam", "week": "2026-11-30", "slot": NINE}
    times = client.get(f"{PAGE}times/", query, headers=HTMX)
    body = times.content.decode()
    assert ('id="when"' in body, 'id="summary"' in body, 'id="paybar"' in body, "<html" in body) == (True, True, True, False)
    assert "30 Nov – 6 Dec 2026" in body
    assert f'type="hidden" name="slot" data-q value="{NINE}"' in body  # chosen in another week, and kept
    assert times["HX-Replace-Url"].startswith(PAGE + "?minutes=60")
    quote = client.get(f"{PAGE}quote/", query, headers=HTMX).content.decode()
    assert ('id="when"' in quote, 'id="summary"' in quote, "Pay $116.05" in quote) == (False, True, True)
    assert "<!doctype html>" in client.get(f"{PAGE}times/", query).content.decode()


def test_the_own_other_call_is_not_offered(client: Client, scheduled: Consultation, client_user: User) -> None:
    client.force_login(client_user)
    assert f'value="{NINE}"' not in client.get(PAGE).content.decode()


def test_the_own_hold_is_still_offered(client: Client, hold: Hold, client_user: User) -> None:
    hold()
    client.force_login(client_user)
    assert f'value="{NINE}"' in client.get(PAGE).content.decode()
