"""Journeys of people on the site, for Locust; started by `bench/load.py` in an environment of its own, so nothing of the site is imported.

LOAD_PEOPLE   a file with who they are, as JSON (`bench/people.py`)
LOAD_SECONDS  how long they go on when all have come
LOAD_RESULT   where to write what was seen in that time: every answer, and every journey; it is there, and empty, from the beginning of that time on

Each of them has the cookies of a browser, fills in the forms that the pages have, with their tokens, and follows each redirect; every address counts
by itself. What a browser fetches once and keeps (styles, scripts, letters) is not fetched. Between two pages people think for some seconds.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import gevent
from locust import FastHttpUser, events, task
from locust.contrib.fasthttp import FastHttpSession

from bench.beats import BELL, TALK, wait

PEOPLE = json.loads(Path(os.environ["LOAD_PEOPLE"]).read_text())
SECONDS, SETTLING = float(os.environ["LOAD_SECONDS"]), 10.0  # who came last is still signing in
THINK = (2.0, 6.0)  # seconds
TALKING = 60.0  # seconds that two people have their conversation open
PLAIN: Mapping[str, str] = {}
HTMX, FORM = {"HX-Request": "true"}, {"Content-Type": "application/x-www-form-urlencoded"}
FINE = (200, 204, 302, 303, 304)
WORDS = ["website", "logo", "api", "django", "audit", "speed", "shop", "video", "python", "contract", "fast"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMES = ((r"^/(b|s|c)/[\w-]+/", r"/\1/{slug}/"), (r"^/orders/\d+/", "/orders/{number}/"), (r"^/console/orders/\d+/", "/console/orders/{number}/"))
FIELD = re.compile(r"<(input|textarea)\b([^>]*)>")
ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')

seen: dict[str, list[Any]] = {"answers": [], "journeys": [], "faults": []}
counts = False  # all are there


class Lost(Exception):
    """A page is not what this person came for."""


@dataclass(frozen=True)
class Answer:
    """What came of one request."""

    status: int
    text: str = ""
    etag: str = ""
    location: str = ""


class Browser:
    """One person at a browser."""

    def __init__(self, user: FastHttpUser) -> None:
        self.session = FastHttpSession(user.host, user.environment.events.request, user, network_timeout=60, connection_timeout=60)
        self.url, self.page, self.took = "/", "", 0.0

    def ask(
        self, method: str, path: str, data: Mapping[str, str] | None = None, fine: tuple[int, ...] = FINE, also: Mapping[str, str] = PLAIN
    ) -> Answer:
        """One request, which leaves the page as it is."""
        body, headers = None if data is None else urlencode(data), {**also, **({} if data is None else FORM)}
        began = time.perf_counter()
        with self.session.request(method, path, name=named(path), headers=headers, data=body, allow_redirects=False, catch_response=True) as said:
            took, status, sent = time.perf_counter() - began, said.status_code, said.headers or {}
            if status in fine:
                said.success()
            else:
                said.failure(f"answered {status}")
            answer = Answer(status, said.text or "", sent.get("ETag", ""), sent.get("Location", ""))
        note(method, path, took, status, status in fine, sent.get("Server-Timing", ""))
        self.took += took
        if status not in fine:
            raise Lost(f"{method} {named(path)} answered {status}")
        return answer

    def go(self, method: str, path: str, data: Mapping[str, str] | None = None, fine: tuple[int, ...] = FINE) -> str:
        """To another page, through all redirects."""
        for _ in range(8):
            answer = self.ask(method, path, data, fine)
            self.url, self.page = path, answer.text
            if answer.status not in (302, 303):
                return self.page
            method, data, path = "GET", None, re.sub(r"^https?://[^/]+", "", answer.location).partition("#")[0]
        raise Lost(f"{named(path)} goes round in circles")

    def open(self, path: str) -> str:
        return self.go("GET", path)

    def part(self, path: str) -> str:
        """A part of the page, as htmx asks for it."""
        return self.ask("GET", path, also=HTMX).text

    def follow(self, pattern: str) -> str:
        """Press one of the links of this page."""
        found = re.findall(rf'href="({pattern})"', self.page)
        if not found:
            raise Lost(f"{named(self.url)} has no link {pattern}")
        return self.open(html.unescape(random.choice(found)))

    def press(self, action: str, **values: str) -> str:
        """Send the form of this page whose action or button is like this, with what is in it already."""
        for inside in re.findall(r"<form\b.*?</form>", self.page, re.S):
            if found := re.search(rf'action="({action})"', inside):
                return self.go("POST", html.unescape(found[1]), {**filled(inside), **values})
        raise Lost(f"{named(self.url)} has no form {action}")

    def sign_in(self, email: str, then: str = "/") -> None:
        self.open(f"/account/login/?next={then}")
        self.press("/account/login/", login=email, password=PEOPLE["password"])
        if "/login" in self.url:
            raise Lost(f"{email} was not let in")

    def pay(self) -> None:
        """From the checkout through the test wallet to what was bought."""
        think()
        self.press("/pay/[\\w-]+/start/", how="sandbox")
        think()
        self.press("/wallet/[\\w-]+/answer/", decision="approve", manner="at_once")
        for _ in range(20):  # the page that waits asks again by itself
            if not self.url.startswith("/pay/"):
                return
            gevent.sleep(1)
            self.open(self.url)
        raise Lost("the payment never arrived")


def filled(form: str) -> dict[str, str]:
    """What a form would send as it stands."""
    values: dict[str, str] = {}
    for _, inside in FIELD.findall(form):
        found = dict(ATTRIBUTE.findall(inside))
        if "name" in found and (found.get("type") not in ("radio", "checkbox", "file", "submit") or "checked" in found):
            values[found["name"]] = html.unescape(found.get("value", ""))
    return values


def named(path: str) -> str:
    """An address without what tells one thing from another of its kind."""
    name = UUID.sub("{id}", path.partition("?")[0])
    for pattern, words in NAMES:
        name = re.sub(pattern, words, name)
    return name


def think() -> None:
    gevent.sleep(random.uniform(*THINK))


def note(method: str, path: str, took: float, status: int, is_fine: bool, timing: str) -> None:
    if counts:
        parts = {name: float(value) for name, value in re.findall(r"(\w+);dur=([\d.]+)", timing)}
        seen["answers"].append([method, named(path), took * 1000, is_fine, parts])


@contextmanager
def journey(name: str, *browsers: Browser) -> Iterator[None]:
    """One whole journey: how long its people waited for the site, all in all."""
    for browser in browsers:
        browser.took = 0.0
    is_whole = counts
    try:
        yield
    except Lost as why:
        seen["faults"].append(f"{name}: {why}")
        return
    if is_whole:
        seen["journeys"].append([name, sum(browser.took for browser in browsers) * 1000])


def others(kind: str) -> Iterator[Any]:
    """The people of a kind, each for one user; they come again when there are more users than people."""
    return itertools.cycle(PEOPLE[kind])


buyers, bookers, talkers, staff = map(others, ("buyers", "bookers", "talkers", "staff"))


class Person(FastHttpUser):
    abstract = True

    def wait_time(self) -> float:
        return random.uniform(*THINK)


class Visitor(Person):
    """Looks around without an account."""

    weight = 10

    @task
    def browse(self) -> None:
        browser = Browser(self)
        with journey("a visitor looks around", browser):
            browser.open("/")
            think()
            browser.open("/c/")
            browser.follow(r"/c/[\w-]+/")
            think()
            word = random.choice(WORDS)
            browser.part(f"/suggest/?q={word[:4]}")
            browser.open(f"/?q={word}")
            think()
            browser.open("/")
            browser.follow(r"/s/[\w-]+/")
            think()
            browser.follow(r"/b/[\w-]+/")


class Booker(Person):
    """Books a call with a builder, pays, and looks at it."""

    weight = 2

    @task
    def book(self) -> None:
        who, browser = next(bookers), Browser(self)
        page = f"/b/{who['builder']}/call/"
        with journey("a client books a call", browser):
            browser.open(page)
            think()
            query = f"minutes=30&tz=Europe/Amsterdam&week={random.choice(who['weeks'])}"
            browser.part(f"{page}times/?{query}")
            think()
            browser.sign_in(who["client"], page)
            browser.open(f"{page}?{query}")
            for _ in range(5):
                slots = re.findall(r'<input\b(?=[^>]*name="slot")[^>]*value="([^"]+)"', browser.page)
                if not slots:
                    raise Lost("no time is free")
                token = filled(browser.page)
                wanted = {name: token[name] for name in ("csrfmiddlewaretoken", "client_key")}
                slot = html.unescape(random.choice(slots))
                think()
                wanted |= {"minutes": "30", "tz": "Europe/Amsterdam", "slot": slot, "notes": "Where would you look first?"}
                browser.go("POST", f"{page}hold/", wanted, (*FINE, 409))  # when somebody else was faster, the page offers others
                if browser.url.startswith("/pay/"):
                    break
            browser.pay()
            think()
            browser.open("/calls/")


class Talker(Person):
    """Two people with their conversation open, who write to each other and hear by what static/js/live.js asks."""

    weight = 4

    def on_start(self) -> None:
        who = next(talkers)
        self.sides = [(Browser(self), who[side]) for side in ("client", "builder")]
        self.thread = who["thread"]
        for browser, email in self.sides:
            browser.sign_in(email, self.thread)

    @task
    def talk(self) -> None:
        browsers = [browser for browser, _ in self.sides]
        with journey("two people talk for a minute", *browsers):
            for browser in browsers:
                browser.open(self.thread)
            ends = time.monotonic() + TALKING
            asking = [gevent.spawn(self.listen, browser, path, every, ends) for browser in browsers for path, every in self.questions()]
            while time.monotonic() < ends - 10:
                gevent.sleep(random.uniform(5, 15))
                browser = random.choice(browsers)
                token = filled(browser.page)["csrfmiddlewaretoken"]
                said = {"csrfmiddlewaretoken": token, "client_key": str(uuid4()), "body": "Made a start; the first screens come tomorrow."}
                browser.ask("POST", self.thread, said, also=HTMX)
            gevent.joinall(asking)

    def questions(self) -> tuple[tuple[str, float], ...]:
        return (f"{self.thread}new/", TALK), ("/notifications/bell/", BELL)

    def listen(self, browser: Browser, path: str, every: float, ends: float) -> None:
        """What the script does for one element: seldom and more seldom while nothing comes."""
        calm, known = 0, ""
        while True:
            pause = wait(every, calm) * random.uniform(0.85, 1.15)
            if time.monotonic() + pause > ends:
                return
            gevent.sleep(pause)
            try:
                answer = browser.ask("GET", path, also={**HTMX, **({"If-None-Match": known} if known else {})})
            except Lost as why:
                seen["faults"].append(f"a question: {why}")
                return
            known, calm = answer.etag or known, 0 if answer.status == 200 else calm + 1


class Buyer(Person):
    """Orders and pays; the builder delivers; the client accepts."""

    weight = 3

    def on_start(self) -> None:
        who = next(buyers)
        self.services = who["services"]
        self.client_side, self.builder_side = Browser(self), Browser(self)
        self.client_side.sign_in(who["client"])
        self.builder_side.sign_in(who["builder"])

    @task
    def order(self) -> None:
        client, builder = self.client_side, self.builder_side
        with journey("an order from its page to its end", client, builder):
            client.open(random.choice(self.services))
            think()
            client.press(r"/orders/place/[\w-]+/")
            client.pay()
            order = client.url.partition("?")[0]
            if not re.fullmatch(r"/orders/\d+/", order):
                raise Lost(f"paid, and at {named(order)}")
            think()
            builder.open("/today/")
            think()
            builder.open(order)
            think()
            builder.press(f"{order}deliver/", note="From 4.1 s to 210 ms.")
            think()
            client.open("/orders/")
            client.open(order)
            think()
            client.press(f"{order}accept/")
            client.open(order)


class Agent(Person):
    """Support: the queues, a person with all panels, an order."""

    weight = 1

    def on_start(self) -> None:
        self.browser = Browser(self)
        self.browser.sign_in(next(staff), "/console/")

    @task
    def help(self) -> None:
        browser, person = self.browser, random.choice(PEOPLE["persons"])
        with journey("support looks into somebody", browser):
            browser.open("/console/")
            think()
            browser.open(f"/console/queues/{random.choice(PEOPLE['queues'])}/")
            think()
            browser.open(f"/console/search/?q={person['email']}")
            browser.open(f"/console/people/{person['id']}/")
            for panel in PEOPLE["panels"]:
                browser.part(f"/console/people/{person['id']}/{panel}/")
            think()
            browser.open(f"/console/orders/{person['order']}/")


@events.init.add_listener
def when_all_are_there(environment: Any, **_: Any) -> None:
    def count() -> None:
        global counts
        gevent.sleep(SETTLING)
        Path(os.environ["LOAD_RESULT"]).touch()
        counts = True
        gevent.sleep(SECONDS)
        counts = False
        Path(os.environ["LOAD_RESULT"]).write_text(json.dumps(seen))
        environment.runner.quit()

    environment.events.spawning_complete.add_listener(lambda **_: gevent.spawn(count))
