"""A call from two sides: two clocks, a Google calendar on loopback, a move, a room, notes, and an order that the call pays a part of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar
from playwright.sync_api import Page, Route, expect

from port444.demo import cast
from port444.kit.clock import now
from tests.e2e.conftest import Person
from tests.e2e.test_main_job import attachment, pay, press
from tests.fakes.google import FakeGoogle
from tests.realsite import Site, running, wait_until

BOOK = "/b/anaya-krishnan/call/"
HALF_HOUR = timedelta(minutes=30)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle(email="anaya@gmail.example") as fake:
        yield fake


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, google: FakeGoogle) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("calls"), seeded=True, worker=True, **google.settings()) as served:
        yield served


def eventually(condition: Callable[[], object], what: str) -> None:
    wait_until(condition, 60, what)


def connect_google(builder: Person) -> None:
    """From nothing to a connected calendar in which Meet makes the rooms."""
    page = builder.page
    page.goto("/calls/calendars/")
    builder.check_page("calendars-none")
    press(page, re.compile("^Connect Google"))
    page.wait_for_url("**/connect/google/")
    builder.check_page("calendars-connect")
    press(page, re.compile("^Sign in at Google"))
    page.wait_for_url("**/o/oauth2/**")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/calls/calendars/")
    expect(page.locator("main")).to_contain_text("anaya@gmail.example")
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    builder.check_page("calendars")
    page.goto("/calls/availability/")
    choice = page.locator("[name=meeting_provider]")
    if choice.first.evaluate("e => e.tagName") == "SELECT":
        choice.select_option("google_meet")
    else:
        page.locator("[name=meeting_provider][value=google_meet]").check(force=True)
    press(page, re.compile("^Save"))
    expect(page.get_by_text("Your hours are saved")).to_be_visible()
    builder.check_page("availability")


def times(page: Page, week: str = "") -> list[str]:
    """All starts of the week that is shown, in UTC: of the one with this day in it, or of the first that has any."""
    page.goto(f"{BOOK}?minutes=30&tz=Europe/Amsterdam&week={week}")
    return [str(slot.get_attribute("value")) for slot in page.locator("input[name=slot]").all()]


def pick(client: Person, start: str) -> None:
    """Choose a start in the picker; a phone shows one day at a time."""
    slot = client.page.locator(f"label.slot:has(input[value='{start}'])")
    if not slot.is_visible():
        day = slot.locator("xpath=ancestor::fieldset[1]").get_attribute("class") or ""
        number = re.search(r"\bd(\d)\b", day)
        assert number
        client.page.locator(f"label.dchip:has(input[value='{number[1]}'])").click()
    slot.click()


def book(client: Person, start: str, week: str) -> str:
    page = client.page
    page.goto(f"{BOOK}?minutes=30&tz=Europe/Amsterdam&week={week}")
    pick(client, start)
    expect(page.locator("#summary")).to_contain_text("Amsterdam")
    expect(page.locator("#summary")).to_contain_text("Kolkata")
    page.fill("#notes", "Our order list takes four seconds.")
    client.check_page("book-chosen")
    press(page, re.compile(r"^Pay"))
    pay(client)
    page.wait_for_url("**/calls/**", timeout=60_000)
    expect(page.locator("main")).to_contain_text("It is booked and paid")
    client.check_page("call")
    return page.url


def ours(google: FakeGoogle) -> dict[datetime, str]:
    """The events that we have written, by their start: this call, and those that the builder had before."""
    written = [event for event in google.live_events() if event.get("extendedProperties")]
    return {datetime.fromisoformat(event["start"]["dateTime"]): event["id"] for event in written}


def invitation(site: Site, address: str) -> Any:
    """The event of the newest invitation to somebody."""
    found = [content for mail in site.mails(address) if (content := attachment(mail, ".ics"))]
    return next(iter(Calendar.from_ical(found[-1]).walk("VEVENT"))) if found else None


def mailed(site: Site, start: datetime, sequence: int) -> bool:
    events = [invitation(site, address) for address in (cast.CLIENT, cast.BUILDER)]
    return all(event is not None and event.decoded("dtstart") == start and int(event["sequence"]) == sequence for event in events)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def read_google(builder: Person) -> None:
    builder.page.goto("/calls/calendars/")
    press(builder.page, "Read now")


def test_a_call_on_two_clocks(person: Callable[..., Person], site: Site, google: FakeGoogle) -> None:
    client, builder = person(390), person(1280)  # on a phone, and at a desk
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    builder.sign_in(cast.BUILDER, cast.PASSWORD)
    connect_google(builder)

    # What is busy outside is not offered.
    free = times(client.page)
    dentist = instant(free[0])
    google.add_event(dentist, dentist + HALF_HOUR, summary="Dentist")
    read_google(builder)
    eventually(lambda: free[0] not in times(client.page), "a busy time is still offered")

    # Booked: both calendars show it, both people are told.
    # Next week, and more than a day ahead: later the client would have to ask for a move.
    week, soon = f"{now() + timedelta(days=7):%Y-%m-%d}", now() + timedelta(hours=26)
    first, second, third = [start for start in times(client.page, week) if instant(start) > soon][2:9:3]
    address = book(client, first, week)
    eventually(lambda: instant(first) in ours(google), "Google does not show the call")
    copy = ours(google)[instant(first)]
    eventually(lambda: mailed(site, instant(first), 0), "no invitation to both")
    uid = str(invitation(site, cast.CLIENT)["uid"])
    assert "Dentist" not in site.rows("SELECT json_agg(e)::text AS text FROM consultations_externalevent e")[0]["text"]
    client.page.goto(address + "join/")
    expect(client.page.locator("main")).to_contain_text("Opens in")
    client.check_page("lobby-early")

    # Moved by the client: one event, one invoice.
    page = client.page
    page.goto(address)
    press(page, "Move the call")
    page.wait_for_url("**/move/")
    page.goto(f"{page.url}?week={week}")
    pick(client, second)
    expect(page.locator("#summary")).to_contain_text("Kolkata")
    client.check_page("move")
    page.locator("#move button[type=submit]").filter(visible=True).first.click()
    page.wait_for_url(lambda url: "/calls/" in url and not url.split("?")[0].endswith("/move/"))
    address = page.url
    client.check_page("call-moved")
    eventually(lambda: ours(google).get(instant(second)) == copy, "Google does not show the new time")
    eventually(lambda: mailed(site, instant(second), 1), "no second invitation")
    assert str(invitation(site, cast.CLIENT)["uid"]) == uid

    # Moved in Google by the builder: a question to the client, then a new time.
    google.move_event(copy, instant(third), instant(third) + HALF_HOUR)
    read_google(builder)

    def asked() -> bool:
        page.goto(address)
        return page.get_by_role("button", name="Accept").count() > 0

    eventually(asked, "the client is not asked")
    client.check_page("call-proposal")
    press(page, "Accept")
    page.wait_for_url(lambda url: url != address)
    address = page.url
    eventually(lambda: ours(google).get(instant(third)) == copy, "Google does not keep the new time")
    call = address.rstrip("/").rpartition("/")[2]
    chain = site.value("SELECT chain FROM consultations_consultation WHERE id = %s", call)
    all_rows = "SELECT status, scheduled_at FROM consultations_consultation WHERE chain = %s ORDER BY created_at"
    rows = [(row["status"], row["scheduled_at"]) for row in site.rows(all_rows, chain)]
    assert rows == [("rescheduled", instant(first)), ("rescheduled", instant(second)), ("scheduled", instant(third))]

    # It takes place.
    shift = "UPDATE consultations_consultation SET scheduled_at = now() + %s::interval, ends_at = now() + %s::interval WHERE id = %s RETURNING id"
    site.rows(shift, "2 minutes", "32 minutes", call)
    for somebody in (client, builder):
        somebody.page.goto(address + "join/")
        somebody.check_page("lobby-open")
        somebody.page.route(re.compile(r"^https://meet\.google\.com/"), lambda route: answer_room(route))
        press(somebody.page, re.compile("^Join"))
        somebody.page.wait_for_url(re.compile(r"^https://meet\.google\.com/"))
    assert site.value("SELECT count(DISTINCT party) FROM consultations_attendance WHERE consultation_id = %s", call) == 2
    site.rows(shift, "-40 minutes", "-10 minutes", call)
    builder.page.goto(address)
    builder.page.locator("textarea[name=notes]").fill("Add the index on (customer_id, created_at).")
    builder.check_page("call-to-complete")
    press(builder.page, "Complete and get paid")
    press(builder.page, "Complete it")
    expect(builder.page.locator("main")).to_contain_text("The call is complete")
    builder.check_page("call-completed-builder")
    page.goto(address)
    expect(page.locator("main")).to_contain_text("customer_id")
    client.check_page("call-completed")

    # A good call becomes an order: the credit pays a part of it, escrow holds all of it.
    button = page.locator("#convert form button").first
    button.click()
    page.wait_for_url("**/pay/**")
    expect(page.locator("main")).to_contain_text("redit")
    pay(client)
    page.wait_for_url("**/orders/**", timeout=60_000)
    client.check_page("order-from-call")
    credit = site.value("SELECT price FROM consultations_consultation WHERE id = %s", call)
    order = site.rows("SELECT o.id, o.price, o.client_fee FROM orders_order o ORDER BY o.number DESC LIMIT 1")[0]
    held = "SELECT balance FROM payments_ledgeraccount WHERE kind = 'escrow' AND subject_id = %s"
    paid = "SELECT p.amount FROM payments_payment p JOIN payments_invoice i ON i.id = p.invoice_id WHERE i.subject_id = %s AND p.status = 'succeeded'"
    assert site.value(held, order["id"]) == order["price"]
    assert site.value(paid, order["id"]) == order["price"] + order["client_fee"] - credit
    page.goto(address)
    expect(page.locator("main")).to_contain_text("This call became an order")

    builder.page.goto("/calls/calendars/")
    builder.page.locator("details", has_text="Disconnect").locator("summary").first.click()
    press(builder.page, re.compile("^Disconnect Google"))
    expect(builder.page.get_by_text("No calendar is connected")).to_be_visible()
    wait_until(lambda: site.idle() and not site.unsent(), 60, "the queue is not empty")
    assert site.value("SELECT coalesce(sum(amount), 0) FROM payments_posting") == 0


def answer_room(route: Route) -> None:
    route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>Meet</title><h1>In the room</h1>")
