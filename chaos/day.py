"""The scripted day: clients, builders and support who work, each scene by HTTP from its beginning to its end.

What the site has confirmed to somebody, by an answer that says yes, is kept as a promise and looked for at the end (`chaos.invariants`).
"""

from __future__ import annotations

import queue
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import paying
from .browser import Browser, GaveUp, Record, until

SETTLES = 240.0  # seconds in which a payment arrives and escrow is funded, also when the chain has to come back first
RUNNING = ("pending_requirements", "in_progress", "delivered", "in_revision", "completed", "cancelled")


class Day:
    """Everybody, and the scenes that they play until `closing` is set; `over` ends what cannot be finished."""

    def __init__(self, url: str, people: Mapping[str, Any], seed: int, mail: Path) -> None:
        self.url, self.mail = url, mail
        self.record = Record()
        self.closing, self.over = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.promises: list[dict[str, Any]] = []
        self.played: Counter[str] = Counter()
        self.given_up: list[str] = []
        self.failures: list[str] = []
        self.random = random.Random(seed)
        numbers = iter(range(10_000))

        def browser(person: Mapping[str, Any]) -> Browser:
            return Browser(url, person, self.record, next(numbers), self.over.is_set)

        self._new = browser
        self.clients: queue.Queue[Browser] = queue.Queue()
        for person in people["clients"]:
            self.clients.put(self._new(person))
        self.builders = [self._new(person) for person in people["builders"]]
        self.agent, self.senior = (self._new(person) for person in people["staff"])
        self.strangers = iter(range(10_000))
        self.threads: list[threading.Thread] = []

    def open(self, hands: int) -> None:
        for browser in list(self.clients.queue):
            browser.sign_in()
        for number in range(hands):
            thread = threading.Thread(target=self._play, args=(random.Random(self.random.random()),), name=f"hand {number}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def close(self, seconds: float) -> None:
        """No new scenes; those that run may come to their end."""
        self.closing.set()
        ends = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.1, ends - time.monotonic()))
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def keep(self, kind: str, id: str, **facts: Any) -> None:
        """The site has said yes to this."""
        with self.lock:
            self.promises.append({"kind": kind, "id": str(id), "at": time.time(), **facts})

    def _play(self, chance: random.Random) -> None:
        scenes = [scene for scene, weight in SCENES for _ in range(weight)]
        while not self.closing.is_set():
            scene = chance.choice(scenes)
            client = self.clients.get()
            try:
                scene(self, client, chance.choice(self.builders), chance)
                with self.lock:
                    self.played[scene.__name__] += 1
            except GaveUp as reason:
                with self.lock:
                    self.given_up.append(f"{scene.__name__}: {reason}")
            except Exception:  # noqa: BLE001 - a scene that breaks is a finding, and no reason to stop the others
                with self.lock:
                    self.failures.append(f"{scene.__name__}: {traceback.format_exc(limit=4)}")
            finally:
                self.clients.put(client)
            time.sleep(chance.uniform(0.0, 0.4))

    def stranger(self) -> Browser:
        number = next(self.strangers)
        return self._new({"name": f"Stranger {number}", "email": f"stranger{number}@chaos.example", "wallet": None})


def step(browser: Browser, path: str, body: Any, *, done: Callable[[], bool], method: str = "POST") -> None:
    """An act without a key. When the answer to the first try was lost the second may be refused, and one looks whether it is done."""
    answer = browser.call(method, path, body, fine=(409,))
    if answer.status_code == 409 and not done():
        browser.record.wonder(f"{method} {path} was refused after {getattr(answer, 'repeats', 0)} repeats: {answer.text[:200]}")
        raise GaveUp(path)


def status_of(browser: Browser, order_id: str) -> str:
    return str(browser.get(f"/orders/{order_id}")["status"])


def advance(day: Day, browser: Browser, order_id: str, verb: str, body: Any, *reached: str) -> None:
    step(browser, f"/orders/{order_id}/{verb}", body, done=lambda: status_of(browser, order_id) in reached)
    day.keep("order", order_id, reached=reached[0])


def begin(day: Day, client: Browser, builder: Browser, chance: random.Random) -> str:
    """An order that is placed, paid, in escrow and answered."""
    package = chance.choice(builder.person["packages"])
    order = client.post("/orders", {"package_id": package}).json()
    day.keep("order", order["id"], reached="pending_payment")
    pay_order(day, client, order, chance)
    advance(day, client, order["id"], "answer", {"answers": {"1": "In the repository."}}, "in_progress", "delivered")
    return str(order["id"])


def pay_order(day: Day, client: Browser, order: Mapping[str, Any], chance: random.Random) -> None:
    if order["status"] == "pending_payment":
        paying.pay(day, client, order["invoice_id"], chance)

    def funded() -> str | None:
        status = status_of(client, order["id"])
        return status if status in RUNNING else None

    if until(funded, SETTLES, day.over.is_set) is None:
        raise GaveUp(f"order {order['id']} is paid and not in escrow yet")
    day.keep("order", order["id"], reached="pending_requirements")


def deliver(day: Day, builder: Browser, order_id: str) -> None:
    advance(day, builder, order_id, "deliver", {"note": f"Done, for {order_id}."}, "delivered", "completed")


def accept(day: Day, client: Browser, order_id: str) -> None:
    client.post(f"/orders/{order_id}/accept")
    day.keep("order", order_id, reached="completed")


# Scenes


def accepted(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    order_id = begin(day, client, builder, chance)
    deliver(day, builder, order_id)
    if chance.random() < 0.3:
        revise(day, client, builder, order_id)
    accept(day, client, order_id)
    answer = client.call("POST", f"/orders/{order_id}/review", {"stars": chance.randint(3, 5), "text": "Fast."}, fine=(409,))
    if answer.status_code != 409:
        day.keep("review", order_id)


def revise(day: Day, client: Browser, builder: Browser, order_id: str) -> None:
    step(
        client,
        f"/orders/{order_id}/request-revision",
        {"note": "The search is still slow."},
        done=lambda: status_of(client, order_id) == "in_revision",
    )
    day.keep("order", order_id, reached="in_progress")
    deliver(day, builder, order_id)


def amended(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    order_id = begin(day, client, builder, chance)
    more = {"amendment_type": "scope_change", "reason": "More tables.", "description": "Also the reports.", "additional_amount": "60.00"}
    change = builder.post(f"/orders/{order_id}/amendments", {**more, "additional_days": 2}).json()
    day.keep("amendment", change["id"], reached="pending")
    path = f"/amendments/{change['id']}"
    step(client, f"{path}/approve", {}, done=lambda: client.get(path)["status"] != "pending", method="PUT")
    day.keep("amendment", change["id"], reached="approved")
    change = client.get(path)
    if change["invoice_id"] and change["status"] == "approved":
        paying.pay(day, client, change["invoice_id"], chance)
    if until(lambda: client.get(path)["status"] == "completed" or None, SETTLES, day.over.is_set) is None:
        raise GaveUp(f"amendment {change['id']} is paid and not in force yet")
    day.keep("amendment", change["id"], reached="completed")
    deliver(day, builder, order_id)
    accept(day, client, order_id)


def disputed(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    order_id = begin(day, client, builder, chance)
    deliver(day, builder, order_id)
    claim = {"reason": "not_as_agreed", "claim": "One page is slow.", "to_client": "50.00"}
    dispute = client.post(f"/orders/{order_id}/disputes", claim).json()
    path = f"/disputes/{dispute['id']}"
    day.keep("dispute", dispute["id"], reached="open")
    builder.post(f"{path}/answer", {"answer": "All are fast.", "offer": "20.00"})
    if chance.random() < 0.5:
        client.post(f"{path}/settle", {"seen": "20.00"})
        day.keep("dispute", dispute["id"], reached="settled")
        return
    step(client, f"{path}/escalate", {}, done=lambda: client.get(path)["status"] != "answered")
    day.keep("dispute", dispute["id"], reached="escalated")
    paying.decide(day, dispute["id"])


def cancelled(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    """Paid, and taken back before the work begins: all of it is refunded."""
    order = client.post("/orders", {"package_id": builder.person["packages"][0]}).json()
    day.keep("order", order["id"], reached="pending_payment")
    pay_order(day, client, order, chance)
    client.post(f"/orders/{order['id']}/cancel", {"reason": "It is mended."})
    day.keep("order", order["id"], reached="cancelled")


def call(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    begins = datetime.now(UTC) + timedelta(days=chance.randint(2, 25))
    stamp = begins.strftime("%Y-%m-%dT%H:%M:%SZ")
    free = client.get(f"/calendar-slots/{builder.person['builder']}?minutes=15&from={stamp}")["slots"]
    if not free:
        return
    wish = {"builder_id": builder.person["builder"], "minutes": 15, "starts_at": chance.choice(free)["starts_at"]}
    answer = client.post("/consultations", wish, fine=(409,))
    if answer.status_code == 409:  # somebody was quicker, or the builder's calendar does not answer
        return
    booked = answer.json()
    paying.pay(day, client, booked["invoice_id"], chance)
    if until(lambda: client.get(f"/consultations/{booked['id']}")["status"] == "scheduled" or None, SETTLES, day.over.is_set) is None:
        raise GaveUp(f"call {booked['id']} is paid and not booked yet")
    day.keep("call", booked["id"], reached="scheduled")
    what = chance.random()
    if what < 0.35:
        client.post(f"/consultations/{booked['id']}/cancel", {"reason": "Solved."})
        day.keep("call", booked["id"], reached="cancelled")
    elif what < 0.6:
        free = client.get(f"/consultations/{booked['id']}/slots")["slots"]
        if free and client.post(f"/consultations/{booked['id']}/move", {"starts_at": chance.choice(free)["starts_at"]}, fine=(409,)).ok:
            day.keep("call", booked["id"], reached="rescheduled")


def talk(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    words = f"Hello, number {chance.random()}."
    first = client.post("/conversations", {"builder_id": builder.person["builder"], "body": words}, fine=(429,))
    if not first.ok:
        return
    said = first.json()
    day.keep("message", said["id"], body=words)
    for browser in (builder, client, builder)[: chance.randint(1, 3)]:
        words = f"Number {chance.random()}."
        answer = browser.post(f"/conversations/{said['conversation_id']}/messages", {"body": words}, fine=(429,))
        if answer.ok:
            day.keep("message", answer.json()["id"], body=words)


def withdraw(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    way = next((way for way in builder.get("/earnings")["ways"] if way["method"] == "wallet"), None)
    if way is None or float(way["available"]) < 40:
        return
    amount = f"{chance.randint(20, min(300, int(float(way['available'])))):.2f}"
    answer = builder.post("/withdrawals", {"amount": amount, "method": "wallet"}, fine=(409, 422))
    if answer.ok:
        day.keep("withdrawal", answer.json()["id"], amount=amount)


def away(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    """Planned for later, and called off again."""
    first = datetime.now(UTC).date() + timedelta(days=chance.randint(40, 60))
    days = {"first_on": str(first), "last_on": str(first + timedelta(days=3)), "message": "By the sea."}
    if builder.call("PUT", "/away", days, fine=(409, 422)).ok:
        builder.call("POST", "/away/end", {}, fine=(404, 409))


def credit(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    gift = {"user_id": client.person["id"], "amount": "2.00", "label": "Sorry", "reason": f"Late by a day ({chance.random()})"}
    answer = day.agent.post("/support/credits", gift, fine=(409,))
    if answer.status_code == 201:
        day.keep("credit", answer.json()["id"], user=client.person["id"])
    elif answer.status_code == 202:
        day.agent.post(f"/support/plans/{answer.json()['id']}/withdraw", fine=(409,))


def looks(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    for path in ("/", "/?q=pages", "/earnings/", "/invoices/", "/notifications/", "/orders/")[: chance.randint(2, 6)]:
        answer = client.ask("GET", path)
        if answer.status_code not in (200, 301, 302, 404):
            day.record.wonder(f"GET {path} answered {answer.status_code}")
    client.get("/notifications")
    builder.get("/orders?as=builder")


def joins(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    """Somebody new signs up, opens the link in the mail, signs in and writes."""
    person = day.stranger()
    paying.sign_up(day, person)
    talk(day, person, builder, chance)


def pings(day: Day, client: Browser, builder: Browser, chance: random.Random) -> None:
    hooks = builder.get("/webhooks")["items"]
    if hooks and builder.post(f"/webhooks/{hooks[0]['id']}/ping", fine=(409, 429)).ok:
        day.keep("ping", hooks[0]["id"])


Scene = Callable[[Day, Browser, Browser, random.Random], None]
SCENES: list[tuple[Scene, int]] = [
    (accepted, 7),
    (amended, 3),
    (disputed, 3),
    (cancelled, 2),
    (call, 5),
    (talk, 4),
    (withdraw, 5),
    (away, 1),
    (credit, 1),
    (looks, 2),
    (joins, 1),
    (pings, 1),
]
