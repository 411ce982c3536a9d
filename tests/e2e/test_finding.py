"""Somebody looks for a builder: a slip of the finger, a category, a builder's portfolio, and a search that is kept."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from port444.demo.cast import BUILDER, CLIENT, PASSWORD
from tests.e2e.conftest import Person

pytestmark = pytest.mark.browser


def test_from_a_slip_to_a_saved_search(person: Callable[..., Person]) -> None:
    jonas = person()
    page = jonas.page
    jonas.sign_in(CLIENT, PASSWORD)
    page.goto("/")
    jonas.check_page("front")
    box = page.get_by_label("What do you need?")
    box.press_sequentially("flutt", delay=20)
    expect(page.locator("#q-words option").first).to_have_attribute("value", "flutter")
    box.fill("djnago")
    box.press("Enter")
    expect(page.get_by_text("These are for django.")).to_be_visible()
    expect(page.locator(".hit h2").first).to_contain_text("Django")
    page.get_by_text("How results are ordered").click()
    expect(page.get_by_text("Nobody can pay for a place")).to_be_visible()
    jonas.check_page("search put right")
    page.goto("/?q=performance")
    page.get_by_role("link", name="Save this search").click()
    page.get_by_label("Call it").fill("Quick pages")
    page.get_by_label("Mail about new services").select_option("weekly")
    jonas.check_page("save")
    page.get_by_role("button", name="Save").click()
    jonas.check_page("saved searches")
    page.get_by_role("button", name="in Quick pages").click()
    page.wait_for_url("**/?q=performance&sort=new&since=**")
    page.goto("/c/")
    jonas.check_page("categories")
    page.get_by_role("link", name="Web development", exact=True).click()
    expect(page.get_by_role("heading", name="What it costs")).to_be_visible()
    jonas.check_page("category")
    page.goto("/b/anaya-krishnan/")
    expect(page.get_by_role("heading", name="Portfolio")).to_be_visible()
    jonas.check_page("builder")


def test_a_builder_shows_a_piece(person: Callable[..., Person]) -> None:
    anaya = person(390)
    page = anaya.page
    anaya.sign_in(BUILDER, PASSWORD)
    page.goto("/settings/portfolio/")
    anaya.check_page("portfolio")
    page.get_by_label("Title").fill("A lighthouse")
    page.get_by_role("button", name="Add").click()
    content = io.BytesIO()
    Image.new("RGB", (900, 500), "#336699").save(content, "PNG")
    page.locator("input[type=file]").set_input_files(FilePayload(name="light.png", mimeType="image/png", buffer=content.getvalue()))
    page.get_by_role("button", name="Put up picture").click()
    expect(page.get_by_alt_text("Picture 1 of A lighthouse")).to_be_visible()
    anaya.check_page("piece")
    page.goto("/settings/portfolio/")
    page.get_by_role("button", name="Move A lighthouse up").click()
    expect(page.locator(".svcs li").nth(2)).to_contain_text("A lighthouse")
