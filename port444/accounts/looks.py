"""That support looked at somebody's account: told to that person by whoever knows, which is an app above this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import User


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody of support saw the site as this person does, without a way to change anything."""

    who: str
    began: datetime
    ended: datetime | None
    lasted: timedelta
    reason: str
    reference: str


Finder = Callable[[User, datetime], Sequence[Look]]
_finders: list[Finder] = []


def register(find: Finder) -> None:
    """Have `find` asked for the looks at a person, newest first."""
    if find not in _finders:
        _finders.append(find)


def looks(user: User, moment: datetime) -> list[Look]:
    """The last looks at the account of `user`, newest first."""
    return [look for find in _finders for look in find(user, moment)]
