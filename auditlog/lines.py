"""The log as lines: what is hashed, sealed and exported is one and the same text, as PostgreSQL's COPY prints it.

A line is a row in CSV with the columns below, in UTC, without its line end; a quoted field may hold newlines. Null is an empty
field and an empty text is `""`, so no two rows print alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection

SCHEMA_VERSION = 1
COLUMNS = (
    "id",
    "timestamp",
    "xid",
    "event_type",
    "event_category",
    "severity",
    "actor_type",
    "actor_id",
    "actor_email",
    "on_behalf_of",
    "target_type",
    "target_id",
    "action",
    "description",
    "before_state",
    "after_state",
    "metadata",
    "ip_address",
    "user_agent",
    "request_id",
    "device_id",
    "amount",
    "currency",
    "transaction_hash",
)
HEADER = ",".join(COLUMNS).encode()
# Printing must not depend on who is connected.
AS_PRINTED = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, MDY'"


def copy_lines(where: str, params: Sequence[Any] = (), *, limit: int | None = None) -> Iterator[bytes]:
    """The lines of the rows that meet `where`, in the order of (xid, id), each without its line end.

    Streams: one line in memory at a time. Must run inside a transaction and be read to its end or closed.
    """
    query = f"SELECT {', '.join(COLUMNS)} FROM audit_log WHERE {where} ORDER BY xid, id" + (f" LIMIT {limit:d}" if limit is not None else "")  # noqa: S608 - written here and by callers, never by people
    with connection.cursor() as cursor:
        cursor.execute(AS_PRINTED)
        # One message a row, as the server sends them.
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)", params) as copy:
            for row in copy:
                yield bytes(row[:-1])


def id_of(line: bytes) -> int:
    """The id of the row that a line prints."""
    return int(line[: line.index(b",")])
