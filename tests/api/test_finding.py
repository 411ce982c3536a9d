"""Services and builders, through the API, signed in or not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.orders.actions import leave_review
from port444.orders.models import Order, OrderStatus

from .conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def anybody() -> Client:
    return Client(raise_request_exception=False)


def listed(anybody: Client, query: str = "") -> list[str]:
    response = anybody.get(f"/api/services?{query}")
    assert response.status_code == 200, response.content
    return [row["slug"] for row in response.json()["items"]]


def more(service: Service, number: int, **fields: Any) -> Service:
    told: dict[str, Any] = {"title": f"Service {number}", "slug": f"service-{number}", "from_price": Decimal(100 + number)} | fields
    told = {"builder": service.builder, "category": service.category, "status": ServiceStatus.PUBLISHED} | told
    return Service.objects.create(summary="Work.", description="Work.", least_days=3, published_at=now(), **told)


def test_everybody_finds_and_opens_a_service(anybody: Client, package: Package, service: Service) -> None:
    [row] = anybody.get("/api/services?q=slow+Django").json()["items"]
    assert (row["slug"], row["from_price"], row["builder"]["slug"]) == ("fast-pages", "180.00", "anaya-krishnan")
    Package.objects.create(service=service, tier="basic", name="One", price=Decimal("50.00"), delivery_days=2, revisions=0, is_offered=False)
    whole = anybody.get("/api/services/fast-pages").json()
    assert [(one["id"], one["price"], one["client_fee"], one["total"]) for one in whole["packages"]] == [
        (str(package.pk), "180.00", "9.90", "189.90")
    ]
    assert (whole["takes_orders"], len(whole["questions"])) == (True, 3)
    assert "web-test" in [one["slug"] for one in anybody.get("/api/categories").json()["items"]]


def test_the_filters_are_those_of_the_site(anybody: Client, service: Service, package: Package) -> None:
    assert listed(anybody, "category=web-test") == ["fast-pages"]
    assert listed(anybody, "lowest=180.00&highest=180") == ["fast-pages"]
    assert listed(anybody, "highest=179.99") == []
    assert listed(anybody, "days=6") == []
    assert listed(anybody, "days=7") == ["fast-pages"]
    assert listed(anybody, "calls=true") == []
    assert listed(anybody, "language=English") == []
    Builder.objects.update(consultation_enabled=True, consultation_30min_price=Decimal("40.00"), languages=["English"])
    assert listed(anybody, "calls=true&language=English") == ["fast-pages"]
    wrong = (
        "category=none",
        "lowest=x",
        "lowest=-1",
        "highest=NaN",
        "days=0",
        "days=91",
        f"days={2**70}",
        "language=Elvish",
        "sort=worst",
        "calls=maybe",
    )
    for query in (*wrong, "q=" + "x" * 121, "after=x", "fields=search", "sort=cheap&after=YmVzdA"):
        assert anybody.get(f"/api/services?{query}").status_code == 422, query
    assert anybody.get("/api/services?q=%00").status_code == 400


@pytest.mark.parametrize("sort", ["best", "cheap", "dear", "ordered", "new"])
def test_pages_follow_one_another(sort: str, anybody: Client, service: Service) -> None:
    for number in range(45):
        more(service, number)
    path, found = f"/api/services?sort={sort}&fields=slug", []
    while path:
        body = anybody.get(path).json()
        assert all(row.keys() == {"id", "slug"} for row in body["items"])
        found += [row["slug"] for row in body["items"]]
        path = body["next"]
    assert len(found) == len(set(found)) == 46


def test_what_is_not_public_is_not_shown(
    anybody: Client, service: Service, package: Package, builder: Builder, caller: Callable[..., Caller]
) -> None:
    draft = more(service, 1, status=ServiceStatus.DRAFT)
    assert anybody.get(f"/api/services/{draft.slug}").status_code == 404
    assert caller(builder.user).get(f"/services/{draft.slug}").json()["status"] == "draft"
    assert listed(anybody) == ["fast-pages"]
    User.objects.filter(pk=builder.user_id).update(suspended_at=now(), suspension_reason="Chargebacks")
    assert listed(anybody) == []
    assert anybody.get("/api/services/fast-pages").status_code == 404
    assert anybody.get(f"/api/builders/{builder.slug}").status_code == 404


def test_a_builder_with_what_they_sell_and_what_is_said(
    anybody: Client, make_order: Callable[..., Order], client_user: User, builder: Builder
) -> None:
    order = make_order(OrderStatus.COMPLETED)
    leave_review(order.pk, actor=client_user, stars=5, text="Fast.", private_note="Between us")
    leave_review(order.pk, actor=builder.user, stars=2, text="Of the client")
    Builder.objects.filter(pk=builder.pk).update(consultation_enabled=True, consultation_30min_price=Decimal("40.00"))
    response = anybody.get("/api/builders/anaya-krishnan")
    found = response.json()
    assert (found["name"], found["rating"], found["completed_count"], found["time_zone"]) == ("Anaya Krishnan", "5.0", 1, "Asia/Kolkata")
    assert [row["slug"] for row in found["services"]] == ["fast-pages"]
    assert [(one["stars"], one["text"]) for one in found["reviews"]] == [(5, "Fast.")]
    assert found["call_prices"] == [{"minutes": 30, "price": "40.00"}]
    text = response.content.decode() + anybody.get("/api/services/fast-pages").content.decode()
    assert "Between us" not in text
    assert "Of the client" not in text
    assert builder.user.email not in text
    assert client_user.email not in text


def test_finding_takes_the_same_queries_however_much_there_is(
    anybody: Client, service: Service, package: Package, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(8):
        anybody.get("/api/services")
    for number in range(5):
        more(service, number)
    with django_assert_num_queries(8):
        assert len(anybody.get("/api/services").json()["items"]) == 6
