"""Somebody who uses the site by HTTP and does what a sensible browser or program does when there is no answer: it asks again under the
same key, and looks before it repeats what has none."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

PASSWORD = "demo-harbour-444"
TIMEOUT = 15.0
PATIENCE = 180.0  # seconds for one call, over all its tries
AGAIN = (408, 425, 429, 500, 502, 503, 504)


class GaveUp(Exception):
    """The site did not take it, or the day is over."""


@dataclass
class Record:
    """What all of them met. `strange` is what a call must never answer; `broken` counts answers of 5xx and lost connections, with when."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    calls: int = 0
    repeats: int = 0
    replayed: int = 0  # answers that the site had kept under the key
    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[tuple[float, str]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def note(self, status: int, what: str, answer: requests.Response | None) -> None:
        with self.lock:
            self.calls += 1
            self.statuses[status] += 1
            if status >= 500 or status == 0:
                self.broken.append((time.time(), f"{status} {what}"))
            if answer is not None and answer.headers.get("Idempotency-Replayed"):
                self.replayed += 1

    def wonder(self, words: str) -> None:
        with self.lock:
            self.strange.append(words)


class Browser:
    """One person. With a token it is a program, else a browser that signs in with the form."""

    def __init__(self, url: str, person: Mapping[str, Any], record: Record, number: int, over: Callable[[], bool] = lambda: False) -> None:
        self.url, self.person, self.record, self.over = url, person, record, over
        self.session = requests.Session()
        self.session.trust_env = False
        # Each person has an address of their own, as behind a proxy; or all of them would be one household.
        self.session.headers["X-Forwarded-For"] = f"198.51.{100 + number // 200}.{1 + number % 200}"
        if token := person.get("token"):
            self.session.headers["Authorization"] = f"Bearer {token}"

    # The API

    def get(self, path: str) -> Any:
        return self.call("GET", path).json()

    def post(self, path: str, body: Any = None, *, fine: tuple[int, ...] = ()) -> requests.Response:
        """With a key, so that however often it is sent it is done once. `fine` are refusals that may come."""
        return self.call("POST", path, {} if body is None else body, fine=fine, key=str(uuid.uuid4()))

    def call(self, method: str, path: str, body: Any = None, *, fine: tuple[int, ...] = (), key: str = "") -> requests.Response:
        """An answer that says yes, or one of `fine`. After a repeat 409 may come for what the first try did: then `fine` has to have it."""
        headers = {"Idempotency-Key": key} if key else {}
        if method != "GET" and "token" not in self.person:
            headers["X-CSRFToken"] = self.csrf()
        answer = self.ask(method, f"/api{path}", json=body, headers=headers)
        if answer.ok or answer.status_code in fine:
            return answer
        self.record.wonder(f"{method} {kind(path)} answered {answer.status_code}: {answer.text[:200]}")
        raise GaveUp(f"{method} {path}: {answer.status_code}")

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send it until it is answered by anything but a fault."""
        ends, tries = time.monotonic() + PATIENCE, 0
        while True:
            answer = None
            try:
                answer = self.session.request(method, self.url + path, timeout=TIMEOUT, allow_redirects=False, **more)
                status = answer.status_code
            except requests.RequestException:
                status = 0
            self.record.note(status, f"{method} {kind(path)}", answer)
            in_progress = status == 409 and answer is not None and "in_progress" in answer.text
            if answer is not None and status not in AGAIN and not in_progress:
                answer.repeats = tries  # type: ignore[attr-defined]
                return answer
            if time.monotonic() > ends or self.over():
                raise GaveUp(f"{method} {path}: no answer after {tries + 1} tries, the last {status}")
            tries += 1
            with self.record.lock:
                self.record.repeats += 1
            time.sleep(min(5.0, 0.3 * 2 ** min(tries, 4)) * random.uniform(0.7, 1.3))

    # Pages

    def csrf(self) -> str:
        if "csrftoken" not in self.session.cookies:
            self.ask("GET", "/account/login/")
        return str(self.session.cookies.get("csrftoken", ""))

    def send(self, path: str, fields: Mapping[str, str], *, fine: tuple[int, ...] = ()) -> requests.Response:
        """A form of a page: answered by a redirect."""
        answer = self.ask("POST", path, data=fields, headers={"X-CSRFToken": self.csrf()})
        sent_away = answer.is_redirect and "/account/login/" in answer.headers["Location"] and not path.startswith("/account/")
        if (answer.is_redirect and not sent_away) or answer.status_code in (200, *fine):
            return answer
        self.record.wonder(f"POST {kind(path)} answered {answer.status_code}: {answer.text[:200]}")
        raise GaveUp(f"POST {path}: {answer.status_code}")

    def page(self, path: str) -> str:
        answer = self.ask("GET", path)
        if answer.is_redirect:
            return ""
        if not answer.ok:
            self.record.wonder(f"GET {kind(path)} answered {answer.status_code}")
            raise GaveUp(f"GET {path}: {answer.status_code}")
        return answer.text

    def sign_in(self) -> None:
        self.csrf()
        answer = self.send("/account/login/", {"login": self.person["email"], "password": PASSWORD})
        if not answer.is_redirect:
            raise GaveUp(f"{self.person['email']} cannot sign in")


def kind(path: str) -> str:
    """An address without its ids."""
    parts = path.partition("?")[0].split("/")
    return "/".join("{id}" if any(sign.isdigit() for sign in part) and len(part) > 6 else part for part in parts)


def until[T](look: Callable[[], T | None], seconds: float, over: Callable[[], bool], pause: float = 0.5) -> T | None:
    """What `look` finds, asked again and again for so long; None when the time is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not over():
        if (found := look()) is not None:
            return found
        time.sleep(pause)
    return None
