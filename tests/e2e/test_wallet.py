"""Paying from a wallet in the browser against a real chain: by signature and by transfer, and what goes wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from playwright.sync_api import Locator, Page, expect

from port444.demo import cast
from tests.e2e.conftest import ChainSite, Person
from tests.e2e.wallet import Wallet
from tests.realsite import wait_until

SERVICE = "/s/make-slow-django-pages-fast/"
PLENTY = 5_000_000_000

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


def to_the_wallet(client: Person) -> None:
    """Order a package and choose the wallet at the checkout."""
    page = client.page
    page.goto(SERVICE)
    page.get_by_role("button", name=re.compile("^Order")).filter(visible=True).first.click()
    page.wait_for_url("**/pay/**")
    page.locator("label.pick", has_text="Your own wallet").click()
    page.get_by_role("button", name=re.compile("^Pay")).filter(visible=True).first.click()
    page.wait_for_url("**/wallet/")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(name))


def is_paid(chain_site: ChainSite, wallet: Wallet, method: str) -> bool:
    sql = (
        "SELECT count(*) FROM payments_walletpayment w JOIN payments_payment p ON p.id = w.payment_id"
        " WHERE w.address = %s AND w.method = %s AND p.settled_at IS NOT NULL"
    )
    return bool(chain_site.site.value(sql, wallet.address, method) == 1)


def test_a_client_signs_and_the_order_is_paid(chain_person: Callable[..., Person], chain_site: ChainSite) -> None:
    client = chain_person(1280)
    wallet = Wallet(chain_site.node, chain="0x1", knows_chain=False)
    wallet.install(client.context)
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    page = client.page
    to_the_wallet(client)

    # A wallet on another network, which does not know ours, with nothing in it, whose owner first says no.
    wallet.refuse = {"eth_requestAccounts"}
    button(page, "Test Wallet").click()
    expect(page.locator("[data-say]")).to_contain_text("You said no in the wallet")
    client.check_page("wallet-refused")
    wallet.refuse = set()
    button(page, "Test Wallet").click()
    button(page, "Switch to Local chain").click()
    expect(page.get_by_text("There is less in this wallet")).to_be_visible()
    expect(button(page, "^Sign and pay")).to_be_disabled()
    client.check_page("wallet-poor")
    wallet.fund(chain_site.token, PLENTY)
    wallet.go_to(page, wallet.chain)
    expect(page.get_by_text("$5,000.00 USDC")).to_be_visible()
    client.check_page("wallet-ready")

    wallet.refuse = {"eth_signTypedData_v4"}
    button(page, "^Sign and pay").click()
    expect(page.locator("[data-say]")).to_contain_text("You said no in the wallet. Nothing was taken.")
    wallet.refuse = set()
    # The account changes while the button is on the screen: the page looks again before it asks.
    mine, wallet.account = wallet.account, Account.create()
    button(page, "^Sign and pay").click()
    expect(page.locator("[data-say]")).to_contain_text("changed its account or network")
    wallet.use(page, mine)
    button(page, "^Sign and pay").click()
    page.wait_for_url("**/orders/**", timeout=60_000)
    assert is_paid(chain_site, wallet, "authorization")
    assert wallet.sent == []


def test_a_client_sends_and_closes_the_tab(chain_person: Callable[..., Person], chain_site: ChainSite) -> None:
    client = chain_person(390)
    wallet = Wallet(chain_site.node, old=True)
    wallet.fund(chain_site.token, PLENTY)
    wallet.install(client.context)
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    page = client.page
    to_the_wallet(client)
    button(page, "Wallet of this browser").click()
    wallet.refuse = {"eth_sendTransaction"}
    button(page, "Send it instead").click()
    expect(page.get_by_role("heading", name="Send it from your wallet")).to_be_visible()
    expect(page.locator("[data-say]")).to_contain_text("You said no in the wallet")
    expect(button(page, "^Open the wallet")).to_be_visible()
    client.check_page("wallet-sending")
    wallet.use(page, other := Account.create())
    expect(page.get_by_text("Another account is open in the wallet")).to_be_visible()
    assert wallet.address == other.address
    # Begin anew, with that account, which has money now.
    wallet.fund(chain_site.token, PLENTY)
    wallet.refuse = set()
    button(page, "Choose again").click()
    button(page, "Send it instead").click()
    for _ in range(100):
        page.wait_for_timeout(50)
        if wallet.sent:
            break
    # Gone, perhaps before the page has told the hash. To close it while the wallet answers would have the browser's driver wait for itself.
    page.goto("about:blank")
    assert len(wallet.sent) == 1
    wait_until(lambda: is_paid(chain_site, wallet, "transfer"), 60, "the transfer was not found")


def test_nobody_s_wallet_and_nobody_s_script(chain_person: Callable[..., Person], tmp_path: Path) -> None:
    client = chain_person(390)
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    page = client.page
    to_the_wallet(client)
    expect(page.get_by_text("No wallet was found in this browser")).to_be_visible()
    client.check_page("wallet-none")
    page.get_by_text("Pay from a wallet that is not in this browser").click()
    page.get_by_label("Address of your wallet").fill(Account.create().address)
    button(page, "Show me where to send it").click()
    expect(page.get_by_role("heading", name="Send it from your wallet")).to_be_visible()
    client.check_page("wallet-elsewhere")
    page.get_by_role("link", name="Pay in another way").click()
    expect(page.get_by_role("heading", name=re.compile("Pay"))).to_be_visible()
    page.locator("label.pick", has_text="Test wallet").click()
    button(page, "^(Pay|Go on)").filter(visible=True).first.click()
    expect(page.get_by_role("heading", name="Test wallet")).to_be_visible()
