"""Conversations, notifications and being away, through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from port444.accounts.models import User
from port444.away.models import Span
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.messaging.actions import open_conversation, send_message
from port444.messaging.models import Conversation, Message, ReadMarker
from port444.notifications.models import Notification
from port444.orders.models import OrderStatus

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]


@pytest.fixture
def talk(client_user: User, builder_user: User) -> Conversation:
    return open_conversation(client_user, builder_user, actor=client_user)


def test_writing_reading_and_waiting_for_more(builder: Builder, client_user: User, builder_user: User, caller: Make) -> None:
    client, seller = caller(client_user), caller(builder_user)
    first = client.post("/conversations", {"builder_id": str(builder.pk), "body": " Hello\r\nAnaya "})
    assert (first.status_code, first.json()["body"], first.json()["mine"]) == (201, "Hello\nAnaya", True)
    talk = first.json()["conversation_id"]
    [line] = seller.get("/conversations").json()["items"]
    assert (line["id"], line["unread"], line["last"], line["you_are"], line["person"]["id"]) == (
        talk,
        1,
        "Hello Anaya",
        "builder",
        str(client_user.pk),
    )
    assert [row["id"] for row in seller.get("/conversations?unread=true").json()["items"]] == [talk]
    for text in ("One", "Two", "Three"):
        seller.post(f"/conversations/{talk}/messages", {"body": text})
    path, found = f"/conversations/{talk}/messages?limit=2&fields=body", []
    while path:
        body = client.get(path).json()
        found += [row["body"] for row in body["items"]]
        path = (body["next"] or "").removeprefix("/api")
    assert found == ["Three", "Two", "One", "Hello\nAnaya"]
    path, found = f"/conversations/{talk}/messages?since={first.json()['id']}&limit=2", []
    while path:
        body = client.get(path).json()
        found += [row["body"] for row in body["items"]]
        path = (body["next"] or "").removeprefix("/api")
    assert found == ["One", "Two", "Three"]
    assert client.get(f"/conversations/{talk}").json()["unread"] == 3
    two = client.get(f"/conversations/{talk}/messages?limit=2").json()["items"][1]
    assert client.post(f"/conversations/{talk}/read", {"message_id": two["id"]}).json()["unread"] == 1
    assert client.post(f"/conversations/{talk}/read", {}).json()["unread"] == 0
    assert seller.get(f"/conversations/{talk}/messages").json()["seen_at"] is not None
    assert client.get(f"/messages/{two['id']}").json()["body"] == "Two"


def test_a_key_sends_once(talk: Conversation, client_user: User, caller: Make) -> None:
    client, key = caller(client_user), str(uuid4())
    path = f"/conversations/{talk.pk}/messages"
    sent = [client.post(path, {"body": "Hello"}, idempotency_key=key) for _ in range(2)]
    assert [one.status_code for one in sent] == [201, 201]
    assert sent[0].json() == sent[1].json()
    other = client.post(path, {"body": "Something else"}, idempotency_key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Message.objects.count() == 1
    assert client.post(path, {"body": "Hello"}, idempotency_key="").status_code == 201
    assert Message.objects.count() == 2


def test_files_are_checked_and_sent(talk: Conversation, client_user: User, builder_user: User, caller: Make, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    client, path, key = caller(client_user), f"/conversations/{talk.pk}/messages/files", str(uuid4())
    sent = client.upload(path, SimpleUploadedFile("a.txt", b"A"), SimpleUploadedFile("b.md", b"# B"), idempotency_key=key, body="Both")
    assert (sent.status_code, [one["name"] for one in sent.json()["files"]], sent.json()["body"]) == (201, ["a.txt", "b.md"], "Both")
    other = client.upload(path, SimpleUploadedFile("a.txt", b"Another"), SimpleUploadedFile("b.md", b"# B"), idempotency_key=key, body="Both")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert client.upload(path, SimpleUploadedFile("only.txt", b"A")).status_code == 201
    assert client.upload(path, SimpleUploadedFile("run.exe", b"MZ")).json()["code"] == "file_type"
    assert client.upload(path, SimpleUploadedFile("a.png", b"no")).status_code == 422
    assert client.upload(path, body="No file").status_code == 422
    assert client.client.post(f"/api{path}", {"uploads": [SimpleUploadedFile("a.txt", b"A")]}).json()["code"] == "idempotency_key"
    assert Message.objects.count() == 2
    assert [len(row["files"]) for row in caller(builder_user).get(f"/conversations/{talk.pk}/messages").json()["items"]] == [1, 2]


def test_others_read_and_write_nothing(talk: Conversation, client_user: User, stranger: User, builder_user: User, caller: Make) -> None:
    message = send_message(talk.pk, actor=client_user, body="Hello", client_key=uuid4())
    other, reader, seller = caller(stranger), caller(client_user, "read", "orders"), caller(builder_user)
    path = f"/conversations/{talk.pk}"
    assert other.get(path).status_code == 404
    assert other.get(f"{path}/messages").status_code == 404
    assert other.get(f"/messages/{message.pk}").status_code == 404
    assert other.post(f"{path}/messages", {"body": "Hello"}).status_code == 404
    assert other.post(f"{path}/read", {}).status_code == 404
    assert other.get("/conversations").json()["items"] == []
    assert reader.post(f"{path}/messages", {"body": "Hello"}).json()["code"] == "scope_missing"
    assert reader.post(f"{path}/read", {}).json()["code"] == "scope_missing"
    assert seller.post("/conversations", {"builder_id": str(builder_user.builder.pk), "body": "Me"}).json()["code"] == "self"
    assert other.post("/conversations", {"builder_id": str(uuid4()), "body": "Hello"}).status_code == 404
    assert (Message.objects.count(), Conversation.objects.count(), ReadMarker.objects.exclude(user=client_user).count()) == (1, 1, 0)


def test_what_cannot_be_written(talk: Conversation, client_user: User, caller: Make) -> None:
    client, path = caller(client_user), f"/conversations/{talk.pk}"
    for body in ({}, {"body": ""}, {"body": "  "}, {"body": "x" * 5001}, {"body": "a\x00"}, {"body": 5}, {"body": "A", "to": "me"}):
        assert client.post(f"{path}/messages", body).status_code == 422, body
    for query in ("after=x", f"after={uuid4()}", "since=x", "limit=0"):
        assert client.get(f"{path}/messages?{query}").status_code == 422, query
    assert client.get(f"{path}/messages?since={uuid4()}").status_code == 404
    assert client.post(f"{path}/read", {"message_id": str(uuid4())}).status_code == 404
    assert client.get(f"/conversations?after={uuid4()}").status_code == 422
    assert not Message.objects.exists()


def test_the_lists_take_the_same_queries_however_long(
    talk: Conversation, client_user: User, make_user: Callable[..., User], caller: Make, django_assert_num_queries: Any
) -> None:
    client = caller(client_user)
    client.get("/me")
    counts = []
    for many in (1, 4):
        for number in range(many):
            send_message(talk.pk, actor=client_user, body="Hello", client_key=uuid4())
            person = make_user(f"Seller{many}{number} Someone", is_builder=True)
            other = open_conversation(client_user, person, actor=client_user)
            send_message(other.pk, actor=client_user, body="Hello", client_key=uuid4())
        with django_assert_num_queries(5):
            client.get(f"/conversations/{talk.pk}/messages")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/conversations").status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_notifications_are_listed_and_read(talk: Conversation, client_user: User, builder_user: User, stranger: User, caller: Make) -> None:
    send_message(talk.pk, actor=client_user, body="Hello", client_key=uuid4())
    seller = caller(builder_user)
    [row] = seller.get("/notifications?unread=true").json()["items"]
    assert (row["read_at"], row["url"].endswith(f"/messages/{talk.pk}/")) == (None, True)
    assert caller(stranger).post(f"/notifications/{row['id']}/read").status_code == 404
    assert caller(builder_user, "read").post(f"/notifications/{row['id']}/read").status_code == 403
    assert Notification.objects.filter(read_at__isnull=True).exists()
    assert seller.post(f"/notifications/{row['id']}/read").json()["read_at"] is not None
    assert seller.get("/notifications?unread=true").json()["items"] == []
    assert seller.post("/notifications/read").json() == {"read": 0}
    assert caller(stranger).get("/notifications").json()["items"] == []


def test_being_away(make_order: Callable[..., Any], builder_user: User, client_user: User, caller: Make) -> None:
    order = make_order(OrderStatus.IN_PROGRESS)
    seller = caller(builder_user)
    today = now().date()
    plan = {"first_on": str(today + timedelta(days=2)), "last_on": str(today + timedelta(days=4)), "message": "By the sea"}
    assert seller.get("/away").json() == {"away": None}
    planned = seller.put("/away", plan)
    assert (planned.status_code, planned.json()["is_away"], planned.json()["time_zone"]) == (200, False, "Asia/Kolkata")
    moved = seller.get(f"/orders/{order.pk}").json()["due_at"]
    assert moved > order.due_at.isoformat()
    assert seller.put("/away", plan).json()["id"] == planned.json()["id"]
    changed = seller.put("/away", plan | {"keep": [str(order.pk)]}).json()
    assert changed["id"] == planned.json()["id"]
    assert seller.get(f"/orders/{order.pk}").json()["due_at"] < moved
    ended = seller.post("/away/end").json()
    assert ended["cancelled_at"] is not None
    assert seller.post("/away/end").json()["code"] == "not_away"
    assert Span.objects.count() == 1


def test_days_away_that_do_not_fit(builder: Builder, builder_user: User, client_user: User, caller: Make) -> None:
    seller, today = caller(builder_user), now().date()
    plan: dict[str, Any] = {"first_on": str(today + timedelta(days=2)), "last_on": str(today + timedelta(days=4))}
    wrong: list[dict[str, Any]] = [
        {"first_on": "x"},
        {"first_on": "9999-12-31", "last_on": "9999-12-31"},
        {"first_on": "0001-01-01"},
        {"first_on": str(today - timedelta(days=3))},
        {"last_on": str(today)},
        {"last_on": str(today + timedelta(days=800))},
        {"message": "x" * 301},
        {"message": "\x00"},
        {"keep": ["x"]},
        {"stops": True},
    ]
    for one in wrong:
        assert seller.put("/away", plan | one).status_code == 422, one
    assert caller(client_user).put("/away", plan).status_code == 404
    assert caller(client_user).get("/away").status_code == 404
    assert caller(builder_user, "read").put("/away", plan).json()["code"] == "scope_missing"
    assert not Span.objects.exists()
