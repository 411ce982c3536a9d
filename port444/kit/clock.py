"""The clock that actions read.

Every action reads `now()` once and passes the value down. `at()` sets the clock for one block, so that demo data and tests
live through weeks in seconds without editing rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_fixed: ContextVar[datetime | None] = ContextVar("clock", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _fixed.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[datetime]:
    """Stop the clock at `moment` (aware) inside the block."""
    if moment.tzinfo is None:
        raise ValueError("the clock takes an aware moment")
    token = _fixed.set(moment.astimezone(UTC))
    try:
        yield moment
    finally:
        _fixed.reset(token)
