"""The audit log as staff use it, in a real browser on a real site: found, read, followed, and taken away as a file."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_main_job import press
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PERIOD = 30  # seconds for which a code is good
HISTORY = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from port444.accounts.actions import suspend
mara = User.objects.create_user("mara-{tag}@example.com", {password!r}, name="Mara Tanaka", is_staff=True)
EmailAddress.objects.create(user=mara, email=mara.email, verified=True, primary=True)
mara.groups.set(Group.objects.filter(name__in=["Senior agent", "Finance"]))
TOTP.activate(mara, {secret!r})
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
suspend(noor.pk, actor=mara, reason="Paid with a stolen wallet, tag {tag}")
# Past the actions, as somebody at a prompt would do it.
Order.objects.filter(pk=order.pk).update(price="1.00")
from auditlog import jobs as log
log.seal()
log.index()
print(order.number, order.pk)
"""


def code() -> str:
    """What the authenticator app shows now, or next when that is about to end."""
    if (left := PERIOD - time.time() % PERIOD) < 5:
        time.sleep(left)
    return str(format_hotp_value(hotp_value(SECRET, next(iter(yield_hotp_counters_from_time())))))


def sign_in(staff: Person, address: str) -> None:
    staff.sign_in(address, PASSWORD)
    staff.page.wait_for_url("**/2fa/authenticate/**")
    staff.page.fill("input[name=code]", code())
    staff.page.click("main button[type=submit]")
    staff.page.wait_for_url(lambda url: "/2fa/" not in url)


def test_staff_find_out_what_happened_to_an_order(person: Callable[..., Person], site: Site, tmp_path: Path) -> None:
    tag = "log"
    told = site.run((PEOPLE + HISTORY).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    number, order = told.split()
    staff = person(1280)
    sign_in(staff, f"mara-{tag}@example.com")
    page = staff.page

    page.goto("/console/audit/")
    expect(page.get_by_role("heading", name="Audit log", exact=True)).to_be_visible()
    staff.check_page("audit")

    # All of one order, by the number that people say.
    page.get_by_label("Target or request").fill(number)
    press(page, "Filter")
    expect(page.locator("main")).to_contain_text("order.placed")
    expect(page.locator("main")).to_contain_text("order.started")
    for address in page.locator("main tbody td a:not(.tog)").all():
        assert order in (address.get_attribute("href") or "")

    # The change that no action made has the name of nobody, what it was before, and what after.
    page.get_by_label("Severity").select_option("Warning and up")
    press(page, "Filter")
    row = page.get_by_role("row").filter(has_text="row.updated").first
    expect(row).to_contain_text("Warning")
    row.get_by_role("link", name=re.compile("^Open row.updated")).click()
    change = page.get_by_role("row", name=re.compile("^price "))
    expect(change).to_contain_text("60.00")
    expect(change).to_contain_text("1.00")
    staff.check_page("audit-row")

    # What a person did is found by the words of the reason, and taken away as a file.
    page.goto("/console/audit/")
    page.get_by_text("More filters").click()
    page.get_by_label("Words").fill(f"stolen wallet {tag}")
    press(page, "Filter")
    expect(page.get_by_role("row").filter(has_text=f"mara-{tag}@example.com").first).to_contain_text("user.suspended")
    with page.expect_download() as download:
        press(page, "Export these rows")
    download.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {one["event_type"] for one in rows} >= {"user.suspended"}
    assert all(tag in "".join(one.values()) for one in rows)

    # Reading is in the log itself, and nothing is found where nothing is.
    page.goto(f"/console/audit/?actor=mara-{tag}@example.com&category=administrative")
    expect(page.locator("main")).to_contain_text("audit.read")
    page.goto(f"/console/audit/?words=quincunx-{tag}")  # which this look puts into the log
    expect(page.get_by_text("No row is like this.")).to_be_visible()
    staff.check_page("audit-empty")


def test_the_log_is_not_there_for_others(person: Callable[..., Person], site: Site) -> None:
    site.run(PEOPLE.format(tag="curious", password=PASSWORD))
    client = person(1280)
    client.sign_in("noor-curious@example.com", PASSWORD)
    answer = client.page.goto("/console/audit/")
    assert answer is not None
    assert answer.status == 404
