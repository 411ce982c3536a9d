"""The console's first page, its queues, its search and its records, in a real browser on a real site."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LATE = """
from datetime import timedelta
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from port444.kit.clock import now
mara = User.objects.create_user("mara-{tag}@example.com", {password!r}, name="Mara Tanaka", is_staff=True)
EmailAddress.objects.create(user=mara, email=mara.email, verified=True, primary=True)
mara.groups.set(Group.objects.filter(name="Agent"))
TOTP.activate(mara, {secret!r})
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
Order.objects.filter(pk=order.pk).update(due_at=now() - timedelta(days=40))
print(order.number)
"""


def test_an_agent_sees_what_waits_and_finds_whom_it_is_about(person: Callable[..., Person], site: Site) -> None:
    tag = "desk"
    number = site.run((PEOPLE + LATE).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    staff = person(1280)
    sign_in(staff, f"mara-{tag}@example.com")
    page = staff.page
    page.goto("/console/")
    expect(page.get_by_role("heading", name="What needs you")).to_be_visible()
    expect(page.get_by_role("link", name="Audit", exact=True)).to_have_count(0)  # an agent may not read the log
    staff.check_page("console-home")

    page.get_by_role("link", name=re.compile("^Late orders")).click()
    expect(page.get_by_role("heading", name="Late orders")).to_be_visible()
    expect(page.get_by_role("link", name=f"P4-{number}", exact=True)).to_be_visible()
    staff.check_page("console-queue")
    page.get_by_role("link", name="In time", exact=True).click()
    page.wait_for_url("**/?state=good")
    expect(page.get_by_role("link", name=f"P4-{number}", exact=True)).to_have_count(0)

    # By keys alone: the field, what it finds, and away again.
    page.keyboard.press("/")
    expect(page.get_by_label("Find a person")).to_be_focused()
    page.keyboard.type(f"noor-{tag}")
    results = page.locator("#results")
    expect(results.get_by_role("link").first).to_contain_text(f"noor-{tag}@example.com")
    page.keyboard.press("ArrowDown")
    expect(results.get_by_role("link").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Find a person")).to_be_focused()
    page.keyboard.press("Escape")
    expect(results.get_by_role("link")).to_have_count(0)
    page.get_by_label("Find a person").fill(f"noor-{tag}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("found by"))).to_be_visible()
    staff.check_page("console-search")
    page.goto(f"/console/search/?q=P4-{number}")
    expect(page.locator("main").get_by_role("link", name=re.compile(f"P4-{number}"))).to_be_visible()

    # The stock pages wear the same look, and nothing on them can be written.
    page.get_by_role("link", name="Records", exact=True).click()
    expect(page.get_by_role("heading", name="Records")).to_be_visible()
    staff.check_page("console-records")
    page.goto("/console/orders/order/")
    staff.check_page("console-orders")
    page.locator("#result_list").get_by_role("link", name=number, exact=True).click()
    expect(page.get_by_text("A record, to look at only")).to_be_visible()
    expect(page.locator("main input:visible, main textarea:visible, main select:visible")).to_have_count(0)
    staff.check_page("console-order")
