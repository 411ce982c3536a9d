"""Everybody at every operation: what each kind of caller is answered, from one table. Things of others are 404; who may not write has not written.

What a viewing may read is in `test_console_viewing`, what each group may do in the console in `test_console_rights` as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from port444.accounts.models import Scope, User
from port444.api import api
from port444.kit.clock import now
from support.api.door import ByToken
from support.roles import GROUPS
from support.viewer.addresses import CONSOLE_CALLS
from tests.architecture.conftest import World, world
from tests.architecture.test_urls import rows
from tests.conftest import in_groups

from .conftest import Caller

__all__ = ["world"]

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
Make = Callable[..., Caller]

# Whose the thing in an address is, by the name of its part: of the world's client, its builder, or both. Others find nothing there.
BOTH, CLIENT, BUILDER, ALL, NOBODY = {"client", "builder"}, {"client"}, {"builder"}, {"client", "builder", "stranger", "staff"}, set[str]()
SEEN_BY = {
    "amendment_id": BOTH,
    "builder_id": ALL,
    "call_id": BOTH,
    "conversation_id": BOTH,
    "copy_id": BUILDER,
    "credit_id": CLIENT,
    "delivery_id": CLIENT,
    "dispute_id": BOTH,
    "favourite_id": NOBODY,
    "file_id": BOTH,
    "invoice_id": BOTH,
    "link_id": BUILDER,
    "message_id": BOTH,
    "move_id": BOTH,
    "notification_id": BUILDER,
    "offer_id": BOTH,
    "order_id": BOTH,
    "parting_id": BOTH,
    "payment_id": CLIENT,
    "picture_id": NOBODY,
    "piece_id": NOBODY,
    "proposal_id": BOTH,
    "refund_id": NOBODY,
    "review_id": BOTH,
    "search_id": NOBODY,
    "service_id": BUILDER,
    "slug": ALL,
    "suggestion_id": BUILDER,
    "token_id": CLIENT,
    "webhook_id": CLIENT,
    "withdrawal_id": BUILDER,
}
# Where somebody who may come finds nothing all the same, and why.
NOTHING_THERE = {
    ("get_consultation_conversion", "client"): "the call has not taken place",
    ("get_consultation_conversion", "builder"): "the call has not taken place",
    ("add_requirement_files", "client"): "the order asks no questions",
    ("get_order_again", "client"): "the order goes on",
    ("get_order_again", "builder"): "it is for the client",
    ("report_builder", "builder"): "nobody reports themselves",
    ("retry_calendar_copy", "builder"): "nothing has failed",
    ("list_client_reviews", "client"): "it is for the builder of the conversation",
    ("list_order_reviews", "client"): "the order goes on",
    ("list_order_reviews", "builder"): "the order goes on",
}
FOR_BUILDERS = (
    "get_earnings get_insights list_withdrawals withdraw quote_withdrawal get_away plan_away end_away "
    "get_availability set_availability explain_calendar_slot list_calendars choose_calendars list_portfolio add_portfolio_piece "
    "get_profile put_photo remove_photo list_own_services create_service get_price_hints"
)
NOTHING_THERE |= {(name, who): "it is for builders alone" for name in FOR_BUILDERS.split() for who in ("client", "staff")}
OF_A_PROFILE = (
    "get_insights get_away plan_away end_away get_availability set_availability explain_calendar_slot list_calendars choose_calendars "
    "list_portfolio add_portfolio_piece get_profile put_photo remove_photo list_own_services create_service get_price_hints"
)
NOTHING_THERE |= {(name, "stranger"): "who offers work has no profile yet" for name in OF_A_PROFILE.split()}
BODY_OF_NOTHING = "place_order start_conversation hold_consultation"
NOTHING_THERE |= {(name, who): "the body names nothing that there is" for name in BODY_OF_NOTHING.split() for who in ALL}
# What asks for more than its door does, by what it is about.
ASKS_MORE = {"run_support_macro", "end_support_viewing", "agree_to_close_incident"}
OPEN_SCOPES = [scope for scope in Scope.values if scope != Scope.CONSOLE]


@dataclass(frozen=True)
class Operation:
    """One of the description. `scope` is empty where everybody may come, `wanted` what the console asks for."""

    name: str
    method: str
    path: str
    scope: str
    wanted: frozenset[str]
    says: dict[str, Any]

    @property
    def parts(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def is_console(self) -> bool:
        return self.scope == Scope.CONSOLE

    def is_seen_by(self, who: str) -> bool:
        return all(who in SEEN_BY.get(part, ALL) for part in self.parts)


@cache
def document() -> dict[str, Any]:
    return dict(api.get_openapi_schema())


def operations() -> Iterator[Operation]:
    wanted = {}
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                doors = [door for door in operation.auth_callbacks if isinstance(door, ByToken)]
                wanted[operation.view_func.__name__] = frozenset(doors[0].permissions if doors else ())
    for path, by_method in document()["paths"].items():
        for method, says in by_method.items():
            name = says["operationId"]
            yield Operation(name, method.upper(), path.removeprefix("/api"), says["x-scope"], wanted[name], says)


OPERATIONS = list(operations())


def least(schema: dict[str, Any]) -> Any:
    """The least that a schema takes, so that what is refused is not refused for its body."""
    if "$ref" in schema:
        return least(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if options := schema.get("anyOf"):
        return least(options[0])
    if "allOf" in schema:
        return least(schema["allOf"][0])
    for said in ("const", "default"):
        if schema.get(said) is not None:
            return schema[said]
    if schema.get("type") == "object":
        return {name: least(part) for name, part in schema.get("properties", {}).items() if name in schema.get("required", ())}
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "array":
            return [least(schema["items"]) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    match schema.get("format"):
        case "uuid":
            return str(uuid4())
        case "date-time":
            return f"{now() + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        case "date":
            return f"{now() + timedelta(days=1):%Y-%m-%d}"
    if "0-9a-f" in schema.get("pattern", ""):
        return "0" * 64
    return "x" * max(1, schema.get("minLength", 1))


def query(operation: Operation) -> str:
    asked = [one for one in operation.says.get("parameters", ()) if one["in"] == "query" and one.get("required")]
    return "&".join(f"{one['name']}={least(one['schema'])}" for one in asked)


def call(program: Caller, operation: Operation, objects: dict[str, str]) -> tuple[int, str]:
    """The status, and the code of a refusal."""
    path = operation.path.replace("{slug}", objects[operation.path.split("/")[1]]) if "slug" in operation.parts else operation.path
    for part in operation.parts:
        path = path.replace(f"{{{part}}}", objects.get(part) or str(uuid4()))
    if asked := query(operation):
        path = f"{path}?{asked}"
    kinds = operation.says.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in kinds:
        fields = kinds["multipart/form-data"]["schema"]["properties"]
        answer = program.upload(path, SimpleUploadedFile("a.txt", b"a"), to=next(name for name in ("picture", "photo", "uploads") if name in fields))
    else:
        body = least(next(iter(kinds.values()))["schema"]) if kinds else None
        answer = program.send(operation.method, path, body)
    if answer.streaming:
        return answer.status_code, ""
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""


@pytest.fixture
def objects(world: World) -> dict[str, str]:
    """An object of the world for each part of an address."""
    found = {key.rpartition(":")[2]: str(value) for key, value in world.objects.items()}
    found |= {"webhook_id": str(world.objects["webhooks:endpoint_id"]), "file_id": str(world.objects["attachment_id"]), "position": "1"}
    found |= {
        "services": str(world.objects["api:slug"]),
        "builders": str(world.objects["builders:slug"]),
        "categories": "web-development",
        "service_id": str(world.objects["catalog:pk"]),
    }
    with connection.cursor() as cursor:
        for part, table in (("incident_id", "incident_log"), ("plan_id", "support_plan"), ("message_id", "messaging_message")):
            cursor.execute(f"SELECT id FROM {table} ORDER BY id LIMIT 1")
            found[part] = str(cursor.fetchone()[0])
    return found


def faults(who: str, program: Caller, objects: dict[str, str], fits: Callable[[Operation, int, str], bool]) -> list[str]:
    """What is answered otherwise than it should be. What is done is undone."""
    found = []
    for operation in OPERATIONS:
        with transaction.atomic():
            status, code = call(program, operation, objects)
            transaction.set_rollback(True)
        if status >= 500 or not fits(operation, status, code):
            found.append(f"{who}: {operation.method} {operation.path} ({operation.name}) {status} {code}")
    return found


def person(who: str) -> Callable[[Operation, int, str], bool]:
    """Of somebody with all scopes who is not of the staff."""

    def fits(operation: Operation, status: int, code: str) -> bool:
        if operation.is_console or not operation.is_seen_by(who):
            return (status, code) == (404, "not_found")
        if (operation.name, who) in NOTHING_THERE:
            return status == 404
        return status not in (401, 404, 405) and code not in ("scope_missing", "no_permission")

    return fits


def colleague(group: str) -> Callable[[Operation, int, str], bool]:
    """Of one of the staff with a second factor, who is nobody's side."""

    def fits(operation: Operation, status: int, code: str) -> bool:
        if not operation.is_console:
            return person("staff")(operation, status, code) if not operation.parts or operation.is_seen_by("stranger") else status == 404
        if operation.name in ASKS_MORE:
            return status not in (401, 405)
        refused = bool(operation.wanted and not operation.wanted & GROUPS[group])
        return (status == 403 and code == "no_permission") if refused else status not in (401, 405) and code != "no_permission"

    return fits


def test_who_is_a_party_is_answered_and_nobody_else(
    world: World, objects: dict[str, str], make_user: Callable[..., User], caller: Make, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT, settings.API_A_MINUTE = tmp_path, {"reads": 10**6, "writes": 10**6}
    found = faults("nobody", Caller("p444_wrong"), objects, lambda one, status, _: status == 401 if one.scope else status < 400)
    for who in ("client", "builder", "stranger"):
        found += faults(who, caller(getattr(world, who)), objects, person(who))
    for group in GROUPS:
        found += faults(group, caller(in_groups(make_user(f"{group} Staff", is_staff=True), group)), objects, colleague(group))
    assert found == []


def test_who_may_not_writes_nothing(
    world: World, objects: dict[str, str], make_user: Callable[..., User], caller: Make, settings: Any, tmp_path: Any
) -> None:
    """A token without the scope, a stranger, and staff without their second factor: refused, and no row is there that was not there before."""
    settings.MEDIA_ROOT, settings.API_A_MINUTE = tmp_path, {"reads": 10**6, "writes": 10**6}
    lacking = {scope: caller(world.client, *(one for one in OPEN_SCOPES if one != scope)) for scope in OPEN_SCOPES}
    alone = {scope: caller(world.client, scope) for scope in OPEN_SCOPES}
    reading, stranger, staff = caller(world.client, "read"), caller(world.stranger), caller(world.staff, *OPEN_SCOPES, "console")
    groups = {group: caller(in_groups(make_user(f"{group} Staff", is_staff=True), group)) for group in GROUPS}
    before, found = rows(), []
    for one in OPERATIONS:
        if not one.scope:
            continue
        asked = [(f"without {one.scope}", lacking[one.scope], (403, "scope_missing"))] if not one.is_console else []
        if one.scope not in ("read", "console"):
            asked.append(("reader", reading, (403, "scope_missing")))
        if one.is_console or not one.is_seen_by("stranger"):
            asked.append(("stranger", stranger, (404, "not_found")))
        settings.STAFF_SECOND_FACTOR = True
        asked += [(f"{group} without a second factor", program, (403, "second_factor")) for group, program in groups.items() if one.is_console]
        asked.append(("staff without a second factor", staff, (403, "second_factor")))
        for who, program, expected in asked:
            if (answer := call(program, one, objects)) != expected:
                found.append(f"{who}: {one.method} {one.path} ({one.name}) {answer}")
    settings.STAFF_SECOND_FACTOR = False
    assert found == []
    assert {name: count for name, count in rows().items() if name != "accounts.ApiAllowance"} == {
        name: count for name, count in before.items() if name != "accounts.ApiAllowance"
    }
    for one in OPERATIONS:
        if one.scope in alone:
            with transaction.atomic():
                status, code = call(alone[one.scope], one, objects)
                transaction.set_rollback(True)
            assert (code != "scope_missing", status < 500) == (True, True), one.name


def test_the_table_speaks_of_what_there_is() -> None:
    parts = {part for one in OPERATIONS if not one.is_console for part in one.parts}
    assert parts - {"position"} == set(SEEN_BY)
    assert {name for name, _ in NOTHING_THERE} <= {one.name for one in OPERATIONS}
    assert {f"api:{one.name}" for one in OPERATIONS if one.is_console} == CONSOLE_CALLS
