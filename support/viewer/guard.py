"""During a viewing every query goes to the database as a role that can only read, and none to the connection that can write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from port444.kit import readonly
from port444.kit.readonly import ALIAS

# What PostgreSQL answers to a write in a read-only transaction, to what the role has no right to, to a write into a masked view, to an
# attempt to make the transaction another one, and to whatever follows in the same transaction.
REFUSALS = ("25006", "42501", "0A000", "55000", "25001", "25P02")


class Router:
    """Named in settings.DATABASE_ROUTERS."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return ALIAS if readonly.is_on() else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return ALIAS if readonly.is_on() else None  # where it is refused

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True  # both names are of one database

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == ALIAS else None


def is_set_up() -> bool:
    """Whether there is a role to look with; without one there are no viewings."""
    return ALIAS in settings.DATABASES


def _refuse(execute: Callable[..., Any], query: Any, params: Any, many: bool, about: dict[str, Any]) -> Any:
    readonly.refuse(f"a statement on the connection that writes: {str(query)[:200]}")


@contextmanager
def enforced(subject_id: UUID, number: int) -> Iterator[readonly.Looking]:
    """Let the block read as the viewer's role, and nothing else."""
    viewer = connections[ALIAS]
    # Masked tables are views, which have no primary key that the other columns could depend on.
    viewer.features.allows_group_by_selected_pks = False
    # In one transaction, so that what is set goes with it, whoever gets the connection next.
    with transaction.atomic(using=ALIAS):
        with viewer.cursor() as cursor:
            words = [f"port444 V-{number}", str(subject_id)]
            cursor.execute("SELECT set_config('application_name', %s, true), set_config('viewing.subject', %s, true)", words)
        with readonly.only() as looking, connections[DEFAULT_DB_ALIAS].execute_wrapper(_refuse):
            yield looking
        transaction.set_rollback(True, using=ALIAS)


def is_refusal(error: BaseException | None) -> bool:
    """Whether it was the guard or the database that stopped an attempt to write, wherever in the chain of causes that stands."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, readonly.WriteRefused) or getattr(error, "sqlstate", None) in REFUSALS:
            return True
        error = error.__cause__ or error.__context__
    return False
