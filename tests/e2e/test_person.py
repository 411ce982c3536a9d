"""A person in the console, in a real browser on a real site: every panel comes by itself, one that fails says so, and nothing needs a script."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest
from playwright.sync_api import expect

from tests.copies import libpq
from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

KNOWN = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from port444.orders.models import DisputeReason
from port444.payments.actions import Grant, issue_credit
from port444.payments.models import CreditSource
mara = User.objects.create_user("mara-{tag}@example.com", {password!r}, name="Mara Tanaka", is_staff=True)
EmailAddress.objects.create(user=mara, email=mara.email, verified=True, primary=True)
mara.groups.set(Group.objects.filter(name__in=["Senior agent", "Security"]))
TOTP.activate(mara, {secret!r})
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
issue_credit(noor, Grant(Decimal("25.00"), CreditSource.ADMIN, "Sorry for the wait"), actor=mara)
actions.open_dispute(order.pk, actor=noor, client_key=uuid4(), reason=DisputeReason.LATE, claim="Two days late.", to_client=Decimal("6.00"))
print(noor.pk)
"""
PANELS = ("Disputes", "Threads", "Credits", "Withdrawals", "Calls", "Amendments", "Incidents", "Audit", "Support actions")


def known(site: Site, tag: str) -> str:
    return site.run((PEOPLE + KNOWN).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]


def test_every_panel_comes_by_itself(person: Callable[..., Person], site: Site) -> None:
    tag = "panels"
    noor = known(site, tag)
    staff = person(1280)
    sign_in(staff, f"mara-{tag}@example.com")
    page = staff.page
    page.goto(f"/console/people/{noor}/")
    payments = page.get_by_role("region", name="Payments of Noor Haddad")
    expect(payments.get_by_role("row")).to_have_count(2)  # asked for as soon as the page is there
    staff.check_page("person")
    for name in PANELS:
        panel = page.locator("details.panel").filter(has_text=re.compile(rf"^\s*{name}\b"))
        panel.locator("summary").click()
        inside = panel.locator(".in")
        expect(inside).to_be_visible()
        expect(inside.get_by_role("link", name=f"Open {name.lower()}")).to_have_count(0)
        expect(inside).not_to_contain_text("could not be loaded")
    expect(page.get_by_role("region", name="Credits of Noor Haddad")).to_contain_text("25.00")
    expect(page.get_by_role("region", name="Disputes of Noor Haddad")).to_contain_text("Late")
    expect(page.get_by_role("region", name="Threads of Noor Haddad")).to_contain_text("text hidden")
    staff.check_page("person-all-panels")


def test_a_panel_that_fails_says_so_and_can_be_asked_again(person: Callable[..., Person], site: Site) -> None:
    tag = "panelfails"
    noor = known(site, tag)
    staff = person()
    sign_in(staff, f"mara-{tag}@example.com")
    page = staff.page
    page.goto(f"/console/people/{noor}/")
    expect(page.get_by_role("region", name="Payments of Noor Haddad")).to_be_visible()
    panel = page.locator("details.panel").filter(has_text="Amendments")
    with psycopg.connect(libpq(site.environment["DATABASE_OWNER_URL"])) as database:
        database.execute("LOCK TABLE amendments_amendment IN ACCESS EXCLUSIVE MODE")  # nobody reads it until this is undone
        panel.locator("summary").click()
        expect(panel.get_by_role("alert")).to_contain_text("Amendments could not be loaded", timeout=20_000)
        staff.check_page("person-failed-panel")
        page.locator("details.panel").filter(has_text="Credits").locator("summary").click()
        expect(page.get_by_role("region", name="Credits of Noor Haddad")).to_contain_text("25.00")
        database.rollback()
    panel.get_by_role("link", name="Try again").click()
    expect(panel.get_by_role("alert")).to_have_count(0)
    expect(panel).to_contain_text("None.")


def test_without_a_script_panels_are_pages(person: Callable[..., Person], site: Site) -> None:
    tag = "plainpanels"
    noor = known(site, tag)
    staff = person()
    sign_in(staff, f"mara-{tag}@example.com")
    browser = staff.context.browser
    assert browser is not None
    context = browser.new_context(base_url=site.url, java_script_enabled=False, storage_state=staff.context.storage_state())
    page = context.new_page()
    page.goto(f"/console/people/{noor}/")
    page.get_by_role("link", name="Open payments").click()
    expect(page.get_by_role("heading", name="Payments of Noor Haddad")).to_be_visible()
    page.go_back()
    page.locator("details.panel").filter(has_text="Credits").locator("summary").click()
    page.get_by_role("link", name="Open credits").click()
    expect(page.get_by_role("region", name="Credits of Noor Haddad")).to_contain_text("25.00")
    context.close()
