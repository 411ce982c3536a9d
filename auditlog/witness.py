"""Telling the row witness who acts.

The triggers read a setting of the transaction, which is told before its first write and costs no round trip: it travels in front
of that write. It is told below everything that counts or wraps queries, by the driver's cursor. A setting of the transaction
ends with it, so nothing is ever left behind for the next request on the same connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Self

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import ClientCursor, Connection
from psycopg.pq import TransactionStatus

from port444.kit import context

if TYPE_CHECKING:
    Base = ClientCursor[Any]
else:
    Base = object

TELL = "SELECT set_config('audit.ctx', %s, true)"  # by itself
TELL_FIRST = "SET LOCAL audit.ctx = %s; "  # in front of a statement: it is neither planned nor answered with rows
WRITES = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:INSERT|UPDATE|DELETE|MERGE|TRUNCATE|WITH|CALL|DO)\b", re.IGNORECASE | re.DOTALL)

TOLD = "audit_told"  # of a connection: the facts that its running transaction was told last, and in which words
NOTHING = (context.NOBODY, "")


@lru_cache(maxsize=256)
def _words(facts: context.Context) -> str:
    """The facts as the triggers read them, a row `audit_who`; nothing when nobody of ours acts."""
    if not facts.source:
        return ""
    address, email, agent = _quoted(facts.ip_address), _quoted(facts.actor_email), _quoted(facts.user_agent[:512])
    who = f"{_quoted(facts.actor_type or 'unknown')},{facts.actor_id or ''},{email},{facts.on_behalf_of or ''},{address},{agent}"
    return f"(info,{who},{facts.request_id or ''},{facts.device_id or ''},{_source(facts.source)})"


@lru_cache(maxsize=256)
def _source(name: str) -> str:
    return _quoted(json.dumps({"source": name}))


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '""') + '"'


class TellingCursor(Base):
    """Mixed into the cursors of the site's connections."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        _forget_what_ended(self.connection)
        if not isinstance(query, str):
            return super().execute(query, params, **options)
        if query.startswith("ROLLBACK"):  # to a savepoint: the database forgets what it was told since
            vars(self.connection).pop(TOLD, None)
        facts, (told, in_words) = context.current(), vars(self.connection).get(TOLD, NOTHING)
        if facts is told or not WRITES.match(query) or _words(facts) == in_words:
            return super().execute(query, params, **options)
        if isinstance(self, ClientCursor) and isinstance(params, list | tuple):
            return self._tell_in_front(facts, query, params, **options)
        return self._tell_before(facts, super().execute, query, params, **options)

    def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> Any:
        _forget_what_ended(self.connection)
        facts = context.current()
        if _words(facts) == vars(self.connection).get(TOLD, NOTHING)[1]:
            return super().executemany(query, params_seq, **options)
        return self._tell_before(facts, super().executemany, query, params_seq, **options)

    def _tell_in_front(self, facts: context.Context, query: str, params: Iterable[Any], **options: Any) -> Self:
        """In the same message as the statement.

        As a parameter, so that the driver need not take apart every statement anew: it knows those it has seen.
        """
        connection, front, words = self.connection, TELL_FIRST, _words(facts)
        begins = not connection.autocommit and _idle(connection)
        if begins:  # The driver would begin the transaction in a round trip of its own.
            front = f"{connection._get_tx_start_command().decode()}; {front}"
        connection._autocommit = connection._autocommit or begins
        try:
            super().execute(front + query, [words, *params], **options)
        finally:
            connection._autocommit = connection._autocommit and not begins
        while self.nextset():
            pass
        if self._query is not None and self._query.params:  # which Django shows as the statement that was run
            self._query.query = self._query.query[len(front) - len("%s") + len(self._query.params[0] or b"") :]
        vars(connection)[TOLD] = facts, words
        return self

    def _tell_before(self, facts: context.Context, run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """In a statement of its own; what would commit by itself becomes a transaction of both."""
        words, alone = _words(facts), self.connection.autocommit and _idle(self.connection)
        with self.connection.transaction() if alone else nullcontext():
            super().execute(TELL, [words])
            vars(self.connection)[TOLD] = facts, words
            return run(*arguments, **options)


def _idle(connection: Connection[Any]) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


def _forget_what_ended(connection: Connection[Any]) -> None:
    """What an earlier transaction was told does not hold in the one that begins with this statement."""
    if _idle(connection):
        vars(connection).pop(TOLD, None)


def _before_each(execute: Callable[..., Any], query: Any, params: Any, many: bool, about: dict[str, Any]) -> Any:
    # Cursors that stay on the server are of another class, and may be the first in a transaction.
    _forget_what_ended(about["connection"].connection)
    return execute(query, params, many, about)


@cache
def _telling(factory: type[Any]) -> type[Any]:
    return type("TellingCursor", (TellingCursor, factory), {})


def tell_by(connection: BaseDatabaseWrapper, **signal: Any) -> None:
    """Make the cursors of a new connection tell. Connected to Django's signal, as it has no other hook."""
    if connection.vendor == "postgresql":
        connection.connection.cursor_factory = _telling(connection.connection.cursor_factory)
        if _before_each not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, _before_each)


def watch(table: str, model: str, category: str, *, kept: str, personal: str = "", hidden: str = "", amount: str | None = None) -> migrations.RunSQL:
    """The operation of a migration that makes the database watch a table, or watch it anew."""
    names = [f"'{{{','.join(columns.split())}}}'" for columns in (kept, personal, hidden)]
    money = f"'{amount}'" if amount else "NULL"
    call = f"SELECT audit_watch('{table}', '{model}', '{category}', {', '.join(names)}, {money})"
    return migrations.RunSQL(call, f"SELECT audit_unwatch('{table}')")
