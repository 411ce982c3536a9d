"""Facts and memory from the database: rows of the audit log in the order of transactions, and what is remembered by key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from .facts import KINDS, Fact, network
from .memory import Memory, Notes

COLUMNS = "xid, id, timestamp, event_type, actor_id, actor_type, target_id, target_type, ip_address, device_id, amount, metadata, on_behalf_of"
# Whatever ended below the horizon is in every later snapshot, and nothing can appear there any more.
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
FLOOR = "SELECT coalesce((SELECT floor_id FROM audit_seal ORDER BY seq DESC LIMIT 1), 0)"
NEXT = f"SELECT {COLUMNS} FROM audit_log WHERE event_type = ANY(%s) AND (xid, id) > (%s, %s) AND xid < %s AND id > %s ORDER BY xid, id LIMIT %s"  # noqa: S608 - names that stand above
SINCE = f"SELECT {COLUMNS} FROM audit_log WHERE event_type = ANY(%s) AND timestamp >= %s AND timestamp < %s ORDER BY timestamp, id"  # noqa: S608
READ = "SELECT key, data FROM detector_memory WHERE key = ANY(%s)"
WRITE = """
INSERT INTO detector_memory (key, data, seen_at)
SELECT key, data::jsonb, to_timestamp(second) FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS new(key, data, second)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, seen_at = greatest(detector_memory.seen_at, excluded.seen_at)
"""
TOGETHER = 10_000  # keys in one statement


def fact_of(row: tuple[Any, ...]) -> Fact:
    """A row of the log as detectors see it."""
    _, number, at, event, actor, actor_type, target, target_type, ip, device, amount, meta, on_behalf = row
    facts: dict[str, Any] = json.loads(meta) if isinstance(meta, str) else meta or {}
    if on_behalf is not None:
        facts = {**facts, "on_behalf_of": str(on_behalf)}
    return Fact(
        at,
        int(at.timestamp()),
        KINDS[event],
        str(actor or ""),
        actor_type,
        str(target or ""),
        target_type,
        (network(str(ip)) or "") if ip else "",
        str(device or ""),
        amount,
        facts,
        str(number),
    )


def facts_since(since: datetime, until: datetime) -> Iterator[Fact]:
    """All facts of a stretch of time, by a cursor of the server. Inside a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(SINCE, [list(KINDS), since, until])
        while rows := cursor.fetchmany(5000):
            yield from map(fact_of, rows)


class Stored(Memory):
    """What is remembered in the table. What was read stays at hand, until there is too much of it."""

    ROOM = 120_000  # keys at hand
    is_at_hand = False

    def fetch(self, keys: Iterable[str]) -> None:
        missing = sorted({key for key in keys if key not in self.notes})
        for start in range(0, len(missing), TOGETHER):
            part = missing[start : start + TOGETHER]
            with connection.cursor() as cursor:
                cursor.execute(READ, [part])
                found = {key: json.loads(data) if isinstance(data, str) else data for key, data in cursor.fetchall()}
            for key in part:
                self.notes[key] = found.get(key) or {}

    def __getitem__(self, key: str) -> Notes:
        if key not in self.notes:
            self.fetch([key])
        return self.notes[key]

    def change(self, key: str, second: int = 0) -> Notes:
        if key not in self.notes:
            self.fetch([key])
        return super().change(key, second)

    def write(self) -> int:
        """Put back what was changed."""
        keys = sorted(self.changed)
        for start in range(0, len(keys), TOGETHER):
            part = keys[start : start + TOGETHER]
            with connection.cursor() as cursor:
                cursor.execute(WRITE, [part, [json.dumps(self.notes[key]) for key in part], [self.changed[key] for key in part]])
        self.forget_changes()
        return len(keys)

    def make_room(self) -> None:
        if len(self.notes) > self.ROOM:
            self.notes.clear()


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
