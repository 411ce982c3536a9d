"""Custom offers, through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from port444.accounts.models import AnsweredCall, User
from port444.catalog.models import Package, Service
from port444.kit.clock import at, now
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation
from port444.orders.models import Offer, Order

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
Body = dict[str, Any]


@pytest.fixture
def talk(client_user: User, builder_user: User) -> Conversation:
    return open_conversation(client_user, builder_user, actor=client_user)


@pytest.fixture
def wanted(service: Service, package: Package) -> dict[str, Any]:
    return {
        "service_id": str(service.pk),
        "title": "Three pages",
        "scope": "The three slowest.",
        "deliverables": ["Three pages"],
        "price": "120.00",
        "delivery_days": 5,
        "revisions": 1,
    }


def test_offered_countered_taken_up_and_accepted(
    talk: Conversation, wanted: dict[str, Any], client_user: User, builder_user: User, caller: Make
) -> None:
    seller, client = caller(builder_user), caller(client_user)
    made = seller.post(f"/conversations/{talk.pk}/offers", wanted)
    assert made.status_code == 201
    offer = made.json()
    assert (offer["status"], offer["price"], offer["client_fee"], offer["total"], offer["your_turn"]) == ("open", "120.00", "6.60", "126.60", False)
    assert client.get(f"/offers/{offer['id']}").json()["your_turn"] is True
    counter = client.post(f"/offers/{offer['id']}/counter", {"price": "100.00", "delivery_days": 6, "revisions": 1, "scope": "Two of them."})
    assert (counter.status_code, counter.json()["by_client"], counter.json()["answers_id"]) == (201, True, offer["id"])
    assert client.get(f"/offers/{offer['id']}").json()["status"] == "countered"
    again = seller.post(f"/offers/{counter.json()['id']}/send").json()
    assert (again["by_client"], again["price"]) == (False, "100.00")
    key = str(uuid4())
    accepted, replayed = (client.post(f"/offers/{again['id']}/accept", idempotency_key=key) for _ in range(2))
    assert (accepted.status_code, accepted.content, replayed["Idempotency-Replayed"]) == (201, replayed.content, "true")
    order = accepted.json()
    assert (order["status"], order["price"], order["invoice_id"] is not None) == ("pending_payment", "100.00", True)
    assert Order.objects.count() == 1
    assert seller.get(f"/offers/{again['id']}").json()["order_id"] == order["id"]
    assert [row["id"] for row in client.get("/offers?status=accepted").json()["items"]] == [again["id"]]


def test_declined_withdrawn_replaced_and_expired(
    talk: Conversation, wanted: dict[str, Any], client_user: User, builder_user: User, caller: Make
) -> None:
    seller, client = caller(builder_user), caller(client_user)

    def made(**more: Any) -> str:
        return str(seller.post(f"/conversations/{talk.pk}/offers", wanted | more).json()["id"])

    declined = client.post(f"/offers/{made()}/decline", {"reason": "Too dear"}).json()
    assert (declined["status"], declined["reason"]) == ("declined", "Too dear")
    assert seller.post(f"/offers/{made()}/withdraw").json()["status"] == "withdrawn"
    first = made()
    assert seller.post(f"/conversations/{talk.pk}/offers", wanted).json()["code"] == "offer_open"
    seen = client.get(f"/offers/{first}")["ETag"]
    second = made(price="110.00", answers_id=first)
    assert seller.get(f"/offers/{first}").json()["status"] == "replaced"
    assert client.post(f"/offers/{first}/accept", if_match=seen).status_code == 412
    assert client.post(f"/offers/{first}/accept").status_code == 409
    with at(now() + timedelta(days=6)):
        assert client.get(f"/offers/{second}").json()["status"] == "expired"
        assert client.get("/offers?status=open").json()["items"] == []
        assert [row["id"] for row in client.get("/offers?status=expired").json()["items"]] == [second]
    assert [row["id"] for row in client.get("/offers?status=open").json()["items"]] == [second]


def test_a_package_brings_its_service(talk: Conversation, wanted: dict[str, Any], package: Package, builder_user: User, caller: Make) -> None:
    seller = caller(builder_user)
    made = seller.post(f"/conversations/{talk.pk}/offers", wanted | {"service_id": None, "package_id": str(package.pk)})
    assert (made.status_code, made.json()["package_id"], made.json()["list_price"]) == (201, str(package.pk), "180.00")


def test_who_may_not(talk: Conversation, wanted: dict[str, Any], client_user: User, builder_user: User, stranger: User, caller: Make) -> None:
    seller, client, other, reader = caller(builder_user), caller(client_user), caller(stranger), caller(client_user, "read", "messages")
    assert client.post(f"/conversations/{talk.pk}/offers", wanted).status_code == 403
    assert other.post(f"/conversations/{talk.pk}/offers", wanted).status_code == 404
    offer = seller.post(f"/conversations/{talk.pk}/offers", wanted).json()["id"]
    terms = {"price": "100.00", "delivery_days": 6, "revisions": 1, "scope": "Two of them."}
    for verb, body in (("counter", terms), ("send", {}), ("accept", {}), ("decline", {}), ("withdraw", {})):
        assert other.post(f"/offers/{offer}/{verb}", body).status_code == 404, verb
        assert reader.post(f"/offers/{offer}/{verb}", body).json()["code"] == "scope_missing", verb
    assert other.get(f"/offers/{offer}").status_code == 404
    assert other.get("/offers").json()["items"] == []
    for verb, body in (("counter", terms), ("accept", {}), ("decline", {})):
        assert seller.post(f"/offers/{offer}/{verb}", body).status_code == 403, verb
    assert client.post(f"/offers/{offer}/withdraw").status_code == 403
    assert client.post(f"/offers/{offer}/send").status_code == 422
    assert Offer.objects.get().status == "open"
    assert not Order.objects.exists()


def test_what_is_no_offer(talk: Conversation, wanted: dict[str, Any], builder_user: User, caller: Make) -> None:
    seller = caller(builder_user)
    wrong: list[dict[str, Any]] = [
        {"title": ""},
        {"title": "x" * 91},
        {"scope": "\x00"},
        {"scope": "x" * 2001},
        {"deliverables": ["x"] * 13},
        {"deliverables": [""]},
        {"price": "0.00"},
        {"price": "1000000.01"},
        {"price": "1.001"},
        {"delivery_days": 0},
        {"delivery_days": 91},
        {"revisions": 21},
        {"revisions": 2**70},
        {"hours": 1},
        {"hours": 10**6},
        {"service_id": None},
        {"service_id": str(uuid4())},
        {"package_id": str(uuid4())},
        {"answers_id": str(uuid4())},
        {"discount": "1.00"},
    ]
    for one in wrong:
        assert seller.post(f"/conversations/{talk.pk}/offers", wanted | one).status_code == 422, one
    assert not Offer.objects.exists()
    assert not AnsweredCall.objects.exists()


def test_a_list_takes_the_same_queries_however_long(
    talk: Conversation, wanted: dict[str, Any], builder_user: User, caller: Make, django_assert_num_queries: Any
) -> None:
    seller = caller(builder_user)
    for count in (1, 3):
        while Offer.objects.count() < count:
            made = seller.post(f"/conversations/{talk.pk}/offers", wanted).json()
            seller.post(f"/offers/{made['id']}/withdraw")
        with django_assert_num_queries(3):
            assert len(seller.get("/offers").json()["items"]) == count
