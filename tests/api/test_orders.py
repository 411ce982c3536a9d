"""The life of an order, through the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from port444.accounts.models import AnsweredCall, User
from port444.messaging.models import Attachment
from port444.orders.models import Delivery, Order, OrderStatus
from tests.orders.conftest import MakeOrder, nothing_happens

from .conftest import Caller

__all__ = ["nothing_happens"]

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
Quiet = Callable[..., AbstractContextManager[None]]
S = OrderStatus


@pytest.fixture(autouse=True)
def kept_files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def text_file(name: str = "dump.txt", content: bytes = b"CREATE TABLE page ();") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/plain")


def test_from_answers_to_the_end(make_order: MakeOrder, client_user: User, builder_user: User, caller: Make) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    client, builder = caller(client_user), caller(builder_user)
    path = f"/orders/{order.pk}"
    kept = client.put(f"{path}/requirements", {"answers": {"1": "The list."}}).json()
    assert [one["answer"] for one in kept["items"]] == ["The list.", "", ""]
    assert [one["answer"] for one in builder.get(f"{path}/requirements").json()["items"]] == ["", "", ""]  # not sent yet
    missing = client.post(f"{path}/answer", {"answers": {}})
    assert (missing.status_code, missing.json()["code"]) == (422, "answer_missing")
    added = client.upload(f"{path}/requirements/3/files", text_file())
    assert [one["name"] for one in added.json()["items"][2]["files"]] == ["dump.txt"]
    seen = client.get(path)["ETag"]
    started = client.post(f"{path}/answer", {"answers": {"2": "PostgreSQL"}}, if_match=seen)
    assert (started.status_code, started.json()["status"]) == (200, "in_progress")
    assert [one["answer"] for one in builder.get(f"{path}/requirements").json()["items"]] == ["The list.", "PostgreSQL", ""]
    first = builder.post(f"{path}/deliver", {"note": "All five are fast now."})
    assert (first.status_code, first.json()["number"], first.json()["files"]) == (201, 1, [])
    changed = client.post(f"{path}/request-revision", {"note": "The search is slow."}).json()
    assert (changed["status"], changed["revisions_used"]) == ("in_revision", 1)
    second = builder.upload(f"{path}/deliver/files", text_file("report.md", b"# Fast"), note="With a report.").json()
    assert (second["number"], [one["name"] for one in second["files"]]) == (2, ["report.md"])
    rows = client.get(f"{path}/deliveries").json()["items"]
    assert [(row["number"], row["revision"]) for row in rows] == [(1, "The search is slow."), (2, None)]
    assert client.get(f"{path}/funds").json()["in_escrow"] == "180.00"
    assert client.post(f"{path}/accept").json()["status"] == "completed"
    assert builder.get(f"{path}/funds").json()["released"] == "180.00"


def test_cancelling_says_before_and_after_what_comes_back(make_order: MakeOrder, client_user: User, caller: Make) -> None:
    order, client, key = make_order(S.PENDING_REQUIREMENTS), caller(client_user), str(uuid4())
    quote = client.get(f"/orders/{order.pk}/cancel").json()
    assert (quote["possible"], quote["cause"], quote["back_to_client"]) == (True, "client_wish", "189.90")
    first, again = (client.post(f"/orders/{order.pk}/cancel", {"reason": "Not now"}, idempotency_key=key) for _ in range(2))
    assert (first.status_code, first.content, again["Idempotency-Replayed"]) == (200, again.content, "true")
    said = first.json()
    assert (said["status"], said["cancel_reason"], said["back_to_client"]) == ("cancelled", "Not now", "189.90")
    refunds = client.get(f"/invoices/{order.invoice_id}").json()["refunds"]
    assert [one["amount"] for one in refunds] == ["189.90"]
    assert client.get(f"/orders/{order.pk}/cancel").json()["possible"] is False
    assert client.post(f"/orders/{order.pk}/cancel", {}).status_code == 409


def test_others_do_nothing_and_each_side_its_own(
    make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, caller: Make, nothing_happens: Quiet
) -> None:
    order = make_order(S.IN_PROGRESS)
    other, client, reader, builder = caller(stranger), caller(client_user), caller(builder_user, "read"), caller(builder_user)
    path = f"/orders/{order.pk}"
    posts: list[tuple[str, dict[str, Any]]] = [
        ("answer", {"answers": {}}),
        ("deliver", {"note": "Done"}),
        ("request-revision", {"note": "Again"}),
        ("cancel", {}),
        ("review", {"stars": 5}),
    ]
    with nothing_happens(order):
        for verb, body in posts:
            assert other.post(f"{path}/{verb}", body).status_code == 404, verb
            assert reader.post(f"{path}/{verb}", body).json()["code"] == "scope_missing", verb
        for part in ("requirements", "deliveries", "funds", "cancel", "reviews"):
            assert other.get(f"{path}/{part}").status_code == 404, part
        assert other.put(f"{path}/requirements", {"answers": {}}).status_code == 404
        assert other.upload(f"{path}/deliver/files", text_file()).status_code == 404
        assert other.upload(f"{path}/requirements/3/files", text_file()).status_code == 404
        assert client.post(f"{path}/deliver", {"note": "Done"}).status_code == 403
        assert builder.put(f"{path}/requirements", {"answers": {}}).status_code == 403
        assert builder.upload(f"{path}/requirements/3/files", text_file()).status_code == 403
        assert builder.post(f"{path}/request-revision", {"note": "Again"}).status_code == 403
        assert client.post(f"{path}/request-revision", {"note": "Again"}).status_code == 409
        assert client.post(f"{path}/answer", {"answers": {}}).status_code == 409
        assert client.post(f"{path}/cancel", {}).status_code == 409
        assert client.post(f"{path}/review", {"stars": 5}).status_code == 409
    assert not AnsweredCall.objects.exists()


def test_what_cannot_be_taken_writes_nothing(
    make_order: MakeOrder, client_user: User, builder_user: User, caller: Make, nothing_happens: Quiet
) -> None:
    order = make_order(S.IN_PROGRESS)
    client, builder, path = caller(client_user), caller(builder_user), f"/orders/{order.pk}"
    with nothing_happens(order):
        for note in ("", "  ", "x" * 5001, "a\x00b", None, 5):
            assert builder.post(f"{path}/deliver", {"note": note}).status_code == 422, note
        for review in ({}, {"stars": 0}, {"stars": 6}, {"stars": 2**70}, {"stars": 5, "text": "x" * 2001}, {"stars": 5, "private_note": "x" * 1001}):
            assert client.post(f"{path}/review", review).status_code == 422, review
        for reason in ("x" * 301, "\x00", 5):
            assert client.post(f"{path}/cancel", {"reason": reason}).status_code == 422, reason
        wrong: list[Any] = [{"x": "y"}, {"-1": "y"}, {"1": "x" * 5001}, {"1": "\x00"}, [], None]
        for answers in wrong:
            assert client.post(f"{path}/answer", {"answers": answers}).status_code == 422, answers
        for file in (text_file("run.exe"), text_file("a.png"), text_file("empty.txt", b"")):
            assert builder.upload(f"{path}/deliver/files", file).status_code == 422, file.name
        assert builder.upload(f"{path}/deliver/files", *[text_file() for _ in range(20)]).json()["code"] == "too_many_files"
        assert builder.upload(f"{path}/deliver/files").status_code == 422
    assert not Attachment.objects.exists()


def test_an_answer_fits_its_question(make_order: MakeOrder, client_user: User, caller: Make, nothing_happens: Quiet) -> None:
    order, client = make_order(S.PENDING_REQUIREMENTS), caller(client_user)
    path = f"/orders/{order.pk}"
    with nothing_happens(order):
        assert client.put(f"{path}/requirements", {"answers": {"9": "What?"}}).json()["code"] == "answer_position"
        assert client.put(f"{path}/requirements", {"answers": {"2": "Oracle"}}).json()["code"] == "answer_choice"
        assert client.put(f"{path}/requirements", {"answers": {"3": "No file"}}).json()["code"] == "answer_kind"
        assert client.upload(f"{path}/requirements/1/files", text_file()).json()["code"] == "answer_kind"
        assert client.upload(f"{path}/requirements/9/files", text_file()).status_code == 404
        assert client.upload(f"{path}/requirements/{2**70}/files", text_file()).status_code == 404


def test_if_match_delivers_to_the_order_that_was_seen(make_order: MakeOrder, client_user: User, builder_user: User, caller: Make) -> None:
    order, builder = make_order(S.DELIVERED), caller(builder_user)
    seen = builder.get(f"/orders/{order.pk}")["ETag"]
    caller(client_user).post(f"/orders/{order.pk}/request-revision", {"note": "Again"})
    response = builder.post(f"/orders/{order.pk}/deliver", {"note": "Done"}, if_match=seen)
    assert (response.status_code, response.json()["code"]) == (412, "stale")
    assert Delivery.objects.count() == 1


def test_a_list_takes_the_same_queries_however_long(make_order: MakeOrder, client_user: User, caller: Make, django_assert_num_queries: Any) -> None:
    client = caller(client_user)
    client.get("/me")  # the use of the token is noted once a minute
    for count in (1, 3):
        while Order.objects.count() < count:
            make_order()
        with django_assert_num_queries(3):
            assert len(client.get("/orders").json()["items"]) == count


def test_deliveries_take_the_same_queries_however_many(
    make_order: MakeOrder, client_user: User, caller: Make, django_assert_num_queries: Any
) -> None:
    order: Order = make_order(S.DELIVERED)
    client = caller(client_user)
    client.get("/me")
    with django_assert_num_queries(5):
        client.get(f"/orders/{order.pk}/deliveries")
    for number in (2, 3):
        Delivery.objects.create(order=order, number=number, note="Again")
    with django_assert_num_queries(5):
        assert len(client.get(f"/orders/{order.pk}/deliveries").json()["items"]) == 3


def test_a_moment_may_have_any_offset_that_there_is(make_order: MakeOrder, client_user: User, caller: Make) -> None:
    make_order()
    client = caller(client_user)
    assert len(client.get("/orders?placed_from=2020-01-01T00:00:00%2B23:59").json()["items"]) == 1
    assert client.get("/orders?placed_to=2020-01-01T00:00:00-23:59").json()["items"] == []
    assert client.get("/orders?placed_from=0001-01-01T00:00:00%2B23:59").status_code == 422
