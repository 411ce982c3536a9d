"""What can go wrong in the domain, worded for people.

An action raises one of these; the middleware in `kit.http` turns it into an answer. A refusal by a database constraint
arrives as IntegrityError: the app that owns the constraint words it once with `word_constraint`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext as _


class DomainError(Exception):
    """A refusal with a stable `code`, a `message` for people and the HTTP `status` that fits it."""

    status = 400
    code = "refused"

    def __init__(self, message: str | Promise, *, code: str | None = None) -> None:
        super().__init__(message)
        self._message = message
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """What is said to the person, in the active language if it was given lazily."""
        return str(self._message)


class Invalid(DomainError):
    """The input cannot be taken as it is."""

    status = 422
    code = "invalid"


class NotAllowed(DomainError):
    """The actor may see the object but not do this to it."""

    status = 403
    code = "not_allowed"


class Conflict(DomainError):
    """Somebody else was first, or the object changed meanwhile."""

    status = 409
    code = "conflict"


class WrongState(Conflict):
    """The object is not in a state from which this is possible."""

    code = "wrong_state"


class Stale(Conflict):
    """The object is not as it was when the actor looked at it, and they have asked to act on that state alone."""

    status = 412
    code = "stale"

    def __init__(self) -> None:
        super().__init__(_("This has changed since you looked at it. Look at it again."))


class TooMany(DomainError):
    """The actor does this more often than is allowed; later it works again."""

    status = 429
    code = "too_many"


class TooSlow(DomainError):
    """The answer would take longer than anybody may keep the database; asked more narrowly it comes."""

    status = 503
    code = "too_slow"


_worded: dict[str, DomainError] = {}


def word_constraint(name: str, error: DomainError) -> None:
    """Say what a violation of the database constraint `name` means to people; lazily, since apps say it before there is a reader."""
    _worded[name] = error


def constraint_name(error: BaseException) -> str | None:
    """The name of the constraint behind an IntegrityError, as PostgreSQL reports it."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, e.g. 40P01 for a deadlock."""
    return getattr(error.__cause__, "sqlstate", None)


def worded(error: BaseException) -> DomainError | None:
    """The domain error that words a database error, or None when it is a fault of ours."""
    known = _worded.get(constraint_name(error) or "")
    if known is not None:
        return type(known)(known.message, code=known.code)
    if isinstance(error, OperationalError) and sqlstate(error) in ("40P01", "55P03"):
        return Conflict(_("Somebody else changed this at the same moment. Please try again."), code="busy")
    return None


@contextmanager
def words() -> Iterator[None]:
    """Turn constraint violations inside the block into their worded errors; put it around the transaction."""
    try:
        yield
    except (IntegrityError, OperationalError) as error:
        known = worded(error)
        if known is None:
            raise
        raise known from error
