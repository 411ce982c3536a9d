"""A dispute in real browsers: opened by one side, read by the other, and worked out by support."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
from tests.e2e.test_main_job import press
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE, Pair, pair
from tests.realsite import Site

__all__ = ["pair"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

DELIVERED = """
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
actions.deliver(order.pk, actor=priya, note="The list takes 200 ms now.")
print(order.number)
"""
WITH_SUPPORT = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from port444.orders.models import DisputeReason
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
actions.deliver(order.pk, actor=priya, note="The list takes 200 ms now.")
dispute = actions.open_dispute(order.pk, actor=noor, client_key=uuid4(), reason=DisputeReason.NOT_AS_AGREED, claim="It is slow for big customers.",
    to_client=Decimal("45.00"))
actions.answer_dispute(dispute.pk, actor=priya, answer="The agreement names the list, and the list is fast.", offer=Decimal("10.00"))
actions.escalate_dispute(dispute.pk, actor=noor)
ines = User.objects.create_user("ines-{tag}@example.com", {password!r}, name="Ines Duarte", is_staff=True)
EmailAddress.objects.create(user=ines, email=ines.email, verified=True, primary=True)
ines.groups.set(Group.objects.filter(name="Senior agent"))
TOTP.activate(ines, {secret!r})
print(dispute.number)
"""


def test_both_sides_meet_it(pair: Callable[[str, str], Pair]) -> None:
    two = pair("dispute", DELIVERED)
    client, builder = two.client.page, two.builder.page
    client.goto(f"/orders/{two.printed}/")
    client.locator("#problem").get_by_role("link", name="Open a dispute").click()
    expect(client.locator("main")).to_contain_text("$60.00")
    press(client, "Open the dispute")
    expect(client.get_by_text("Choose what is wrong.").first).to_be_visible()
    two.client.check_page("dispute-with-errors")
    client.get_by_label("Not as agreed").check()
    client.get_by_label("What happened").fill("It is slow for big customers, as it was before.")
    client.get_by_label("Back to you").fill("45")
    client.get_by_label("Evidence").set_input_files({"name": "timings.txt", "mimeType": "text/plain", "buffer": b"4.1 s"})
    press(client, "Open the dispute")
    expect(client.get_by_role("heading", name=re.compile("^Dispute D-"))).to_be_visible()
    two.client.check_page("dispute")
    here = client.url.split("#")[0]
    builder.goto(f"/orders/{two.printed}/")
    expect(builder.locator("#helm")).to_contain_text("Answer Noor’s dispute by")
    two.builder.check_page("order-in-dispute")
    builder.goto(here)
    two.builder.check_page("dispute-to-answer")


def test_support_works_a_decision_out(person: Callable[..., Person], site: Site) -> None:
    tag = "ruling"
    text = (PEOPLE + WITH_SUPPORT).format(tag=tag, password=PASSWORD, secret=SECRET)
    number = site.run(text).strip().splitlines()[-1]
    staff = person(390)
    sign_in(staff, f"ines-{tag}@example.com")
    page = staff.page
    page.goto("/console/queues/disputes/")
    page.get_by_role("link", name=f"D-{number}").click()
    expect(page.locator("main")).to_contain_text("It is slow for big customers.")
    staff.check_page("console-dispute")
    page.get_by_label("Back to the client").fill("61")
    press(page, "See what it comes to")
    expect(page.locator("#decide")).to_contain_text("That is more than")
    staff.check_page("console-dispute-with-errors")
    page.get_by_label("Back to the client").fill("20")
    page.get_by_label("Decision").fill("The list is fast; the customer page was named in the answers.")
    page.get_by_label("For colleagues").fill("Timings of both sides agree.")
    press(page, "See what it comes to")
    expect(page.locator("#content-main")).to_contain_text("What it comes to")
    expect(page.locator("#content-main")).to_contain_text("36.00")
    staff.check_page("console-dispute-draft")
    press(page, "Ask for approval")
    expect(page.locator("#decide")).to_contain_text("Waiting for approval")
    staff.check_page("console-dispute-waiting")


def test_without_a_script(person: Callable[..., Person], site: Site) -> None:
    """The forms are plain: everything is sent and shown by the pages alone."""
    tag = "plaindispute"
    number = site.run((PEOPLE + DELIVERED).format(tag=tag, password=PASSWORD)).strip().splitlines()[-1]
    browser = person().context.browser
    assert browser is not None
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/account/login/")
    page.fill("input[name=login]", f"noor-{tag}@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.goto(f"/orders/{number}/dispute/")
    page.get_by_label("Late").check()
    page.get_by_label("What happened").fill("Two days late.")
    page.get_by_label("Back to you").fill("6")
    page.get_by_role("button", name="Open the dispute").click()
    expect(page.get_by_role("heading", name=re.compile("^Dispute D-"))).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator("#now")).to_contain_text("Withdrawn")
    context.close()
