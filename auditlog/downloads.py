"""The rows of a search as a file for a person, which says itself when it is not all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from .models import AuditMove
from .search import Wanted, all_places

SECONDS = 300  # for all of a file, however slow the line of who gets it is
# Text that a spreadsheet would take for a formula is marked as text.
FORMULA = "CASE WHEN left({0}, 1) = ANY (ARRAY['=', '+', '-', '@', chr(9), chr(10), chr(13)]) THEN '''' || {0} ELSE {0} END AS {1}"
TEXTS = (
    "event_type",
    "event_category",
    "severity",
    "actor_type",
    "actor_email",
    "target_type",
    "action",
    "description",
    "currency",
    "transaction_hash",
    "user_agent",
)
COLUMNS = (
    "id",
    "timestamp",
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
    "amount",
    "currency",
    "transaction_hash",
    "before_state",
    "after_state",
    "metadata",
    "ip_address",
    "user_agent",
    "request_id",
    "device_id",
)
# Rows that the search knows and the log does not have, by whether they were exported.
ABSENT = """
SELECT count(*) FILTER (WHERE exported), count(*) FILTER (WHERE NOT exported), min(id) FILTER (WHERE NOT exported) FROM (
  SELECT found.id, EXISTS (SELECT FROM audit_export e WHERE found.id BETWEEN e.first_id AND e.last_id) AS exported
    FROM ({places}) found WHERE NOT EXISTS (SELECT FROM audit_log l WHERE l.timestamp = found.timestamp AND l.id = found.id)
) absent
"""


def csv_of(wanted: Wanted, hidden: Collection[UUID] = ()) -> Iterator[bytes]:
    """All that is wanted as CSV, newest first, as the database sends it, but for what is about one of `hidden`. What else is not in it is said
    in its last lines, in the first column."""
    return _file(wanted, hidden, ", ".join(map(_column, COLUMNS)), "FORMAT csv, HEADER", _said)


def jsonl_of(wanted: Wanted, hidden: Collection[UUID] = ()) -> Iterator[bytes]:
    """The same with a JSON object in each line; what is not in it is said in last lines that have a `note` alone."""
    values = ", ".join(f"'{name}', {_value(name)}" for name in COLUMNS)
    # Nothing of a JSON text is ever one of these two characters, so that a line is written as it is.
    return _file(wanted, hidden, f"json_build_object({values})::text", "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02'", _noted)


def _file(wanted: Wanted, hidden: Collection[UUID], columns: str, options: str, said: Callable[[str], bytes]) -> Iterator[bytes]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS}s"])
            places, params = all_places(wanted, cursor)
            query = (
                f"SELECT {columns} FROM ({places}) found "  # noqa: S608 - written here and in the search
                "JOIN audit_log l USING (timestamp, id) WHERE l.target_id IS NULL OR l.target_id <> ALL (%s::uuid[]) ORDER BY timestamp DESC, id DESC"
            )
            with cursor.copy(f"COPY ({query}) TO STDOUT ({options})", [*params, list(hidden)]) as copy:
                for block in copy:
                    yield bytes(block)
            cursor.execute(ABSENT.replace("{places}", places), params)
            stored, lost, first = cursor.fetchone()
    except (QueryCanceled, OperationalError) as error:
        if not isinstance(error, QueryCanceled) and not isinstance(error.__cause__, QueryCanceled):
            raise
        yield said(f"There may be more: after {SECONDS // 60} minutes the file ends here. Ask for fewer days at once.")
        return
    if months := _away(wanted):
        named = ", ".join(f"{month:%Y-%m}" for month in months)
        yield said(f"Rows of {named} are not in this file: they are in cold storage. manage.py audit_restore brings them back.")
    if stored:
        yield said(f"Rows that are not in this file: {stored}. They are in cold storage; manage.py audit_restore brings them back.")
    if lost:
        yield said(f"Rows that are not in this file: {lost}. The log does not have them, and nothing says why; the first is {first}.")


def _away(wanted: Wanted) -> Sequence[date]:
    """The months that are asked for as well and have left the database."""

    def month(moment: datetime) -> date:
        return moment.astimezone(UTC).date().replace(day=1)

    dropped = AuditMove.dropped()
    return [one for one in dropped if (not wanted.since or one >= month(wanted.since)) and (not wanted.until or one <= month(wanted.until))]


def _said(words: str) -> bytes:
    """A line in which the first column says something."""
    return f'"{words}"{"," * (len(COLUMNS) - 1)}\n'.encode()


def _noted(words: str) -> bytes:
    return f"{json.dumps({'note': words})}\n".encode()


def _value(name: str) -> str:
    if name == "timestamp":
        return """to_char(l.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return "trim_scale(l.amount)::text" if name == "amount" else f"l.{name}"


def _column(name: str) -> str:
    return FORMULA.format(f"l.{name}", name) if name in TEXTS else f"{_value(name)} AS {name}"
