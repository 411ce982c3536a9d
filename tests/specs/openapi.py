"""Whether a request is what a provider's description asks for.

jsonschema with the OpenAPI 3.0 dialect rather than openapi-core, because an unknown field, parameter or header has to be a
problem here: a misspelt name is the mistake that a fake server written by the same hand never notices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_schema_validator import OAS30WriteValidator, oas30_format_checker

from tests.fakes.server import Seen

Document = Literal["msgraph-calendar", "zoom-meetings"]
FOLDER = Path(__file__).parent
PLAIN_HEADERS = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "if-none-match", "user-agent"}
)


@dataclass(frozen=True)
class Gaps:
    """Where the live service takes more than its description says. Nothing else is let through.

    `outside`: requests that the description does not cover, as "METHOD path". `query`: parameters by the end of a path.
    `headers`: lower case. `fields`: body fields by path ("METHOD template" -> names). `camel`: ends of paths whose described field names
    begin with a capital on paper only. `unasked`: required on paper, never sent by anybody.
    """

    outside: frozenset[str] = frozenset()
    query: Mapping[str, frozenset[str]] = field(default_factory=dict)
    headers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    camel: tuple[str, ...] = ()
    unasked: frozenset[str] = frozenset()


EVERY = "*"
ALLOWED: Mapping[Document, Gaps] = {
    "msgraph-calendar": Gaps(
        outside=frozenset(
            {"POST /common/oauth2/v2.0/token", "GET /common/oauth2/v2.0/authorize", "POST /common/oauth2/v2.0/authorize", "GET /v1.0/me"}
        ),
        query={
            # The window is documented, and required; what the service writes into its own links is its affair.
            "/calendarView/delta": frozenset({"startDateTime", "endDateTime", "$skiptoken", "$deltatoken"}),
            "/calendarView": frozenset({"$skiptoken"}),
            "/me/calendars": frozenset({"$skiptoken"}),
        },
        headers={
            EVERY: frozenset({"prefer"}),
            "PATCH": frozenset({"if-match"}),  # described for DELETE alone
        },
        # A navigation property: our copy of the description was cut to those that are no navigation.
        fields={
            "POST /me/calendars/{calendar-id}/events": frozenset({"singleValueExtendedProperties"}),
            "POST /me/events": frozenset({"singleValueExtendedProperties"}),
        },
        camel=("/getSchedule",),
        unasked=frozenset({"@odata.type"}),
    ),
    "zoom-meetings": Gaps(outside=frozenset({"POST /oauth/token"})),
}


@dataclass(frozen=True)
class _Operation:
    template: str
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]  # (in, name)
    body: Mapping[str, Any] | None
    body_required: bool
    content_types: tuple[str, ...]


@dataclass(frozen=True)
class _Description:
    base: str
    root: Mapping[str, Any]
    operations: Mapping[str, Mapping[re.Pattern[str], _Operation]]  # by method
    gaps: Gaps

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self.root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema

    def faults(self, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
        """What is wrong with the value, one line each."""
        checker = _validator(self.root, json.dumps(schema))
        for error in checker.iter_errors(value):
            yield f"{'.'.join(str(step) for step in error.absolute_path) or 'value'}: {error.message[-200:]}"

    def strangers(self, schema: Mapping[str, Any], value: Any, where: str = "") -> Iterator[str]:
        """Fields that no part of the schema names. A schema that names none, or takes others, takes all."""
        parts = list(self._parts(schema))
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for item in value:
                if items:
                    yield from self.strangers({"allOf": items}, item, where)
        if not isinstance(value, dict):
            return
        named: dict[str, list[Any]] = {}
        for part in parts:
            for name, described in part.get("properties", {}).items():
                named.setdefault(name, []).append(described)
        if not named or any(part.get("additionalProperties") for part in parts):
            return
        for name, inner in value.items():
            if name in named:
                yield from self.strangers({"allOf": named[name]}, inner, f"{where}{name}.")
            else:
                yield f"{where}{name}"

    def _parts(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        schema = self.resolve(schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            for each in schema.get(word, []):
                yield from self._parts(each)


def problems(seen: Seen, document: Document) -> list[str]:
    """Everything in which this request differs from the description; empty when it is right."""
    described = _load(document)
    if f"{seen.method} {seen.path}" in described.gaps.outside:
        return []
    path = urlsplit(seen.url).path
    if not path.startswith(f"{described.base}/"):
        return [f"{seen.method} {seen.path}: not below {described.base}"]
    path = path.removeprefix(described.base)
    for pattern, operation in described.operations.get(seen.method, {}).items():
        if found := pattern.fullmatch(path):
            values = dict(zip(re.findall(r"{([^}]+)}", operation.template), map(unquote, found.groups()), strict=True))
            head = f"{seen.method} {operation.template}: "
            return [head + each for each in (*_of_parameters(described, operation, seen, values), *_of_body(described, operation, seen))]
    return [f"{seen.method} {seen.path}: not described"]


def _of_parameters(described: _Description, operation: _Operation, seen: Seen, values: Mapping[str, str]) -> Iterator[str]:
    gaps = described.gaps
    extra = next((names for end, names in gaps.query.items() if operation.template.endswith(end)), frozenset())
    headers = PLAIN_HEADERS | gaps.headers.get(EVERY, frozenset()) | gaps.headers.get(seen.method, frozenset())
    query = parse_qsl(urlsplit(seen.url).query, keep_blank_values=True)
    given = [("path", name, value) for name, value in values.items()] + [("query", name, value) for name, value in query]
    given += [("header", name, value) for name, value in seen.headers.items()]
    names = {(place, name.lower() if place == "header" else name) for place, name, _ in given}
    for (place, name), parameter in operation.parameters.items():
        if parameter.get("required") and (place, name) not in names:
            yield f"{place} {name} is missing"
    if len(query) != len({name for name, _ in query}):
        yield "a query parameter is given twice"
    for place, name, value in given:
        known = operation.parameters.get((place, name))
        if known is not None:
            for fault in described.faults(known["schema"], _typed(described.resolve(known["schema"]), value)):
                yield f"{place} {name}: {fault}"
        elif not (place == "header" and name in headers) and not (place == "query" and name in extra):
            yield f"{place} {name} is not described"


def _of_body(described: _Description, operation: _Operation, seen: Seen) -> Iterator[str]:
    if not seen.body:
        if operation.body_required:
            yield "the body is missing"
        return
    if operation.body is None:
        yield "takes no body"
        return
    if seen.headers.get("content-type", "").split(";")[0] not in operation.content_types:
        yield f"content type is {seen.headers.get('content-type')}"
    try:
        body = seen.json
    except ValueError:
        yield "the body is no JSON"
        return
    if isinstance(body, dict) and operation.template.endswith(described.gaps.camel or ("\0",)):
        body = {name[:1].upper() + name[1:]: value for name, value in body.items()}
    yield from described.faults(operation.body, body)
    known = described.gaps.fields.get(f"{seen.method} {operation.template}", frozenset())
    for name in described.strangers(operation.body, body):
        if name not in known:
            yield f"field {name} is not described"


def _typed(schema: Mapping[str, Any], value: str) -> Any:
    """The value as the schema's type, or the text itself, which the schema then refuses."""
    kind = schema.get("type")
    try:
        if kind == "integer":
            return int(value)
        if kind == "number":
            return float(value)
    except ValueError:
        return value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    if kind == "array":
        return [_typed(schema.get("items", {}), each) for each in value.split(",")]
    return value


@cache
def _load(document: Document) -> _Description:
    gaps = ALLOWED[document]
    root: dict[str, Any] = json.loads((FOLDER / f"{document}.openapi.json").read_text())
    _mend(root, gaps.unasked)
    bare = _Description("", root, {}, gaps)
    operations: dict[str, dict[re.Pattern[str], _Operation]] = {}
    # Templates without a placeholder first, so that /a/delta is never read as /a/{id}.
    for template, item in sorted(root["paths"].items(), key=lambda each: each[0].count("{")):
        pattern = re.compile(re.sub(r"\\{[^}]+\\}", "([^/]+)", re.escape(template)))
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            described = item[method]
            parameters = [bare.resolve(each) for each in (*item.get("parameters", []), *described.get("parameters", []))]
            body = bare.resolve(described.get("requestBody", {}))
            content = body.get("content", {})
            operations.setdefault(method.upper(), {})[pattern] = _Operation(
                template,
                {(each["in"], each["name"].lower() if each["in"] == "header" else each["name"]): each for each in parameters},
                content.get("application/json", {}).get("schema") if content else None,
                bool(body.get("required")),
                tuple(content),
            )
    return _Description(urlsplit(root["servers"][0]["url"]).path, root, operations, gaps)


def _mend(node: Any, unasked: frozenset[str]) -> None:
    """Take `unasked` out of every `required`, and let `null` in an anyOf mean null: as written, it is any object at all."""
    if isinstance(node, dict):
        if isinstance(node.get("required"), list):
            node["required"] = [name for name in node["required"] if name not in unasked]
        if isinstance(node.get("anyOf"), list):
            node["anyOf"] = [{"enum": [None], "nullable": True} if each == {"type": "object", "nullable": True} else each for each in node["anyOf"]]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            _mend(each, unasked)


_validators: dict[tuple[int, str], Any] = {}


def _validator(root: Mapping[str, Any], schema: str) -> Any:
    """A validator of the schema that finds `#/components/...` in the document."""
    key = (id(root), schema)
    if key not in _validators:
        _validators[key] = OAS30WriteValidator({**json.loads(schema), "components": root["components"]}, format_checker=oas30_format_checker)
    return _validators[key]
