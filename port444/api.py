"""The JSON API: the routers of all apps, the wording of refusals, and its description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import render
from django.views.decorators.http import require_GET
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from amendments.api import router as amendments
from consultations.api import router as calls
from port444.accounts.api import router as accounts
from port444.accounts.callers import ByToken
from port444.away.api import router as away
from port444.builders.api import portfolio, profile
from port444.catalog.api import finding, selling
from port444.favourites.api import router as favourites
from port444.kit import reference, rest
from port444.kit.errors import DomainError, worded
from port444.kit.publicity import Public, address
from port444.messaging.api import router as messaging
from port444.notifications.api import router as notifications
from port444.orders.api import disputes, insights, offers, orders, partings, reviews
from port444.payments.api import router as payments
from port444.webhooks.api import router as webhooks
from support.api import router as support

DESCRIPTION = """
Everything a person can do on a page, a program can do here, by the same rules.

**Who you are.** A browser that is signed in (changes need `X-CSRFToken`), or `Authorization: Bearer p444_...` with a token from your settings.

**Money** is a string with two decimals, in USDC. **Times** are RFC 3339 in UTC; where a wall clock matters its IANA zone stands beside.

**Lists** come newest first in pages; follow `next` until it is null. `fields=` leaves out what you do not need.

**Changes.** Send the `ETag` that you have seen as `If-Match`, and nothing is done (412) if the thing has changed since. What moves money needs an
`Idempotency-Key`: the same call again gives the same answer and does nothing.

**Refusals** are problem documents (RFC 9457) with a stable `code`. Things of others are 404, as what does not exist.

**How often.** See `RateLimit` in each answer; beyond it comes 429 with `Retry-After`.
""".strip()


# What a text may say, by the name of its field, where the field says nothing itself.
EXAMPLES = {
    "action_taken": "no_action",
    "additional_deliverables": "A report on the timings",
    "answer": "The order list and the customer page.",
    "author": "Anaya Krishnan",
    "body": "Can you look at the slow pages?",
    "builder": "Anaya Krishnan",
    "builder_time_zone": "Asia/Kolkata",
    "category": "web-development",
    "claim": "Two of the five pages are as slow as before.",
    "client_time_zone": "Europe/Amsterdam",
    "currency": "USDC",
    "decision": "Three of five pages are done.",
    "deliverables": "A patch as a branch",
    "description": "Three pages, with timings before and after.",
    "detector": "shared_address",
    "email": "jonas@example.com",
    "error": "Nobody answered within ten seconds.",
    "events": "order.paid",
    "fields": "id,status",
    "headline": "Django and PostgreSQL performance",
    "ip_address": "203.0.113.7",
    "key": "pages-slow",
    "label": "For the lost days",
    "language": "en",
    "mimetype": "text/plain",
    "name": "Anaya Krishnan",
    "note": "All five are fast now.",
    "package": "Five pages",
    "phone": "+31201234567",
    "questions": "Which server is it?",
    "reason": "We had other plans.",
    "reference": "P4-1061",
    "reply": "Thank you.",
    "resolution": "One household.",
    "scope": "The five slowest pages.",
    "service": "Make slow Django pages fast",
    "slug": "anaya-krishnan",
    "summary": "Profile, patch with tests, timings before and after.",
    "tags": "django",
    "text": "Thank you, all of it works.",
    "time_zone": "Europe/Amsterdam",
    "title": "Make five slow Django pages fast",
    "told": "Somebody else may have your password.",
    "url": "https://port444.example/orders/2187/",
    "words": "A booking site for a ferry.",
}
THING = re.compile(r"(?P<all>/api(/[a-z-]+)+)/\{(?P<id>\w+)\}(/[a-z-]+)?$")


class Api(NinjaAPI):
    """ninja's, with operations called as their functions are, and a description that says everything."""

    def __init__(self, **options: Any) -> None:
        self.scopes: dict[str, str] = {}  # what a token needs, by operation
        self.described: OpenAPISchema | None = None
        super().__init__(**options)

    def get_openapi_operation_id(self, operation: Any) -> str:
        name = str(operation.view_func.__name__)
        self.scopes[name] = next((auth.scope.value for auth in operation.auth_callbacks if isinstance(auth, ByToken)), "")
        return name

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The same for everybody, and made once in a process: it takes more than a second."""
        if self.described is None:
            self.described = complete(super().get_openapi_schema(**options), self.scopes)
        return self.described


api = Api(title="port444", version="1.0.0", description=DESCRIPTION, urls_namespace="api", docs_url=None)
ROUTERS = (
    accounts,
    amendments,
    away,
    portfolio,
    profile,
    calls,
    finding,
    selling,
    disputes,
    insights,
    favourites,
    messaging,
    notifications,
    offers,
    orders,
    partings,
    payments,
    reviews,
    support,
    webhooks,
)
for router in ROUTERS:
    api.add_router("", router)


def complete(schema: OpenAPISchema, scopes: Mapping[str, str]) -> OpenAPISchema:
    """Say of refusals that they are problem documents, which headers every answer has, and which scope a token needs."""
    parts = schema["components"]
    parts["headers"] = {
        "X-Request-ID": {"description": "Name it when you write to support", "schema": {"type": "string", "format": "uuid"}},
        "RateLimit": {"description": "What is left now, and when all of it is back", "schema": {"type": "string"}},
    }
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in parts["headers"]}
    refusals = {rest.PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    parts["responses"] = {f"Refused{status}": {"description": rest.TITLES[status], "headers": headers, "content": refusals} for status in rest.TITLES}
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["x-scope"] = scopes[operation["operationId"]]
            for status, response in list(operation["responses"].items()):
                if int(status) >= 400:
                    operation["responses"][status] = {"$ref": f"#/components/responses/Refused{status}"}
                else:
                    response["headers"] = {**headers, **response.get("headers", {})}
    for part in parts["schemas"].values():
        if part.get("type") == "object":
            part.setdefault("examples", [reference.example(schema, part, EXAMPLES)])
    _link(schema["paths"])
    return schema


def _link(paths: Mapping[str, Any]) -> None:
    """Say which operations go on from an answer: what was made, listed or looked at is looked at, changed, and so on, by its id."""
    by_thing: dict[str, list[tuple[str, str]]] = {}
    for path, operations in paths.items():
        if found := THING.match(path):
            by_thing.setdefault(found["all"], []).extend((one["operationId"], found["id"]) for one in operations.values())
    for path, operations in paths.items():
        one_of = THING.match(path)
        for method, operation in operations.items():
            place = "$response.body#/items/0/id" if method == "get" and not one_of else "$response.body#/id"
            following = by_thing.get(one_of["all"] if one_of else path, [])
            links = {name: {"operationId": name, "parameters": {part: place}} for name, part in following if name != operation["operationId"]}
            if links and (method in ("get", "post")):
                for status, response in operation["responses"].items():
                    if int(status) < 300:
                        response["links"] = links


@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """The description as a page, without a script."""
    document = api.get_openapi_schema()
    words = "Everything a person can do on a page, a program can do here, by the same rules."
    context = {
        "groups": reference.groups(document),
        "introduction": DESCRIPTION.split("\n\n"),
        "version": api.version,
        "public": Public(title="API", description=words, url=address("api_docs")),
    }
    return render(request, "api/docs.html", context)


# Refusals


@api.exception_handler(DomainError)
def refused(request: HttpRequest, error: Any) -> HttpResponse:
    return rest.refusal(error)


@api.exception_handler(IntegrityError)
@api.exception_handler(OperationalError)
def refused_by_the_database(request: HttpRequest, error: Any) -> HttpResponse:
    known = worded(error)
    if known is None:
        raise error
    return rest.refusal(known)


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return rest.problem(404, "not_found", "There is no such thing, or it is not yours to see.")


@api.exception_handler(AuthenticationError)
def not_signed_in(request: HttpRequest, error: Any) -> HttpResponse:
    response = rest.problem(401, "not_signed_in", "Sign in, or send a token that is valid still.")
    response["WWW-Authenticate"] = 'Bearer realm="port444"'
    return response


@api.exception_handler(HttpError)
def unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    return rest.problem(error.status_code, "bad_request" if error.status_code == 400 else "refused", str(error.message))


@api.exception_handler(BadRequest)
def bad_request(request: HttpRequest, error: Any) -> HttpResponse:
    return rest.problem(400, "bad_request", str(error))


@api.exception_handler(Exception)
def fault(request: HttpRequest, error: Any) -> HttpResponse:
    """For the middlewares, which know better than this what stopped it, in development too."""
    raise error


@api.exception_handler(RequestDataTooBig)
def too_large(request: HttpRequest, error: Any) -> HttpResponse:
    return rest.problem(413, "too_large", "The request is larger than may be sent here.")


@api.exception_handler(UnreadablePostError)
def broken_off(request: HttpRequest, error: Any) -> HttpResponse:
    return rest.problem(400, "bad_request", "The request broke off.")


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: Any) -> HttpResponse:
    errors = [{"field": ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]), "message": one["msg"]} for one in error.errors]
    return rest.problem(422, "invalid", "Some of it cannot be taken.", errors=errors)
