"""A small typed client of port444's API: pages, calls that happen once, and refusals as exceptions.

PORT444_URL=https://port444.example PORT444_TOKEN=p444_... python docs/examples/client.py
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import requests


@dataclass(frozen=True)
class Order:
    id: str
    number: int
    title: str
    status: str
    price: Decimal
    due_at: datetime | None

    @classmethod
    def read(cls, row: dict[str, Any]) -> Order:
        due = row["due_at"]
        return cls(row["id"], row["number"], row["title"], row["status"], Decimal(row["price"]), datetime.fromisoformat(due) if due else None)


class Refused(Exception):
    """A problem document (RFC 9457). Decide by `code`; `detail` is for people."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem['status']} {problem['code']}: {problem['detail']}")
        self.status: int = problem["status"]
        self.code: str = problem["code"]


class Port444:
    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, *, body: Any = None, key: str | None = None, if_match: str | None = None, tries: int = 4) -> Any:
        """One call. What is sent with a key may be sent again after a lost answer: it happens once all the same."""
        headers = {name: value for name, value in {"Idempotency-Key": key, "If-Match": if_match}.items() if value}
        for turn in range(1, tries + 1):
            try:
                answer = self.session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30)
            except requests.ConnectionError:
                if turn == tries or (method != "GET" and key is None):
                    raise
                time.sleep(2**turn)
                continue
            if answer.status_code == 429 and turn < tries:
                time.sleep(int(answer.headers["Retry-After"]))
                continue
            if answer.status_code >= 400:
                raise Refused(answer.json())
            return answer.json()
        raise AssertionError("not reached")

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """The rows of all pages, newest first."""
        following: str | None = path
        while following:
            page = self.call("GET", following)
            yield from page["items"]
            following = page["next"]

    def orders(self, status: str = "") -> Iterator[Order]:
        return (Order.read(row) for row in self.pages("/api/orders?limit=100" + (f"&status={status}" if status else "")))

    def place_order(self, package_id: str, *, key: str | None = None) -> Order:
        return Order.read(self.call("POST", "/api/orders", body={"package_id": package_id}, key=key or str(uuid.uuid4())))


if __name__ == "__main__":
    for order in Port444(os.environ["PORT444_URL"], os.environ["PORT444_TOKEN"]).orders():
        print(f"P4-{order.number}  {order.status:<20} {order.price:>10}  {order.title}")
