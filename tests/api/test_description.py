"""The description of the API: the copy in docs, the page, and that each operation says what it has to."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from ninja import Schema
from openapi_schema_validator import OAS31Validator

from port444.api import api
from port444.kit.rest import REFUSALS

COPY = Path(settings.BASE_DIR) / "docs" / "openapi.json"


@cache
def described() -> dict[str, Any]:
    return json.loads(json.dumps(api.get_openapi_schema(), sort_keys=True, default=str))  # type: ignore[no-any-return]


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{method} {path}", one) for path, by_method in described()["paths"].items() for method, one in by_method.items()]


def test_the_copy_in_docs_is_what_the_code_says() -> None:
    """After a change: `./run manage export_openapi_schema --api port444.api.api --sorted --output docs/openapi.json`."""
    assert json.loads(COPY.read_text()) == described()


def test_it_is_an_openapi_document() -> None:
    document = described()
    assert document["openapi"].startswith("3.1")
    for name, schema in document["components"]["schemas"].items():
        OAS31Validator.check_schema({**schema, "components": document["components"]})
        assert name


def test_every_body_has_an_example_that_fits() -> None:
    document = described()
    bodies = {name: schema for name, schema in document["components"]["schemas"].items() if schema.get("type") == "object"}
    assert len(bodies) > 200
    found = []
    for name, schema in bodies.items():
        wrong = OAS31Validator({**schema, "components": document["components"]}).iter_errors(schema["examples"][0])
        found += [f"{name}: {error.message}" for error in wrong]
    assert found == []


def test_every_operation_says_who_may_what_comes_and_what_does_not() -> None:
    names = [one["operationId"] for _, one in operations()]
    assert len(names) == len(set(names))
    for name, one in operations():
        assert one.get("summary"), name
        answered = {int(status) for status in one["responses"]}
        assert any(status < 300 for status in answered), name
        assert answered >= set(REFUSALS), name
        assert bool(one.get("security")) == bool(one["x-scope"]), name
        for status, response in one["responses"].items():
            if int(status) >= 400:
                assert response == {"$ref": f"#/components/responses/Refused{status}"}, name
    for refusal in described()["components"]["responses"].values():
        assert list(refusal["content"]) == ["application/problem+json"]


ASKED_FOR = [
    "",
    "GET /api/consultations",
    "POST /api/consultations",
    "GET /api/consultations/{id}",
    "PUT /api/consultations/{id}/complete",
    "POST /api/consultations/{id}/convert",
    "GET /api/calendar-slots/{builder_id}",
    "POST /api/calendar-slots",
    "GET /api/orders/{id}/amendments",
    "POST /api/orders/{id}/amendments",
    "PUT /api/amendments/{id}/approve",
    "PUT /api/amendments/{id}/reject",
    "POST /api/amendments/{id}/pay",
    "GET /api/audit-logs",
    "GET /api/audit-logs/export",
    "GET /api/incident-logs",
    "PUT /api/incident-logs/{id}/investigate",
    "PUT /api/incident-logs/{id}/resolve",
    "GET /api/support/users/{id}",
    "POST /api/support/impersonate",
    "POST /api/support/impersonate/end",
    "POST /api/support/credits",
    "POST /api/support/orders/merge",
    "POST /api/support/orders/split",
    "GET /api/support/actions",
    "",
]


def shape(path: str) -> str:
    """An address without what its parts are called."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def test_the_addresses_that_others_were_promised_are_there() -> None:
    there = {(name.split(" ")[0].upper(), shape(name.split(" ")[1])) for name, _ in operations()}
    promised = [line.split(" ") for line in ASKED_FOR if line]
    assert [f"{method} {path}" for method, path in promised if (method, shape(path)) not in there] == []


@pytest.mark.django_db
def test_everybody_may_read_it() -> None:
    page = Client().get("/docs/api/")
    assert page.status_code == 200
    text = page.content.decode()
    for name, one in operations():
        assert f'id="{one["operationId"]}"' in text, name
    assert Client().get("/api/openapi.json").json()["info"]["title"] == "port444"


def test_no_two_schemas_have_one_name() -> None:
    """ninja would describe one of them in the place of both."""

    def below(schema: Any) -> set[str]:
        found = {f"{schema.__module__}.{schema.__name__}"}
        return found.union(*(below(one) for one in schema.__subclasses__()))

    names = [name.rpartition(".")[2] for name in below(Schema) if not name.startswith("ninja.")]
    ours = [name for name in names if not name.startswith("Ninja") and not name.endswith("Params")]  # made by ninja of functions
    assert sorted(name for name, count in Counter(ours).items() if count > 1) == []
