"""What each main page may cost: statements, bytes, CPU of the server, and nothing that moves after it was shown."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, Response, Route

from port444.demo import cast
from tests.e2e.conftest import Person
from tests.realsite import Site

pytestmark = pytest.mark.browser

# Compressed as they are sent, for all of a page; the page itself is not compressed, since it holds secrets beside what people type.
MOST_CSS, MOST_JS = 22_000, 22_000


class Budget(NamedTuple):
    who: str  # "" for a visitor
    path: str
    statements: int  # of a second look, when nothing is left to be cached
    kilobytes: int  # of HTML, at most: what it was when measured and some two more, for what others do on the site meanwhile
    times: float  # the CPU of a page with nothing on it, at most: what it was when measured and half as much again


SERVICE, BUILDER = "/s/make-slow-django-pages-fast/", "/b/anaya-krishnan/"
# A path that begins with SELECT gives the last part of the address.
ORDER = "SELECT '/orders/' || number || '/' FROM orders_order WHERE client_id = {who} AND status = '{status}' ORDER BY number LIMIT 1"
CALL = "SELECT '/calls/' || id || '/' FROM consultations_consultation WHERE client_id = {who} AND status = 'scheduled' ORDER BY id LIMIT 1"
TALK = "SELECT '/messages/' || id || '/' FROM messaging_conversation WHERE client_id = {who} ORDER BY id LIMIT 1"
PAGES: Mapping[str, Budget] = {
    "home": Budget("", "/", 7, 36, 16.5),
    "category": Budget("", "/c/", 1, 11, 3.8),
    "service": Budget("", SERVICE, 3, 20, 12),
    "builder": Budget("", BUILDER, 5, 18, 12),
    "booking": Budget(cast.CLIENT, BUILDER + "call/", 10, 62, 3.5),
    "orders": Budget(cast.CLIENT, "/orders/", 13, 18, 9.5),
    "order": Budget(cast.CLIENT, ORDER.replace("{status}", "delivered"), 21, 22, 6),
    "call": Budget(cast.CLIENT, CALL, 12, 13, 3.5),
    "inbox": Budget(cast.CLIENT, TALK, 22, 23, 6.5),
    "spending": Budget(cast.CLIENT, "/spending/", 8, 14, 2.6),
    "today": Budget(cast.BUILDER, "/today/", 23, 17, 9.5),
    "services": Budget(cast.BUILDER, "/services/", 6, 11, 2.4),
    "hours": Budget(cast.BUILDER, "/calls/availability/", 13, 107, 5),
    "earnings": Budget(cast.BUILDER, "/earnings/", 15, 21, 4.2),
    "insights": Budget(cast.BUILDER, "/insights/", 11, 24, 3.2),
    "notifications": Budget(cast.BUILDER, "/notifications/", 5, 27, 2.8),
}
COUNT = """
import json
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from port444.accounts.models import User
counts = {{}}
for name, who, path in {pages!r}:
    client = Client(SERVER_NAME="127.0.0.1")
    if who:
        client.force_login(User.objects.get(email=who))
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    assert answer.status_code == 200, (name, answer.status_code)
    counts[name] = len(asked)
print(json.dumps(counts))
"""
# In turns with a page that has nothing on it, behind the same middleware, for the same person: the best of some, so that what else runs cancels out.
TIMES = """
import json, time
from django.test import Client, override_settings
from port444.accounts.models import User
def cpu(client, path):
    began = time.process_time()
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return time.process_time() - began
times = {{}}
with override_settings(ROOT_URLCONF="tests.e2e.bare"):
    for name, who, path in {pages!r}:
        client = Client(SERVER_NAME="127.0.0.1")
        if who:
            client.force_login(User.objects.get(email=who))
        turns = [(cpu(client, path), cpu(client, "/bare/")) for _ in range({rounds})]
        times[name] = min(page for page, _ in turns) / min(bare for _, bare in turns)
print(json.dumps(times))
"""
SHIFTS = """() => new Promise(done => {
  const found = [];
  const name = source => source.node?.nodeName + '.' + source.node?.className;
  new PerformanceObserver(list => list.getEntries().forEach(entry => found.push([entry.value, ...entry.sources.map(name)])))
    .observe({ type: 'layout-shift', buffered: true });
  document.fonts.ready.then(() => setTimeout(() => done(found), 150));
})"""


def address(site: Site, budget: Budget) -> str:
    """Where the page is, in this demo."""
    if not budget.path.startswith("SELECT"):
        return budget.path
    who = f"(SELECT id FROM accounts_user WHERE email = '{budget.who}')"
    return str(site.value(budget.path.replace("{who}", who)))


@pytest.fixture(scope="module")
def addresses(site: Site) -> dict[str, str]:
    return {name: address(site, budget) for name, budget in PAGES.items()}


def test_statements(site: Site, addresses: dict[str, str]) -> None:
    pages = [(name, budget.who, addresses[name]) for name, budget in PAGES.items()]
    assert json.loads(site.run(COUNT.format(pages=pages))) == {name: budget.statements for name, budget in PAGES.items()}


def test_server_time(site: Site, addresses: dict[str, str]) -> None:
    pages = [(name, budget.who, addresses[name]) for name, budget in PAGES.items()]
    times = json.loads(site.run(TIMES.format(pages=pages, rounds=6)))
    assert {name: round(found, 1) for name, found in times.items() if found > PAGES[name].times} == {}


def test_bytes_and_shifts(person: Callable[..., Person], addresses: dict[str, str]) -> None:
    """At both widths, with letters that come late, as over a slow line."""
    faults: list[Any] = []
    for who in ("", cast.CLIENT, cast.BUILDER):
        somebody = person()
        page = somebody.page
        page.route("**/*.woff2", late)
        if who:
            somebody.sign_in(who, cast.PASSWORD)
        files = heard(page)
        for name, budget in PAGES.items():
            if budget.who != who:
                continue
            for width in (1280, 390):
                files.clear()
                page.set_viewport_size({"width": width, "height": 900})
                answer = page.goto(addresses[name], wait_until="load")
                assert answer is not None
                assert answer.status == 200
                faults += [(name, width, shift) for shift in page.evaluate(SHIFTS) if shift[0] > 0.001]
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                sizes = [len(answer.body()), sent(files, ".css"), sent(files, ".js")]
                most = [budget.kilobytes * 1000, MOST_CSS, MOST_JS]
                if wide > 0 or any(size > limit for size, limit in zip(sizes, most, strict=True)):
                    faults.append((name, width, wide, sizes, most))
    assert faults == []


def heard(page: Page) -> list[Response]:
    """What the page is answered from now on."""
    files: list[Response] = []
    page.on("response", lambda answer: files.append(answer))  # the browser's side takes no bound method
    return files


def late(route: Route) -> None:
    time.sleep(0.1)
    route.continue_()


def sent(files: list[Response], ending: str) -> int:
    return sum(len(gzip.compress(file.body())) for file in files if file.url.partition("?")[0].endswith(ending))
