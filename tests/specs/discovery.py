"""Whether a request is what Google's discovery documents ask for.

Stricter than Google's own clients: an unknown parameter, body field or name in a `fields` mask is a problem, and so is a value
outside of those that a description lists. What the live service does beyond its documents stands in `QUIRKS`, and nothing else
is let through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from tests.fakes.server import Seen

Document = Literal["google-calendar.v3", "google-meet.v2"]
Kind = Literal["body", "patch", "answer"]
FOLDER = Path(__file__).parent

QUIRKS = {
    "patch-null": "A null in a PATCH takes a field away, though every field is described as a string, a number or an object.",
    "if-match": "Writing calls take If-Match with an etag; the document describes no headers at all.",
    "event-id": "An event's own id is base32hex of RFC 4648 (the document names RFC 2938), 5 to 1024 characters.",
    "sync-token": "With syncToken the parameters that its description lists are refused; the document cannot say so in a schema.",
    "conference-version": "conferenceData in a body is dropped in silence unless conferenceDataVersion is 1.",
    "free-busy-limits": "freeBusy takes 50 items; the document says it of calendarExpansionMax only.",
    "required": "What a body must hold stands in annotations that name the method.",
    "read-only": "The calendar document marks read-only fields in prose, not with readOnly.",
    "enum": "Possible values of body fields stand in prose.",
}
SYNC_EXCLUDES = re.compile(r"^- (\w+)", re.MULTILINE)
LISTED = re.compile(r'^- "(\w+)"', re.MULTILINE)
HEADERS = frozenset({"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "if-match", "user-agent"})

formats = FormatChecker(formats=["date"])


def _is_moment(value: object) -> bool:
    """RFC 3339 with the offset that Google insists on."""
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value) is not None


def _is_whole(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"-?\d+", value) is not None


formats.checks("date-time")(_is_moment)
formats.checks("google-datetime")(_is_moment)
formats.checks("int64")(_is_whole)


@dataclass(frozen=True)
class Method:
    """One method of a document. `name` is its id; `parts` are the decoded pieces of the path by name."""

    name: str
    described: Mapping[str, Any]
    parts: Mapping[str, str]

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.described.get("scopes", []))


@cache
def load(document: Document) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{document}.discovery.json").read_text())
    return found


def document_of(path: str) -> Document | None:
    """The document that covers a path; None for the pages of signing in, which have none."""
    if path.startswith("/calendar/v3/"):
        return "google-calendar.v3"
    return "google-meet.v2" if path.startswith("/v2/") else None


def method_of(verb: str, path: str, document: Document) -> Method | None:
    """The method that a request calls."""
    for described, pattern in _methods(document):
        if described["httpMethod"] == verb and (match := pattern.fullmatch(path)) is not None:
            return Method(described["id"], described, {name: unquote(value) for name, value in match.groupdict().items()})
    return None


def problems(seen: Seen, document: Document) -> list[str]:
    """What is wrong with the request; empty when nothing is."""
    method = method_of(seen.method, seen.path, document)
    if method is None:
        return [f"{seen.method} {seen.path}: no such method"]
    query = parse_qs(urlsplit(seen.url).query, keep_blank_values=True)
    found = [*_parameters(method, query, document), *_body(method, seen, document), *_rules(method, query, seen)]
    found += [f"header {name}: not known" for name in seen.headers if name not in HEADERS]
    return [f"{method.name}: {each}" for each in found]


def answer_problems(seen: Seen, status: int, body: Any, document: Document) -> list[str]:
    """What is wrong with an answer that stands in for Google's: a fake must not promise what Google does not."""
    method = method_of(seen.method, seen.path, document)
    if method is None or status != 200:
        return []
    response = method.described.get("response")
    if response is None:
        return [f"{method.name}: answer: none is expected"]
    return [f"{method.name}: {each}" for each in _against(document, response["$ref"], method.name, "answer", body)]


def mask(text: str) -> dict[str, Any]:
    """A `fields` mask as a tree of names: `a,b/c,d(e,f)`. Raises ValueError."""
    tokens = re.findall(r"[\w*]+|[,/()]", text)
    if "".join(tokens) != text or not text:
        raise ValueError(f"not a mask: {text}")

    def names() -> dict[str, Any]:
        tree: dict[str, Any] = {}
        while True:
            tree |= path()
            if not tokens or tokens[0] != ",":
                return tree
            tokens.pop(0)

    def path() -> dict[str, Any]:
        if not tokens or not re.fullmatch(r"[\w*]+", tokens[0]):
            raise ValueError(f"not a mask: {text}")
        name = tokens.pop(0)
        if tokens[:1] == ["/"]:
            tokens.pop(0)
            return {name: path()}
        if tokens[:1] == ["("]:
            tokens.pop(0)
            inner = names()
            if tokens[:1] != [")"]:
                raise ValueError(f"not a mask: {text}")
            tokens.pop(0)
            return {name: inner}
        return {name: {}}

    tree = names()
    if tokens:
        raise ValueError(f"not a mask: {text}")
    return tree


def masked(value: Any, tree: Mapping[str, Any]) -> Any:
    """What a mask leaves of an answer."""
    if not tree or "*" in tree:
        return value
    if isinstance(value, list):
        return [masked(each, tree) for each in value]
    return {name: masked(inner, tree[name]) for name, inner in value.items() if name in tree} if isinstance(value, dict) else value


@cache
def _methods(document: Document) -> list[tuple[Mapping[str, Any], re.Pattern[str]]]:
    described = load(document)

    def walk(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield from resource.get("methods", {}).values()
        for inner in resource.get("resources", {}).values():
            yield from walk(inner)

    return [(method, _pattern(f"/{described['servicePath']}{method['path']}", method)) for method in walk(described)]


def _pattern(template: str, method: Mapping[str, Any]) -> re.Pattern[str]:
    """`{name}` is one piece of a path; `{+name}` is several, as the parameter's own pattern says."""
    parts = []
    for piece in re.split(r"(\{\+?\w+\})", template):
        if not piece.startswith("{"):
            parts.append(re.escape(piece))
        elif piece.startswith("{+"):
            name = piece[2:-1]
            parts.append(f"(?P<{name}>{method['parameters'][name]['pattern'].strip('^$')})")
        else:
            parts.append(f"(?P<{piece[1:-1]}>[^/]+)")
    return re.compile("".join(parts))


def _parameters(method: Method, query: Mapping[str, list[str]], document: Document) -> Iterator[str]:
    own = method.described.get("parameters", {})
    known = {name: each for name, each in own.items() if each["location"] == "query"} | load(document)["parameters"]
    for name, values in query.items():
        if name not in known:
            yield f"parameter {name}: not known"
            continue
        if len(values) > 1 and not known[name].get("repeated"):
            yield f"parameter {name}: given twice"
        for value in values:
            yield from (f"parameter {name}: {problem}" for problem in _value(value, known[name]))
    for name, each in own.items():
        if each.get("required") and name not in query and not method.parts.get(name):
            yield f"parameter {name}: missing"
    if "fields" in query:
        try:
            yield from _names(mask(query["fields"][-1]), method.described.get("response", {}), load(document)["schemas"])
        except ValueError as error:
            yield f"parameter fields: {error}"


def _value(value: str, described: Mapping[str, Any]) -> Iterator[str]:
    kind = described["type"]
    if kind == "boolean" and value not in {"true", "false"}:
        yield f"{value} is not a boolean"
    if kind == "integer":
        if re.fullmatch(r"-?\d+", value) is None:
            yield f"{value} is not an integer"
        elif not int(described.get("minimum", value)) <= int(value) <= int(described.get("maximum", value)):
            yield f"{value} is out of bounds"
    if "enum" in described and value not in described["enum"]:
        yield f"{value} is none of {', '.join(described['enum'])}"
    if "pattern" in described and re.fullmatch(described["pattern"], value) is None:
        yield f"{value} does not match {described['pattern']}"
    if described.get("format") in formats.checkers and not formats.conforms(value, described["format"]):
        yield f"{value} is not a {described['format']}"


def _names(tree: Mapping[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Names in a mask that the answer does not have."""
    while "$ref" in schema or schema.get("type") == "array":
        schema = schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
    for name, inner in tree.items():
        if name == "*" or "additionalProperties" in schema:
            continue
        if name not in schema.get("properties", {}):
            yield f"parameter fields: the answer has no {path}{name}"
        else:
            yield from _names(inner, schema["properties"][name], schemas, f"{path}{name}/")


def _body(method: Method, seen: Seen, document: Document) -> Iterator[str]:
    request = method.described.get("request")
    if request is None:
        if seen.body:
            yield "body: none is expected"
        return
    if not seen.headers.get("content-type", "").startswith("application/json"):
        yield "body: not sent as application/json"
    try:
        body = seen.json
    except ValueError:
        yield "body: not JSON"
        return
    yield from _against(document, request["$ref"], method.name, "patch" if seen.method == "PATCH" else "body", body)


def _against(document: Document, name: str, method: str, kind: Kind, value: Any) -> Iterator[str]:
    validator = Draft202012Validator(_schema(document, name, method, kind), format_checker=formats)
    for error in validator.iter_errors(value):
        yield f"{'answer' if kind == 'answer' else 'body'} {'.'.join(str(part) for part in error.absolute_path)}: {error.message[:200]}"


@cache
def _schema(document: Document, name: str, method: str, kind: Kind) -> dict[str, Any]:
    schemas = load(document)["schemas"]
    defs = {each: _translate(described, method.partition(".")[2], kind) for each, described in schemas.items()}
    return {"$ref": f"#/$defs/{name}", "$defs": defs}


def _translate(schema: Mapping[str, Any], method: str, kind: Kind) -> dict[str, Any]:
    """A schema of a discovery document as JSON Schema, with what stands in its prose."""
    if "$ref" in schema:
        made: dict[str, Any] = {"$ref": f"#/$defs/{schema['$ref']}"}
    elif schema.get("type") in {None, "any"}:
        made = {}
    else:
        made = {name: schema[name] for name in ("type", "format", "pattern", "enum") if name in schema}
    prose = schema.get("description", "")
    if schema.get("type") == "string" and "ossible values are" in prose:
        made["enum"] = LISTED.findall(prose)
    if "items" in schema:
        made["items"] = _translate(schema["items"], method, kind)
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        made["properties"] = {name: _property(each, method, kind) for name, each in properties.items()}
        others = schema.get("additionalProperties")
        made["additionalProperties"] = _translate(others, method, kind) if isinstance(others, dict) else bool(others)
        if kind == "body" and (needed := [name for name, each in properties.items() if _is_required(each, method)]):
            made["required"] = needed
    return made


def _property(schema: Mapping[str, Any], method: str, kind: Kind) -> dict[str, Any]:
    if kind != "answer" and (schema.get("readOnly") or re.search(r"Read-only\.|Output only\.", schema.get("description", ""))):
        return {"not": {"title": "read-only"}}
    made = _translate(schema, method, kind)
    return {"anyOf": [{"type": "null"}, made]} if kind == "patch" else made


def _is_required(schema: Mapping[str, Any], method: str) -> bool:
    return any(each.removeprefix("calendar.") == method for each in schema.get("annotations", {}).get("required", []))


def _rules(method: Method, query: Mapping[str, list[str]], seen: Seen) -> Iterator[str]:
    """What the documents say in prose only; see QUIRKS."""
    if "syncToken" in query:
        prose = method.described["parameters"]["syncToken"]["description"]
        for name in SYNC_EXCLUDES.findall(prose):
            if name in query:
                yield f"parameter {name}: refused beside syncToken"
        if query.get("showDeleted") == ["false"]:
            yield "parameter showDeleted: must not be false beside syncToken"
    try:
        body = seen.json if method.described.get("request") else None
    except ValueError:  # `_body` has said so
        return
    if not isinstance(body, dict):
        return
    if method.name.startswith("calendar.events."):
        if "id" in body and "watch" not in method.name and re.fullmatch(r"[a-v0-9]{5,1024}", str(body["id"])) is None:
            yield f"body id: {body['id']} is not made of a-v and 0-9"
        if "conferenceData" in body and query.get("conferenceDataVersion") != ["1"]:
            yield "body conferenceData: dropped without conferenceDataVersion=1"
    if method.name == "calendar.freebusy.query":
        yield from (f"body {name}: missing" for name in ("timeMin", "timeMax", "items") if name not in body)
        if len(body.get("items", [])) > 50:
            yield "body items: more than 50"
