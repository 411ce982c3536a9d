"""Looking through somebody's eyes, in a real browser: begun with a reason, under a banner, read-only, and seen by whom it was about."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Person
from tests.e2e.test_audit import SECRET, sign_in
from tests.e2e.test_quick_wins import PASSWORD, PEOPLE
from tests.realsite import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SEEN = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
mara = User.objects.create_user("mara-{tag}@example.com", {password!r}, name="Mara Tanaka", is_staff=True)
EmailAddress.objects.create(user=mara, email=mara.email, verified=True, primary=True)
mara.groups.set(Group.objects.filter(name="Agent"))
TOTP.activate(mara, {secret!r})
order = ordered()
actions.answer_requirements(order.pk, actor=noor, answers={{1: "The order list."}})
conversation = open_conversation(noor, priya, actor=noor)
send_message(conversation.pk, actor=noor, body="The password is swordfish", client_key=uuid4())
print(noor.pk, order.number, conversation.pk)
"""


def test_staff_look_and_the_person_can_read_that_they_did(person: Callable[..., Person], site: Site) -> None:
    tag = "look"
    said = site.run((PEOPLE + SEEN).format(tag=tag, password=PASSWORD, secret=SECRET)).strip().splitlines()[-1]
    noor, number, conversation = said.split()
    agent, client = person(1280), person(390)
    sign_in(agent, f"mara-{tag}@example.com")
    client.sign_in(f"noor-{tag}@example.com", PASSWORD)
    page = agent.page
    page.goto(f"/console/people/{noor}/view/")
    page.get_by_label("Reason").fill("She cannot find her order")
    page.get_by_label("Order, dispute, incident or plan").fill("the order")
    page.get_by_role("button", name="Start viewing").click()
    expect(page.get_by_text("Name what this is about by its number").first).to_be_visible()
    agent.check_page("viewing-refused-form")
    page.get_by_label("Order, dispute, incident or plan").fill(f"P4-{number}")
    page.get_by_role("button", name="Start viewing").click()
    page.wait_for_url(f"**/orders/{number}/")
    banner = page.get_by_role("complementary", name="Support viewing")
    expect(banner).to_contain_text("Viewing as Noor Haddad, read-only")
    expect(banner).to_contain_text("min left")
    assert page.locator("main button:enabled, main input:enabled:not([type=hidden]), main textarea:enabled").count() == 0
    agent.check_page("viewing-order")
    page.goto(f"/messages/{conversation}/")
    expect(banner).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("swordfish")
    agent.check_page("viewing-thread")
    page.goto("/settings/")
    expect(page.get_by_role("heading", name="This page is not part of a viewing")).to_be_visible()
    agent.check_page("viewing-refused")

    client.page.goto("/settings/devices/")
    expect(client.page.locator("main")).to_contain_text("Mara of support")
    expect(client.page.locator("main")).to_contain_text("still looking")
    client.check_page("devices-looked-at")

    page.goto("/console/")
    expect(page.get_by_role("complementary", name="Open viewing")).to_contain_text("You are viewing as Noor Haddad")
    agent.check_page("console-while-viewing")
    page.goto(f"/orders/{number}/")
    banner.get_by_role("button", name="End viewing").click()
    expect(page.get_by_role("heading", name="Mara Tanaka as Noor Haddad")).to_be_visible()
    agent.check_page("viewing-over")
    page.goto(f"/orders/{number}/")
    expect(banner).to_have_count(0)
    expect(page.get_by_role("heading", name="Fast pages")).to_have_count(0)
    client.page.reload()
    expect(client.page.locator("main")).not_to_contain_text("still looking")
    expect(client.page.locator("main")).to_contain_text("She cannot find her order")
    client.check_page("devices-afterwards")
