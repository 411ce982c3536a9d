"""While somebody may only look: what is no statement to the database (a mail, a file, a task) asks here before it is done.

The database refuses writes by itself, by the role that such a request reads with. A mail server, a storage and the world outside know of
no such role, so the few places that reach them call `refuse`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import DEFAULT_DB_ALIAS

ALIAS = "viewer"  # logs in as a role that can only read


class WriteRefused(Exception):
    """Something would have changed while only looking is allowed. Nothing did."""


@dataclass(slots=True)
class Looking:
    """One request that may only look, and what it tried beyond that, whether or not somebody swallowed the refusal."""

    tried: list[str] = field(default_factory=list)


_looking: ContextVar[Looking | None] = ContextVar("looking", default=None)


def is_on() -> bool:
    """Whether the running request may only look."""
    return _looking.get() is not None


def alias() -> str:
    """The name of the database connection that pages read from now."""
    return ALIAS if is_on() else DEFAULT_DB_ALIAS


def refuse(what: str) -> None:
    """Raise WriteRefused while only looking is allowed; `what` names what was tried, for the developers."""
    looking = _looking.get()
    if looking is not None:
        looking.tried.append(what)
        raise WriteRefused(what)


@contextmanager
def only() -> Iterator[Looking]:
    """Allow nothing but looking inside the block. Threads begun inside do not know of it, so pages begin none."""
    token = _looking.set(looking := Looking())
    try:
        yield looking
    finally:
        _looking.reset(token)
