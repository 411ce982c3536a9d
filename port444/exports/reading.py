"""Reading a table from one end to the other as it was at one moment, a piece at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from .columns import Column, Table

PIECE = 2000  # rows in memory at a time
# Whoever reads for an hour is neither too slow nor idle.
PATIENCE = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL extra_float_digits = 1"

Row = tuple[Any, ...]


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Everything read inside is of one moment, and nothing is written. Inside a transaction of somebody else it is theirs."""
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(PATIENCE)
        yield


def rows_of(table: Table, since: datetime | None = None, until: datetime | None = None) -> Iterator[list[Row]]:
    """The rows with since <= at < until, as the database prints them, some at a time. Inside `snapshot`."""
    where, params = bounds(table, since, until)
    return rows(f"{selected(table.columns)} FROM {table.source} WHERE {where} ORDER BY {table.at}, {table.key}", params)


def count(table: Table, since: datetime | None = None, until: datetime | None = None) -> int:
    where, params = bounds(table, since, until)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table.source} WHERE {where}", params)  # noqa: S608 - of tables.py
        return int(cursor.fetchone()[0])


def selected(columns: Sequence[Column]) -> str:
    return "SELECT " + ", ".join(column.printed for column in columns)


def bounds(table: Table, since: datetime | None, until: datetime | None) -> tuple[str, list[Any]]:
    given = [(sign, moment) for sign, moment in ((">=", since), ("<", until)) if moment is not None]
    return " AND ".join(f"{table.at} {sign} %s" for sign, _ in given) or "true", [moment for _, moment in given]


def rows(query: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[list[Row]]:
    """By a cursor that stays on the server, so that memory does not depend on how many there are."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, params or None)
        while piece := cursor.fetchmany(PIECE):
            yield piece
