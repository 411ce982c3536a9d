"""What tests of seals have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction

from auditlog.actions import record, seal_rows
from auditlog.events import Event
from auditlog.models import AuditSeal
from auditlog.queries import last_seal, place_after
from port444.accounts.models import User


def log(count: int = 1) -> list[int]:
    """Write rows in one transaction; their ids."""
    with transaction.atomic():
        return [record(Event.LOGIN, actor=None, target=User(email="a@example.com")) for _ in range(count)]


def unsealed() -> list[int]:
    """The ids of rows that wait for a seal."""
    place = place_after(last_seal())
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM audit_log WHERE (xid, id) > (%s, %s) AND id > %s ORDER BY xid, id", [place.xid, place.id, place.floor_id])
        return [pk for (pk,) in cursor.fetchall()]


def seal_all() -> list[AuditSeal]:
    """Seal all that is committed. The horizon is the cluster's, so what runs beside may hold it for a while."""
    made, ends = seal_rows(), time.monotonic() + 90
    while unsealed():
        assert time.monotonic() < ends, "rows stay unsealed"
        time.sleep(0.02)
        made += seal_rows()
    return made


def leaves_of(seal: AuditSeal) -> list[tuple[int, bytes]]:
    data = bytes(seal.leaves.leaves)
    return [(int.from_bytes(data[i : i + 8], "big"), data[i + 8 : i + 40]) for i in range(0, len(data), 40)]


@contextmanager
def another(**settings: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection of somebody else to the same database."""
    params = {**connection.get_connection_params(), **settings}
    names = {"dbname", "user", "password", "host", "port", "autocommit"}
    with psycopg.connect(**{key: value for key, value in params.items() if key in names}) as other:
        yield other


def append(other: psycopg.Connection[Any]) -> int:
    """Write a row in the running transaction of that connection; its id."""
    row = other.execute(
        "SELECT audit_append('auth.login', 'security', 'info', 'system', NULL, '', NULL, 'user', NULL, 'x', '', NULL, NULL, '{}', NULL, '',"
        " NULL, NULL, NULL, '', '')"
    ).fetchone()
    assert row is not None
    return int(row[0])
