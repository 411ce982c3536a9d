"""The main job in a browser that runs no script: search, order, pay, answer, deliver, accept, withdraw, and book a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from port444.demo import cast
from tests.e2e.conftest import wait_for_payout
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SERVICE = "Make slow Django pages fast"
Reader = Callable[[str], Page]


@pytest.fixture
def reader(browser: Browser, site: Site) -> Iterator[Reader]:
    """Sign somebody in, at a browser that runs no script."""
    contexts = []

    def make(address: str) -> Page:
        contexts.append(browser.new_context(base_url=site.url, java_script_enabled=False, viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.goto("/account/login/")
        page.get_by_label("Email").fill(address)
        page.get_by_label("Password").fill(cast.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/login" not in url)
        return page

    yield make
    for context in contexts:
        context.close()


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name).filter(visible=True).first.click()


def pay(page: Page, then: str) -> None:
    """Through the checkout and the test wallet; the page that waits asks again by itself."""
    page.wait_for_url("**/pay/**")
    press(page, re.compile("^Pay"))
    page.wait_for_url("**/wallet/**")
    press(page, re.compile("^Approve \\$"))
    page.wait_for_url(then, timeout=30_000)


def order(client: Page) -> str:
    """Search, order, pay and answer the questions; gives the address of the order."""
    client.goto("/")
    client.get_by_role("combobox", name="What do you need?").fill("slow django")
    press(client, "Search")
    client.get_by_role("link", name=SERVICE).first.click()
    press(client, re.compile("^Order, "))
    pay(client, "**/orders/**")
    press(client, "Send and start the clock")
    expect(client.locator("main")).to_contain_text("Where is the code")  # a required answer is missing: the form stays
    for box in client.locator("article:has(#desk-h) textarea, article:has(#desk-h) input[type=text]").all():
        box.fill("See the read-me.")
    press(client, "Send and start the clock")
    expect(client.get_by_text(re.compile("Anaya delivers by")).first).to_be_visible()
    client.goto(client.url.replace("answer/", ""))
    return client.url


def test_the_main_job(reader: Reader, site: Site) -> None:
    client = reader(cast.CLIENT)
    address = order(client)

    builder = reader(cast.BUILDER)
    assert builder.url.endswith("/today/"), "who works here begins at the desk"
    builder.goto(address)
    builder.locator("article:has(#desk-h) textarea").first.fill("From 4.1 s to 210 ms.")
    press(builder, "Deliver")
    expect(builder.locator("main")).to_contain_text("reviews your delivery")

    client.goto(address)
    press(client, re.compile("^Accept and release"))
    expect(client.locator("main")).to_contain_text("The order is complete")
    client.locator("article:has(#desk-h) input[type=radio][value='5']").check(force=True)
    client.locator("article:has(#desk-h) textarea").first.fill("It works without a script, too.")
    press(client, "Send the review")
    expect(client.locator("main")).to_contain_text("It works without a script, too.")

    builder.goto("/earnings/")
    builder.get_by_label("Amount").fill("30")
    press(builder, "Withdraw")
    expect(builder.locator("main")).to_contain_text("$30.00 is on its way")
    arrived = "SELECT count(*) FROM payments_withdrawal WHERE amount = 30 AND status = 'completed'"
    wait_for_payout(site, cast.BUILDER, lambda: site.value(arrived))


def test_a_call_is_booked(reader: Reader) -> None:
    client = reader(cast.CLIENT)
    client.goto("/b/anaya-krishnan/call/")
    client.locator("input[name=minutes][value='15']").check(force=True)
    press(client, "Update times")
    client.get_by_label("Later week").first.click()
    expect(client.locator("input[name=minutes][value='15']")).to_be_checked()
    client.locator("input[name=slot]").last.check(force=True)
    client.locator("#notes").fill("Where would you look first?")
    press(client, re.compile("^(Pay|Pick a time)"))
    pay(client, "**/calls/**")
    expect(client.locator("main")).to_contain_text("It is booked and paid")


def test_people_talk(reader: Reader) -> None:
    client = reader(cast.CLIENT)
    client.goto("/b/anaya-krishnan/")
    client.get_by_role("link", name="Write to Anaya").filter(visible=True).first.click()
    client.get_by_label("Message to Anaya").fill("Written without a script.")
    press(client, "Send")
    expect(client.locator("#feed")).to_contain_text("Written without a script.")
