"""The description of the API as a page: what an OpenAPI document says, in the shape in which a template shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
NOTHING: Mapping[str, str] = {}
PLAIN = {"uuid": "01a20871-b821-7633-9c68-cd819ce5df50", "date-time": "2026-11-23T10:00:00Z", "date": "2026-11-23"}


@dataclass(frozen=True)
class Field:
    """A parameter or a part of a body."""

    name: str
    kind: str
    place: str = ""
    required: bool = False
    words: str = ""


@dataclass(frozen=True)
class Answer:
    status: str
    words: str
    schema: str = ""
    fields: list[Field] = field(default_factory=list)
    example: str = ""


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    summary: str
    words: str
    scope: str
    parameters: list[Field]
    body: list[Field]
    body_example: str
    answers: list[Answer]
    refusals: list[Answer]


def groups(document: Document) -> list[tuple[str, list[Operation]]]:
    """The operations by their tag, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method, one in operations.items():
            found.setdefault((one.get("tags") or ["Other"])[0], []).append(_operation(document, path, method, one))
    return list(found.items())


def _operation(document: Document, path: str, method: str, one: Document) -> Operation:
    body = _schema_of(one.get("requestBody", {}))
    answers = [_answer(document, status, answer) for status, answer in sorted(one["responses"].items())]
    return Operation(
        name=one["operationId"],
        method=method.upper(),
        path=path,
        summary=one.get("summary", ""),
        words=one.get("description", ""),
        scope=one.get("x-scope", ""),
        parameters=[
            Field(part["name"], kind(document, part["schema"]), part["in"], part.get("required", False), _words(part))
            for part in one.get("parameters", ())
        ],
        body=fields(document, body),
        body_example=_written(example(document, body)),
        answers=[answer for answer in answers if int(answer.status) < 400],
        refusals=[answer for answer in answers if int(answer.status) >= 400],
    )


def _answer(document: Document, status: str, answer: Document) -> Answer:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[-1]]
    schema = _schema_of(answer)
    is_fine = int(status) < 400
    return Answer(
        status,
        answer.get("description", ""),
        kind(document, schema) if schema else "",
        fields(document, schema) if is_fine else [],
        _written(example(document, schema)) if is_fine else "",
    )


def _words(part: Document) -> str:
    return str(part.get("description") or part.get("schema", {}).get("description", ""))


def _schema_of(part: Document) -> Document:
    content: Document = part.get("content", {})
    return next((one.get("schema", {}) for one in content.values()), {})


def resolved(document: Document, schema: Document) -> Document:
    """The schema behind a reference."""
    if "$ref" in schema:
        return {**document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if len(schema.get("allOf", ())) == 1:
        return resolved(document, {**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}})
    return schema


def fields(document: Document, schema: Document) -> list[Field]:
    """The parts of an object; of a page, those of its rows as well."""
    schema = resolved(document, schema)
    required = set(schema.get("required", ()))
    found = []
    for name, part in schema.get("properties", {}).items():
        found.append(Field(name, kind(document, part), "", name in required, str(part.get("description", ""))))
        if name == "items" and "items" in part:
            found += [Field(f"items[].{inner.name}", inner.kind, "", inner.required, inner.words) for inner in fields(document, part["items"])]
    return found


def kind(document: Document, schema: Document) -> str:
    """A type in words."""
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return " or ".join(dict.fromkeys(kind(document, one) for one in schema[either]))
    if "$ref" in schema:
        known = resolved(document, schema)
        return _choice(known) if "enum" in known else str(schema["$ref"]).rsplit("/", 1)[-1]
    if "enum" in schema or "const" in schema:
        return _choice(schema)
    if schema.get("type") == "array":
        return f"list of {kind(document, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _choice(schema: Document) -> str:
    return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))


def example(document: Document, schema: Document, named: Mapping[str, str] = NOTHING, name: str = "") -> Any:
    """A value that the schema allows: its own example, one put together of its parts', or for text what is said of parts that are called so."""
    schema = resolved(document, schema)
    if schema.get("examples"):
        return schema["examples"][0]
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return example(document, schema[either][0], named, name)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("type") == "object":
        return {part: example(document, inner, named, part) for part, inner in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [example(document, schema.get("items", {}), named, name)]
    if "default" in schema:
        return schema["default"]
    if found := PLAIN.get(schema.get("format", "")):
        return found
    text = named.get(name, "text")[: schema.get("maxLength")]
    return {"integer": schema.get("minimum", 1), "number": 1, "boolean": True, "string": text, "null": None}.get(schema.get("type", ""), {})


def _written(value: Any) -> str:
    return json.dumps(value, indent=2) if value not in ({}, None) else ""
