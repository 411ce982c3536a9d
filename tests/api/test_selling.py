"""A builder's profile and services, by programs."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.orders.models import OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
SIZE = {"tier": "basic", "name": "One page", "price": "90.00", "delivery_days": 3}
WHOLE: dict[str, Any] = {
    "title": "Find the slow query",
    "category": "web-development",
    "summary": "One page, measured.",
    "description": "I look at it with you.",
    "tags": ["django", "postgresql"],
    "offer_floor": "50.00",
    "questions": [{"label": "Which page?", "kind": "choice", "options": ["Home", "Search"], "help": "The worst."}],
    "packages": [SIZE, {**SIZE, "tier": "premium", "name": "Five pages", "price": "300.00", "is_offered": False}],
}


def logged() -> int:
    return AuditLog.objects.count()


def test_a_service_from_its_draft_to_search(builder: Builder, caller: Make) -> None:
    seller = caller(builder.user)
    draft = seller.post("/own-services", {"title": "Find the slow query", "category": "web-development"})
    assert (draft.status_code, draft.json()["status"], len(draft.json()["missing"])) == (201, "draft", 3)
    path = f"/own-services/{draft.json()['id']}"
    assert seller.post(f"{path}/publish").json()["code"] == "incomplete"
    changed = seller.put(path, WHOLE, if_match=draft["ETag"])
    told = changed.json()
    assert (changed.status_code, told["missing"], told["from_price"], told["least_days"], told["offer_floor"]) == (200, [], "90.00", 3, "50.00")
    assert [(one["tier"], one["is_offered"]) for one in told["packages"]] == [("basic", True), ("premium", False)]
    assert [(one["label"], one["is_required"], one["options"]) for one in told["questions"]] == [("Which page?", True, ["Home", "Search"])]
    stale = seller.put(path, WHOLE | {"title": "Older"}, if_match=draft["ETag"])
    assert (stale.status_code, stale.json()["code"], Service.objects.get(pk=told["id"]).title) == (412, "stale", "Find the slow query")
    assert seller.post(f"{path}/publish", if_match=changed["ETag"]).json()["status"] == "published"
    assert seller.post(f"{path}/publish").json()["code"] == "wrong_state"
    assert seller.get(f"/services/{told['slug']}").json()["takes_orders"] is True
    paused = seller.post(f"{path}/pause")
    assert (paused.json()["status"], seller.get(path)["ETag"], seller.get(path).json()) == ("paused", paused["ETag"], paused.json())
    assert [one["id"] for one in seller.get("/own-services").json()["items"]] == [told["id"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "x" * 91},
        {"category": "none"},
        {"colour": "red"},
        {"offer_floor": "0.00"},
        {"packages": [{**SIZE, "price": "0.00"}]},
        {"packages": [{**SIZE, "delivery_days": 91}]},
        {"packages": [SIZE, SIZE]},
        {"packages": [{**SIZE, "tier": "huge"}]},
        {"questions": [{"label": "Which?", "kind": "choice", "options": ["One"]}]},
        {"tags": ["x" * 31]},
    ],
)
def test_what_does_not_fit_writes_nothing(builder: Builder, service: Service, package: Package, caller: Make, wrong: dict[str, Any]) -> None:
    seller, before = caller(builder.user), list(Service.objects.values())
    kept = list(Package.objects.values())
    for answer in (seller.post("/own-services", WHOLE | wrong), seller.put(f"/own-services/{service.pk}", WHOLE | wrong)):
        assert answer.status_code == 422, answer.content
    assert (list(Service.objects.values()), list(Package.objects.values())) == (before, kept)


def test_a_size_that_is_left_out_is_taken_off_and_orders_keep_theirs(
    make_order: MakeOrder, builder: Builder, service: Service, package: Package, caller: Make
) -> None:
    order = make_order(OrderStatus.IN_PROGRESS)
    assert caller(builder.user).put(f"/own-services/{service.pk}", WHOLE).status_code == 200
    package.refresh_from_db()
    order.refresh_from_db()
    assert (package.tier, package.is_offered, order.price) == ("standard", False, Decimal("180.00"))


def test_services_of_others_are_not_there(service: Service, package: Package, make_user: Callable[..., User], caller: Make) -> None:
    other = make_user("Rosa Field", is_builder=True)
    Builder.objects.create(user=other, slug="rosa-field", headline="Words")
    program, rows = caller(other), logged()
    path = f"/own-services/{service.pk}"
    answers = [program.get(path), program.put(path, WHOLE), program.post(f"{path}/publish"), program.post(f"{path}/pause")]
    assert {answer.status_code for answer in answers} == {404}
    service.refresh_from_db()
    assert (service.status, logged(), program.get("/own-services").json()) == (ServiceStatus.PUBLISHED, rows, {"items": []})
    assert caller(service.builder.user, "read").post(f"{path}/pause").json()["code"] == "scope_missing"


def test_as_many_questions_for_many_services(builder: Builder, service: Service, package: Package, caller: Make) -> None:
    seller = caller(builder.user)
    seller.get("/own-services")
    with CaptureQueriesContext(connection) as few:
        seller.get("/own-services")
    for number in range(5):
        Service.objects.create(builder=builder, category=service.category, title=f"Draft {number}", slug=f"draft-{number}")
    with CaptureQueriesContext(connection) as many:
        assert len(seller.get("/own-services").json()["items"]) == 6
    assert len(many) == len(few)


def test_prices_that_nobody_can_compare_say_so(builder: Builder, service: Service, caller: Make) -> None:
    seller = caller(builder.user)
    found = seller.get(f"/price-hints?category={service.category.slug}&basic=200.00&premium=100.00").json()["items"]
    assert [(one["tier"], one["verdict"], one["builders"], one["kept"]) for one in found] == [
        ("basic", None, 0, "180.00"),
        ("premium", None, 0, "90.00"),
    ]
    assert found[0]["checks"] == []
    assert "costs less than Basic" in found[1]["checks"][0]
    assert seller.get("/price-hints?category=none").json()["code"] == "category"
    assert seller.get(f"/price-hints?category={service.category.slug}&basic=x").status_code == 422


def test_a_profile_is_opened_and_changed(make_user: Callable[..., User], caller: Make) -> None:
    client, seller = make_user("Cleo Park"), make_user("Rosa Field", is_builder=True)
    said = {"headline": "Calm logos", "languages": ["english", "Dutch"], "skills": ["logo"], "meeting_url": "https://meet.example/rosa"}
    assert caller(client).put("/profile", said).status_code == 403
    program = caller(seller)
    assert program.get("/profile").status_code == 404
    opened = program.put("/profile", said).json()
    assert (opened["languages"], opened["slug"], opened["has_photo"]) == (["English", "Dutch"], "rosa-field", False)
    assert program.put("/profile", said | {"languages": ["Elvish"]}).json()["code"] == "language"
    assert program.put("/profile", said | {"meeting_url": "javascript:alert(1)"}).status_code == 422
    assert program.put("/profile", {"headline": "Loud logos"}).json()["skills"] == []
    assert Builder.objects.get(user=seller).headline == "Loud logos"


def test_a_photo_is_put_up_and_taken_away(builder: Builder, caller: Make, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    program, drawn = caller(builder.user), io.BytesIO()
    Image.new("RGB", (600, 400), "#456").save(drawn, "PNG")
    assert program.upload("/profile/photo", SimpleUploadedFile("me.png", b"no picture"), to="photo").status_code == 422
    put = program.upload("/profile/photo", SimpleUploadedFile("me.png", drawn.getvalue(), "image/png"), to="photo")
    assert (put.status_code, put.json()["has_photo"]) == (200, True)
    assert [program.send("DELETE", "/profile/photo").status_code for _ in range(2)] == [204, 204]
    assert program.get("/profile").json()["has_photo"] is False
