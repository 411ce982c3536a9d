"""Who may call, how often, and calls that happen once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.actions import create_token, forget, revoke_token, suspend
from port444.accounts.models import AnsweredCall, ApiAllowance, ApiToken, User
from port444.api import api
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import DomainError
from port444.orders.models import Order, OrderStatus

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]


def code(response: object) -> str:
    assert response["Content-Type"] == "application/problem+json"  # type: ignore[index]
    body = response.json()  # type: ignore[attr-defined]
    assert body["status"] == response.status_code  # type: ignore[attr-defined]
    assert body["request_id"] == response["X-Request-ID"]  # type: ignore[index]
    return str(body["code"])


# Tokens


def test_a_token_stands_for_its_person_and_is_kept_as_a_digest_alone(client_user: User) -> None:
    token, text = create_token(client_user.pk, actor=client_user, name=" Nightly ", scopes=["read"], days=30)
    response = Caller(text).get("/me")
    assert response.status_code == 200
    assert response.json()["email"] == client_user.email
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert (token.name, token.start) == ("Nightly", text[:10])
    assert text not in str(ApiToken.objects.values().get(pk=token.pk))
    assert text not in str(list(AuditLog.objects.values()))
    assert AuditLog.objects.get(event_type="auth.token_created").target_id == client_user.pk


@pytest.mark.parametrize("over", ["revoked", "expired", "wrong", "closed"])
def test_a_token_that_is_over_opens_nothing(over: str, client_user: User) -> None:
    token, text = create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=30)
    moment = now()
    if over == "revoked":
        revoke_token(token.pk, actor=client_user)
    if over == "expired":
        moment += timedelta(days=30, seconds=1)
    if over == "closed":
        User.objects.filter(pk=client_user.pk).update(is_active=False)
    with at(moment):
        response = Caller(text[:-1] + ("A" if text[-1] != "A" else "B") if over == "wrong" else text).get("/me")
    assert (response.status_code, code(response)) == (401, "not_signed_in")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_who_is_suspended_is_told_why(client_user: User, staff: User, caller: Make) -> None:
    program = caller(client_user)
    suspend(client_user.pk, actor=staff, reason="Three chargebacks in a week")
    response = program.get("/me")
    assert (response.status_code, code(response)) == (403, "suspended")
    assert "Three chargebacks" in response.json()["detail"]


def test_a_token_does_what_its_scopes_say(client_user: User, package: Package, caller: Make) -> None:
    response = caller(client_user, "read").post("/orders", {"package_id": str(package.pk)})
    assert (response.status_code, code(response)) == (403, "scope_missing")
    response = caller(client_user, "orders").get("/orders")
    assert (response.status_code, code(response)) == (403, "scope_missing")
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "", "scopes": ["read"], "days": 30},
        {"name": "x" * 61, "scopes": ["read"], "days": 30},
        {"name": "A", "scopes": [], "days": 30},
        {"name": "A", "scopes": ["read", "everything"], "days": 30},
        {"name": "A", "scopes": ["read"], "days": 0},
        {"name": "A", "scopes": ["read"], "days": 367},
        {"name": "A", "scopes": ["console"], "days": 7},
    ],
)
def test_a_token_is_not_made_badly(asked: dict[str, object], client_user: User) -> None:
    with pytest.raises(DomainError):
        create_token(client_user.pk, actor=client_user, **asked)  # type: ignore[arg-type]
    assert not ApiToken.objects.exists()


def test_one_for_the_console_is_short_lived(staff: User) -> None:
    with pytest.raises(DomainError):
        create_token(staff.pk, actor=staff, name="A", scopes=["console"], days=8, second_factor=True)
    assert create_token(staff.pk, actor=staff, name="A", scopes=["console"], days=7, second_factor=True)[0].scopes == ["console"]


def test_one_for_the_console_is_made_behind_the_second_factor(staff: User) -> None:
    with pytest.raises(DomainError) as refused:
        create_token(staff.pk, actor=staff, name="A", scopes=["read", "console"], days=7)
    assert refused.value.code == "second_factor"
    assert not ApiToken.objects.exists()


def test_nobody_makes_or_revokes_the_token_of_another(client_user: User, stranger: User, caller: Make) -> None:
    token, text = create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=30)
    with pytest.raises(DomainError):
        create_token(client_user.pk, actor=stranger, name="Mine", scopes=["read"], days=30)
    with pytest.raises(DomainError):
        revoke_token(token.pk, actor=stranger)
    assert caller(stranger).send("DELETE", f"/tokens/{token.pk}").status_code == 404
    assert Caller(text).send("DELETE", f"/tokens/{token.pk}").json()["revoked_at"] is not None
    assert Caller(text).get("/me").status_code == 401


# Browsers


def test_a_browser_needs_its_csrf_token_for_changes_alone(client_user: User, package: Package) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.get("/api/me").status_code == 401
    browser.force_login(client_user)
    assert browser.get("/api/me").json()["id"] == str(client_user.pk)
    key = {"idempotency-key": str(uuid4())}
    response = browser.post("/api/orders", {"package_id": str(package.pk)}, content_type="application/json", headers=key)
    assert (response.status_code, code(response)) == (403, "csrf")
    assert not Order.objects.exists()
    browser.cookies["csrftoken"] = "a" * 32
    key["x-csrftoken"] = "a" * 32
    response = browser.post("/api/orders", {"package_id": str(package.pk)}, content_type="application/json", headers=key)
    assert response.status_code == 201


def test_a_token_beside_a_session_is_who_calls(client_user: User, stranger: User) -> None:
    _, text = create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=30)
    browser = Client()
    browser.force_login(stranger)
    assert browser.get("/api/me", headers={"authorization": f"Bearer {text}"}).json()["id"] == str(client_user.pk)
    assert browser.get("/api/me", headers={"authorization": "Bearer p444_wrong"}).status_code == 401
    assert browser.get("/api/me").json()["id"] == str(stranger.pk)


# How often


def test_beyond_the_allowance_comes_429_until_time_has_passed(client_user: User, stranger: User, caller: Make, settings: Any) -> None:
    settings.API_A_MINUTE = {"reads": 3, "writes": 3}
    program, other = caller(client_user), caller(stranger)
    answered = [program.get("/me") for _ in range(4)]
    assert [one.status_code for one in answered] == [200, 200, 200, 429]
    assert [one["RateLimit"].split(";")[1] for one in answered] == ["r=2", "r=1", "r=0", "r=0"]
    assert answered[0]["RateLimit-Policy"] == '"reads";q=3;w=60'
    assert code(answered[3]) == "too_many"
    assert 1 <= int(answered[3]["Retry-After"]) <= 20
    assert other.get("/me").status_code == 200
    ApiAllowance.objects.filter(who=f"user:{client_user.pk}:reads").update(free_at=now() + timedelta(seconds=39))  # a third of a minute later
    assert [program.get("/me").status_code for _ in range(2)] == [200, 429]


# Once


def test_the_same_call_again_gives_the_same_answer_and_does_nothing(client_user: User, package: Package, caller: Make) -> None:
    program, key, body = caller(client_user), str(uuid4()), {"package_id": str(package.pk)}
    first = program.post("/orders", body, idempotency_key=key)
    again = program.post("/orders", body, idempotency_key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert Order.objects.count() == 1
    assert program.post("/orders", body).status_code == 201
    assert Order.objects.count() == 2


def test_a_key_is_for_one_thing(client_user: User, stranger: User, package: Package, caller: Make) -> None:
    program, key = caller(client_user), str(uuid4())
    assert program.post("/orders", {"package_id": str(package.pk)}, idempotency_key=key).status_code == 201
    response = program.post("/orders", {"package_id": str(uuid4())}, idempotency_key=key)
    assert (response.status_code, code(response)) == (422, "idempotency_key_reused")
    assert caller(stranger).post("/orders", {"package_id": str(package.pk)}, idempotency_key=key).status_code == 201  # each has their own


@pytest.mark.parametrize("key", ["", "short", "x" * 201, "with space in it"])
def test_without_a_key_nothing_is_done(key: str, client_user: User, package: Package, caller: Make) -> None:
    response = caller(client_user).post("/orders", {"package_id": str(package.pk)}, idempotency_key=key)
    assert (response.status_code, code(response)) == (400, "idempotency_key")
    assert not Order.objects.exists()


def test_a_refusal_leaves_no_key_behind(client_user: User, package: Package, caller: Make) -> None:
    program, key = caller(client_user), str(uuid4())
    Package.objects.update(is_offered=False)
    assert program.post("/orders", {"package_id": str(package.pk)}, idempotency_key=key).status_code == 409
    assert not AnsweredCall.objects.exists()
    Package.objects.update(is_offered=True)
    assert program.post("/orders", {"package_id": str(package.pk)}, idempotency_key=key).status_code == 201


def test_answers_are_forgotten_after_a_week(client_user: User, package: Package, caller: Make) -> None:
    caller(client_user).post("/orders", {"package_id": str(package.pk)})
    with at(now() + timedelta(days=6)):
        forget()
        assert AnsweredCall.objects.exists()
    with at(now() + timedelta(days=7, seconds=1)):
        forget()
    assert not AnsweredCall.objects.exists()


# States


def test_if_match_acts_on_the_state_that_was_seen(client_user: User, make_order: Callable[..., Order], caller: Make) -> None:
    order, program = make_order(OrderStatus.DELIVERED), caller(client_user)
    seen = program.get(f"/orders/{order.pk}")["ETag"]
    Order.objects.filter(pk=order.pk).update(nudges_stopped_at=now())
    response = program.post(f"/orders/{order.pk}/accept", if_match=seen)
    assert (response.status_code, code(response)) == (412, "stale")
    order.refresh_from_db()
    assert order.status == OrderStatus.DELIVERED
    response = program.post(f"/orders/{order.pk}/accept", if_match=program.get(f"/orders/{order.pk}")["ETag"])
    assert (response.status_code, response.json()["status"]) == (200, "completed")


# Pages


def test_pages_follow_one_another_and_say_what_is_wanted(client_user: User, package: Package, caller: Make) -> None:
    program = caller(client_user)
    placed = [program.post("/orders", {"package_id": str(package.pk)}).json()["id"] for _ in range(5)]
    path, found = "/orders?limit=2&fields=number,price&status=pending_payment", []
    while path:
        body = program.get(path).json()
        assert "items" in body, body
        found += body["items"]
        path = (body["next"] or "").removeprefix("/api")
    assert [row["id"] for row in found] == placed[::-1]
    assert found[0].keys() == {"id", "number", "price"}
    assert found[0]["price"] == "180.00"
    for bad in ("after=nonsense", "fields=password", "limit=0", "limit=101", "placed_from=2026-11-23", "as=owner", "status=lost"):
        assert program.get(f"/orders?{bad}").status_code == 422, bad


def test_a_field_that_is_not_there_is_refused_where_nothing_is_either(staff: User, builder: Builder, caller: Make, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    User.objects.filter(pk=staff.pk).update(is_builder=True)
    Builder.objects.filter(pk=builder.pk).update(user=staff)
    program, tried = caller(staff), 0
    for path, by_method in api.get_openapi_schema()["paths"].items():
        asks = {one["name"] for one in by_method.get("get", {}).get("parameters", ())}
        if "fields" in asks and "{" not in path:
            answer, tried = program.get(f"{path.removeprefix('/api')}?fields=password"), tried + 1
            assert (answer.status_code, answer.json().get("code")) == (422, "unknown_field"), path
    assert tried >= 15


# Addresses


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/me", 405), ("GET", "/me%00", 400), ("GET", "/orders/5", 404)]
)
def test_every_refusal_is_a_problem(method: str, path: str, status: int, client_user: User, caller: Make) -> None:
    response = caller(client_user).send(method, path)
    assert response.status_code == status
    assert code(response)


@pytest.mark.parametrize("body", ["{", "[]", '"x"', '{"package_id": 5}', '{"package_id": null}', "{}", '{"package_id": "x", "also": 1}', "\x00"])
def test_a_body_that_makes_no_sense_is_refused(body: str, client_user: User, caller: Make) -> None:
    program = caller(client_user)
    response = program.client.post("/api/orders", body, content_type="application/json", headers={"idempotency-key": "12345678"})
    assert response.status_code in (400, 422)
    assert code(response)
    assert not AnsweredCall.objects.exists()


def test_a_token_revokes_itself_alone(client_user: User, caller: Make) -> None:
    token, text = create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=30)
    response = caller(client_user).send("DELETE", f"/tokens/{token.pk}")
    assert (response.status_code, code(response)) == (403, "other_token")
    assert Caller(text).get("/me").status_code == 200
    browser = Client()
    browser.force_login(client_user)
    assert browser.delete(f"/api/tokens/{token.pk}").status_code == 200
    assert Caller(text).get("/me").status_code == 401
