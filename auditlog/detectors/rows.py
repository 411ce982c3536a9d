"""Facts and memory from the database: rows of the audit log in the order of transactions, and what is remembered by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any

import psycopg
from django.db import connection

from .bounded import ENCODE, Bounded
from .facts import DAY, KINDS, MONTH, Fact, network
from .memory import Notes

# As words, so that neither side makes something of an id or an address that is a word again here.
COLUMNS = (
    "xid, id, timestamp, event_type, actor_id::text, actor_type, target_id::text, target_type, host(ip_address), device_id::text, amount, "
    "metadata::text, on_behalf_of::text"
)
# Whatever ended below the horizon is in every later snapshot, and nothing can appear there any more.
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
FLOOR = "SELECT coalesce((SELECT floor_id FROM audit_seal ORDER BY seq DESC LIMIT 1), 0)"
BY_PERSON = "CASE event_type WHEN 'earning.credited' THEN target_id ELSE coalesce(actor_id, target_id) END"  # `Fact.doer`
BEYOND = "FROM audit_log WHERE event_type = ANY(%s) AND (xid, id) > (%s, %s) AND xid < %s AND id > %s"
# The last row of a chunk: so many rows on, or so much later than the first.
LAST = f"""
SELECT xid, id FROM (
  SELECT xid, id, timestamp, row_number() OVER places AS number, first_value(timestamp) OVER places AS begun {BEYOND}
  WINDOW places AS (ORDER BY xid, id)) AS beyond
WHERE number >= %s OR timestamp > begun + make_interval(secs => %s) ORDER BY xid, id LIMIT 1
"""  # noqa: S608 - names that stand above
# What people did comes person by person, so that what is remembered of each is moved once; of one it comes in the order of the log.
CHUNK = f"SELECT {COLUMNS} {BEYOND} AND (xid, id) <= (%s, %s) ORDER BY {BY_PERSON}, xid, id"
LEFT = f"EXPLAIN (FORMAT JSON) SELECT {BEYOND}"
SINCE = f"""
SELECT {COLUMNS} FROM audit_log WHERE event_type = ANY(%s) AND timestamp >= %s AND timestamp < %s
ORDER BY date_bin('{MONTH} seconds', timestamp, 'epoch'), {BY_PERSON}, timestamp, id
"""  # noqa: S608 - names that stand above
# Thousands of words go over as one, which is quicker than to quote each.
READ = r"SELECT key, data FROM unnest(string_to_array(%s, E'\x1f')) AS wanted (key) JOIN detector_memory USING (key)"
WRITE = r"""
MERGE INTO detector_memory AS known
USING (
  SELECT key, data, to_timestamp(second::bigint) AS seen_at
  FROM unnest(string_to_array(%s, E'\x1f'), string_to_array(%s, E'\x1f'), string_to_array(%s, E'\x1f')) AS every (key, data, second)) AS fresh
ON known.key = fresh.key
WHEN MATCHED THEN UPDATE SET data = fresh.data, seen_at = greatest(known.seen_at, fresh.seen_at)
WHEN NOT MATCHED THEN INSERT (key, data, seen_at) VALUES (fresh.key, fresh.data, fresh.seen_at)
"""
MARK = "\x1f"  # between words; JSON never has it as it is
WEEK = 7 * DAY  # when something was last seen is kept by week: where no index changes, a row takes half as long to write
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
        intern(actor or ""),
        actor_type,
        intern(target or ""),
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
        with psycopg.Cursor(connection.connection) as cursor:
            for start in range(0, len(keys), TOGETHER):
                cursor.execute(READ, [MARK.join(keys[start : start + TOGETHER])], prepare=False)
                found.update(cursor.fetchall())
        return found

    def save(self, notes: Mapping[str, Notes], seconds: Mapping[str, int]) -> None:
        with psycopg.Cursor(connection.connection) as cursor:
            columns = notes, map(ENCODE, notes.values()), (str(seconds[key] // WEEK * WEEK) for key in notes)
            cursor.execute(WRITE, list(map(MARK.join, columns)), prepare=False)


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
