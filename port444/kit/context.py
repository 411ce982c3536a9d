"""Who asks, from where: the facts of the running request, job or command, for the audit log.

Middleware fills it for requests, the queue for jobs and `manage.py` for commands of this project. What writes without any of
them is no part of the site, and the log says so.
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
    """Facts of one request, job or command."""

    source: str = ""  # web, job:<path>, command:<name>; empty outside of all of them
    actor_type: str = ""
    actor_id: UUID | None = None
    actor_email: str = ""
    ip_address: str | None = None
    user_agent: str = ""
    request_id: UUID | None = None
    device_id: UUID | None = None
    on_behalf_of: UUID | None = None


NOBODY = Context()

_context: ContextVar[Context] = ContextVar("context", default=NOBODY)


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


def begin(**facts: Any) -> None:
    """Go on with a context of these facts alone; of none, with an empty one."""
    _context.set(Context(**facts))
