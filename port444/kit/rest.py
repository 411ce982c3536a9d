"""The shape of the JSON API: what money, moments, pages and refusals look like, and answers that hold for a state alone.

Every app has its `api.py` of routers and its `schemas.py`; `port444.api` puts them together. Refusals are problem documents
(RFC 9457), pages go by key, and the tag of a thing (RFC 9110) is made of its row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import ninja
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from . import context, states
from .errors import DomainError, Invalid

PROBLEM = "application/problem+json"
PAGE, MOST = 25, 100  # rows in a page, unless asked for less or more
REFUSALS = (400, 401, 403, 404, 409, 412, 422, 429)
TITLES = {
    400: "The request cannot be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible now",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Of another kind than can be taken",
    422: "Invalid",
    429: "Too many requests",
    500: "A fault of ours",
    503: "Not available now",
}

# Values


def _written(value: Decimal) -> str:
    return f"{value:.2f}"


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds" if value.microsecond else "seconds").replace("+00:00", "Z")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a moment needs its offset, for example 2026-11-23T10:00:00Z")
    try:
        return value.astimezone(UTC)  # the database knows no offset of a whole day, which the format allows
    except OverflowError:
        raise ValueError("a moment that a calendar has") from None


def _plain(value: str) -> str:
    if "\x00" in value:
        raise ValueError("text has no NUL")
    return value


_MONEY = {"type": "string", "pattern": r"^-?[0-9]{1,12}\.[0-9]{2}$", "examples": ["120.00"], "description": "USDC, always with two decimals"}
_MOMENT = {"type": "string", "format": "date-time", "examples": ["2026-11-23T10:00:00Z"], "description": "RFC 3339, in UTC"}

Money = Annotated[Decimal, PlainSerializer(_written, return_type=str), WithJsonSchema(_MONEY)]
Moment = Annotated[datetime, AfterValidator(_aware), PlainSerializer(_utc, return_type=str), WithJsonSchema(_MOMENT)]
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_plain)]
# What a caller says of money: exact, so that nothing is rounded behind their back.
Amount = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2), WithJsonSchema({**_MONEY, "pattern": r"^[0-9]{1,12}\.[0-9]{2}$"})]


class In(ninja.Schema):
    """What a caller sends: an unknown field is a mistake and is told, not passed over."""

    model_config = ConfigDict(extra="forbid")


class Out(ninja.Schema):
    """What is answered."""


class Row(ninja.Schema):
    """One of a page. `fields=` leaves out what is not named, so that only the id is promised."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(required=["id"]))


class Problem(ninja.Schema):
    """A refusal (RFC 9457). `code` is stable; `detail` is for people and may be worded anew."""

    type: str = Field(examples=["/docs/api/#problem-wrong_state"])
    title: str
    status: int
    code: str = Field(examples=["wrong_state"])
    detail: str
    request_id: UUID | None = None
    errors: list[dict[str, str]] = Field(default_factory=list, description="What is wrong with which field, where it is about fields")


@cache
def _columns(model: type[models.Model], schema: type[ninja.Schema]) -> tuple[str, ...]:
    columns = {field.attname for field in model._meta.concrete_fields}
    return tuple(name for name in schema.model_fields if name in columns)


def same(row: models.Model, schema: type[ninja.Schema]) -> dict[str, Any]:
    """What the schema calls as the row's columns are called. No relation is followed: a page of rows would ask the database for each."""
    return {name: getattr(row, name) for name in _columns(type(row), schema)}


def problem(status: int, code: str, detail: str, *, errors: Iterable[Mapping[str, str]] = ()) -> HttpResponse:
    """The answer that refuses."""
    body = {
        "type": f"/docs/api/#problem-{code}",
        "title": TITLES.get(status, "Refused"),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": str(asked) if (asked := context.current().request_id) else None,
        "errors": list(errors),
    }
    return HttpResponse(json.dumps(body), status=status, content_type=PROBLEM)


def answers(status: int, schema: Any, *, but: Iterable[int] = REFUSALS) -> dict[Any, Any]:
    """What an operation may answer: that, or one of the refusals. For the `response=` of an operation."""
    return {status: schema, frozenset(but): Problem}


# Pages


class Paging(ninja.Schema):
    """Where a page begins, how long it is, and what of its rows is wanted."""

    after: str | SkipJsonSchema[None] = Field(None, description="From `next` of the page before", max_length=80)
    limit: int = Field(PAGE, ge=1, le=MOST)
    fields: str | SkipJsonSchema[None] = Field(None, description="Names of fields, with commas between; the id always comes", max_length=600)


def page[R: models.Model](request: HttpRequest, paging: Paging, rows: models.QuerySet[R], schema: type[Row], out: Callable[[R], Row]) -> HttpResponse:
    """A page of rows, newest first: by primary key, which grows with time. `next` is the address of the page after, or null.

    `out` tells of one as `schema` says. The number of queries does not depend on how many rows there are.
    """
    if paging.after is not None:
        try:
            after = UUID(paging.after)
        except ValueError as error:
            raise Invalid("`after` is not from a page of these.", code="bad_cursor") from error
        rows = rows.filter(pk__lt=after)
    found = list(rows.order_by("-pk")[: paging.limit + 1])
    shown = found[: paging.limit]
    asked = request.GET.copy()
    asked["after"] = str(shown[-1].pk) if shown else ""
    following = f"{request.path}?{asked.urlencode()}" if len(found) > paging.limit else None
    return JsonResponse({"items": chosen(map(out, shown), schema, paging.fields), "next": following})


def chosen(rows: Iterable[Row], schema: type[Row], fields: str | None) -> list[dict[str, Any]]:
    """The rows without what was not asked for. Raises Invalid for a name that `schema` has not, also where there is no row."""
    wanted = {name.strip() for name in (fields or "").split(",") if name.strip()}
    if unknown := wanted - schema.model_fields.keys():
        raise Invalid(f"There is no field {', '.join(sorted(unknown))} here.", code="unknown_field")
    include = {"id", *wanted} if wanted else None
    return [row.model_dump(mode="json", include=include) for row in rows]


# Answers that hold for one state


def etag(row: models.Model) -> str:
    """The tag of a row: another one as soon as any of its columns has changed."""
    values = [str(getattr(row, field.attname)) for field in row._meta.concrete_fields]
    return f'"{hashlib.sha256("\x1f".join(values).encode()).hexdigest()[:20]}"'


def tagged(response: HttpResponse, row: models.Model) -> None:
    """Say with the answer of which state of the row it tells. `response` is the one that ninja hands to the view."""
    response["ETag"] = etag(row)


@contextmanager
def unless_changed(request: HttpRequest, row: models.Model) -> Iterator[None]:
    """Inside, an action that locks the row refuses (412) when it is not as the caller's If-Match says. Put it around the action."""
    with states.expected(row, lambda locked: matches(request, etag(locked))):
        yield


def matches(request: HttpRequest, tag: str) -> bool:
    """Whether the caller's If-Match, if there is one, has the tag."""
    wanted = {one.strip().removeprefix("W/") for one in request.headers.get("If-Match", "*").split(",")}
    return tag in wanted or bool(wanted & {"", "*"})


# What the description says beside what the code does


def parameter(name: str, place: str, description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "description": description, "schema": {"type": "string", **schema}}


IF_MATCH = parameter("If-Match", "header", "The ETag that the thing had when it was looked at; changed meanwhile, nothing is done (412)")
KEY = parameter(
    "Idempotency-Key",
    "header",
    "Any text that is yours alone, 8 to 200 printable characters. The same call again with it, within a week, gives the same answer and does nothing",
    required=True,
    minLength=8,
    maxLength=200,
    pattern="^[!-~]{8,200}$",
)


def also(*parameters: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """For the `openapi_extra=` of an operation: parameters that are read from headers."""
    return {"parameters": list(parameters), **extra}


def refusal(error: DomainError) -> HttpResponse:
    return problem(error.status, error.code, error.message)
