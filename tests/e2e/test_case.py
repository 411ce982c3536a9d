"""One case in the console, in a real browser on a real site: found by its number, looked at, and a part of the money given back by two people."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
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


@pytest.mark.parametrize("width", [1280, 390])
def test_a_case_from_search_to_an_approved_partial_refund(width: int, person: Callable[..., Person], site: Site) -> None:
    tag = f"case{width}"
    number = site.manage("shell", "-v0", "-c", (PEOPLE + CASE).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    agent = person(width)
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

    senior = person(width)
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
    client = person(width)
    client.sign_in(f"noor-{tag}@example.com", PASSWORD)
    client.page.goto(f"/orders/{number}/")
    expect(client.page.locator("main")).to_contain_text("$60.00")
    client.check_page("order-after-refund")
