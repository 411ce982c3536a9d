"""A person has events posted to a program of their own, in a real browser: added, tried, looked at, and sent again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Person
from tests.e2e.test_main_job import press
from tests.realsite import Site
from tests.webhooks.conftest import Receiver, verify

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PASSWORD = "correct horse battery"
PERSON = """
from allauth.account.models import EmailAddress
from port444.accounts.models import User
lena = User.objects.create_user("lena-hooks@example.com", {password!r}, name="Lena Fischer")
EmailAddress.objects.create(user=lena, email=lena.email, verified=True, primary=True)
"""
SHOTS = Path(os.environ["PORT444_SHOTS"]) if "PORT444_SHOTS" in os.environ else None


def test_a_webhook_is_added_tried_looked_at_and_sent_again(person: Callable[..., Person], site: Site) -> None:
    site.run(PERSON.format(password=PASSWORD))
    lena = person(390)
    lena.sign_in("lena-hooks@example.com", PASSWORD)
    page = lena.page
    with Receiver() as receiver:
        page.goto("/settings/")
        press(page, "Webhooks")
        expect(page.get_by_text("No webhooks yet")).to_be_visible()
        lena.check_page("webhooks-none", SHOTS)
        press(page, "Add a webhook")
        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        press(page, "Go on")
        page.get_by_label("Address").fill("http://elsewhere.example/in")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_text("Give an address that begins with https://.").first).to_be_visible()
        expect(page.get_by_text("Choose at least one event").first).to_be_visible()
        page.locator("#id_events summary").first.click()
        lena.check_page("webhooks-with-errors", SHOTS)
        page.get_by_label("Address").fill(f"{receiver.url}/port444")
        page.get_by_label("What is it for?").fill("The books")
        page.get_by_label("order.paid").check()
        page.get_by_role("button", name="Add", exact=True).click()
        secret = page.locator("#secret").inner_text()
        lena.check_page("webhooks-secret", SHOTS)
        press(page, "I have kept it")
        expect(page.get_by_role("heading", name="The books")).to_be_visible()

        receiver.fail(500, "The disk is full", times=1)
        press(page, "Send a test event")
        expect(page.locator("#log")).to_contain_text("It answered 500.", timeout=30_000)
        lena.check_page("webhooks-log", SHOTS)
        page.locator("#log").get_by_role("link", name=re.compile("^ping")).click()
        expect(page.get_by_text("Answer 500")).to_be_visible()
        page.get_by_text("What it answered").click()
        expect(page.get_by_text("The disk is full")).to_be_visible()
        lena.check_page("webhooks-delivery", SHOTS)
        press(page, "Send again")
        delivered(page)
        lena.check_page("webhooks-delivered", SHOTS)
        first, second = receiver.seen[0], receiver.seen[-1]
        assert verify(first.headers, first.body, secret) == verify(second.headers, second.body, secret)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]

        page.locator("nav.crumbs").get_by_role("link", name="The books").click()
        press(page, "New secret")
        page.wait_for_url("**/key/")
        lena.check_page("webhooks-rotate", SHOTS)
        press(page, "Make a new secret")
        assert page.locator("#secret").inner_text() != secret
        press(page, "I have kept it")
        press(page, "Pause")
        expect(page.get_by_text("What happens meanwhile is kept for 30 days")).to_be_visible()
        lena.check_page("webhooks-paused", SHOTS)
        press(page, "Go on")
        expect(page.get_by_role("button", name="Send a test event")).to_be_visible()
        page.goto("/settings/webhooks/")
        lena.check_page("webhooks-list", SHOTS)
        press(page, "The books")
        expect(page.get_by_role("heading", name="The books")).to_be_visible()
        press(page, "Remove")
        page.get_by_role("button", name="Remove it").click()
        expect(page.get_by_text("No webhooks yet")).to_be_visible()


def delivered(page: Page) -> None:
    """Look again until the try is over; this page does not ask by itself."""
    tag = page.locator(".tag", has_text="Delivered")
    for _ in range(20):
        if tag.count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(tag).to_be_visible()
