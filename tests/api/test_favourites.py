"""Favourites and ordering again, by programs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service
from port444.favourites.models import Favourite
from port444.orders.models import OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]


def test_saving_and_letting_go(client_user: User, stranger: User, service: Service, builder: Builder, caller: Make) -> None:
    client, other, reader = caller(client_user), caller(stranger), caller(client_user, "read")
    for path in (f"/services/{service.slug}/favourite", f"/builders/{builder.slug}/favourite"):
        assert reader.put(path).json()["code"] == "scope_missing"
        assert [client.put(path).status_code for _ in range(2)] == [204, 204]
    assert client.put("/services/none/favourite").status_code == client.put("/builders/none/favourite").status_code == 404
    assert caller(builder.user).put(f"/builders/{builder.slug}/favourite").json()["code"] == "own_favourite"
    Service.objects.filter(pk=service.pk).update(from_price=Decimal("150.00"))
    found = client.get("/favourites").json()["items"]
    assert [(one["service"], one["name"], one["state"], one["price"], one["price_then"]) for one in found] == [
        (None, "Anaya Krishnan", "open", None, None),
        (service.slug, service.title, "open", "150.00", "180.00"),
    ]
    assert other.get("/favourites").json() == {"items": [], "next": None}
    assert other.send("DELETE", f"/favourites/{found[0]['id']}").status_code == 404
    assert [client.send("DELETE", f"/favourites/{found[0]['id']}").status_code for _ in range(2)] == [204, 404]
    assert [row.service for row in Favourite.objects.all()] == [service]


def test_ordering_again(make_order: MakeOrder, client_user: User, builder_user: User, package: Package, caller: Make) -> None:
    order = make_order(OrderStatus.COMPLETED)
    Package.objects.update(price=Decimal("200.00"))
    client = caller(client_user)
    assert caller(builder_user).get(f"/orders/{order.pk}/again").status_code == 404
    look = client.get(f"/orders/{order.pk}/again").json()
    assert (look["package_id"], look["state"], look["price"], look["answered"]) == (str(package.pk), "open", "200.00", 3)
    assert look["changes"] == [{"label": "Price", "before": "$180.00", "now": "$200.00"}]
    body = {"package_id": str(package.pk), "like": str(uuid4())}
    assert client.post("/orders", body).json()["code"] == "not_again"
    made = client.post("/orders", body | {"like": str(order.pk)})
    assert (made.status_code, made.json()["price"]) == (201, "200.00")
    asked = client.get(f"/orders/{made.json()['id']}/requirements").json()["items"]
    assert [one["answer"] for one in asked] == ["The order list and the customer page.", "PostgreSQL", ""]
