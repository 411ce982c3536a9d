"""Schemathesis over the whole description, as everybody who may call: nothing fails, nothing is answered that the description does not
say, and who may only read writes nothing.

Objects are those of a small world, put into the addresses, so that more is tried than what does not exist. `./run test tests/api` tries a few
cases of each operation, `SCHEMATHESIS=long ./run test tests/api/test_schemathesis.py` many.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from port444.accounts.actions import create_token
from port444.accounts.models import Scope, User
from port444.api import api
from tests.architecture.conftest import World, world
from tests.architecture.test_urls import rows

__all__ = ["world"]

LONG = os.environ.get("SCHEMATHESIS") == "long"
CASES, STEPS, LIVES = (15, 10, 15) if LONG else (2, 5, 3)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CALM = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=not LONG,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600 if LONG else 400)]
WHO = ("client", "builder", "stranger", "staff", "reader", "nobody")


@cache
def described() -> Any:
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))
    schema.app = get_wsgi_application()
    schema.config.update(base_url="http://testserver/")
    return schema


@pytest.fixture(autouse=True)
def one_connection(settings: Any) -> Iterator[None]:
    """Requests use the connection of the test, as those of Django's own client do, and may be as many as they like."""
    settings.API_A_MINUTE = {"reads": 10**6, "writes": 10**6}
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    gc.collect()  # an answer that is closed late says that its request has finished
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(world: World, request: pytest.FixtureRequest) -> dict[str, str]:
    """Of the caller whom the test is about."""
    who = str(request.param)
    if who == "nobody":
        return {}
    user: User = world.client if who == "reader" else getattr(world, who)
    scopes = ["read"] if who == "reader" else [scope for scope in Scope.values if scope != Scope.CONSOLE or user.is_staff]
    return {"Authorization": f"Bearer {create_token(user.pk, actor=user, name='Tests', scopes=scopes, days=7, second_factor=True)[1]}"}


def objects_of(world: World) -> dict[str, list[str]]:
    """What may stand in an address, by the name of the part."""
    found: dict[str, list[str]] = {}
    for key, value in world.objects.items():
        found.setdefault(key.rpartition(":")[2], []).append(str(value))
    asked = {"order_id": "orders_order", "amendment_id": "amendments_amendment", "service_id": "catalog_service"}
    for name, table in asked.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {table}")
            found.setdefault(name, []).extend(str(row[0]) for row in cursor.fetchall())
    return found


def tried(case: Any, headers: dict[str, str]) -> None:
    """The answer to one case, compared with the description. A broken transaction of a request must not break the test's own."""
    with transaction.atomic():
        response = case.call(headers=headers)
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize("headers", WHO, indirect=True)
def test_no_answer_but_those_described(world: World, headers: dict[str, str]) -> None:
    known = objects_of(world)
    operations = [result.ok() for result in described().get_all_operations()]
    assert len(operations) > 100
    faults = []
    for operation in operations:
        parts = [part.name for part in operation.path_parameters]
        there = st.fixed_dictionaries({name: st.sampled_from(known[name]) for name in parts if name in known})

        @given(case=operation.as_strategy(), objects=there)
        @CALM
        def try_it(case: Any, objects: dict[str, str]) -> None:
            case.path_parameters = {**(case.path_parameters or {}), **objects}
            tried(case, headers)

        try:
            try_it()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 (all of them are told together)
            faults.append(f"{operation.label}: {told(error)}")
    assert not faults, "\n\n".join(faults)


def told(error: BaseException) -> str:
    """What Schemathesis says is wrong, and the case."""
    parts = getattr(error, "exceptions", ())
    return "\n".join(told(part) for part in parts) if parts else f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("headers", ["reader", "nobody"], indirect=True)
def test_who_may_only_read_writes_nothing(world: World, headers: dict[str, str]) -> None:
    known, before = objects_of(world), rows()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables WHERE relname NOT LIKE 'accounts_api%%'")
        changed = cursor.fetchone()[0]
    for result in described().get_all_operations():
        operation = result.ok()
        if operation.method.upper() == "GET":
            continue

        there = st.fixed_dictionaries({part.name: st.sampled_from(known[part.name]) for part in operation.path_parameters if part.name in known})

        @given(case=operation.as_strategy(), objects=there)
        @CALM
        def try_it(case: Any, objects: dict[str, str]) -> None:
            case.path_parameters = {**(case.path_parameters or {}), **objects}
            with transaction.atomic():
                assert case.call(headers=headers).status_code < 500, case.operation.label

        try_it()
    assert {name: count for name, count in rows().items() if name != "accounts.ApiAllowance"} == {
        name: count for name, count in before.items() if name != "accounts.ApiAllowance"
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables WHERE relname NOT LIKE 'accounts_api%%'")
        assert cursor.fetchone()[0] == changed


@pytest.mark.parametrize("headers", ["client", "builder", "staff"], indirect=True)
def test_what_one_answer_names_the_next_call_finds(headers: dict[str, str], world: World) -> None:
    """Along the links: what was made or listed is looked at, changed, and looked at again."""

    class Life(described().as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers}

        def call(self, case: Any, **options: Any) -> Any:
            with transaction.atomic():
                return super().call(case, **options)

        def validate_response(self, response: Any, case: Any, additional_checks: Any = (), **options: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    run_state_machine_as_test(Life, settings=settings(CALM, max_examples=LIVES, stateful_step_count=STEPS))
