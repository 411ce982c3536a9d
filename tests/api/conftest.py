"""Callers of the API, and what an order needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from port444.accounts.actions import create_token
from port444.accounts.models import Scope, User
from port444.kit import states
from tests.orders.conftest import make_order, package, service

__all__ = ["make_order", "package", "service"]


@pytest.fixture(autouse=True)
def states_are_looked_at_under_their_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each operation that takes If-Match, in all tests here: what it does has locked the thing and looked at it again."""
    real = states.expected

    @contextmanager
    def watched(row: Any, fits: states.Fits) -> Iterator[None]:
        looks: list[bool] = []

        def look(seen: Any) -> bool:
            looks.append(fits(seen))
            return looks[-1]

        with real(row, look):
            yield
        assert len(looks) == 2, f"nobody has locked this {row._meta.verbose_name}"

    monkeypatch.setattr(states, "expected", watched)


class Caller:
    """A program with a token."""

    def __init__(self, text: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {text}"}, raise_request_exception=False)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api{path}", headers=headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`headers` in the manner of Python: `idempotency_key="..."`. Without a key one is made."""
        named = {name.replace("_", "-"): value for name, value in ({"idempotency_key": str(uuid4())} | headers).items() if value}
        data = json.dumps({} if body is None else body)
        return self.client.generic(method, f"/api{path}", data, content_type="application/json", headers=named)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def upload(self, path: str, *files: Any, to: str = "uploads", idempotency_key: str = "", **fields: str) -> Any:
        """A form with files."""
        headers = {"idempotency-key": idempotency_key or str(uuid4())}
        return self.client.post(f"/api{path}", {to: list(files), **fields}, headers=headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("PUT", path, body, **headers)


@pytest.fixture
def caller() -> Callable[..., Caller]:
    """A caller for a person, with all scopes that they may have or those that are named."""

    def make(user: User, *scopes: str) -> Caller:
        every = [scope for scope in Scope.values if scope != Scope.CONSOLE or user.is_staff]
        _, text = create_token(user.pk, actor=user, name="Tests", scopes=scopes or every, days=7, second_factor=user.is_staff)
        return Caller(text)

    return make
