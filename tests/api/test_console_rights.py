"""Who gets in at each operation of the console, as its tables of groups and permissions say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.api import api
from support.api.door import ByToken
from support.models import Plan, SupportAction
from support.roles import GROUPS, PERMISSIONS
from support.viewer.addresses import CONSOLE_CALLS
from tests.conftest import in_groups

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]


def operations() -> Iterator[tuple[str, str, str, Any]]:
    """Name, method, path with made-up ids, and who may call: of every operation of the API."""
    for router in api._get_bound_routers():
        for route, view in router.path_operations.items():
            path = "/".join(part for part in (router.prefix.strip("/"), route.strip("/")) if part)
            for operation in view.operations:
                for method in operation.methods:
                    yield operation.view_func.__name__, method, "/" + re.sub(r"\{[^}]*\}", lambda _: str(uuid4()), path), operation.auth_callbacks


def console() -> list[tuple[str, str, str, frozenset[str]]]:
    found = []
    for name, method, path, callbacks in operations():
        doors = [door for door in callbacks if isinstance(door, ByToken)]
        if doors:
            found.append((name, method, path, frozenset(doors[0].permissions)))
    return found


CONSOLE = console()


def test_the_lists_are_of_the_same_operations() -> None:
    assert {f"api:{name}" for name, *_ in CONSOLE} == CONSOLE_CALLS
    assert {permission for *_, wanted in CONSOLE for permission in wanted} <= set(PERMISSIONS)
    asked = {(method, re.sub(r"[0-9a-f-]{36}", "{id}", path)) for _, method, path, _ in CONSOLE}
    assert asked >= {
        ("GET", "/audit-logs"),
        ("GET", "/audit-logs/export"),
        ("GET", "/incident-logs"),
        ("PUT", "/incident-logs/{id}/investigate"),
        ("PUT", "/incident-logs/{id}/resolve"),
        ("GET", "/support/users/{id}"),
        ("POST", "/support/impersonate"),
        ("POST", "/support/impersonate/end"),
        ("POST", "/support/credits"),
        ("POST", "/support/orders/merge"),
        ("POST", "/support/orders/split"),
        ("GET", "/support/actions"),
    }


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_gets_in_where_it_may(group: str, make_user: Callable[..., User], caller: Make, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    program = caller(in_groups(make_user("Member Staff", is_staff=True), group))
    wrong = []
    for name, method, path, wanted in CONSOLE:
        answer = program.send(method, path)
        refused = answer.status_code == 403 and answer.json()["code"] == "no_permission"
        if refused is not bool(wanted and not wanted & GROUPS[group]) or answer.status_code >= 500:
            wrong.append((name, sorted(wanted), answer.status_code, answer.content[:200]))
    assert wrong == []
    assert not Plan.objects.exists()
    assert set(SupportAction.objects.values_list("action_type", flat=True)) <= {"export"}


def tried(program: Caller) -> set[tuple[int, str]]:
    return {(answer.status_code, answer.json()["code"]) for _, method, path, _ in CONSOLE for answer in [program.send(method, path)]}


def test_to_who_is_not_staff_there_is_nothing(client_user: User, caller: Make) -> None:
    assert tried(caller(client_user)) == {(404, "not_found")}
    browser = Client()
    browser.force_login(client_user)
    assert browser.get("/api/audit-logs").status_code == 404
    assert not AuditLog.objects.filter(event_type="audit.read").exists()


def test_staff_of_no_group_get_in_nowhere(make_user: Callable[..., User], caller: Make, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    assert tried(caller(make_user("New Staff", is_staff=True))) == {(403, "no_permission")}


def test_a_token_needs_the_scope_of_the_console(staff: User, caller: Make, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    assert tried(caller(staff, "read", "orders", "money")) == {(403, "scope_missing")}


def test_a_session_needs_its_second_factor(staff: User) -> None:
    browser = Client()
    browser.force_login(staff)
    answers = {(one.status_code, one.json()["code"]) for _, method, path, _ in CONSOLE if method == "GET" for one in [browser.get(f"/api{path}")]}
    assert answers == {(403, "second_factor")}  # without an app to give a code


def test_nobody_gets_in_without_signing_in() -> None:
    assert tried(Caller("p444_wrong")) == {(401, "not_signed_in")}
