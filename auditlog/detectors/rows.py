"""Facts and memory from the database: rows of the audit log in the order of transactions, and what is remembered by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from .bounded import ENCODE, Bounded
from .facts import KINDS, Fact, network
from .memory import Notes

# As words, so that neither side makes something of an id or an address that is a word again here.
COLUMNS = (
    "xid, id, timestamp, event_type, actor_id::text, actor_type, target_id::text, target_type, host(ip_address), device_id::text, amount, "
    "metadata::text, on_behalf_of::text"
)
# Whatever ended below the horizon is in every later snapshot, and nothing can appear there any more.
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
FLOOR = "SELECT coalesce((SELECT floor_id FROM audit_seal ORDER BY seq DESC LIMIT 1), 0)"
BEYOND = "FROM audit_log WHERE event_type = ANY(%s) AND (xid, id) > (%s, %s) AND xid < %s AND id > %s"
NEXT = f"SELECT {COLUMNS} {BEYOND} ORDER BY xid, id LIMIT %s"
LEFT = f"EXPLAIN (FORMAT JSON) SELECT {BEYOND}"
SINCE = f"SELECT {COLUMNS} FROM audit_log WHERE event_type = ANY(%s) AND timestamp >= %s AND timestamp < %s ORDER BY timestamp, id"  # noqa: S608 - names that stand above
READ = "SELECT key, data::text FROM detector_memory WHERE key = ANY(%s)"
ONE = "SELECT key, (data -> %s)::text FROM detector_memory WHERE key = ANY(%s) AND data ? %s"
# All notes as one document: thousands of words would each have to be quoted.
WRITE = """
INSERT INTO detector_memory (key, data, seen_at)
SELECT key, value -> 1, to_timestamp((value ->> 0)::bigint) FROM jsonb_each(%s::jsonb)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, seen_at = greatest(detector_memory.seen_at, excluded.seen_at)
"""
TOGETHER = 10_000  # keys in one statement
NO_FACTS: Mapping[str, Any] = {}

network_of = lru_cache(maxsize=50_000)(network)


def fact_of(row: tuple[Any, ...]) -> Fact:
    """A row of the log as detectors see it."""
    _, number, at, event, actor, actor_type, target, target_type, ip, device, amount, meta, on_behalf = row
    facts = NO_FACTS if meta == "{}" else json.loads(meta)
    if on_behalf is not None:
        facts = {**facts, "on_behalf_of": on_behalf}
    return Fact(
        at,
        int(at.timestamp()),
        KINDS[event],
        actor or "",
        actor_type,
        target or "",
        target_type,
        (network_of(ip) or "") if ip else "",
        device or "",
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


class Stored(Bounded):
    """What is remembered in the table."""

    def load(self, keys: list[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        with connection.cursor() as cursor:
            for start in range(0, len(keys), TOGETHER):
                cursor.execute(READ, [keys[start : start + TOGETHER]])
                found.update(cursor.fetchall())
        return found

    def look_up(self, keys: list[str], name: str) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        with connection.cursor() as cursor:
            for start in range(0, len(keys), TOGETHER):
                cursor.execute(ONE, [name, keys[start : start + TOGETHER], name])
                found.update((key, json.loads(text)) for key, text in cursor.fetchall())
        return found

    def save(self, notes: Mapping[str, Notes], seconds: Mapping[str, int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(WRITE, [ENCODE({key: [seconds[key], note] for key, note in notes.items()})])


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
