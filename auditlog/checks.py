"""The log is only as immutable as the role that serves is powerless over it, and proved only as far as it is signed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections
from django.db.utils import DatabaseError

from . import signing

POWER = """
SELECT current_user, rolsuper OR pg_has_role(current_user, relowner, 'member')
FROM pg_class, pg_roles WHERE relname = 'audit_log' AND relkind = 'p' AND rolname = current_user
"""


def role_separation(app_configs: Any = None, databases: Sequence[str] | None = None, **options: Any) -> Sequence[CheckMessage]:
    """Runs with `check --database default`. Migrating is done as the owner, and is let pass."""
    if settings.DEVELOPMENT or "default" not in (databases or ()) or sys.argv[1:2] == ["migrate"]:
        return []
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(POWER)
            row = cursor.fetchone()
    except DatabaseError as error:
        return [Error("The database cannot be asked who owns the audit log.", hint=str(error).strip(), id="port444.E009")]
    if row is None or not row[1]:
        return []
    return [
        Error(
            f"The role that serves, {row[0]}, owns the audit log and could change it.",
            hint="Make the three roles with scripts/roles.sql, migrate with DATABASE_OWNER_URL and serve with DATABASE_URL of port444_app.",
            id="port444.E006",
        )
    ]


BACKEND = "SELECT pg_backend_pid()"


def own_session(app_configs: Any = None, databases: Sequence[str] | None = None, **options: Any) -> Sequence[CheckMessage]:
    """Runs with `check --database default`. Somebody between us and the database gives each connection a number of its own."""
    if "default" not in (databases or ()):
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute(BACKEND)
        (there,) = cursor.fetchone()
        here = cursor.connection.info.backend_pid
    if here == there:
        return []
    return [
        Warning(
            "The database is reached through a pooler.",
            hint="The process of the queue and the commands need sessions of their own: give them a DATABASE_URL that leads to PostgreSQL itself,"
            " or to a pooler that gives a session to one client for as long as it stays (docs/audit.md).",
            id="port444.W030",
        )
    ]


def signing_keys(app_configs: Any = None, **options: Any) -> Sequence[CheckMessage]:
    """The key that signs the log is there, and every key that is to be known can be read."""
    if settings.DEVELOPMENT:
        return []
    try:
        signing.key_in_use()
        signing.public_keys()
    except (signing.NoKey, ValueError) as error:
        return [
            Error(
                f"The audit log cannot be signed: {error}",
                hint="Make a key with manage.py audit_key, and set AUDIT_SIGNING_KEY; AUDIT_PUBLIC_KEYS holds the public halves of earlier ones.",
                id="port444.E011",
            )
        ]
    return []
