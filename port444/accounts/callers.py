"""Who calls the JSON API: a browser that is signed in, or a program with a token; how often it may; and calls that must happen once."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, cast
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from ninja.responses import Status
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from port444.kit.clock import now
from port444.kit.errors import DomainError, Invalid, NotAllowed
from port444.kit.http import client_ip
from port444.kit.ids import uuid7

from .models import AnsweredCall, ApiToken, Scope

PREFIX = "p444_"  # so that a token is found where it was left lying by accident
LOOKS_LIKE_KEY = re.compile(r"[!-~]{8,200}")
SEEN_EVERY = timedelta(minutes=1)  # how exact the last use of a token is
READING = ("GET", "HEAD", "OPTIONS")
COUNT = """
INSERT INTO accounts_apiallowance AS kept (who, free_at) VALUES (%(who)s, now() + %(each)s * interval '1 second')
ON CONFLICT (who) DO UPDATE SET free_at = greatest(kept.free_at, now()) + %(each)s * interval '1 second'
WHERE greatest(kept.free_at, now()) + %(each)s * interval '1 second' <= now() + interval '1 minute 1 millisecond'
RETURNING extract(epoch FROM free_at - now())
"""


def digest_of(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so that no salt and no slow hash are needed."""
    return hashlib.sha256(token.encode()).hexdigest()


# Who


def find_token(request: HttpRequest) -> ApiToken | None:
    """The token that the request carries, if it can be used; its use is noted, once a minute."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text.startswith(PREFIX):
        return None
    moment = now()
    token = ApiToken.objects.usable(moment).select_related("user").filter(digest=digest_of(text.strip()), user__is_active=True).first()
    if token is not None and (token.last_used_at is None or token.last_used_at < moment - SEEN_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=moment, last_ip=client_ip(request))
    return token


class ByToken(HttpBearer):
    """`Authorization: Bearer p444_...`; the middleware has found whose it is."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: Any, token: str) -> Any:
        found: ApiToken | None = request.api_token
        if found is None:
            return None
        if self.scope not in found.scopes:
            raise NotAllowed(f"This token may not do that: it lacks the scope {self.scope.value}.", code="scope_missing")
        return request.user


class BySession(APIKeyCookie):
    """A browser that is signed in; it sends its CSRF token with every change."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: Any) -> Any:
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        if request.method not in READING and check_csrf(request):
            raise NotAllowed("The CSRF token is missing or wrong: send it in the header X-CSRFToken.", code="csrf")
        return request.user

    def authenticate(self, request: Any, key: str | None) -> Any:
        return request.user


def may(scope: Scope = Scope.READ) -> list[Any]:
    """For the `auth=` of an operation: who is signed in, or has a token of this scope."""
    return [ByToken(scope), BySession()]


# How often


@dataclass(frozen=True)
class Allowed:
    """The answer about one request. `left` more may come at once, `wait` seconds later all of them."""

    fits: bool
    limit: int
    left: int
    wait: int
    name: str


def allow(request: Any) -> Allowed:
    """Count the request. By GCRA: `limit` in a minute, evenly or at once; one statement, so that no two workers let too much in."""
    name = "reads" if request.method in READING else "writes"
    limit: int = settings.API_A_MINUTE[name]
    who = f"user:{request.user.pk}" if request.user.is_authenticated else f"from:{client_ip(request)}"
    each = 60 / limit
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"who": f"{who}:{name}", "each": each})
        found = cursor.fetchone()
    used = float(found[0]) if found else 60.0
    return Allowed(
        found is not None, limit, max(0, int((60 - used) / each + 1e-6)), max(1, int(used + 0.999)) if found else max(1, int(each + 0.999)), name
    )


# Once


def client_key(request: Any) -> UUID:
    """For the `client_key=` of an action: what the caller's `Idempotency-Key` names, or another one each time where there is none."""
    key = request.headers.get("Idempotency-Key", "")
    return uuid5(request.user.pk, key) if key else uuid7()


def sent_with(request: Any) -> bytes:
    """What a request carries, the same for the same call: of a form its fields and files, since what is between them is made up each time."""
    if request.content_type != "multipart/form-data":
        return cast("bytes", request.body)
    files = []
    for name, found in sorted(request.FILES.lists()):
        for file in found:
            files.append((name, file.name, hashlib.file_digest(file, "sha256").hexdigest()))
            file.seek(0)
    return json.dumps([sorted(request.POST.lists()), files]).encode()


def once(view: Callable[..., Any]) -> Callable[..., Any]:
    """The operation happens once for each `Idempotency-Key` of a person: the key, what is done and what is answered are one transaction.

    A second call with the key waits for the first and gives the same answer; a refusal leaves no key behind, so that the call can be made
    again. The operation returns `Status(code, schema)`. Raises Invalid where the key is missing, or was used for something else.
    """

    @wraps(view)
    def wrapped(request: Any, *args: Any, **options: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key", "")
        if not LOOKS_LIKE_KEY.fullmatch(key):
            raise DomainError("Send an Idempotency-Key of 8 to 200 printable characters, another one for each thing to do.", code="idempotency_key")
        what = b"\n".join((request.method.encode(), request.get_full_path().encode(), sent_with(request)))
        asked = hashlib.sha256(what).hexdigest()
        with transaction.atomic():
            kept, is_new = AnsweredCall.objects.get_or_create(user=request.user, key=key, defaults={"asked": asked, "created_at": now()})
            if is_new:
                said = cast("Status[Any]", view(request, *args, **options))
                kept.code, kept.answer = said.status_code, json.dumps(said.value.model_dump(mode="json"))
                kept.save(update_fields=["code", "answer"])
        if kept.asked != asked:
            raise Invalid("This Idempotency-Key was used for something else.", code="idempotency_key_reused")
        response = HttpResponse(kept.answer, status=kept.code, content_type="application/json")
        if not is_new:
            response["Idempotency-Replayed"] = "true"
        return response

    wrapped.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]  # its names are known in its own module alone
    return wrapped
