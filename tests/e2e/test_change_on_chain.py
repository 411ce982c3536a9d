"""A change of a running order, from the proposal to being in force, paid from a wallet against a real chain."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from port444.demo import cast
from tests.e2e.conftest import ChainSite, Person
from tests.e2e.test_wallet import button, to_the_wallet
from tests.e2e.wallet import Wallet
from tests.realsite import wait_until

PLENTY = 5_000_000_000

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def start_the_order(client: Person, wallet: Wallet) -> str:
    """Bought with the wallet, in escrow on the chain, the questions answered; gives its address."""
    page = client.page
    to_the_wallet(client)
    button(page, "Test Wallet").click()
    button(page, "^Sign and pay").click()
    page.wait_for_url("**/orders/**", timeout=60_000)
    expect(page.get_by_role("heading", name=re.compile("Answer Anaya"))).to_be_visible(timeout=60_000)
    for box in page.locator("article:has(#desk-h) textarea, article:has(#desk-h) input[type=text]").all():
        box.fill("See the read-me.")
    button(page, "Send and start the clock").click()
    expect(page.get_by_text(re.compile("Anaya delivers by|Anaya.s turn")).first).to_be_visible()
    return page.url.split("#")[0]


def fill(page: Page, amount: str, days: str, description: str) -> None:
    page.get_by_label("Price on top").fill(amount)
    page.get_by_label("Days on top").fill(days)
    page.get_by_label("What exactly changes?").fill(description)


def settled(page: Page, amount: str) -> None:
    """The preview says what was written last, and nothing is being asked any more."""
    expect(page.locator("#preview")).to_contain_text("With the change")
    expect(page.locator("#summary")).to_contain_text(amount)
    page.wait_for_timeout(600)  # the last letter is asked about after a moment
    expect(page.locator(".htmx-request")).to_have_count(0)


def propose(builder: Person, address: str) -> None:
    page = builder.page
    page.goto(address)
    page.get_by_role("link", name="Propose a change").first.click()
    page.locator("label.pick", has_text="Change of scope").click()
    expect(page.get_by_label("Price on top")).to_be_visible()
    fill(page, "80.00", "3", "The reports as well, which read the same tables.")
    page.get_by_label("Why, in a sentence").fill("The reports are slow for the same reason.")
    settled(page, "$80.00")
    builder.check_page("change-propose")
    button(page, "^Ask ").filter(visible=True).first.click()
    expect(page.locator("main")).to_contain_text("to answer")
    builder.check_page("change-proposed")


def test_a_change_is_agreed_paid_and_in_force(chain_person: Callable[..., Person], chain_site: ChainSite) -> None:
    client, builder = chain_person(1280), chain_person(390)  # at a desk, and on a phone
    wallet = Wallet(chain_site.node)
    wallet.fund(chain_site.token, PLENTY)
    wallet.install(client.context)
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    builder.sign_in(cast.BUILDER, cast.PASSWORD)
    address = start_the_order(client, wallet)
    number = int(address.rstrip("/").rpartition("/")[2])
    before = chain_site.site.rows("SELECT id, price FROM orders_order WHERE number = %s", number)[0]

    propose(builder, address)
    page = client.page
    page.goto(address)
    expect(page.get_by_role("button", name=re.compile(r"Approve and pay \$84\.40"))).to_be_visible()
    client.check_page("change-to-answer")
    page.get_by_text("Ask for changes instead").click()
    page.get_by_label("What should be different?").fill("Only the two reports that Olu reads, please.")
    button(page, "Send to Anaya").click()
    expect(page.locator("main")).to_contain_text("another version")

    page = builder.page
    page.goto(address)
    page.get_by_role("link", name="Write a new version").click()
    expect(page.locator("main")).to_contain_text("Only the two reports that Olu reads")
    fill(page, "45.00", "2", "The two reports that Olu reads.")
    settled(page, "$45.00")
    builder.check_page("change-revise")
    button(page, "^Ask ").filter(visible=True).first.click()
    expect(page.locator("main")).to_contain_text("version 2")

    page = client.page
    page.goto(address)
    button(page, r"Approve and pay \$47\.47").click()
    page.wait_for_url("**/pay/**")
    client.check_page("change-checkout")
    page.locator("label.pick", has_text="Your own wallet").click()
    button(page, "^Pay").filter(visible=True).first.click()
    page.wait_for_url("**/wallet/")
    button(page, "^Sign and pay").click()
    page.wait_for_url(re.compile("/(orders|changes)/"), timeout=60_000)

    change = "SELECT status, funding, due_before, due_after FROM amendments_amendment WHERE order_id = %s AND version = 2"
    site = chain_site.site
    wait_until(lambda: site.rows(change, before["id"])[0]["status"] == "completed", 60, "the change did not come into force")
    made = site.rows(change, before["id"])[0]
    proof = site.rows("SELECT status, tx_hash FROM payments_escrowoperation WHERE op_id = %s", made["funding"])[0]
    assert (proof["status"], len(proof["tx_hash"])) == ("confirmed", 66)
    after = site.rows("SELECT price, due_at FROM orders_order WHERE number = %s", number)[0]
    assert after["price"] - before["price"] == 45
    assert after["due_at"] == made["due_after"]
    assert 2 <= (after["due_at"] - made["due_before"]).total_seconds() / 86400 < 2.1  # and the time that the clock stood

    page.goto(address)
    expect(page.locator("main")).to_contain_text(f"${after['price']:,.2f}")
    client.check_page("change-in-force")
    for person in (client, builder):
        person.page.goto(f"{address}changes/")
        person.page.get_by_role("link", name=re.compile("Change of scope")).first.click()
        expect(person.page.locator("main")).to_contain_text("In force since")
        expect(person.page.locator("main")).to_contain_text(proof["tx_hash"])
        person.check_page("change-story")
