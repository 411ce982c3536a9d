"""All power over a database and its log, to do with it what should be found out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, transaction

from auditlog.actions import anchor_seals, record
from auditlog.events import Event
from auditlog.models import AuditSeal
from port444.accounts.models import User
from tests.power import as_superuser

from .sealed import seal_all

GUARDED = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname IN ('no_change', 'no_truncate')"


@dataclass(frozen=True)
class OwnLog:
    """A database that Django is connected to, with its cold storage and its superuser."""

    name: str
    folder: Path

    def write(self, count: int = 1) -> list[int]:
        """Rows of one transaction that differ in what they tell; their ids."""
        with transaction.atomic():
            return [record(Event.LOGIN, actor=None, target=User(email="a@example.com"), number=number) for number in range(count)]

    def seal(self, *, anchored: bool = True) -> list[AuditSeal]:
        made = seal_all()
        if anchored:
            anchor_seals()
        return made

    def sealed(self, *counts: int) -> list[list[int]]:
        """So many rows under one seal after another."""
        ids = []
        for count in counts:
            ids.append(self.write(count))
            self.seal()
        return ids

    def tamper(self, *statements: str) -> None:
        """Run statements as the superuser, in one transaction, with all triggers off."""
        with as_superuser(self.name) as session, session.transaction():
            for (table,) in session.execute(GUARDED).fetchall():
                session.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            session.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                session.execute(statement)

    def back_up(self, name: str) -> None:
        connection.close()
        with as_superuser("postgres") as session:
            wait_until_left(session, self.name)
            session.execute(f"CREATE DATABASE {name} TEMPLATE {self.name} OWNER port444_owner")

    def roll_back_to(self, name: str) -> None:
        connection.close()
        with as_superuser("postgres") as session:
            wait_until_left(session, self.name)
            session.execute(f"DROP DATABASE {self.name}")
            session.execute(f"ALTER DATABASE {name} RENAME TO {self.name}")


def wait_until_left(session: psycopg.Connection[Any], name: str) -> None:
    ends = time.monotonic() + 20
    while session.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [name]).fetchone():
        assert time.monotonic() < ends, f"sessions on {name} stay"
        time.sleep(0.02)
