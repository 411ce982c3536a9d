"""Fill the log with made-up rows, to see how it is to read and to seal when it is large."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from auditlog.events import Event
from port444.kit.clock import now

CHUNK = 10_000  # rows of one transaction
AT_ONCE = min(4, os.cpu_count() or 1)  # months
# Of a hundred rows; what is not named shares the rest, each kind half as often as the one before it, down to the very rare.
OFTEN = {
    Event.LOGIN: 22,
    Event.FILE_UPLOADED: 9,
    Event.INVOICE_OPENED: 8,
    Event.PAYMENT_STARTED: 7,
    Event.PAYMENT_SUCCEEDED: 7,
    Event.ORDER_PLACED: 6,
    Event.ORDER_PAID: 6,
    Event.ESCROW_FUNDED: 6,
    Event.ORDER_DELIVERED: 5,
    Event.ESCROW_RELEASED: 5,
    Event.PROFILE_CHANGED: 4,
    Event.LOGIN_FAILED: 3,
    Event.ADMIN_EDIT: 1,
}
GONE = Event.LOGOUT  # is in the older half alone: what was common once and is not found near the end
GONE_SHARE = 3

ROWS = """
INSERT INTO {table} (id, timestamp, event_type, event_category, severity, actor_type, actor_id, actor_email, target_type, target_id, action,
                     description, before_state, after_state, metadata, ip_address, user_agent, request_id, device_id, amount, currency,
                     transaction_hash) {overriding}
SELECT n, %(since)s + (%(until)s - %(since)s) * ((n - %(first)s)::float8 / %(count)s),
       (%(types)s::text[])[kind], (%(categories)s::text[])[kind], (%(severities)s::text[])[kind],
       CASE WHEN (%(categories)s::text[])[kind] = 'administrative' THEN 'admin' ELSE 'user' END,
       md5('person' || person)::uuid, 'person' || person || '@rows.example',
       split_part((%(types)s::text[])[kind], '.', 1), md5('target' || target)::uuid, (%(actions)s::text[])[kind],
       CASE WHEN n %% 1000003 = 7 THEN 'Asked about a quincunx of marmalade'
            WHEN n %% 40 = 0 THEN 'Asked again by phone, see thread ' || n %% 5000 ELSE '' END,
       CASE WHEN changed THEN jsonb_build_object('status', 'in_progress', 'price', cost, 'version', n %% 9) END,
       CASE WHEN changed THEN jsonb_build_object('status', 'delivered', 'price', cost + 5, 'version', n %% 9 + 1) END,
       jsonb_build_object('order', 'P4-' || target),
       '100.64.0.0'::inet + person * 3 + n %% 3, 'Mozilla/5.0 (X11; Linux x86_64) made-up',
       md5('request' || n / 3)::uuid, md5('device' || person)::uuid,
       CASE WHEN (%(categories)s::text[])[kind] = 'financial' THEN CASE WHEN n %% 500009 = 11 THEN 250000 ELSE cost END END,
       CASE WHEN (%(categories)s::text[])[kind] = 'financial' THEN 'USDC' ELSE '' END,
       CASE WHEN (%(types)s::text[])[kind] LIKE 'escrow.%%' THEN '0x' || md5('chain' || n) || md5('hash' || n) ELSE '' END
FROM (SELECT n, width_bucket(random(), %(bounds)s::float8[]) + 1 AS kind, floor(20000 * random() ^ 3)::int AS person,
             floor(1500000 * random() ^ 2)::int AS target, random() < 0.4 AS changed, round(exp(1 + 6 * random())::numeric, 2) AS cost
      FROM generate_series(%(first)s::bigint + %(from)s, %(first)s::bigint + %(to)s - 1) n OFFSET 0) made
"""

COPY = "INSERT INTO {part} SELECT {columns} FROM audit_log t WHERE t.timestamp >= %s AND t.timestamp < %s AND t.xid < %s ORDER BY t.timestamp, t.id"


class Command(BaseCommand):
    help = "Makes rows in the audit log, spread over months that end now, and the copy that they are searched by. Never in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rows", type=int)
        parser.add_argument("--months", type=int, default=12, help="how many months back the rows go (12)")

    def handle(self, *args: Any, **options: Any) -> None:
        rows, months = options["rows"], options["months"]
        if not settings.DEVELOPMENT:
            raise CommandError("Made-up rows can never be taken out of the log again; this is not for production.")
        if rows < 1 or not 1 <= months <= 120:
            raise CommandError("Give a number of rows, and 1 to 120 months.")
        make_rows(settings.DATABASE_OWNER_URL, rows, months, quiet=not self.stderr.isatty())
        self.stdout.write(f"{rows:,} rows over {months} months")


def make_rows(url: str, rows: int, months: int, *, quiet: bool) -> None:
    spans = list(_months(now(), months))
    seconds = sum((until - since).total_seconds() for since, until in spans)
    with _connected(url) as connection:
        (first,) = _one(connection, "SELECT nextval(pg_get_serial_sequence('audit_log', 'id'))")
        _one(connection, "SELECT setval(pg_get_serial_sequence('audit_log', 'id'), %s)", [first + rows])
    left = rows
    with tqdm(total=rows, desc="rows", unit="", disable=quiet) as bar, ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = []
        for place, (since, until) in enumerate(spans):
            count = left if place == len(spans) - 1 else min(left, round(rows * (until - since).total_seconds() / seconds))
            jobs.append(pool.submit(_fill_month, url, since, until, first, count, old=place < len(spans) / 2, bar=bar))
            first, left = first + count, left - count
        for job in jobs:
            job.result()
    index_all(url, quiet=quiet)


def index_all(url: str, *, quiet: bool) -> None:
    """Make the whole copy anew that the log is searched by. Writers go on; what they add meanwhile is taken in later, as always."""
    with _connected(url) as connection:
        (horizon,) = _one(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        found = connection.execute("SELECT DISTINCT date_trunc('month', timestamp AT TIME ZONE 'UTC')::date FROM audit_log ORDER BY 1").fetchall()
        with tqdm(total=len(found), desc="months indexed", unit="", disable=quiet) as bar, ThreadPoolExecutor(AT_ONCE) as pool:
            for job in [pool.submit(_index_month, url, month, horizon, bar) for (month,) in found]:
                job.result()
        connection.execute("UPDATE audit_find_mark SET xid = %s, id = %s, filled_at = clock_timestamp()", [horizon - 1, 2**63 - 1])


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("synchronous_commit = off", "maintenance_work_mem = '512MB'", "work_mem = '256MB'", "max_parallel_maintenance_workers = 0"):
            connection.execute(f"SET {setting}")
        yield connection


def _index_month(url: str, month: date, horizon: int, bar: Any) -> None:
    """What audit_find_build does, several at once: rows and indexes are made in a table that stands alone."""
    part, alone = f"audit_find_{month:%Y%m}", f"audit_find_{month:%Y%m}_new"
    until = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    span = f"FROM ('{month} 00:00+00') TO ('{until}')"
    with _connected(url) as connection:
        columns = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'audit_find'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        ).fetchall()
        taken = ", ".join({"actor_email": "lower(t.actor_email)", "words": "audit_words(t)"}.get(name, f"t.{name}") for (name,) in columns)
        connection.execute(f"DROP TABLE IF EXISTS {alone}")
        with connection.transaction():  # made and filled in one, so that its rows need no place in the write-ahead log
            connection.execute(f"CREATE TABLE {alone} (LIKE audit_find INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)")
            connection.execute(f"ALTER TABLE {alone} ALTER COLUMN words SET STATISTICS 500")
            connection.execute(COPY.format(part=alone, columns=taken), [f"{month} 00:00+00", until, horizon])
        connection.execute(f"ALTER TABLE {alone} ADD PRIMARY KEY (timestamp, id)")
        wanted = connection.execute(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'audit_find'::regclass AND NOT indisprimary"
        ).fetchall()
        for (index,) in wanted:
            connection.execute(f"CREATE INDEX ON {alone} {index[index.index('USING') :]}")
        connection.execute(f"VACUUM (ANALYZE) {alone}")  # what the server would do by itself some time later
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('audit_find'))")
            connection.execute("SELECT audit_find_forget(%s)", [month])
            connection.execute(f"ALTER TABLE {alone} RENAME TO {part}")
            connection.execute(f"ALTER TABLE audit_find ATTACH PARTITION {part} FOR VALUES {span}")
            connection.execute("SELECT audit_find_close(%s)", [part])
    bar.update()


def _months(end: datetime, count: int) -> Iterator[tuple[datetime, datetime]]:
    """The months up to `end`, the last one only as far as it goes."""
    number = end.year * 12 + end.month - 1
    for month in range(number - count + 1, number + 1):
        since = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        until = datetime((month + 1) // 12, (month + 1) % 12 + 1, 1, tzinfo=UTC)
        yield since, min(until, end)


def _fill_month(url: str, since: datetime, until: datetime, first: int, count: int, *, old: bool, bar: Any) -> None:
    part = f"audit_log_{since:%Y%m}"
    kinds = _kinds(old=old)
    shares = [share for _, share in kinds]
    values = {
        "since": since,
        "until": until,
        "first": first,
        "count": count,
        "types": [event.key for event, _ in kinds],
        "categories": [event.category.value for event, _ in kinds],
        "severities": [event.severity.value for event, _ in kinds],
        "actions": [event.words for event, _ in kinds],
        "bounds": [sum(shares[: n + 1]) / sum(shares) for n in range(len(shares) - 1)],
    }
    with _connected(url) as connection:
        connection.execute("SELECT setseed(0.444 + %s / 1000.0)", [since.month])
        (stands,) = _one(connection, "SELECT to_regclass(%s) IS NOT NULL", [part])
        if not stands:
            # Its indexes are made when it is attached, after the rows.
            connection.execute(f"CREATE TABLE {part} (LIKE audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        query = ROWS.format(table="audit_log" if stands else part, overriding="OVERRIDING SYSTEM VALUE" if stands else "")
        for start in range(0, count, CHUNK):
            stop = min(count, start + CHUNK)
            connection.execute(query, {**values, "from": start, "to": stop})
            bar.update(stop - start)
        if not stands:
            _adopt(connection, part, since)
        connection.execute(f"VACUUM (ANALYZE) {part}")


def _adopt(connection: psycopg.Connection[Any], part: str, since: datetime) -> None:
    """Make the filled table a month of the log, closed like the others."""
    month = since.year * 12 + since.month
    connection.execute(
        f"ALTER TABLE audit_log ATTACH PARTITION {part} FOR VALUES FROM ('{since}') TO ('{datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)}')"
    )
    connection.execute(f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {part} FOR EACH STATEMENT EXECUTE FUNCTION audit_reject()")
    connection.execute(f"ALTER TABLE {part} ENABLE ALWAYS TRIGGER no_truncate")
    if _one(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app'")[0]:
        connection.execute(f"REVOKE ALL ON {part} FROM port444_app")
        connection.execute(f"GRANT SELECT ON {part} TO port444_app")


def _kinds(*, old: bool) -> list[tuple[Event, float]]:
    rest = [event for event in Event if event not in OFTEN and event is not GONE]
    left = 100.0 - sum(OFTEN.values()) - GONE_SHARE
    rare = [(event, left / 2 ** (1 + place / 5)) for place, event in enumerate(rest)]
    scale = left / sum(share for _, share in rare)
    kinds: list[tuple[Event, float]] = [*OFTEN.items(), *((event, share * scale) for event, share in rare)]
    return [*kinds, (GONE, GONE_SHARE)] if old else kinds


def _one(connection: psycopg.Connection[Any], query: str, params: list[Any] | None = None) -> Any:
    return connection.execute(query, params).fetchone()
