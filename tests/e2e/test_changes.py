"""A change of an order in real browsers: proposed with its consequences in sight, sent back, approved, paid, in force; and without a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from port444.demo import cast
from tests.e2e.conftest import Person
from tests.e2e.test_main_job import press
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def order_that(page: Page, words: str, side: str = "client") -> str:
    """The address of the order whose line in the list has `words`."""
    page.goto(f"/orders/?as={side}")
    link = page.get_by_role("listitem").filter(has_text=words).filter(has_text="Make slow Django pages fast").first
    link.get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/orders/\d+/"))
    return page.url.partition("#")[0]


def test_a_change_goes_back_and_forth_and_comes_into_force(person: Callable[..., Person]) -> None:
    client, builder = person(), person()
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    builder.sign_in(cast.BUILDER, cast.PASSWORD)
    asked, sold = client.page, builder.page
    address = order_that(asked, "Answer Anaya’s change request")
    expect(asked.locator("#change")).to_contain_text("$240.00")
    expect(asked.locator("#side")).to_contain_text("The clock stands")
    client.check_page("order-with-a-change")
    sold.goto(address)
    expect(sold.locator("#change")).to_contain_text("You get more")
    builder.check_page("order-with-my-change")

    asked.get_by_text("Ask for changes instead").click()
    press(asked, "Send to Anaya")
    expect(asked.locator("#ask_note")).to_be_focused()
    client.check_page("change-with-errors")
    asked.fill("#ask_note", "One day would be enough, would it not?")
    press(asked, "Send to Anaya")
    expect(asked.locator("main")).to_contain_text("Anaya is asked for another version.")

    # The builder's page is still open: what was said comes to it without a reload.
    expect(sold.locator("#change")).to_contain_text("One day would be enough", timeout=20_000)
    sold.get_by_role("link", name="Write a new version").click()
    expect(sold.locator("#id_days")).to_have_value("2")
    sold.fill("#id_days", "1")
    expect(sold.locator("#preview")).to_contain_text("+ 1 day")
    sold.fill("#id_amount", "50")
    expect(sold.locator("#summary")).to_contain_text("$45.00")
    builder.check_page("change-new-version")
    sold.get_by_label("More time").check()
    expect(sold.locator("#id_amount")).to_have_count(0)
    sold.get_by_label("Extra deliverable").check()
    expect(sold.locator("#id_amount")).to_have_value("50")  # what another type did not take was kept
    expect(sold.locator("#id_deliverables")).to_have_value(re.compile("invoice export"))
    press(sold, "Ask Jonas")
    expect(sold.locator("#change")).to_contain_text("version 2")

    asked.goto(address)
    asked.get_by_role("link", name="Versions and history").click()
    expect(asked.locator("#story")).to_contain_text("One day would be enough")
    client.check_page("change")
    press(asked, "Approve and pay $52.75")
    asked.wait_for_url("**/pay/**")
    client.check_page("checkout-of-a-change")
    press(asked, re.compile("^Pay"))
    asked.wait_for_url("**/wallet/**")
    press(asked, re.compile("^Approve \\$"))
    asked.wait_for_url("**/orders/*/", timeout=60_000)
    expect(asked.locator("#side")).to_contain_text("Price now", timeout=20_000)
    expect(asked.locator("#side")).to_contain_text("$230.00")
    expect(sold.locator("#side")).to_contain_text("$230.00", timeout=20_000)
    expect(sold.locator("#change")).to_have_count(0)
    client.check_page("order-changed")
    asked.get_by_role("link", name=re.compile("change of this order")).click()
    expect(asked.get_by_role("heading", name="Changes")).to_be_visible()
    client.check_page("changes")
    asked.get_by_role("link", name="Extra deliverable").click()
    expect(asked.locator("main")).to_contain_text("The change is in force")
    client.check_page("change-in-force")


def test_more_time_is_asked_for_on_a_phone(person: Callable[..., Person]) -> None:
    builder, client = person(390), person(390)
    builder.sign_in(cast.BUILDER, cast.PASSWORD)
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    page = client.page
    address = order_that(page, "Anaya delivers by")
    sold = builder.page
    sold.goto(address)
    sold.get_by_role("link", name="Propose a change").click()
    expect(sold.get_by_role("heading", name="Propose a change")).to_be_visible()
    builder.check_page("propose")
    sold.get_by_label("More time").check()
    sold.fill("#id_days", "2")
    expect(sold.locator("#preview")).to_contain_text("+ 2 days")
    builder.check_page("propose-time")
    press(sold, "Ask Jonas")
    expect(sold.locator(".errsum")).to_contain_text("Say in one sentence why.")
    expect(sold.locator("#id_days")).to_have_value("2")
    builder.check_page("propose-with-errors")
    sold.fill("#id_reason", "The staging server is down until Tuesday.")
    press(sold, "Ask Jonas")
    expect(sold.locator("#change")).to_contain_text(re.compile(r"Jonas has (2 days|4[78] h) to answer"))
    page.goto(address)
    client.check_page("order-with-more-time")
    press(page, "Give 2 days more")
    expect(page.locator("main")).to_contain_text("The change is in force.")
    expect(page.locator("#side")).to_contain_text("More time")
    client.check_page("order-later")


@pytest.fixture
def plain(browser: Browser, site: Site) -> Iterator[Callable[[str], Page]]:
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


def test_a_change_is_made_without_a_script(plain: Callable[[str], Page]) -> None:
    client, builder = plain(cast.CLIENT), plain(cast.BUILDER)
    address = order_that(client, "$700.00")
    client.get_by_role("link", name="Propose a change").click()
    client.get_by_label("Larger budget").check()
    press(client, "Go on")
    client.fill("#id_amount", "40")
    press(client, "Show it again")
    expect(client.locator("#preview")).to_contain_text("+ $40.00")
    client.fill("#id_reason", "It was more work than we both thought.")
    press(client, "Ask Anaya")
    builder.goto(address)
    press(builder, "Approve")
    expect(builder.locator("main")).to_contain_text("Jonas pays for the change")
    client.goto(address)
    client.locator("#change").get_by_role("link", name="Pay $42.20").click()
    press(client, re.compile("^Pay"))
    client.wait_for_url("**/wallet/**")
    press(client, re.compile("^Approve \\$"))
    client.wait_for_url("**/orders/*/", timeout=30_000)
    expect(client.locator("#side")).to_contain_text("Price now")
