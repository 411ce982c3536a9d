"""Two people of the staff and a plan, in a real browser: asked for by one, looked at and agreed to by the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

STAFF = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
for name in ("Mara Tanaka", "Ines Duarte"):
    address = f"{{name.split()[0].lower()}}-{tag}@example.com"
    user = User.objects.create_user(address, {password!r}, name=name, is_staff=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    user.groups.set(Group.objects.filter(name="Security"))
    TOTP.activate(user, {secret!r})
print(noor.pk)
"""


def test_an_account_is_closed_by_one_and_opened_by_two(person: Callable[..., Person], site: Site) -> None:
    tag = "plan"
    noor = site.run((PEOPLE + STAFF).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    mara, ines = person(1280), person(390)
    sign_in(mara, f"mara-{tag}@example.com")
    page = mara.page

    # One person closes it: what it comes to is shown first.
    page.goto(f"/console/plans/new/macro/?macro=account_taken&person={noor}")
    mara.check_page("plan-draft")
    page.get_by_label("What the person is told").fill("Somebody else may have your password. Write to us.")
    page.get_by_label("Reason", exact=True).fill("Ticket 5531: three new devices in an hour, the owner called.")
    page.get_by_role("button", name="Work out the figures").click()
    expect(page.get_by_role("heading", name="Account in wrong hands: hold and suspend")).to_be_visible()
    mara.check_page("plan-preview")
    page.get_by_role("button", name="Do it now").click()
    expect(page.get_by_text("Executed", exact=True).first).to_be_visible()
    mara.check_page("plan-done")

    # Two people open it.
    page.goto(f"/console/plans/new/macro/?macro=account_back&person={noor}")
    page.get_by_label("Reason", exact=True).fill("She proved who she is.")
    page.get_by_role("button", name="Work out the figures").click()
    page.get_by_role("button", name="Freeze and ask").click()
    expect(page.get_by_text("Waiting for a second person")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    url = page.url

    sign_in(ines, f"ines-{tag}@example.com")
    ines.page.goto("/console/plans/")
    ines.check_page("plans")
    ines.page.goto(url)
    expect(ines.page.get_by_text("computed again just now: the same")).to_be_visible()
    ines.check_page("plan-asked")
    ines.page.get_by_role("button", name="Approve").click()
    expect(ines.page.get_by_text("Approved and done.")).to_be_visible()
    ines.page.goto("/console/actions/")
    expect(ines.page.get_by_text("Reinstated Noor Haddad").first).to_be_visible()
    ines.check_page("actions")
