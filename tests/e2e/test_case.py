"""One case in the console, in a real browser on a real site: found, looked at, and a part of the money given back by two people. Once with
the mouse, once with the keys alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, code, sign_in
from tests.e2e.test_keyboard import SEEN
from tests.e2e.test_main_job import press
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE
from tests.realsite import Site, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

CASE = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
for name, group in (("Mara Tanaka", "Agent"), ("Ines Duarte", "Senior agent")):
    address = f"{{name.split()[0].lower()}}-{tag}@example.com"
    member = User.objects.create_user(address, {password!r}, name=name, is_staff=True)
    EmailAddress.objects.create(user=member, email=address, verified=True, primary=True)
    member.groups.set([Group.objects.get(name=group)])
    TOTP.activate(member, {secret!r})
placed = actions.place_order(service.packages.get(tier="standard").pk, actor=noor, client_key=uuid4())
pay_with_test_wallet(placed.invoice_id, actor=noor)
actions.answer_requirements(placed.pk, actor=noor, answers={{1: "The order list."}})
print(placed.number)
"""
REFUND = """
SELECT o.price, r.amount, r.status, n.number AS note FROM orders_order o JOIN payments_invoice i ON i.id = o.invoice_id
  JOIN payments_payment p ON p.invoice_id = i.id JOIN payments_refund r ON r.payment_id = p.id JOIN payments_invoice n ON n.id = r.credit_note_id
 WHERE o.number = %s
"""


def test_a_case_from_search_to_an_approved_partial_refund(person: Callable[..., Person], site: Site) -> None:
    tag = "case"
    number = site.run((PEOPLE + CASE).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    agent = person(1280)
    sign_in(agent, f"mara-{tag}@example.com")
    page = agent.page

    page.goto("/console/")
    expect(page.get_by_role("heading", name="What needs you")).to_be_visible()
    agent.check_page("console-home")
    page.keyboard.press("/")
    page.keyboard.type(f"noor-{tag}@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search/**")
    agent.check_page("console-search")
    page.locator("main .res a").filter(has_text="Noor Haddad").first.click()
    expect(page.get_by_role("heading", name="Noor Haddad")).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"P4-{number}")
    agent.check_page("console-person")

    page.goto(f"/console/orders/{number}/")
    agent.check_page("console-order")
    page.get_by_role("link", name=re.compile("^Refund")).first.click()
    page.get_by_label("How much, USDC").fill("120.00")
    page.get_by_label("What the credit note says").select_option("Less was done than agreed")
    page.get_by_label("Reason", exact=True).fill(f"Two of five pages were done, says Noor, {tag}")
    press(page, "Work out the figures")
    expect(page.locator("main")).to_contain_text("Draft, nothing has happened")
    agent.check_page("console-plan")
    press(page, "Freeze and ask")
    expect(page.locator("main")).to_contain_text("Waiting for a second person")
    expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    asked = page.url
    assert site.rows(REFUND, int(number)) == []

    senior = person(390)
    sign_in(senior, f"ines-{tag}@example.com")
    page = senior.page
    page.goto("/console/plans/?which=waiting")
    senior.check_page("console-plans")
    page.goto(asked)
    page.get_by_label("Note (optional)").fill("Agreed with the builder.")
    senior.check_page("console-approval")
    page.get_by_role("button", name=re.compile(r"^Approve 126\.60 USDC")).click()
    expect(page.locator("main")).to_contain_text("Executed")
    senior.check_page("console-executed")
    wait_until(lambda: [row["status"] for row in site.rows(REFUND, int(number))] == ["completed"], 60, "the refund was not sent")
    (row,) = site.rows(REFUND, int(number))
    assert row["price"] == 60
    assert row["amount"] == Decimal("126.60")  # with its part of the service fee

    # What they did is in the list of acts, and the client has the credit note.
    page.goto("/console/actions/")
    expect(page.locator("main")).to_contain_text("Mara Tanaka")
    senior.check_page("console-actions")
    client = person(390)
    client.sign_in(f"noor-{tag}@example.com", PASSWORD)
    client.page.goto(f"/orders/{number}/")
    expect(client.page.locator("main")).to_contain_text("$60.00")
    client.check_page("order-after-refund")


MOST_TABS = 90


class Keys:
    """Somebody without a mouse. What has the focus is seen at every step, or the test fails."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, target: Locator) -> None:
        """Tab on until it has the focus."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            lost = self.page.evaluate(SEEN)
            assert lost in ("", "nothing"), f"nobody sees where the focus is: {lost}"
            if target.count() and target.first.evaluate("node => node === document.activeElement"):
                return
        raise AssertionError(f"{MOST_TABS} tabs do not lead to {target}")

    def type(self, target: Locator, text: str) -> None:
        self.to(target)
        self.page.keyboard.type(text)

    def press(self, target: Locator) -> None:
        self.to(target)
        self.page.keyboard.press("Enter")

    def sign_in(self, address: str) -> None:
        self.page.goto("/account/login/")
        if not self.page.locator("input[name=login]").evaluate("node => node === document.activeElement"):
            self.to(self.page.locator("input[name=login]"))
        self.page.keyboard.type(address)
        self.type(self.page.locator("input[name=password]"), PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/2fa/authenticate/**")
        field = self.page.locator("input[name=code]")
        if not field.evaluate("node => node === document.activeElement"):
            self.to(field)
        self.page.keyboard.type(code())
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/2fa/" not in url)


def test_the_same_with_the_keys_alone(person: Callable[..., Person], site: Site) -> None:
    tag = "casekeys"
    number = site.run((PEOPLE + CASE).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    page = person().page
    agent = Keys(page)
    agent.sign_in(f"mara-{tag}@example.com")
    page.goto("/console/")
    page.keyboard.press("/")
    page.keyboard.type(f"noor-{tag}@")
    found = page.locator("#results").get_by_role("link")
    expect(found.filter(has_text=f"noor-{tag}@example.com").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(found.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Noor Haddad")).to_be_visible()
    agent.press(page.locator("main").get_by_role("link", name=f"P4-{number}", exact=True))
    expect(page.get_by_role("heading", name=f"Fast pages {tag}")).to_be_visible()
    agent.press(page.get_by_role("link", name=re.compile("^Refund")))
    page.wait_for_url("**/plans/new/refund_manual/**")
    agent.type(page.get_by_label("How much, USDC"), "120")
    agent.type(page.get_by_label("What the credit note says"), "Less was")
    agent.type(page.get_by_label("Reason", exact=True), "Two of five pages were done, says Noor")
    agent.press(page.get_by_role("button", name="Work out the figures"))
    expect(page.locator("main")).to_contain_text("Draft, nothing has happened")
    agent.press(page.get_by_role("button", name="Freeze and ask"))
    expect(page.locator("main")).to_contain_text("Waiting for a second person")
    asked = re.search(r"A-\d+", page.title())
    assert asked

    page = person().page
    senior = Keys(page)
    senior.sign_in(f"ines-{tag}@example.com")
    page.goto("/console/")
    page.keyboard.press("/")
    page.keyboard.type(asked[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search/**")
    senior.press(page.locator("main .res a").filter(has_text=asked[0]))
    page.wait_for_url(f"**/console/plans/{asked[0].removeprefix('A-')}/")
    senior.type(page.get_by_label("Note (optional)"), "Agreed.")
    senior.press(page.get_by_role("button", name=re.compile(r"^Approve 126\.60 USDC")))
    expect(page.locator("main")).to_contain_text("Executed")
    wait_until(lambda: [row["status"] for row in site.rows(REFUND, int(number))] == ["completed"], 60, "the refund was not sent")
