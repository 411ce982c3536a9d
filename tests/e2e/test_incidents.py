"""Work on incidents in a real browser: taken, looked into, decided, and with the drawing of who shares what."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
from tests.e2e.test_main_job import press
from tests.e2e.test_quick_wins import PASSWORD
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]
SHOTS = Path(os.environ["PORT444_SHOTS"]) if "PORT444_SHOTS" in os.environ else None

RING = """
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from auditlog.actions import Finding, Reason, take_finding
from auditlog.models import IncidentLog
from port444.accounts.models import User
ines = User.objects.create_user("ines-{tag}@example.com", {password!r}, name="Ines Duarte", is_staff=True)
EmailAddress.objects.create(user=ines, email=ines.email, verified=True, primary=True)
ines.groups.set(Group.objects.filter(name="Security"))
TOTP.activate(ines, {secret!r})
ring = IncidentLog.objects.get(fingerprint="multi_account:demo")
values = {{name: getattr(ring, name) for name in ("incident_type", "severity", "confidence", "description", "user_id", "related_users", "pattern",
    "potential_loss", "evidence", "detector")}}
made = take_finding(Finding(fingerprint="multi_account:{tag}", reasons=[Reason(**one) for one in ring.reasons], **values)).incident
print(IncidentLog.objects.get(pk=made.pk).number)
"""


def test_an_incident_is_worked_off(person: Callable[..., Person], site: Site) -> None:
    tag = "ring"
    number = site.run(RING.format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    staff = person()
    sign_in(staff, f"ines-{tag}@example.com")
    page = staff.page
    page.goto("/console/incidents/")
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    staff.check_page("incidents", SHOTS)
    page.goto(f"/console/incidents/{number}/")
    expect(page.get_by_role("heading", name="Four builders, one payout wallet")).to_be_visible()
    drawing, table = page.get_by_role("img", name="Who shares what"), page.get_by_role("region", name="What is shared")
    expect(table).to_be_visible()
    expect(drawing).to_be_visible()
    assert inside(page.evaluate(WORDS_OF_DRAWING)) == []
    staff.resize(390)
    expect(drawing).to_be_hidden()  # the table says the same
    staff.resize(1280)
    staff.check_page("incident", SHOTS)

    press(page, "Take it")
    expect(page.locator("main")).to_contain_text("You have it")
    page.get_by_role("button", name="Do they order from each other?").click()
    expect(page.locator("aside")).to_contain_text("1 of 4")
    page.get_by_label("Note").fill("Asked all four for their papers.")
    press(page, "Write it down")
    expect(page.locator(".tl")).to_contain_text("Asked all four for their papers.")

    page.get_by_label("False positive").check()
    expect(page.get_by_label("Keep it quiet for")).to_be_visible()
    expect(page.get_by_label("What they read")).to_be_hidden()
    page.get_by_label("Warn").check()
    expect(page.get_by_label("What they read")).to_be_visible()
    press(page, "Record decision")
    expect(page.locator("#decide")).to_contain_text("Choose what you found")
    staff.check_page("incident-with-errors", SHOTS)
    page.get_by_label("False positive").check()
    page.get_by_label("What you found").select_option(label="Same household")
    page.get_by_label("Reason").last.fill("One family; all papers differ.")
    press(page, "Record decision")
    expect(page.locator("#decide")).to_contain_text("One family; all papers differ.")
    staff.check_page("incident-closed", SHOTS)

    page.goto("/console/suppressions/")
    expect(page.locator("main")).to_contain_text("One family; all papers differ.")
    staff.check_page("suppressions", SHOTS)
    page.goto("/console/detectors/")
    staff.check_page("detectors", SHOTS)
    page.locator("main").get_by_role("link", name="Linked accounts", exact=True).click()
    expect(page.get_by_role("heading", name="What it works with")).to_be_visible()
    page.get_by_label("Staff are told from").fill("65")
    page.get_by_label("Reason").fill("Fewer of them.")
    press(page, "Keep as a draft")
    expect(page.locator("main")).to_contain_text(re.compile(r"Staff are told from\s*55 of 100\s*65 of 100"))
    staff.check_page("detector", SHOTS)


# Where each word of the drawing lies, and where the drawing does.
WORDS_OF_DRAWING = """() => {
  const svg = document.querySelector('.graph svg'), all = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
    .map(([words, box]) => [words, box.left - all.left, all.right - box.right, box.top - all.top, all.bottom - box.bottom]);
}"""


def inside(words: list[list[object]]) -> list[list[object]]:
    """The words that stick out of the drawing."""
    assert words
    return [row for row in words if any(isinstance(room, int | float) and room < 0 for room in row[1:])]
