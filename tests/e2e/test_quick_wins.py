"""What keeps orders moving, by a real browser on the real site: a suggested offer, reminders, price hints, away mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Person
from tests.e2e.test_main_job import press
from tests.realsite import Site, wait_for_schedules, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

PASSWORD = "harbour-light-44"
PEOPLE = """
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4
from allauth.account.models import EmailAddress
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import create_service, publish_service
from port444.catalog.models import Category
from port444.kit.clock import at, now
from port444.messaging.actions import open_conversation, send_message
from port444.notifications.models import QuietHours
from port444.orders import actions, jobs
from port444.orders.models import Order
from port444.payments.actions import pay_with_test_wallet
people = []
for name, is_builder in (("Noor Haddad", False), ("Priya Raman", True)):
    address = f"{{name.split()[0].lower()}}-{tag}@example.com"
    user = User.objects.create_user(address, {password!r}, name=name, is_builder=is_builder, is_client=not is_builder)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    QuietHours.objects.create(user=user, enabled=False)
    people.append(user)
noor, priya = people
builder = Builder.objects.create(user=priya, slug="priya-{tag}", headline="Slow pages made fast")
sizes = [("basic", "One slow page", "60.00", 2), ("standard", "Five slow pages", "180.00", 7)]
packages = [{{"tier": t, "name": n, "price": Decimal(p), "delivery_days": d, "revisions": 1, "deliverables": [n]}} for t, n, p, d in sizes]
service = create_service(builder.pk, actor=priya, packages=packages, category_id=Category.objects.get(slug="web-development").pk,
    title="Fast pages {tag}", summary="Measured before and after.", description="I measure first.", tags=["speed"],
    questions=[{{"label": "Which page is slow?", "kind": "text", "required": True, "options": []}}])
publish_service(service.pk, actor=priya)
def ordered():
    package = service.packages.get(tier="basic")
    placed = actions.place_order(package.pk, actor=noor, client_key=uuid4())
    pay_with_test_wallet(placed.invoice_id, actor=noor)
    return Order.objects.get(pk=placed.pk)
"""
TALK = """
conversation = open_conversation(noor, priya, actor=noor)
began = now() - timedelta(days=3)
for number in range(7):
    with at(began + timedelta(hours=number)):
        send_message(conversation.pk, actor=people[number % 2], body=f"About the slow page, {{number}}", client_key=uuid4())
jobs.suggest_offers()
print(conversation.pk)
"""
WAITING = """
with at(now() - timedelta(hours=73)):
    order = ordered()
jobs.send_nudges()
print(order.number)
"""
WORKING = """
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
print(order.number)
"""

SOLD = """
from port444.catalog import jobs as catalog_jobs
from port444.catalog.actions import note_sale
from port444.catalog.models import PricePoint
for number in range(24):
    other = User.objects.create_user(f"seller{{number}}-{tag}@example.com", None, name=f"Seller {{number}}", is_builder=True)
    seller = Builder.objects.create(user=other, slug=f"seller{{number}}-{tag}", headline="Sells")
    sold = create_service(seller.pk, actor=other, packages=[packages[0] | {{"price": Decimal(40 + 2 * number)}}], category_id=service.category_id,
        title=f"Pages {{number}}", summary="Pages.", description="Pages.", tags=[])
    publish_service(sold.pk, actor=other)
    package = sold.packages.get()
    note_sale(uuid4(), package_id=package.pk, price=package.price, moment=now() - timedelta(days=5))
catalog_jobs.refresh_points()
print(service.pk)
"""


@dataclass
class Pair:
    """A client and a builder who are new to the site, each at a browser; `printed` is what making them printed last."""

    client: Person
    builder: Person
    tag: str
    printed: str


@pytest.fixture
def pair(person: Callable[..., Person], site: Site) -> Callable[[str, str], Pair]:
    def make(tag: str, then: str) -> Pair:
        printed = site.run((PEOPLE + then).format(tag=tag, password=PASSWORD)).strip().splitlines()[-1]
        client, builder = person(1280), person(390)
        client.sign_in(f"noor-{tag}@example.com", PASSWORD)
        builder.sign_in(f"priya-{tag}@example.com", PASSWORD)
        return Pair(client, builder, tag, printed)

    return make


Make = Callable[[str, str], Pair]


def pay(page: Page) -> None:
    page.wait_for_url("**/pay/**")
    press(page, re.compile(r"^Pay"))
    page.wait_for_url("**/wallet/**")
    press(page, re.compile(r"^Approve \$"))


def test_a_talk_without_an_order_becomes_one_by_a_suggested_offer(pair: Make, site: Site) -> None:
    both = pair("talk", TALK)
    thread = f"/messages/{both.printed}/"
    client, builder = both.client.page, both.builder.page
    client.goto(thread)
    builder.goto(thread)
    expect(builder.get_by_text("Only you see this")).to_be_visible()
    expect(client.get_by_text("Only you see this")).to_have_count(0)
    both.builder.check_page("offer-suggested")
    press(builder, "Send this offer")
    expect(builder.get_by_text("Only you see this")).to_have_count(0)
    # The client has the conversation open: the offer comes without a reload.
    expect(client.get_by_role("heading", name="Priya’s offer")).to_be_visible(timeout=20_000)
    card = client.locator("article.offer")
    expect(card).to_contain_text("$54.00")
    expect(card).to_contain_text("$60.00")
    both.client.check_page("offer")
    press(client, "Other terms")
    client.wait_for_url("**/counter/")
    both.client.check_page("offer-counter")
    client.get_by_label("What you would pay").fill("50.00")
    press(client, re.compile("^Propose to"))
    expect(client.get_by_role("heading", name="Your terms")).to_be_visible()
    expect(builder.get_by_role("heading", name="Noor’s terms")).to_be_visible(timeout=20_000)
    both.builder.check_page("offer-countered")
    press(builder, "Send it with these terms")
    accept = client.get_by_role("button", name=re.compile(r"^Accept and pay \$52\.75"))
    expect(accept).to_be_visible(timeout=20_000)
    accept.click()
    pay(client)
    client.wait_for_url("**/orders/**", timeout=60_000)
    expect(client.locator("main")).to_contain_text("$50.00")
    both.client.check_page("order-of-offer")
    expect(builder.get_by_text(re.compile("^Accepted$")).first).to_be_visible(timeout=20_000)
    both.builder.check_page("offer-accepted")
    builder.goto(thread.rstrip("/") + "/offer/")
    both.builder.check_page("offer-new")
    paid = "SELECT o.price FROM orders_order o JOIN orders_offer f ON f.order_id = o.id JOIN catalog_service s ON s.id = o.service_id"
    assert site.value(f"{paid} WHERE o.paid_at IS NOT NULL AND s.title = %s", f"Fast pages {both.tag}") == 50


def test_a_client_who_owes_answers_is_reminded_once(pair: Make, site: Site) -> None:
    both = pair("nudge", WAITING)
    client, builder = both.client.page, both.builder.page
    address = f"noor-{both.tag}@example.com"
    sweep = "from port444.orders.jobs import send_nudges; send_nudges()"

    def reminded() -> bool:
        """When the site's own sweep came across the order while it was being made, the reminder waits for a later one."""
        site.run(sweep)
        return any("Which page is slow?" in str(mail.get_body(("plain",))) for mail in site.mails(address))

    wait_until(reminded, 150, "the reminder")
    site.run(sweep)
    client.goto("/notifications/")
    expect(client.get_by_text(re.compile("Which page is slow"))).to_have_count(1)  # the newer one alone, after three days
    both.client.check_page("reminded")
    builder.goto(f"/orders/{both.printed}/")
    both.builder.check_page("order-unanswered")
    told = "SELECT n.kind, n.status FROM orders_nudge n JOIN orders_order o ON o.id = n.order_id WHERE o.number = %s ORDER BY n.kind"
    assert [tuple(row.values()) for row in site.rows(told, int(both.printed))] == [("answers_24h", "skipped"), ("answers_72h", "sent")]


def test_a_price_is_compared_while_it_is_typed(pair: Make) -> None:
    both = pair("price", SOLD)
    page = both.builder.page
    page.goto(f"/services/{both.printed}/")
    hint = page.locator("#basic-hint")
    expect(hint).to_contain_text("Half of the Basic packages")
    price = page.locator("#id_basic-price")
    price.fill("")
    price.press_sequentially("12")
    expect(hint).to_contain_text("Consider raising it")
    both.builder.check_page("price-low")
    price.fill("500")
    expect(hint).to_contain_text("Premium pricing")
    expect(page.locator("#standard-hint")).to_contain_text("Standard costs less than Basic")
    both.builder.check_page("price-high")
    price.fill("12")
    expect(hint).to_contain_text("Consider raising it")
    page.get_by_role("button", name=re.compile(r"^Use \$")).first.click()
    expect(price).not_to_have_value("12")
    expect(hint).to_contain_text("In the usual range")
    chosen = price.input_value()
    page.get_by_role("button", name=re.compile("^Save")).filter(visible=True).first.click()
    expect(page.locator("#id_basic-price")).to_have_value(chosen)


def test_a_builder_goes_away_and_a_client_objects(pair: Make, person: Callable[..., Person], site: Site) -> None:
    both = pair("away", WORKING)
    client, builder = both.client.page, both.builder.page
    order = f"/orders/{both.printed}/"
    before = site.value("SELECT due_at FROM orders_order WHERE number = %s", int(both.printed))
    today = datetime.now(UTC).date()
    builder.goto("/away/")
    both.builder.check_page("away-off")
    builder.locator("label.switch").first.click()
    builder.get_by_label("First day away").fill(today.isoformat())
    builder.get_by_label("Last day away").fill((today + timedelta(days=2)).isoformat())
    builder.get_by_label("What should people read?").fill("At a wedding, mostly without a laptop.")
    expect(builder.locator("#hit")).to_contain_text(f"Order {both.printed}")
    both.builder.check_page("away-preview")
    press(builder, re.compile("^Save"))
    expect(builder.get_by_role("heading", name="You are away")).to_be_visible()
    both.builder.check_page("away-runs")
    moved = "SELECT due_at FROM orders_order WHERE number = %s"
    assert site.value(moved, int(both.printed)) > before + timedelta(days=2)

    client.goto(f"/s/fast-pages-{both.tag}/")
    expect(client.get_by_text("At a wedding")).to_be_visible()
    both.client.check_page("service-away")
    client.get_by_role("button", name=re.compile("^Tell me when Priya is back")).filter(visible=True).first.click()
    expect(client.get_by_text(re.compile("We tell you once")).filter(visible=True).first).to_be_visible()

    client.goto(order)
    both.client.check_page("order-moved")
    client.get_by_text("That does not work for me").click()
    client.get_by_label("Why does the later date not work?").fill("Our launch is on Friday.")
    press(client, re.compile("^Send to Priya"))
    expect(client.get_by_role("heading", name="You object to the later date")).to_be_visible()
    builder.goto(order)
    expect(builder.get_by_text("Our launch is on Friday.").first).to_be_visible()
    both.builder.check_page("order-objected")
    press(builder, "Keep the earlier date")
    expect(builder.get_by_role("button", name="Keep the earlier date")).to_have_count(0)
    assert site.value(moved, int(both.printed)) == before

    builder.goto("/away/")
    press(builder, re.compile("^Come back now"))
    builder.locator("#confirm").get_by_role("button", name="Come back").click()
    expect(builder.get_by_text("Welcome back.", exact=True)).to_be_visible()
    both.builder.check_page("away-back")
    client.goto(f"/s/fast-pages-{both.tag}/")
    expect(client.get_by_role("button", name=re.compile("^Order")).filter(visible=True).first).to_be_visible()
    told = "SELECT count(*) FROM away_returnalert a JOIN accounts_user u ON u.id = a.user_id WHERE u.email = %s AND a.told_at IS NOT NULL"
    wait_for_schedules(site, lambda: site.value(told, f"noor-{both.tag}@example.com") == 1, 180, "the return is told")
