"""Take the pictures of the documentation from a running site with demo data.

    ./run                                  in one terminal
    .venv/bin/python -m scripts.screens    in another (PORT as for ./run)

Writes docs/screens/*.png, 1280 wide, each as it lies on the screen of the demo account that the page is for.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from port444.demo import cast
from scripts import system

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screens"
SIZE = (1280, 860)
MOST_BYTES = 250_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
SERVICE, BUILDER = "/s/make-slow-django-pages-fast/", "/b/anaya-krishnan/"


def keep(page: Page, name: str) -> None:
    """Write what the page shows now, in as few colours as keep it looking the same."""
    page.evaluate("document.fonts.ready")
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        picture = shot.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    target = FOLDER / f"{name}.png"
    picture.save(target, optimize=True)
    size = target.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{target.name} has {size} bytes, more than {MOST_BYTES}")
    print(f"{target.name}: {size // 1000} kB")


def visitor(browser: Browser, address: str, account: str = "", zone: str = "Europe/Amsterdam") -> Page:
    """A page of somebody, signed in when an account is named."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": SIZE[0], "height": SIZE[1]},
        color_scheme="light",
        locale="en-GB",
        timezone_id=zone,
        reduced_motion="reduce",
    )
    page = context.new_page()
    if account:
        page.goto("/account/login/")
        page.get_by_label("Email").fill(account)
        page.get_by_label("Password").fill(cast.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/login" not in url)
    return page


def as_client(page: Page) -> None:
    """What somebody sees who hires: search, service, booking, order, checkout, messages."""
    page.goto("/")
    keep(page, "home")
    page.goto(SERVICE)
    keep(page, "service")
    page.goto(BUILDER)
    keep(page, "builder")
    page.goto(f"{BUILDER}call/")
    page.locator("label.slot").filter(visible=True).nth(3).click()
    page.locator("#summary time").first.wait_for()
    page.evaluate("scrollTo(0, 0)")
    keep(page, "booking")
    page.goto("/orders/")
    keep(page, "orders")
    page.get_by_role("listitem").filter(has_text="Look at the delivery").get_by_role("link").first.click()
    page.wait_for_url("**/orders/*/*")
    page.goto(page.url.partition("#")[0])
    keep(page, "order")
    page.goto("/messages/")
    page.get_by_role("link", name="Anaya Krishnan").first.click()
    page.wait_for_url("**/messages/*/")
    page.wait_for_load_state("networkidle")
    keep(page, "inbox")
    page.goto(SERVICE)
    page.get_by_role("button", name="Order, ").filter(visible=True).first.click()
    page.wait_for_url("**/pay/**")
    keep(page, "checkout")
    page.goto("/calls/")
    page.get_by_role("listitem").filter(has_text="min").get_by_role("link").first.click()
    page.wait_for_url("**/calls/*/*")
    keep(page, "call")
    for name in ("spending", "help"):
        page.goto(f"/{name}/")
        keep(page, name)


def as_builder(page: Page) -> None:
    """What somebody sees who works here: the day, and the money."""
    for name in ("today", "earnings", "insights"):
        page.goto(f"/{name}/")
        keep(page, name)
    page.goto("/calls/availability/")
    keep(page, "availability")


def main() -> None:
    chromium = system.find_browser()
    address = f"http://127.0.0.1:{os.environ.get('PORT', '8444')}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        as_client(visitor(browser, address, cast.CLIENT))
        as_builder(visitor(browser, address, cast.BUILDER, "Asia/Kolkata"))
        browser.close()


if __name__ == "__main__":
    main()
