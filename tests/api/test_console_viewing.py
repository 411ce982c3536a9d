"""Looking at what somebody sees, as a program: a viewing reads what the person reads, and does nothing else, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from itertools import cycle
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import resolve, reverse

from auditlog.models import AuditLog
from port444.accounts.actions import revoke_token
from port444.accounts.models import ApiToken, User
from port444.kit.clock import at, now
from port444.orders.models import Order, OrderStatus
from support import actions
from support.models import EndReason, ViewedPage, Viewing
from support.viewer.addresses import CLOSED, CONSOLE_CALLS, OPEN, Place, place_of

from .conftest import Caller
from .test_console_rights import operations

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "viewer"])
Make = Callable[..., Caller]
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(autouse=True)
def proved(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


def begin(program: Caller, person: User, **said: str) -> Any:
    body = {"user_id": str(person.pk), "reason": "Cannot find the order.", "reference": "P4-1061"} | said
    return program.post("/support/impersonate", body)


@pytest.fixture
def mara(agent: User, caller: Make) -> Caller:
    return caller(agent)


@pytest.fixture
def held(mara: Caller, client_user: User) -> str:
    """The token of a viewing as the client."""
    return str(begin(mara, client_user).json()["token"])


def code(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json", answer.content
    return answer.status_code, answer.json()["code"]


def everything() -> dict[str, int]:
    apart = {"support_viewing", "support_viewedpage", "audit_find", "accounts_apiallowance", "accounts_apitoken"}
    tables = [name for name in connection.introspection.table_names() if name not in apart and not name.startswith("audit_log")]
    parts = [f"(SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t)" for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}")
        return dict(zip(tables, cursor.fetchone(), strict=True))


def test_reads_are_answered_as_to_the_person(mara: Caller, agent: User, client_user: User, caller: Make, make_order: Callable[..., Order]) -> None:
    order, own = make_order(OrderStatus.IN_PROGRESS), caller(client_user)
    answer = begin(mara, client_user)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    body, row = answer.json(), Viewing.objects.get()
    assert (body["id"], body["number"], body["read_only"], body["ended_at"]) == (str(row.pk), row.number, True, None)
    assert row.agent_session == actions.hashed(f"token:{ApiToken.objects.get(user=agent).pk}")
    seen = mara.get("/orders", **{"port444-view": body["token"]})
    assert (seen.status_code, seen.json(), seen["Cache-Control"]) == (200, own.get("/orders").json(), "no-store")
    one = mara.get(f"/orders/{order.pk}", **{"port444-view": body["token"]})
    assert one.json() == own.get(f"/orders/{order.pk}").json()
    assert mara.get(f"/orders/{order.pk}").status_code == 404, "without it the agent is a stranger"
    pages = list(ViewedPage.objects.order_by("number").values_list("view_name", "method", "path", "answered", "refused"))
    assert pages == [("api:list_orders", "GET", "/api/orders", 200, ""), ("api:get_order", "GET", f"/api/orders/{order.pk}", 200, "")]
    assert not seen.cookies


def test_a_token_for_the_console_alone_looks_and_reads_nothing_of_its_own(agent: User, client_user: User, caller: Make) -> None:
    program = caller(agent, "console")
    view = {"port444-view": begin(program, client_user).json()["token"]}
    assert program.get("/orders", **view).status_code == 200
    assert code(program.get("/orders")) == (403, "scope_missing")
    assert code(program.get("/tokens", **view)) == (403, "viewing_closed")


def test_a_browser_may_name_its_viewing_by_the_header(agent: User, client_user: User, caller: Make) -> None:
    browser = Client()
    browser.force_login(agent)
    said = {"user_id": str(client_user.pk), "reason": "To see what they see.", "reference": "P4-1"}
    view = {"port444-view": browser.post("/api/support/impersonate", said, content_type="application/json").json()["token"]}
    assert browser.get("/api/orders", headers=view).json() == caller(client_user).get("/orders").json()
    assert ViewedPage.objects.count() == 1
    assert "view" not in browser.cookies
    assert browser.get("/api/me").json()["id"] == str(agent.pk), "the session is the agent's still"
    assert code(caller(agent).get("/orders", **view)) == (403, "viewing_over")


@pytest.mark.parametrize("path", ["/me", "/tokens", "/nothing"])
def test_what_is_private_on_pages_is_private_here(mara: Caller, held: str, path: str) -> None:
    answer = mara.get(path, **{"port444-view": held})
    assert code(answer) == ((404, "not_found") if path == "/nothing" else (403, "viewing_closed"))
    assert ViewedPage.objects.get().refused == ("" if path == "/nothing" else "view")


def test_every_read_of_the_api_is_decided_about() -> None:
    reads = {f"api:{name}" for name, method, *_ in operations() if method == "GET"}
    listed = OPEN | CLOSED.keys() | CONSOLE_CALLS
    assert reads - listed == set()
    assert {name for name in OPEN if name.startswith("api:")} <= reads
    shown = [(f"api:{name}", resolve(f"/api{path}").view_name) for name, method, path, _ in operations() if method == "GET" and f"api:{name}" in OPEN]
    assert [one for one in shown if one[0] != one[1]] == [], "an address has the name of the first operation in it, which should be the read"
    assert {name for name, method, *_ in operations() if method != "GET" and place_of(f"api:{name}") is Place.OPEN} == set()


def test_every_operation_refuses_to_do_anything(mara: Caller, held: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the console as well, but that it may be ended."""
    settings.API_A_MINUTE = {"reads": 100_000, "writes": 100_000}
    monkeypatch.setattr(actions.viewings, "PAGES_A_MINUTE", 100_000)
    monkeypatch.setattr(actions.viewings, "SUSPICIOUS_REFUSALS", 100_000)
    before, let_through, tries = everything(), [], 0
    for (name, own, path, _), other in zip(operations(), cycle(WRITES), strict=False):
        if name == "end_impersonation":
            continue
        for method in {own, other} & {*WRITES}:
            answer = mara.send(method, path, **{"port444-view": held, "X-HTTP-Method-Override": "GET"})
            tries += 1
            if code(answer) != (405, "viewing_reads_only"):
                let_through.append((name, method, answer.status_code))
    assert let_through == []
    assert {table for table, digest in everything().items() if before[table] != digest} == set()
    assert (Viewing.objects.get().refused, Viewing.objects.get().ended_at) == (tries, None)
    assert AuditLog.objects.filter(event_type="viewing.refused", target_id=Viewing.objects.get().pk).count() == tries


def test_it_is_of_the_program_that_began_it(mara: Caller, held: str, agent: User, senior: User, caller: Make, client_user: User) -> None:
    answer = caller(senior).get("/orders", **{"port444-view": held})
    assert code(answer) == (403, "viewing_over")
    assert Viewing.objects.get().end_reason == EndReason.AGENT_CHANGED
    assert code(mara.get("/orders", **{"port444-view": held})) == (403, "viewing_over")
    again = begin(mara, client_user).json()["token"]
    other = caller(agent)  # another token of the same agent
    assert code(other.get("/orders", **{"port444-view": again})) == (403, "viewing_over")
    assert Viewing.objects.latest("number").end_reason == EndReason.SIGNED_OUT
    assert ViewedPage.objects.count() == 0


def test_the_token_alone_opens_nothing(held: str) -> None:
    nobody = Client(headers={"port444-view": held})
    assert code(nobody.get("/api/orders")) == (403, "viewing_over")
    assert ViewedPage.objects.count() == 0


@pytest.mark.parametrize("how", ["expired", "ended", "revoked", "forged", "demoted", "suspended"])
def test_what_is_over_shows_nothing(how: str, mara: Caller, held: str, agent: User, client_user: User) -> None:
    moment = now()
    if how == "expired":
        moment += timedelta(hours=1, seconds=1)
    if how == "ended":
        assert mara.post("/support/impersonate/end", **{"port444-view": held}).json()["end_reason"] == "button"
    if how == "revoked":
        revoke_token(ApiToken.objects.get(user=agent).pk, actor=agent)
    if how == "demoted":
        agent.groups.clear()
    if how == "suspended":
        User.objects.filter(pk=client_user.pk).update(suspended_at=now(), suspension_reason="Spam")
    with at(moment):
        answer = mara.get("/orders", **{"port444-view": held[:-1] + ("A" if held[-1] != "A" else "B") if how == "forged" else held})
    assert code(answer) == (403, "viewing_over")
    assert ViewedPage.objects.count() == 0


def test_the_sweep_ends_one_whose_token_is_revoked(mara: Caller, held: str, agent: User) -> None:
    assert actions.end_lapsed(now()) == 0
    revoke_token(ApiToken.objects.get(user=agent).pk, actor=agent)
    assert actions.end_lapsed(now()) == 1
    assert Viewing.objects.get().end_reason == EndReason.SIGNED_OUT


def test_the_cookie_of_a_browser_works_here_and_a_header_does_not_on_pages(agent: User, client_user: User, caller: Make) -> None:
    browser = Client()
    browser.force_login(agent)
    browser.post(reverse("support:view_as", args=[client_user.pk]), {"reason": "Cannot find the order.", "reference": "P4-1061"})
    assert browser.get("/api/orders").json() == caller(client_user).get("/orders").json()
    assert ViewedPage.objects.get().view_name == "api:list_orders"
    assert code(browser.get("/api/me")) == (403, "viewing_closed")
    assert code(browser.post("/api/orders", {}, content_type="application/json")) == (405, "viewing_reads_only")
    assert browser.get("/api/support/plans").status_code == 200, "the console stays the agent's own"
    text = browser.cookies["view"].value
    del browser.cookies["view"]
    assert browser.get("/orders/", headers={"port444-view": text}).status_code == 200
    assert ViewedPage.objects.filter(view_name="orders:list").count() == 0


def test_beside_a_token_a_cookie_counts_for_nothing(mara: Caller, held: str) -> None:
    mara.client.cookies["view"] = held
    assert mara.get("/me").status_code == 200
    assert ViewedPage.objects.count() == 0


def test_who_may_begin_one(mara: Caller, agent: User, senior: User, finance: User, client_user: User, caller: Make) -> None:
    assert code(begin(caller(finance), client_user)) == (403, "no_permission")
    assert code(begin(mara, agent)) == (403, "own_case")
    assert code(begin(mara, senior)) == (403, "staff")
    assert code(begin(mara, client_user, reason=" ")) == (422, "invalid")
    assert code(begin(mara, client_user, reference="somebody")) == (422, "reference_missing")
    assert code(begin(mara, client_user, user_id=str(uuid4()))) == (404, "not_found")
    assert not Viewing.objects.exists()
    assert code(mara.post("/support/impersonate/end")) == (409, "no_viewing")


def test_a_page_too_many_is_a_problem(mara: Caller, held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions.viewings, "PAGES_A_MINUTE", 2)
    answers = [mara.get("/orders", **{"port444-view": held}).status_code for _ in range(4)]
    assert answers[:2] == [200, 200]
    assert answers[-1] == 429


def test_what_writes_is_stopped(mara: Caller, held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a read of the API write all the same."""
    monkeypatch.setattr(import_module("port444.orders.api.orders"), "page", lambda *_: cache.set("x", 1))
    assert code(mara.get("/orders", **{"port444-view": held})) == (403, "viewing_wrote")
    monkeypatch.setattr(import_module("port444.orders.api.orders"), "page", lambda *_: User.objects.update(name="Mallory"))
    assert code(mara.get("/orders", **{"port444-view": held})) == (403, "viewing_wrote")
    assert cache.get("x") is None
    assert not User.objects.filter(name="Mallory").exists()
    assert list(ViewedPage.objects.values_list("refused", flat=True)) == ["write", "write"]
