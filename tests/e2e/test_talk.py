"""Two people talk, each at a browser of their own; and what is told arrives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.e2e.conftest import Person
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
        served.run(MAKE)
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
        news.get_by_role("link", name="Download plan.txt").click()
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


def test_pages_of_talk(person: Callable[..., Person], thread: str) -> None:
    anaya = person()
    anaya.sign_in("anaya@example.com", PASSWORD)
    for path in ("/messages/", thread, "/notifications/", "/settings/notifications/", "/dev/outbox/"):
        anaya.page.goto(path)
        anaya.check_page(path.strip("/").replace("/", "-"))


def test_a_mail_goes_out_once_and_can_be_stopped_signed_out(person: Callable[..., Person], site: Site) -> None:
    site.run(TELL)
    wait_until(lambda: site.value("SELECT count(*) FROM notifications_delivery WHERE status = 'sent'"), 15, "the mail is sent")
    found = [mail for mail in site.mails("noor@example.com") if mail["Subject"] == "Anaya wrote to you" and "Hello" in str(mail)]
    assert len(found) == 1
    somebody = person()
    somebody.page.goto(found[0]["List-Unsubscribe"].strip("<>"))
    somebody.check_page("stop")
    somebody.page.get_by_role("button", name="Stop these mails").click()
    expect(somebody.page.get_by_role("heading", name="No more mails about messages")).to_be_visible()


SENT_BY_NOOR = """
from uuid import uuid4
from port444.accounts.models import User
from port444.messaging.actions import send_message
from port444.messaging.models import Conversation
send_message(Conversation.objects.get().pk, actor=User.objects.get(email="noor@example.com"), body="Are you there?", client_key=uuid4())
"""


class Clock:
    """The clock of a page, and how often it asked for an address meanwhile. Nothing passes but what `run` lets pass."""

    def __init__(self, page: Page, part: str) -> None:
        self.page, self.asked, self.under_way = page, 0, 0
        page.clock.install()
        page.on("request", lambda request: self.count(int(part in request.url), +1))
        page.on("requestfinished", lambda _: self.count(0, -1))
        page.on("requestfailed", lambda _: self.count(0, -1))

    def count(self, asked: int, under_way: int) -> None:
        self.asked += asked
        self.under_way += under_way

    def run(self, seconds: int) -> int:
        """Let so many seconds pass, each question answered before the next second; how often the page asked."""
        before = self.asked
        for _ in range(seconds):
            self.page.clock.run_for(1000)
            self.page.wait_for_timeout(3)  # what was asked is under way now
            while self.under_way > 0:
                self.page.wait_for_timeout(3)
        return self.asked - before


def test_an_open_inbox_hears_of_a_message(person: Callable[..., Person], site: Site) -> None:
    anaya = person()
    anaya.sign_in("anaya@example.com", PASSWORD)
    clock = Clock(anaya.page, "/bell/")
    anaya.page.goto("/messages/")
    site.run(SENT_BY_NOOR)
    expect(anaya.page.locator("#inbox")).not_to_contain_text("Are you there?")
    assert clock.run(20) == 1
    expect(anaya.page.locator("#inbox")).to_contain_text("Are you there?")
    expect(anaya.page.locator("#toasts")).to_contain_text("Noor")
    expect(anaya.page.get_by_role("link", name=re.compile(r"^Notifications, \d+ unread"))).to_be_visible()


def test_a_page_asks_while_somebody_is_there(person: Callable[..., Person], thread: str) -> None:
    anaya = person()
    anaya.sign_in("anaya@example.com", PASSWORD)
    page, clock = anaya.page, Clock(anaya.page, "/new/")
    page.goto(thread)
    assert clock.run(30) >= 6
    clock.run(300)
    assert clock.run(90) <= 4, "less and less while nothing comes"
    page.keyboard.press("Shift")
    assert clock.run(30) >= 6, "as often as before once somebody is there"

    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true })")
    page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    assert clock.run(120) == 0, "nothing while nobody sees it"
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    assert clock.run(2) == 1, "and at once when somebody does"

    page.route("**/new/**", lambda route: route.fulfill(status=503, headers={"Retry-After": "20"}))
    assert clock.run(60) <= 4, "not while it is asked not to"
    expect(page.get_by_text("Not connected. What you see may be old")).to_be_visible()
    page.unroute("**/new/**")
    clock.run(120)
    expect(page.get_by_text("Not connected")).to_be_hidden()
    anaya.complaints = [complaint for complaint in anaya.complaints if "status of 503" not in complaint]
