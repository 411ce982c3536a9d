"""Ends by agreement, through the API."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
ASK = {"to_client": "108.00", "reason": "We both had something else in mind."}


def test_proposed_countered_and_agreed(make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, caller: Make) -> None:
    order: Order = make_order(OrderStatus.IN_PROGRESS)
    client, seller, key = caller(client_user), caller(builder_user), str(uuid4())
    path = f"/orders/{order.pk}/partings"
    shown = client.post(f"{path}/quote", {"to_client": "108.00"}).json()
    assert (shown["to_builder"], shown["you_get"], shown["you_get_as_credit"]) == ("72.00", "113.94", "0.00")
    assert client.post(f"{path}/quote", {"to_client": "180.01"}).status_code == 409
    made, same = (client.post(path, ASK, idempotency_key=key) for _ in range(2))
    assert (made.status_code, made.content, same["Idempotency-Replayed"]) == (201, same.content, "true")
    first = made.json()
    assert (first["status"], first["amount"], first["mine"]) == ("open", "180.00", True)
    assert client.post(f"/partings/{first['id']}/accept").status_code == 403
    assert caller(stranger).get(f"/partings/{first['id']}").status_code == 404
    second = seller.post(f"/partings/{first['id']}/counter", ASK | {"to_client": "90.00"}).json()
    assert (second["replaces_id"], second["mine"]) == (first["id"], True)
    assert client.post(f"/partings/{first['id']}/withdraw").json()["code"] == "answered"
    declined = client.post(f"/partings/{second['id']}/decline", {"answer": "Too little."}).json()
    assert (declined["status"], declined["answer"]) == ("declined", "Too little.")
    third = client.post(path, ASK).json()
    assert client.post(f"/partings/{third['id']}/withdraw").json()["status"] == "withdrawn"
    last = client.post(path, ASK).json()
    assert seller.post(f"/partings/{last['id']}/accept").json()["status"] == "accepted"
    assert [row["status"] for row in seller.get(path).json()["items"]] == ["accepted", "withdrawn", "declined", "countered"]
    funds = client.get(f"/orders/{order.pk}/funds").json()
    assert (funds["refunded"], funds["released"], funds["in_escrow"]) == ("108.00", "72.00", "0.00")
    assert client.get(f"/orders/{order.pk}").json()["status"] == "cancelled"
