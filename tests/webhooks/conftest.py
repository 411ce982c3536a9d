"""Programs of people that listen: real HTTP servers on this machine, which check signatures by the published description alone."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import create_service, publish_service
from port444.catalog.models import Category, Package
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments import actions as payments
from port444.webhooks import actions
from port444.webhooks.actions import Terms
from port444.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.fakes.server import Answer, FakeServer, Seen


class Receiver(FakeServer):
    """Answers 200 to every POST, or what it is told to by `fail`; while `hold` is not set it lets everybody wait, for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.inside, self.most = 0, 0
        self.counting = threading.Lock()

    def _serve(self, handler: Any) -> None:
        with self.counting:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(8)
        with self.counting:
            self.inside -= 1
        super()._serve(handler)

    def answer(self, request: Seen) -> Answer:
        return Answer(200, {"received": True})

    @property
    def events(self) -> list[Any]:
        return [request.json for request in self.seen]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def hmac_sha256(key: bytes, said: bytes) -> bytes:
    """As RFC 2104 writes it, so that not the same library signs and checks."""
    key = key.ljust(64, b"\0") if len(key) <= 64 else hashlib.sha256(key).digest().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + said).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def verify(headers: Mapping[str, str], body: bytes, secret: str) -> Any:
    """Check a request as the description of Standard Webhooks says, and give what is in it. Raises ValueError."""
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if name not in headers:
            raise ValueError(f"no {name}")
    if abs(now().timestamp() - int(headers["webhook-timestamp"])) > 300:
        raise ValueError("too old, or of the future")
    key = base64.b64decode(secret.split("_", 1)[1])
    said = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac_sha256(key, said)).decode()
    for signature in headers["webhook-signature"].split(" "):
        version, _, value = signature.partition(",")
        if version == "v1" and value == expected:
            return json.loads(body)
    raise ValueError("no signature fits")


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Receiver())


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    return receivers()


Listen = Callable[..., tuple[WebhookEndpoint, str]]


@pytest.fixture
def listen() -> Listen:
    """Somebody adds a webhook: the endpoint and its secret."""

    def add(user: User, url: str, *events: str, **more: str) -> tuple[WebhookEndpoint, str]:
        return actions.add_endpoint(user.pk, actor=user, terms=Terms(url, events or ["*"], **more), client_key=uuid7())

    return add


@pytest.fixture
def package(builder: Builder) -> Package:
    category, _ = Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development", "icon": "globe"})
    offered: Any = {
        "tier": "basic",
        "name": "One slow page",
        "price": Decimal("60.00"),
        "delivery_days": 2,
        "revisions": 1,
        "deliverables": ["A patch"],
    }
    service = create_service(
        builder.pk,
        actor=builder.user,
        category_id=category.pk,
        title="Make slow Django pages fast",
        summary="Profile, patch with tests.",
        description="I measure first.",
        packages=[offered],
    )
    publish_service(service.pk, actor=builder.user)
    return service.packages.get()


@pytest.fixture
def order(package: Package, client_user: User) -> Order:
    """One that is paid, and in work."""
    return paid(package, client_user)


def paid(package: Package, client: User) -> Order:
    placed = orders.place_order(package.pk, actor=client, client_key=uuid.uuid4())
    assert placed.invoice_id is not None
    payments.pay_with_test_wallet(placed.invoice_id, actor=client)
    return Order.objects.get(pk=placed.pk)


def send_in(**later: float) -> int:
    """What a worker sends so much later."""
    with at(now() + timedelta(**later)):
        return actions.send_due()


def told(endpoint: WebhookEndpoint) -> list[Any]:
    """What waits for an address, or went there, oldest first."""
    return [json.loads(body) for body in WebhookDelivery.objects.filter(endpoint=endpoint).order_by("id").values_list("body", flat=True)]
