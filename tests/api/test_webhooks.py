"""Webhooks through the API: the same as on the pages, and secrets for tokens alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.webhooks.models import WebhookDelivery, WebhookEndpoint

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
BODY = {"url": "https://hooks.example/in", "events": ["order.paid", "order.delivered"], "description": "Books"}


def added(program: Caller, **headers: str) -> dict[str, Any]:
    response = program.post("/webhooks", BODY, **headers)
    assert response.status_code == 201, response.content
    return dict(response.json())


def test_it_is_added_once_and_its_secret_said_once(client_user: User, caller: Make) -> None:
    program, key = caller(client_user), str(uuid4())
    first, again = (added(program, idempotency_key=key) for _ in range(2))
    assert first["secret"].startswith("whsec_")
    assert again == first | {"secret": None}
    assert WebhookEndpoint.objects.count() == 1
    assert "secret" not in program.get(f"/webhooks/{first['id']}").json()
    assert [row["id"] for row in program.get("/webhooks").json()["items"]] == [first["id"]]


def test_it_is_changed_paused_and_removed(client_user: User, caller: Make) -> None:
    program = caller(client_user)
    path = f"/webhooks/{added(program)['id']}"
    assert program.put(path, BODY | {"events": ["*"]}).json()["events"] == ["*"]
    seen = program.get(path)["ETag"]
    assert program.post(f"{path}/pause", if_match=seen).json()["status"] == "paused"
    assert program.post(f"{path}/resume", if_match=seen).status_code == 412
    assert program.post(f"{path}/ping").status_code == 409
    assert program.post(f"{path}/resume").json()["status"] == "active"
    former = WebhookEndpoint.objects.get().secret["current"]
    renewed = program.post(f"{path}/secret").json()
    assert renewed["secret"] == WebhookEndpoint.objects.get().secret["current"] != former
    assert renewed["former_secret_until"] is not None
    assert program.send("DELETE", path).json()["status"] == "removed"
    assert program.get(path).status_code == 404


def test_what_was_sent_is_told_and_sent_again(client_user: User, caller: Make) -> None:
    program = caller(client_user)
    path = f"/webhooks/{added(program)['id']}"
    ping = program.post(f"{path}/ping")
    assert ping.status_code == 202
    assert [row["id"] for row in program.get(f"{path}/deliveries?show=waiting").json()["items"]] == [ping.json()["id"]]
    assert program.get(f"{path}/deliveries?show=failed").json() == {"items": [], "next": None}
    one = program.get(f"/webhook-deliveries/{ping.json()['id']}").json()
    assert one["body"]["type"] == one["event"]
    assert program.post(f"/webhook-deliveries/{ping.json()['id']}/replay").status_code == 202
    assert program.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}).json() == {"again": 0}


def test_a_secret_is_for_tokens_alone(client_user: User, caller: Make) -> None:
    found = added(caller(client_user))
    browser = Client()
    browser.force_login(client_user)
    for method, path in (("POST", "/api/webhooks"), ("PUT", f"/api/webhooks/{found['id']}"), ("POST", f"/api/webhooks/{found['id']}/secret")):
        response = browser.generic(method, path, json.dumps(BODY), content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (403, "token_needed")
    assert WebhookEndpoint.objects.count() == 1
    assert browser.get("/api/webhooks").status_code == 200


def test_nobody_else_s(client_user: User, stranger: User, caller: Make) -> None:
    program, other = caller(client_user), caller(stranger)
    path = f"/webhooks/{added(program)['id']}"
    sent = program.post(f"{path}/ping").json()["id"]
    for address in (path, f"{path}/deliveries", f"/webhook-deliveries/{sent}"):
        assert other.get(address).status_code == 404
    for address in (f"{path}/pause", f"{path}/resume", f"{path}/ping", f"{path}/secret", f"/webhook-deliveries/{sent}/replay"):
        assert other.post(address).status_code == 404
    assert other.put(path, BODY).status_code == 404
    assert other.send("DELETE", path).status_code == 404
    assert WebhookEndpoint.objects.get().status == "active"
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"url": "http://hooks.example"}, {"url": "ftp://hooks.example/"}, {"events": []}, {"events": ["order.lost"]}, {"url": "https://a\x00b/"}],
)
def test_what_cannot_be_told_is_refused(wrong: dict[str, Any], client_user: User, caller: Make) -> None:
    assert caller(client_user).post("/webhooks", BODY | wrong).status_code == 422
    assert not WebhookEndpoint.objects.exists()


def test_a_scope_is_needed(client_user: User, caller: Make) -> None:
    response = caller(client_user, "read", "orders").post("/webhooks", BODY)
    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
    assert not WebhookEndpoint.objects.exists()
