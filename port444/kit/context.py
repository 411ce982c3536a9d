"""Who asks, from where: the facts of the running request, for the audit log.

Middleware fills it; in jobs and commands it is empty, which the log shows as "system".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Context:
    """Facts of one request; all None outside of requests."""

    ip_address: str | None = None
    user_agent: str = ""
    request_id: UUID | None = None
    device_id: UUID | None = None
    on_behalf_of: UUID | None = None


_context: ContextVar[Context] = ContextVar("context", default=Context())  # noqa: B039 - frozen


def current() -> Context:
    return _context.get()


@contextmanager
def use(**facts: Any) -> Iterator[Context]:
    """Add `facts` to the context inside the block."""
    token = _context.set(replace(_context.get(), **facts))
    try:
        yield _context.get()
    finally:
        _context.reset(token)
