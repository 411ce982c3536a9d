"""The main job, by a real browser on the real site: a call and an order are bought, paid, delivered, accepted and paid out."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from port444.demo import cast
from tests.e2e.conftest import Person, wait_for_payout
from tests.realsite import Site, wait_until

SERVICE = "/s/make-slow-django-pages-fast/"
BUILDER = "/b/anaya-krishnan/"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


def attachment(mail: EmailMessage, ending: str) -> bytes | None:
    for part in mail.iter_attachments():
        if (part.get_filename() or "").endswith(ending):
            return bytes(part.get_payload(decode=True) or b"")
    return None


def press(page: Page, name: str | re.Pattern[str]) -> None:
    """Press the one visible button or link of that name (a phone has some twice, of which one is hidden)."""
    page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).filter(visible=True).first.click()


def pay(client: Person) -> None:
    """From the checkout through the test wallet and back."""
    page = client.page
    page.wait_for_url("**/pay/**")
    client.check_page("checkout")
    press(page, re.compile(r"^Pay"))
    page.wait_for_url("**/wallet/**")
    client.check_page("wallet")
    press(page, re.compile("^Approve \\$"))


def book_a_call(client: Person) -> None:
    page = client.page
    page.goto(BUILDER)
    client.check_page("builder")
    page.goto(BUILDER + "call/")
    client.check_page("book")
    page.locator("label.len", has_text="30").click()
    if client.width < 600:
        page.locator("label.dchip:not(:has(input:disabled))").nth(1).click()
    page.locator("label.slot").filter(visible=True).first.click()
    expect(page.locator("#summary")).to_contain_text("Amsterdam")
    expect(page.locator("#summary")).to_contain_text("Kolkata")
    page.fill("#notes", "Our order list takes four seconds. Where would you look first?")
    client.check_page("book-chosen")
    press(page, re.compile(r"^Pay"))
    pay(client)
    page.wait_for_url("**/calls/**", timeout=60_000)
    expect(page.locator("main")).to_contain_text("It is booked and paid")
    client.check_page("call")
    page.goto("/calls/")
    client.check_page("calls")


def order_a_package(client: Person) -> str:
    """Order, pay, answer the questions; gives the address of the order."""
    page = client.page
    page.goto("/")
    client.check_page("search")
    page.get_by_role("combobox", name="What do you need?").fill("djnago slow")
    press(page, "Search")
    page.wait_for_url(re.compile(r"[?&]q="))
    expect(page.locator("[aria-busy=true]")).to_have_count(0)  # what is found has taken the place of what was there
    page.get_by_role("link", name="Make slow Django pages fast").first.click()
    page.wait_for_url("**" + SERVICE)
    client.check_page("service")
    page.get_by_role("button", name=re.compile("^Order")).filter(visible=True).first.click()
    pay(client)
    page.wait_for_url("**/orders/**", timeout=60_000)
    expect(page.get_by_role("heading", name=re.compile("Answer Anaya"))).to_be_visible()
    client.check_page("order-asked")
    for box in page.locator("#desk textarea, #desk input[type=text], article:has(#desk-h) textarea, article:has(#desk-h) input[type=text]").all():
        box.fill("See the read-me. The largest table has 200,000 rows.")
    press(page, "Send and start the clock")
    expect(page.get_by_text(re.compile("Anaya delivers by|Anaya.s turn")).first).to_be_visible()
    client.check_page("order-working")
    return page.url


def deliver(builder: Person, address: str, folder: Path) -> None:
    page = builder.page
    page.goto("/today/")
    builder.check_page("today")
    page.goto(address)
    builder.check_page("order-to-deliver")
    handover = folder / "fast-pages.patch"
    handover.write_text("--- a/views.py\n+++ b/views.py\n")
    page.locator("article:has(#desk-h) textarea").first.fill("One page, from 4.1 s to 210 ms. The patch adds an index.")
    page.locator("article:has(#desk-h) input[type=file]").set_input_files(handover)
    page.get_by_role("button", name="Deliver", exact=True).click()
    expect(page.get_by_text("fast-pages.patch").first).to_be_visible()
    builder.check_page("order-delivered-builder")


def accept(client: Person) -> None:
    page = client.page
    # The client still has the order open: the delivery must appear without a reload.
    accept_button = page.get_by_role("button", name=re.compile("^Accept and release")).filter(visible=True).first
    expect(accept_button).to_be_visible(timeout=20_000)
    client.check_page("order-delivered")
    accept_button.click()
    press(page, "Accept it")
    expect(page.get_by_role("button", name="Send the review")).to_be_visible()
    client.check_page("order-completed")
    page.locator("article:has(#desk-h) input[type=radio][value='5'] + *, article:has(#desk-h) label:has(input[value='5'])").first.click()
    page.locator("article:has(#desk-h) textarea").first.fill("Clear, fast, and the numbers were real.")
    press(page, "Send the review")
    expect(page.get_by_text("You gave 5 stars")).to_be_visible()  # nobody else sees it yet


def withdraw(builder: Person) -> None:
    page = builder.page
    page.goto("/earnings/")
    builder.check_page("earnings")
    page.locator("#withdraw input[name=amount]").fill("25.00")
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.locator("main")).to_contain_text("$25.00")
    builder.check_page("earnings-after")


def test_a_call_and_an_order_from_search_to_withdrawal(person: Callable[..., Person], site: Site, tmp_path: Path) -> None:
    client, builder = person(1280), person(390)  # at a desk, and on a phone
    paid_out = "SELECT count(*) FROM payments_withdrawal WHERE status = 'completed'"
    before = site.value(paid_out)
    client.page.goto("/account/login/")
    client.check_page("login")
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    builder.sign_in(cast.BUILDER, cast.PASSWORD)

    book_a_call(client)
    address = order_a_package(client)
    deliver(builder, address, tmp_path)
    accept(client)
    withdraw(builder)
    for name, path in (("messages", "/messages/"), ("notifications", "/notifications/"), ("orders", "/orders/"), ("settings", "/settings/")):
        client.page.goto(path)
        client.check_page(name)

    wait_until(lambda: site.idle() and not site.unsent(), 60, "the queue is not empty")
    wait_for_payout(site, cast.BUILDER, lambda: site.value(paid_out) == before + 1)
    for address_of in (cast.CLIENT, cast.BUILDER):
        assert [mail for mail in site.mails(address_of) if attachment(mail, ".ics")], f"no invitation for {address_of}"
    number = int(address.rstrip("/").rpartition("/")[2])
    order = site.rows("SELECT status, price, client_fee FROM orders_order WHERE number = %s", number)[0]
    assert order["status"] == "completed"
    assert site.value("SELECT coalesce(sum(amount), 0) FROM payments_posting") == 0
