"""What builders and clients meet every day, in real browsers: what needs them, more time, an end by agreement, pictures of files, questions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from port444.demo import cast
from tests.e2e.conftest import Person
from tests.e2e.test_main_job import press

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Make = Callable[..., Person]


def signed_in(person: Make, address: str, width: int = 1280) -> Person:
    somebody = person(width)
    somebody.sign_in(address, cast.PASSWORD)
    return somebody


def go_to(page: Page, title: str) -> str:
    """Press a thing of the list; the address of its order."""
    page.get_by_role("link", name=title).first.click()
    page.wait_for_url(re.compile(r"/orders/\d+/"))
    return page.url.partition("#")[0]


@pytest.mark.parametrize("width", [390, 1280])
def test_what_waits_and_files_to_look_at(person: Make, width: int) -> None:
    client, builder = signed_in(person, cast.CLIENT, width), signed_in(person, cast.BUILDER, width)
    page = client.page
    builder.page.goto("/today/")
    expect(builder.page.get_by_role("heading", name="Waits for others")).to_be_visible()
    builder.check_page("today-needs")
    page.goto("/orders/?as=client")
    expect(page.get_by_role("heading", name="Needs you")).to_be_visible()
    expect(page.locator("main")).to_contain_text("in Kolkata)")
    client.check_page("orders-needs")

    page = builder.page
    page.get_by_role("link", name=re.compile("reviews ")).first.click()
    for _ in range(30):  # the queue draws them
        if page.locator(".filerow img").count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.locator(".filerow img").first).to_be_visible()
    builder.check_page("order-with-pictures")
    page.get_by_role("link", name=re.compile("^before-and-after.png")).first.click()
    picture = page.locator(".looked img")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    builder.check_page("file")
    press(page, "Next")
    expect(page.locator("h1")).to_have_text("report.pdf")
    expect(picture).to_be_visible()
    press(page, "Next")
    expect(page.locator("main")).to_contain_text("There is no picture of this file")
    builder.check_page("file-without-picture")
    with page.expect_download() as download:
        press(page, "Download")
    assert download.value.suggested_filename == "notes.txt"


def test_more_time_and_an_end_by_agreement(person: Make) -> None:
    client, builder = signed_in(person, cast.CLIENT), signed_in(person, cast.BUILDER, 390)
    page, sold = client.page, builder.page
    page.goto("/orders/?as=client")
    go_to(page, "Anaya asks for 2 days more")
    expect(page.locator("#helm")).to_contain_text("One press says yes or no")
    client.check_page("order-asked-for-time")
    press(page, "Give 2 days more")
    expect(page.locator("main")).to_contain_text("The change is in force.")

    sold.goto("/today/")
    address = go_to(sold, "Jonas proposes to end the order")
    expect(sold.locator("#parting")).to_contain_text("You get")
    builder.check_page("order-with-an-end")
    press(sold, "Propose another division")
    sold.fill("#id_to_client", "10")
    expect(sold.locator("#figures input")).to_have_value("10.00")
    sold.fill("#id_reason", "Most of it is done; the report comes today.")
    builder.check_page("end-by-agreement")
    press(sold, "Ask Jonas")
    expect(sold.locator("#parting")).to_contain_text("You propose to end the order")
    page.goto(address)
    client.check_page("order-with-another-end")
    press(page, re.compile(r"^Accept \$10"))
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(page.locator("#helm")).to_contain_text("You both agreed to end the order")
    client.check_page("order-ended-by-agreement")


def test_questions_are_put_in_order_and_asked_once_more(person: Make) -> None:
    builder, client = signed_in(person, cast.BUILDER), signed_in(person, cast.CLIENT, 390)
    sold, page = builder.page, client.page
    sold.goto("/services/")
    sold.get_by_role("link", name="Make slow Django pages fast", exact=True).click()
    first, second = sold.input_value("#id_q0-label"), sold.input_value("#id_q1-label")
    press(sold, re.compile(r"^Down ?: question 1"))
    expect(sold.locator("#id_q0-label")).to_have_value(second)
    expect(sold.locator("#id_q1-label")).to_have_value(first)
    builder.check_page("service-questions")
    press(sold, "See the saved questions as your client does")
    expect(sold.get_by_role("heading", name="As your client sees it")).to_be_visible()
    builder.check_page("questions-preview")

    page.goto("/orders/?as=client")
    page.get_by_role("listitem").filter(has_text="Anaya delivers by").first.get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/orders/\d+/"))
    address = page.url
    sold.goto(address)
    sold.get_by_text("Ask for what is missing").click()
    sold.fill("#ask_questions", "Which server is it?\nWhose account?")
    press(sold, re.compile("stop the clock"))
    expect(sold.locator("#helm")).to_contain_text("your clock is stopped")
    builder.check_page("order-asked-more")
    page.goto(address)
    expect(page.locator("#helm")).to_contain_text("the clock stands")
    client.check_page("order-more-questions")
    for box in page.locator("#desk textarea").all():
        box.fill("The small one.")
    press(page, "Send the answers")
    expect(page.locator("#helm")).to_contain_text("Anaya delivers by")
    client.check_page("order-answered-more")
