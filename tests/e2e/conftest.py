"""A real browser on a real site. Any console error, page error or CSP report fails the test that caused it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from scripts import chain, system
from scripts.process import Child
from tests.realsite import Site, running, wait_for_schedules, wait_until

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {1280: 900, 390: 844}
EXPECTED_STATUS = ("status of 409", "status of 422", "status of 404", "status of 403")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    found = system.find_browser()
    assert found, "No Chromium: install it (Debian: apt-get install chromium-headless-shell) or name it in PORT444_CHROMIUM."
    return {**browser_type_launch_args, "executable_path": found, "args": FLAGS}


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site")) as served:
        yield served


Scheme = Literal["light", "dark"]
# The scheme changes colours and nothing else.
RULES: dict[Scheme, list[str]] = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast", "link-in-text-block"],
}


class Person:
    """Somebody at a browser of their own. Collects everything that the browser complains about."""

    def __init__(self, browser: Browser, site: Site, width: int, scheme: Scheme) -> None:
        self.site = site
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=site.url, viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme, locale="en-GB", reduced_motion="reduce"
        )
        self.width = width
        self.page: Page = self.context.new_page()
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(status in message.text for status in EXPECTED_STATUS):
            self.complaints.append(f"{self.page.url}: {message.type}: {message.text}")

    def sign_in(self, address: str, password: str) -> None:
        self.page.goto("/account/login/")
        self.page.fill("input[name=login]", address)
        self.page.fill("input[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(lambda url: "/login" not in url)

    def check_page(self, name: str, shots: Path | None = None) -> None:
        """At both widths axe finds nothing in light and nothing sticks out sideways; nothing that depends on colours is found in dark, where
        the width changes none.

        The window is made as tall as the page meanwhile: a bar at its lower edge covers whatever is there before one scrolls.
        """
        self.page.evaluate(AXE_SCRIPT)
        for width in sorted(WIDTHS, key=lambda width: width == self.width):  # its own last, which it keeps
            self.resize(width)
            for scheme, rules in RULES.items():
                if scheme == "dark" and width < max(WIDTHS):
                    continue
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                found = self.page.evaluate("options => axe.run(options)", {"runOnly": rules, "resultTypes": ["violations"]})
                broken = [(v["id"], [n["html"][:160] for n in v["nodes"]][:3]) for v in found["violations"]]
                assert broken == [], f"{name} at {width} in {scheme}: {broken}"
                if shots is not None:
                    self.page.screenshot(path=shots / f"{name}-{width}-{scheme}.png", full_page=True)
            self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
            self.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
            overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{name} sticks out by {overflow} px at {width}"

    def resize(self, width: int) -> None:
        """Another width, as tall as the page becomes by that."""
        self.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        tall = int(self.page.evaluate("document.documentElement.scrollHeight"))
        self.page.set_viewport_size({"width": width, "height": max(tall, WIDTHS[width])})


LET_GO = """
from port444.payments.actions import end_hold
from port444.payments.models import PayoutHold
for pk in list(PayoutHold.objects.standing().filter(user__email={email!r}).values_list("pk", flat=True)):
    end_hold(pk, actor=None, reason="Looked into.")
"""
HELD = "SELECT count(*) FROM payments_payouthold h JOIN accounts_user u ON u.id = h.user_id WHERE u.email = %s AND h.ended_at IS NULL"


def wait_for_payout(site: Site, email: str, arrived: Callable[[], object]) -> None:
    """Nothing clears on this site, so that people withdraw what they have earned a moment ago. That is what the detectors look for: where
    they have held it, security looks into it and lets it go."""
    wait_for_schedules(site, lambda: arrived() or site.value(HELD, email), 180, "neither paid out nor held")
    if not arrived():
        site.run(LET_GO.format(email=email))
    wait_until(arrived, 60, "no payout arrived")


@pytest.fixture
def person(browser: Browser, site: Site) -> Iterator[Callable[..., Person]]:
    """Make people at browsers; afterwards none of them may have seen a complaint."""
    yield from people_at(browser, site)


def people_at(browser: Browser, site: Site) -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def make(width: int = 1280, scheme: Scheme = "light") -> Person:
        people.append(Person(browser, site, width, scheme))
        return people[-1]

    yield make
    complaints = [complaint for person in people for complaint in person.complaints]
    for somebody in people:
        somebody.context.close()
    assert complaints == []


@dataclass
class ChainSite:
    """A site that holds its money in a contract, the node of that chain, and the worker between the two."""

    site: Site
    node: str
    token: str
    worker: Child


@pytest.fixture(scope="package")
def chain_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainSite]:
    """With the demo data, whose deals stay in the ledger alone: they were made before there was a chain."""
    with chain.running() as node, contextlib.ExitStack() as stack:
        deployed: dict[str, Any] = {**chain.deploy(node), "PAYMENT_PROVIDERS": "wallet,sandbox"}
        site = stack.enter_context(running(tmp_path_factory.mktemp("chain-site"), **deployed))
        worker = Child("chain", ["manage.py", "run_chain"], site.environment)
        worker.start()
        stack.callback(worker.kill)
        yield ChainSite(site, node, deployed["USDC_ADDRESS"], worker)


@pytest.fixture
def chain_person(browser: Browser, chain_site: ChainSite) -> Iterator[Callable[..., Person]]:
    """The same as `person`, on the site with a chain."""
    yield from people_at(browser, chain_site.site)
