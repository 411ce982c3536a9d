"""Two people review each other blind, find it on the public page, keep each other in sight, and one orders again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_main_job import press
from tests.realsite import Site, running

pytestmark = pytest.mark.browser

PASSWORD = "harbour-light-44"
MAKE = f"""
from uuid import uuid4
from allauth.account.models import EmailAddress
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.orders.actions import accept_delivery, answer_requirements, deliver, place_order
from port444.payments.actions import pay_with_test_wallet
from tests.faults.waiting import sell
anaya = sell("anaya")
noor = User.objects.create_user("noor@fault.example", {PASSWORD!r}, name="Noor Haddad")
anaya.user.set_password({PASSWORD!r})
anaya.user.save()
for user in (noor, anaya.user):
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
package = Package.objects.get()
order = place_order(package.pk, actor=noor, client_key=uuid4())
pay_with_test_wallet(order.invoice_id, actor=noor)
answer_requirements(order.pk, actor=noor, answers={{1: "The blue boat"}})
deliver(order.pk, actor=anaya.user, note="Done.")
accept_delivery(order.pk, actor=noor)
Package.objects.update(price="120.00", delivery_days=5)
anaya.services.update(from_price="120.00", least_days=5)
print(order.number)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("reviews"), seeded=False) as served:
        served.run(MAKE)
        yield served


def test_reviews_favourites_and_ordering_again(person: Callable[..., Person], site: Site) -> None:
    order = f"/orders/{site.value('SELECT number FROM orders_order')}/"
    noor, anaya = person(), person(390)
    for somebody, address in ((noor, "noor@fault.example"), (anaya, "anaya@fault.example")):
        somebody.sign_in(address, PASSWORD)
        somebody.page.goto(order)

    # Blind
    noor.check_page("review form")
    desk = noor.page.locator("#desk")
    desk.get_by_role("button", name="Send the review").click()
    expect(desk.get_by_text("Give one to five stars.")).to_be_visible()
    desk.locator("input[name=stars][value='4']").check()
    desk.get_by_label("Was it as described?").select_option("5")
    desk.get_by_label("What should others know?").fill("Fast, and honest about it.")
    desk.get_by_role("button", name="Send the review").click()
    expect(desk.get_by_text("Your review waits")).to_be_visible()
    noor.check_page("review waits")
    anaya.page.reload()
    expect(anaya.page.get_by_text("Fast, and honest about it.")).to_have_count(0)
    anaya.check_page("review of a client")

    # Both are shown, and one is answered
    desk = anaya.page.locator("#desk")
    desk.locator("input[name=stars][value='5']").check()
    desk.get_by_label("What should others know?").fill("Knew what was needed.")
    desk.get_by_role("button", name="Send the review").click()
    expect(desk.get_by_text("Fast, and honest about it.")).to_be_visible()
    desk.locator("summary", has_text="Reply").click()
    desk.get_by_label("Your reply").fill("It was a pleasure.")
    desk.get_by_role("button", name="Reply").click()
    expect(desk.locator("summary", has_text="Change your reply")).to_be_visible()
    anaya.check_page("reviews of both")
    anaya.page.reload()
    anaya.page.get_by_role("link", name="5.0 of 5 in 1 review by builders").click()
    expect(anaya.page.get_by_text("Knew what was needed.")).to_be_visible()
    anaya.check_page("reviews of a client")
    noor.page.reload()
    expect(noor.page.get_by_text("It was a pleasure.")).to_be_visible()
    noor.page.goto("/s/anaya/reviews/")
    expect(noor.page.get_by_text("Fast, and honest about it.")).to_be_visible()
    noor.check_page("reviews of a service")

    # In sight
    noor.page.goto("/s/anaya/")
    heart = noor.page.get_by_role("button", name="Save Fast pages")
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    expect(heart).to_be_focused()
    noor.check_page("service with a heart")
    noor.page.goto("/b/anaya/")
    noor.page.get_by_role("button", name="Save Anaya").click()
    expect(noor.page.get_by_role("button", name="Save Anaya")).to_have_attribute("aria-pressed", "true")
    noor.page.goto("/saved/")
    expect(noor.page.get_by_role("link", name="Fast pages")).to_be_visible()
    noor.check_page("saved")
    noor.page.goto("/")
    heart = noor.page.get_by_role("button", name="Save Fast pages")
    expect(heart).to_have_attribute("aria-pressed", "true")
    noor.check_page("search with hearts")
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "false")

    # Again
    noor.page.goto(order)
    noor.page.get_by_role("link", name="Order again").click()
    expect(noor.page.get_by_role("row", name="Price $100.00 $120.00")).to_be_visible()
    noor.check_page("order again")
    noor.page.locator("main").get_by_role("button", name="Order again, $126.60").click()
    noor.page.wait_for_url("**/pay/**")
    press(noor.page, re.compile("^Pay"))
    noor.page.wait_for_url("**/wallet/**")
    press(noor.page, re.compile(r"^Approve \$"))
    noor.page.wait_for_url("**/orders/**", timeout=60_000)
    expect(noor.page.get_by_label("What should it be called?")).to_have_value("The blue boat", timeout=60_000)
    noor.check_page("questions with the answers of last time")
