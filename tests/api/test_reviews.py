"""Reviews by programs: blind, changed, shown, replied to, reported, and read in pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.catalog.models import Service
from port444.kit.clock import at
from port444.orders.models import BLIND, OrderStatus, Review, ReviewReport
from tests.orders.conftest import MakeOrder, nothing_happens

from .conftest import Caller

__all__ = ["nothing_happens"]

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
Quiet = Callable[..., AbstractContextManager[None]]

S = OrderStatus


def test_both_sides_review_each_other(
    make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, caller: Make, nothing_happens: Quiet, service: Service
) -> None:
    order = make_order(S.COMPLETED)
    path, client, builder, other = f"/orders/{order.pk}", caller(client_user), caller(builder_user), caller(stranger)
    with nothing_happens(order):
        assert other.get(f"{path}/reviews").status_code == 404
        assert client.put(f"{path}/review", {"stars": 5}).json()["code"] == "not_reviewed"
        wrong: list[dict[str, Any]] = [{}, {"stars": 0}, {"stars": 6}, {"stars": 2**70}, {"stars": 5, "communication": 0}]
        for said in [*wrong, {"stars": 5, "text": "x" * 2001}, {"stars": 5, "private_note": "x" * 1001}]:
            assert client.post(f"{path}/review", said).status_code == 422, said
        assert builder.post(f"{path}/review", {"stars": 5, "communication": 5}).json()["code"] == "questions"
    made = client.post(f"{path}/review", {"stars": 5, "as_described": 4, "text": "Fast.", "private_note": "Thanks"})
    assert (made.status_code, made.json()["stars"], made.json()["is_shown"]) == (201, 5, False)
    assert client.post(f"{path}/review", {"stars": 4}).json()["code"] == "reviewed"
    assert client.put(f"{path}/review", {"stars": 4, "text": "Fast enough."}).json()["as_described"] is None
    blind = builder.get(f"{path}/reviews").json()
    assert (blind["yours"], blind["theirs"], blind["is_open"]) == (None, None, True)
    assert builder.post(f"/reviews/{made.json()['id']}/reply", {"text": "Hm."}).status_code == 404
    assert builder.post(f"{path}/review", {"stars": 3, "text": "Slow to answer."}).status_code == 201
    shown = builder.get(f"{path}/reviews").json()
    assert (shown["theirs"]["stars"], shown["theirs"]["text"], shown["yours"]["stars"], shown["is_open"]) == (4, "Fast enough.", 3, False)
    assert (shown["theirs"]["may_reply"], shown["yours"]["may_reply"]) == (True, False)
    reply = builder.post(f"/reviews/{made.json()['id']}/reply", {"text": "Gladly."})
    assert (reply.status_code, reply.json()["reply"]) == (200, "Gladly.")
    assert client.post(f"/reviews/{made.json()['id']}/reply", {"text": "Mine."}).status_code == 403
    assert client.put(f"{path}/review", {"stars": 1}).json()["code"] == "reviews_shown"

    anybody = Client()
    found = anybody.get(f"/api/services/{service.slug}/reviews").json()
    assert (found["count"], found["mean"], found["stars"]["4"], found["next"]) == (1, "4.0", 1, None)
    assert [(one["text"], one["reply"], "private_note" in one) for one in found["items"]] == [("Fast enough.", "Gladly.", False)]
    assert anybody.get("/api/builders/anaya-krishnan/reviews?stars=5").json()["items"] == []
    talk = f"/conversations/{order.conversation_id}/client-reviews"
    assert [one["text"] for one in builder.get(talk).json()["items"]] == ["Slow to answer."]
    assert client.get(talk).status_code == other.get(talk).status_code == 404

    of_client = Review.objects.get(by_client=False)
    report = {"reason": "abuse", "text": "Rude."}
    assert other.post(f"/reviews/{of_client.pk}/report", report).status_code == 404
    assert other.post(f"/reviews/{made.json()['id']}/report", report).status_code == 204
    assert other.post(f"/reviews/{made.json()['id']}/report", {"reason": "boredom"}).status_code == 422
    assert ReviewReport.objects.count() == 1


def test_reviews_come_in_pages(make_order: MakeOrder, client_user: User, caller: Make, service: Service) -> None:
    client, orders = caller(client_user), [make_order(S.COMPLETED) for _ in range(3)]
    for stars, order in enumerate(orders, 3):
        client.post(f"/orders/{order.pk}/review", {"stars": stars})
    assert orders[0].completed_at is not None
    last = max(order.completed_at for order in orders if order.completed_at)
    with at(last + BLIND):
        first = Client().get(f"/api/services/{service.slug}/reviews?limit=2").json()
        rest = Client().get(first["next"]).json()
    assert ([one["stars"] for one in first["items"]], [one["stars"] for one in rest["items"]], rest["next"]) == ([5, 4], [3], None)
    assert Client().get(f"/api/services/{service.slug}/reviews").json()["count"] == 0  # by the clock
