"""The log as lines: what is hashed, sealed and exported is one and the same text, as PostgreSQL's COPY prints it.

A line is a row in CSV with the columns below, in UTC, without its line end; a quoted field may hold newlines. Null is an empty
field and an empty text is `""`, so no two rows print alike.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

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
PRINTED, AS_CSV = ", ".join(COLUMNS), "FORMAT csv"
HEADER = ",".join(COLUMNS).encode()
PIECE = 1 << 17  # bytes that are handed on at once
# Printing must not depend on who is connected.
AS_PRINTED = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, MDY'"


def copy_lines(where: str, params: Sequence[Any] = (), *, limit: int | None = None, table: str = "audit_log") -> Generator[bytes]:
    """The lines of the rows that meet `where`, in the order of (xid, id), each without its line end.

    Streams: one piece in memory at a time. Must run inside a transaction and be read to its end or closed.
    """
    for piece in copy_pieces(where, params, limit=limit, table=table):
        for row in piece:
            yield bytes(row[:-1])


def copy_pieces(
    where: str,
    params: Sequence[Any] = (),
    *,
    limit: int | None = None,
    columns: str = PRINTED,
    options: str = AS_CSV,
    table: str = "audit_log",
) -> Generator[list[memoryview]]:
    """As `copy_lines`, some hundred lines at a time and each with its line end, which saves the time of a million small steps."""
    query = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY xid, id" + (f" LIMIT {limit:d}" if limit is not None else "")  # noqa: S608 - written here and by callers, never by people
    with connection.cursor() as cursor:
        cursor.execute(AS_PRINTED)
        with cursor.copy(f"COPY ({query}) TO STDOUT ({options})", params):
            yield from _pieces(cursor.connection.pgconn)


def _pieces(server: PGconn) -> Iterator[list[memoryview]]:
    """What a running COPY sends, a message a row as the server sends them; read as psycopg does, without a generator for each row."""
    piece: list[memoryview] = []
    room = PIECE
    arrived = select.poll()
    arrived.register(server.socket, select.POLLIN)
    while True:
        size, row = server.get_copy_data(1)  # does not wait, as waiting in there would hold up the other threads
        if size > 0:
            piece.append(row)
            room -= size
            if room <= 0:
                yield piece
                piece, room = [], PIECE
        elif size == 0:
            arrived.poll()
            server.consume_input()
        else:
            break
    results = list(iter(server.get_result, None))  # to the last, or the connection is not free
    for result in results:
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
    if piece:
        yield piece


def split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in the text that `blocks` make up, without their line ends; ValueError when it ends inside a line.

    A line goes on behind a newline that stands inside of quotes.
    """
    tail = b""
    held: list[bytes] = []  # pieces of a line whose quote is open
    for block in blocks:
        *pieces, tail = (tail + block).split(b"\n")
        for piece in pieces:
            closes = piece.count(b'"') % 2 == 1  # opens, when none is open
            if held:
                held.append(piece)
                if closes:
                    yield b"\n".join(held)
                    held = []
            elif closes:
                held = [piece]
            else:
                yield piece
    if tail or held:
        raise ValueError("the text ends inside a line")


def id_of(line: bytes) -> int:
    """The id of the row that a line prints."""
    return int(line[: line.index(b",")])


def place_of(line: bytes) -> tuple[int, int]:
    """The (xid, id) of the row that a line prints."""
    id_, _, xid, _ = line.split(b",", 3)
    return int(xid), int(id_)
