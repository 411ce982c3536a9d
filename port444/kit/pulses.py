"""How each kind of job has gone: one small row for each, written after every run, wherever the workers are.

Whatever asks reads it of the database, so that any number of machines knows the same: `/readyz`, the metrics, an alarm.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from .clock import now

NOTE = """
INSERT INTO job_pulse AS pulse (path, succeeded, failed, seconds, succeeded_at) VALUES (%(path)s, %(succeeded)s, %(failed)s, %(seconds)s, %(moment)s)
ON CONFLICT (path) DO UPDATE SET
  succeeded = pulse.succeeded + excluded.succeeded, failed = pulse.failed + excluded.failed, seconds = pulse.seconds + excluded.seconds,
  succeeded_at = coalesce(excluded.succeeded_at, pulse.succeeded_at)
"""


class Pulse(NamedTuple):
    """What became of the runs of one kind of job, and how long all of them took."""

    path: str
    succeeded: int
    failed: int
    seconds: float
    succeeded_at: datetime | None


def note(path: str, *, succeeded: bool, seconds: float) -> None:
    """A job at `path` has ended."""
    moment = now() if succeeded else None
    facts: dict[str, Any] = {"path": path, "succeeded": int(succeeded), "failed": int(not succeeded), "seconds": seconds, "moment": moment}
    with connection.cursor() as cursor:
        cursor.execute(NOTE, facts)


def all_of_them() -> list[Pulse]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT path, succeeded, failed, seconds, succeeded_at FROM job_pulse ORDER BY path")
        return [Pulse(*row) for row in cursor.fetchall()]


def last_success(path: str) -> datetime | None:
    """When a job at `path` went well last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT succeeded_at FROM job_pulse WHERE path = %s", [path])
        row = cursor.fetchone()
    return None if row is None else row[0]
