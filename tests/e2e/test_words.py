"""Help, all settings, what is told to other sites, and lists that come anew, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from port444.demo import cast
from tests.e2e.conftest import Person
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Make = Callable[..., Person]

CANCEL = """
from port444.accounts.models import User
from port444.orders.actions import cancel_order
from port444.orders.models import Order
builder = User.objects.get(email={email!r})
running = Order.objects.filter(builder__user=builder, client__email={client!r}, status="in_progress", disputed_at__isnull=True)
order = running.order_by("number").last()
cancel_order(order.pk, actor=builder, reason="I have fallen ill.")
print(order.number)
"""


def test_help_is_found_read_and_followed(person: Make) -> None:
    """Signed out: the contract of the pages with search engines is data that the content policy lets stand."""
    visitor = person()
    page = visitor.page
    page.goto("/")
    page.get_by_role("contentinfo").get_by_role("link", name="Help").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Help")
    visitor.check_page("help")
    page.get_by_label("Look in the help").fill("agreement")
    page.get_by_role("main").get_by_role("button", name="Search").click()
    visitor.check_page("help-found")
    page.get_by_role("link", name="Ending by agreement").click()
    page.wait_for_url(re.compile(r"/help/cancelling/#agreement$"))
    expect(page.get_by_role("heading", name="Ending by agreement")).to_be_in_viewport()
    visitor.check_page("help-topic")
    page.get_by_role("navigation", name="Close to this").get_by_role("link", name="Disputes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disputes")

    page.goto("/s/make-slow-django-pages-fast/")
    facts = [json.loads(text) for text in page.locator('script[type="application/ld+json"]').all_text_contents()]
    assert [fact["@type"] for fact in facts] == [["Product", "Service"], "BreadcrumbList"]
    card = page.request.get("/s/make-slow-django-pages-fast/card.jpg")
    assert (card.status, card.headers["content-type"]) == (200, "image/jpeg")
    assert visitor.complaints == []


def test_all_settings_and_lists_that_come_anew(person: Make, site: Site) -> None:
    client = person(390)
    client.sign_in(cast.CLIENT, cast.PASSWORD)
    page = client.page
    page.goto("/settings/all/")
    client.check_page("all-settings")
    page.get_by_role("link", name=re.compile("^Quiet hours")).click()
    page.wait_for_url(re.compile(r"/settings/notifications/#quiet-h$"))

    page.goto("/orders/?as=client")
    rows = page.locator("#main ol.rows > li")
    expect(rows.first).to_be_visible()
    link = page.locator("#main a[href^='/orders/']").last
    href = str(link.get_attribute("href"))
    link.focus()
    number = site.run(CANCEL.format(email=cast.BUILDER, client=cast.CLIENT)).strip()
    expect(page.locator(f"#main li:has(a[href^='/orders/{number}/'])").first).to_contain_text("Cancelled", timeout=60_000)
    assert page.evaluate("document.activeElement.getAttribute('href')") == href
    assert client.complaints == []
