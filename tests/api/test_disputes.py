"""Disputes, through the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from port444.accounts.models import AnsweredCall, User
from port444.orders.models import Dispute, Order, OrderStatus
from tests.orders.conftest import MakeOrder, nothing_happens

from .conftest import Caller

__all__ = ["nothing_happens"]

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
Quiet = Callable[..., AbstractContextManager[None]]
CLAIM = {"reason": "not_as_agreed", "claim": "Two of the five pages are slow.", "to_client": "120.00"}


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    return make_order(OrderStatus.DELIVERED)


def test_opened_answered_and_settled(order: Order, client_user: User, builder_user: User, caller: Make, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    client, seller, key = caller(client_user), caller(builder_user), str(uuid4())
    opened, again = (client.post(f"/orders/{order.pk}/disputes", CLAIM, idempotency_key=key) for _ in range(2))
    assert (opened.status_code, opened.content, again["Idempotency-Replayed"]) == (201, again.content, "true")
    dispute = opened.json()
    assert (dispute["status"], dispute["amount"], dispute["mine"], dispute["you_may_take"]) == ("open", "180.00", True, None)
    path = f"/disputes/{dispute['id']}"
    assert client.post(f"/orders/{order.pk}/accept").json()["code"] == "disputed"
    assert client.post(f"{path}/escalate").json()["code"] == "unanswered"
    assert client.post(f"{path}/settle", {"seen": "60.00"}).status_code == 409
    answered = seller.post(f"{path}/answer", {"answer": "All are fast here.", "offer": "40.00"}).json()
    assert (answered["status"], answered["offer"], answered["you_may_take"]) == ("answered", "40.00", "120.00")
    assert client.post(f"{path}/figure", {"to_client": "60.00"}).json()["to_client"] == "60.00"
    assert client.post(f"{path}/evidence", {"text": "See the timings."}).status_code == 201
    added = seller.upload(f"{path}/evidence/files", SimpleUploadedFile("times.csv", b"a,b")).json()
    assert [(one["text"], [file["name"] for file in one["files"]]) for one in added["evidence"]] == [("See the timings.", []), ("", ["times.csv"])]
    stale = seller.post(f"{path}/settle", {"seen": "120.00"})
    assert (stale.status_code, stale.json()["code"]) == (409, "figure_changed")
    settled = seller.post(f"{path}/settle", {"seen": "60.00"}).json()
    assert (settled["status"], settled["decided_to_client"]) == ("settled", "60.00")
    funds = client.get(f"/orders/{order.pk}/funds").json()
    assert (funds["refunded"], funds["released"], funds["in_escrow"]) == ("60.00", "120.00", "0.00")
    assert [row["id"] for row in seller.get("/disputes?status=settled").json()["items"]] == [dispute["id"]]


def test_withdrawn_or_with_support(order: Order, client_user: User, builder_user: User, caller: Make) -> None:
    client, seller = caller(client_user), caller(builder_user)
    first = client.post(f"/orders/{order.pk}/disputes", CLAIM).json()["id"]
    assert seller.post(f"/disputes/{first}/withdraw").status_code == 403
    seen = client.get(f"/disputes/{first}")["ETag"]
    seller.post(f"/disputes/{first}/answer", {"answer": "No.", "offer": "0.00"})
    assert client.post(f"/disputes/{first}/withdraw", if_match=seen).status_code == 412
    assert client.post(f"/disputes/{first}/withdraw").json()["status"] == "withdrawn"
    second = seller.post(f"/orders/{order.pk}/disputes", {"reason": "unfair_changes", "claim": "More and more.", "to_client": "0.00"}).json()
    assert second["opened_by"]["id"] == str(builder_user.pk)
    client.post(f"/disputes/{second['id']}/answer", {"answer": "No.", "offer": "90.00"})
    assert client.post(f"/disputes/{second['id']}/escalate").json()["status"] == "escalated"


def test_others_and_wrong_sides(order: Order, client_user: User, builder_user: User, stranger: User, caller: Make, nothing_happens: Quiet) -> None:
    client, other, reader = caller(client_user), caller(stranger), caller(builder_user, "read")
    dispute = client.post(f"/orders/{order.pk}/disputes", CLAIM).json()["id"]
    path = f"/disputes/{dispute}"
    posts: list[tuple[str, dict[str, Any]]] = [
        ("answer", {"answer": "No.", "offer": "0.00"}),
        ("figure", {"to_client": "1.00"}),
        ("settle", {"seen": "120.00"}),
        ("withdraw", {}),
        ("escalate", {}),
        ("evidence", {"text": "Look."}),
    ]
    kept = AnsweredCall.objects.count()
    with nothing_happens(order):
        assert other.get(path).status_code == 404
        assert other.get("/disputes").json()["items"] == []
        assert other.post(f"/orders/{order.pk}/disputes", CLAIM).status_code == 404
        for verb, body in posts:
            assert other.post(f"{path}/{verb}", body).status_code == 404, verb
            assert reader.post(f"{path}/{verb}", body).json()["code"] == "scope_missing", verb
        assert client.post(f"{path}/answer", {"answer": "No.", "offer": "0.00"}).status_code == 403
        assert client.post(f"/orders/{order.pk}/disputes", CLAIM).json()["code"] == "dispute_open"
    assert AnsweredCall.objects.count() == kept


def test_what_cannot_be_claimed(order: Order, client_user: User, builder_user: User, caller: Make, nothing_happens: Quiet) -> None:
    client, seller, path = caller(client_user), caller(builder_user), f"/orders/{order.pk}/disputes"
    wrong: list[dict[str, Any]] = [
        {"reason": "unfair_changes"},
        {"reason": "x"},
        {"claim": " "},
        {"claim": "x" * 5001},
        {"claim": "\x00"},
        {"to_client": "180.01"},
        {"to_client": "-1.00"},
        {"to_client": "1.001"},
        {"to_client": None},
        {"also": 1},
    ]
    with nothing_happens(order):
        for one in wrong:
            assert client.post(path, CLAIM | one).status_code == 422, one
        assert seller.post(path, CLAIM | {"reason": "late"}).status_code == 422
        assert client.post(path, CLAIM, idempotency_key="").status_code == 400
    assert not Dispute.objects.exists()


def test_a_list_takes_the_same_queries_however_long(order: Order, client_user: User, caller: Make, django_assert_num_queries: Any) -> None:
    client = caller(client_user)
    for count in (1, 3):
        while Dispute.objects.count() < count:
            made = client.post(f"/orders/{order.pk}/disputes", CLAIM).json()
            client.post(f"/disputes/{made['id']}/withdraw")
        with django_assert_num_queries(3):
            assert len(client.get("/disputes").json()["items"]) == count
