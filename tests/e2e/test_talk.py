"""Two people talk, each at a browser of their own; and what is told arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import FilePayload, expect

from tests.e2e.conftest import WIDTHS, Person
from tests.realsite import Site, running, wait_until

pytestmark = pytest.mark.browser

PASSWORD = "harbour-light-44"
MAKE = f"""
from datetime import time
from uuid import uuid4
from allauth.account.models import EmailAddress
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.messaging.actions import open_conversation, send_message
from port444.notifications.models import QuietHours
people = []
for address, name, is_builder in (("noor@example.com", "Noor Haddad", False), ("anaya@example.com", "Anaya Krishnan", True)):
    user = User.objects.create_user(address, {PASSWORD!r}, name=name, is_builder=is_builder)
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    QuietHours.objects.create(user=user, enabled=False)
    people.append(user)
Builder.objects.create(user=people[1], slug="anaya-krishnan", headline="Django and Postgres performance")
conversation = open_conversation(*people, actor=people[0])
for number in range(30):
    send_message(conversation.pk, actor=people[number % 2], body=f"Line {{number}}", client_key=uuid4())
print(conversation.pk)
"""
TELL = """
from port444.accounts.models import User
from port444.notifications.actions import notify
from port444.notifications.jobs import sweep
from port444.notifications.models import Delivery
noor = User.objects.get(email="noor@example.com")
for _ in range(2):
    notify(noor, "message.received", title="Anaya wrote to you", body="Hello", url="/messages/", dedupe_key="once")
Delivery.objects.filter(notification__dedupe_key="once").update(due_at="2020-01-01T00:00Z")
sweep()
sweep()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("talk"), seeded=False, MESSAGES_A_MINUTE="60") as served:
        served.manage("shell", "-v0", "-c", MAKE)
        yield served


@pytest.fixture
def thread(site: Site) -> str:
    return f"/messages/{site.value('SELECT id FROM messaging_conversation')}/"


def test_news_arrive_while_the_other_one_types(person: Callable[..., Person], thread: str) -> None:
    anaya, noor = person(), person(390)
    for somebody, address in ((anaya, "anaya@example.com"), (noor, "noor@example.com")):
        somebody.sign_in(address, PASSWORD)
        somebody.page.goto(thread)
    anaya.page.fill("#id_body", "half a thought")
    anaya.page.focus("#id_body")
    noor.page.fill("#id_body", "Here is the plan")
    plan = FilePayload(name="plan.txt", mimeType="text/plain", buffer=b"Seq Scan")
    noor.page.set_input_files("#composer [type=file]", plan)
    expect(noor.page.locator("#composer [data-files]")).to_have_text("plan.txt")
    noor.page.click("#composer button[type=submit]")
    expect(noor.page.get_by_text("Here is the plan")).to_have_count(1)
    expect(noor.page.locator("#id_body")).to_have_value("")
    news = anaya.page.locator(".msg", has_text="Here is the plan")
    expect(news).to_have_count(1, timeout=10_000)
    expect(news).to_be_in_viewport()
    expect(news.get_by_text("plan.txt")).to_be_visible()
    expect(anaya.page.locator("#said")).to_have_text("Noor wrote: Here is the plan")
    expect(anaya.page.locator("#id_body")).to_have_value("half a thought")
    expect(anaya.page.locator("#id_body")).to_be_focused()
    expect(noor.page.locator(".tail .seen")).to_be_visible(timeout=10_000)
    with anaya.page.expect_download() as download:
        news.get_by_text("plan.txt").click()
    assert download.value.path().read_bytes() == b"Seq Scan"


def test_a_refused_file_leaves_the_text_where_it_is(person: Callable[..., Person], thread: str) -> None:
    noor = person()
    noor.sign_in("noor@example.com", PASSWORD)
    noor.page.goto(thread)
    noor.page.fill("#id_body", "A tool for you")
    noor.page.set_input_files("#composer [type=file]", FilePayload(name="tool.exe", mimeType="text/plain", buffer=b"MZ"))
    noor.page.press("#id_body", "Control+Enter")
    expect(noor.page.locator("#composer-error")).to_contain_text("Files of this kind cannot be sent")
    expect(noor.page.locator("#id_body")).to_have_value("A tool for you")


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_of_talk(person: Callable[..., Person], thread: str, width: int) -> None:
    anaya = person(width)
    anaya.sign_in("anaya@example.com", PASSWORD)
    for path in ("/messages/", thread, "/notifications/", "/settings/notifications/", "/dev/outbox/"):
        anaya.page.goto(path)
        anaya.check_page(path.strip("/").replace("/", "-"))


def test_a_mail_goes_out_once_and_can_be_stopped_signed_out(person: Callable[..., Person], site: Site) -> None:
    site.manage("shell", "-v0", "-c", TELL)
    wait_until(lambda: site.value("SELECT count(*) FROM notifications_delivery WHERE status = 'sent'"), 15, "the mail is sent")
    found = [mail for mail in site.mails("noor@example.com") if mail["Subject"] == "Anaya wrote to you" and "Hello" in str(mail)]
    assert len(found) == 1
    somebody = person()
    somebody.page.goto(found[0]["List-Unsubscribe"].strip("<>"))
    somebody.check_page("stop")
    somebody.page.get_by_role("button", name="Stop these mails").click()
    expect(somebody.page.get_by_role("heading", name="No more mails about messages")).to_be_visible()
