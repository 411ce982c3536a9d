"""Measures every scheduled sweep on a full database; started by `bench/sweeps.py`.

BENCH_ORDERS  how many orders and conversations there are (1,000,000)
BENCH_SECONDS how long a sweep may work on what was made due for it (20); what is done by then is counted
BENCH_ONLY    sweeps whose path contains this
BENCH_PLANS   1 prints the plans in full, with what they read
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import django

django.setup()


import psycopg  # noqa: E402 (after setup, as all that follows)
from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from bench import crowd, report  # noqa: E402
from port444.kit.clock import now  # noqa: E402
from scripts.environment import say  # noqa: E402

ORDERS = int(os.environ.get("BENCH_ORDERS", "1000000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
ONLY = os.environ.get("BENCH_ONLY", "")
PLANS = bool(os.environ.get("BENCH_PLANS"))
SIZE = crowd.Size(max(ORDERS, crowd.LEAST))
BIG = SIZE.orders // 20  # rows of a table that no sweep may read from one end to the other
IDLE_MS = 100.0  # of a sweep that finds nothing
IDLE_ROWS = 1000  # that it may read for that
ROUNDS = 7
SAME = (10, 200)  # a batch of either takes as many queries
TICK = os.sysconf("SC_CLK_TCK")
NIGHTLY = {"port444.accounts.jobs.forget", "auditlog.jobs.partitions"}  # clean up; read what they remove
NOT_SWEEPS = {"port444.kit.jobs.heartbeat"}


@dataclass(frozen=True)
class Stock:
    """Of what a sweep works on: rows of `table` that are `kept` and become due when `column` has come to `limit`."""

    path: str
    table: str
    column: str
    kept: str
    count: int
    batch: str = ""  # the function that takes a moment and a limit and works in one transaction, where there is one
    limit: str = "now()"
    past: str = "now() - interval '1 minute'"  # what makes a row due
    also: str = ""  # columns that change with it
    then: str = ""  # what follows from that elsewhere
    outcome: str = ""  # counts what the sweep is for, as some rows are settled without it

    def bring(self, wanted: int) -> None:
        """Make so many due."""
        later = f"({self.column} IS NULL OR {self.column} > {self.limit} + interval '1 hour')"
        chosen = f"SELECT id FROM {self.table} WHERE {self.kept} AND {later} ORDER BY id LIMIT {wanted}"
        self.change(f"UPDATE {self.table} SET {self.column} = {self.past}{self.also} WHERE id IN ({chosen})")

    def take_back(self) -> None:
        """Make none due."""
        self.change(f"UPDATE {self.table} SET {self.column} = now() + interval '3 days' WHERE {self.kept} AND {self.column} <= {self.limit}")

    def left(self) -> int:
        return int(ask(f"SELECT count(*) FROM {self.table} WHERE {self.kept} AND {self.column} <= {self.limit}")[0][0])

    def come_of_it(self) -> int:
        return int(ask(self.outcome)[0][0]) if self.outcome else 0

    def change(self, sql: str) -> None:
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
            for statement in (sql, self.then, f"ANALYZE {self.table}"):
                owner.execute(statement.encode())


SPANS: dict[str, Any] = {
    "table": "away_span",
    "column": "ends_at",
    "count": SIZE.builders,
    "also": ", starts_at = now() - interval '5 days'",
    "then": "UPDATE builders_builder b SET away_from = s.starts_at, away_until = s.ends_at FROM away_span s"
    " WHERE s.builder_id = b.id AND s.message = 'next' AND s.ends_at <> b.away_until",
}
TOLD = "SELECT count(*) FROM notifications_notification WHERE kind LIKE '{}%'"
STOCKS = [
    Stock(
        "port444.orders.jobs.send_nudges",
        "orders_nudge",
        "due_at",
        "status = 'planned' AND kind = 'answers_24h'",
        SIZE.stock,
        batch="port444.orders.actions.send_nudges_batch",
        outcome=TOLD.format("order.nudge"),
    ),
    Stock(
        "port444.orders.jobs.suggest_offers",
        "messaging_conversation",
        "rests_at",
        "rests_at IS NOT NULL",
        SIZE.stock,
        batch="port444.orders.actions.suggest_batch",
        outcome="SELECT count(*) FROM orders_suggestion WHERE status = 'shown'",
    ),
    Stock(
        "port444.catalog.jobs.refresh_points",
        "catalog_pricepoint",
        "due_at",
        "true",
        3 * SIZE.builders,
        "port444.catalog.actions.refresh_points_batch",
    ),
    Stock(
        "port444.catalog.jobs.refresh_services",
        "catalog_service",
        "market_due_at",
        "market_due_at IS NOT NULL",
        2 * SIZE.builders,
        batch="port444.catalog.actions.refresh_services_batch",
    ),
    Stock(
        "port444.away.jobs.welcome",
        "away_returnalert",
        "due_at",
        "told_at IS NULL",
        2 * SIZE.builders,
        batch="port444.away.actions.tell_batch",
        outcome=TOLD.format("away.returned"),
    ),
    Stock(
        "port444.away.jobs.remind",
        kept="reminded_at IS NULL",
        batch="port444.away.actions.remind_batch",
        limit="now() + interval '23 hours'",
        past="now() + interval '20 hours'",
        outcome=TOLD.format("away.near"),
        **SPANS,
    ),
    Stock(
        "port444.away.jobs.welcome",
        kept="welcomed_at IS NULL",
        batch="port444.away.actions.welcome_batch",
        outcome=TOLD.format("away.back"),
        **SPANS,
    ),
    Stock("port444.notifications.jobs.sweep", "notifications_delivery", "due_at", "status = 'pending'", SIZE.stock),
    Stock("consultations.jobs.send_reminders", "consultations_reminder", "due_at", "status = 'due' AND kind = '24h'", SIZE.orders // 50),
    Stock("amendments.jobs.expire", "amendments_amendment", "expires_at", "status = 'pending'", SIZE.stock),
    Stock("port444.payments.jobs.expire_invoices", "payments_invoice", "expires_at", "status = 'open'", SIZE.stock),
    Stock("port444.orders.jobs.auto_accept", "orders_order", "auto_accept_at", "status = 'delivered'", SIZE.stock),
    Stock("port444.orders.jobs.cancel_unanswered", "orders_order", "requirements_until", "status = 'pending_requirements'", SIZE.stock),
]


@dataclass
class Seen:
    """What was asked of the database, and what it cost."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    wall: float = 0.0
    python: float = 0.0
    postgres: float = 0.0

    @property
    def cpu(self) -> float:
        return self.python + self.postgres


@contextmanager
def watching() -> Iterator[Seen]:
    """Counts queries and takes the time, in this process and in the server's for this connection."""
    seen = Seen()

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.statements.append((sql, params[0] if many else params))
        return execute(sql, params, many, context)

    before, python, wall = server_seconds(), time.process_time(), time.perf_counter()
    with connection.execute_wrapper(note):
        yield seen
    seen.wall, seen.python, seen.postgres = time.perf_counter() - wall, time.process_time() - python, server_seconds() - before


def server_seconds() -> float:
    """CPU of the database's process of this connection; 0 where that is another machine."""
    try:
        words = Path(f"/proc/{SERVER}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / TICK


def ask(sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def rows_read() -> Counter[str]:
    """Rows that this database has handed up from each table so far, from its heap or by an index."""
    ask("SELECT pg_stat_force_next_flush()")
    read = "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
    return Counter({str(name): int(rows) for name, rows in ask(read)})


def noon_zone() -> str:
    """A zone in which it is about noon, so that nobody's quiet hours hold anything."""
    ahead = 12 - now().astimezone(ZoneInfo("UTC")).hour
    return f"Etc/GMT{'-' if ahead >= 0 else '+'}{abs(ahead)}" if ahead else "Etc/GMT"


def scans(sql: str, params: Any) -> list[str]:
    """Big tables that the plan of a statement reads from one end to the other."""
    if not re.match(r"\s*(SELECT|UPDATE|DELETE|WITH|INSERT)", sql):
        return []
    # What is planned and never reached does not count, which only a statement that reads, carried out again, can tell.
    how = "ANALYZE, TIMING OFF, FORMAT JSON" if re.match(r"\s*(SELECT|WITH ask)", sql) else "FORMAT JSON"
    try:
        with transaction.atomic():
            plan = ask(f"EXPLAIN ({how}) {sql}", params)[0][0]
            transaction.set_rollback(True)
    except django.db.Error as error:
        return [f"no plan: {error}"]
    seq = [node for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan" and node.get("Actual Loops", 1)]
    return [name for node in seq if LENGTHS.get(name := str(node["Relation Name"]), 0) >= BIG]


def nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def shape(sql: str) -> str:
    """A statement without its values, so that two of a kind are one."""
    return re.sub(r"\(\s*%s(\s*,\s*%s)*\s*\)", "(%s)", re.sub(r"(\(%s\)(, )?)+", "(%s)", sql))


def print_plan(sql: str, params: Any) -> None:
    with transaction.atomic():
        lines = [str(line) for (line,) in ask(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {sql}", params)]
        transaction.set_rollback(True)
    print("\n".join(f"        {line}" for line in lines))


def summary(sql: str, params: Any) -> str:
    """By which indexes a statement goes."""
    with transaction.atomic():
        plan = ask(f"EXPLAIN (FORMAT JSON) {sql}", params)[0][0]
    return ", ".join(
        f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name')}" for node in nodes(plan[0]["Plan"]) if "Scan" in node["Node Type"]
    )


def is_crowded() -> bool:
    """Whether others use the machine so much that the time on the wall is theirs; CPU counts always."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 1


@dataclass(frozen=True)
class Idle:
    """What a sweep that finds nothing came to."""

    path: str
    wall: float  # milliseconds, the best of several
    cpu: float
    read: int  # rows of big tables
    scanned: tuple[str, ...]  # big tables that are read from one end to the other


def idle(path: str) -> Idle:
    """One sweep that finds nothing."""
    job, best = import_string(path), Seen(wall=1e9, python=1e9)
    job()
    before = rows_read()
    with watching() as first:
        job()
    read = rows_read() - before
    for _ in range(ROUNDS):
        with watching() as seen:
            job()
        if seen.wall < best.wall:
            best = seen
    own = "pg_stat_user_tables"
    many = {name: rows for name, rows in read.most_common(3) if rows and own not in name}
    print(f"  {path:45} {best.wall * 1000:7.1f} ms  {best.cpu * 1000:5.0f} ms CPU  {len(first.statements):3} queries  read {dict(many) or 'no row'}")
    for sql, params in first.statements:
        if sql.lstrip().startswith("SELECT"):
            if PLANS:
                print_plan(sql, params)
            else:
                print(f"      by {summary(sql, params)}")
    from_big = sum(rows for name, rows in read.items() if LENGTHS.get(name, 0) >= BIG)
    asked = [] if path in NIGHTLY else first.statements
    scanned = tuple(f"{path}: {name}" for sql, params in asked for name in scans(sql, params))
    return Idle(path, best.wall * 1000, best.cpu * 1000, from_big, scanned)


def report_idle(found: Sequence[Idle]) -> None:
    """The worst of them beside the limits."""
    worst = max(found, key=lambda one: one.cpu)
    report.figure("nothing is due: most CPU", worst.cpu, "ms", limit=IDLE_MS, also=worst.path)
    worst = max(found, key=lambda one: one.wall)
    report.figure("nothing is due: most time", worst.wall, "ms", limit=None if is_crowded() else IDLE_MS, also=worst.path)
    most = max(found, key=lambda one: one.read)
    report.figure("nothing is due: most rows read of big tables", most.read, limit=IDLE_ROWS, also=most.path)
    scanned = [words for one in found for words in one.scanned]
    report.figure("nothing is due: big tables read from end to end", len(scanned), limit=0, also="; ".join(scanned))


def busy(stock: Stock) -> None:
    """One sweep with more and more to do."""
    job, kinds, name = import_string(stock.path), dict[str, tuple[str, Any]](), stock.path.replace(".jobs", "").removeprefix("port444.")
    used = sum(SAME) if stock.batch else 0
    for wanted in (100, 1000, 10000):
        if used + wanted > stock.count:
            print(f"    {wanted:6} due: more than the stock of {stock.count - used} that is left")
            continue
        once = wanted == 10000 and not stock.batch  # one run shows whether more that waits costs more
        used += wanted
        stock.bring(wanted)
        before = stock.come_of_it()
        ends = time.perf_counter() + SECONDS
        with watching() as seen:
            while job() and not once and time.perf_counter() < ends:
                pass
        done = wanted - stock.left()
        stock.take_back()
        if not done:
            report.figure(f"{name}: done of {wanted:,} that were due", 0, limit=1, better="more")
            break
        print(
            f"    {wanted:6} due: {done:6} done in {seen.wall:6.1f} s, {seen.wall * 1000 / done:7.2f} ms and {seen.cpu * 1000 / done:6.2f} ms"
            f" CPU a row (Python {seen.python * 1000 / done:.2f}), {len(seen.statements) / done:6.2f} queries a row"
            + (f", {stock.come_of_it() - before} of them with an effect" if stock.outcome else "")
        )
        if wanted == 10000:
            report.figure(f"{name}: CPU for a row of {wanted:,} that are due", seen.cpu * 1000 / done, "ms", also=f"{done:,} done")
        for sql, params in seen.statements:
            kinds.setdefault(shape(sql), (sql, params))
    found = sorted({table for sql, params in kinds.values() for table in scans(sql, params)})
    report.figure(f"{name}: big tables read from end to end", len(found), limit=0, also=", ".join(found))


def constant(stock: Stock) -> None:
    """The queries of a batch of few and of many."""
    batch, counts = import_string(stock.batch), []
    for rows in SAME:
        stock.bring(rows)
        with watching() as seen:
            taken = batch(now(), rows)
        counts.append(len(seen.statements))
        print(f"    a batch of {rows}: {taken} taken, {len(seen.statements)} queries, {seen.wall * 1000:.0f} ms, {seen.cpu * 1000:.0f} ms CPU")
        stock.take_back()
    few, many = counts
    report.figure(f"{stock.batch.rpartition('.')[2]}: queries for {SAME[1]}", many, peer=(f"for {SAME[0]}", few), limit=1)


def main() -> int:
    began = time.perf_counter()
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
    sizes = crowd.fill(SIZE, os.environ["DATABASE_OWNER_URL"], zone=noon_zone())
    say(f"{sum(sizes.values()):,} rows written in {time.perf_counter() - began:.0f} s")
    LENGTHS.update({str(name): int(rows) for name, rows in ask("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'")})
    size = human(ask("SELECT pg_database_size(current_database())")[0][0])
    print(f"{SIZE.orders:,} orders, {SIZE.orders:,} conversations, {size}, {os.cpu_count()} cores")
    print("  " + ", ".join(f"{name} {rows:,}" for name, rows in sorted(LENGTHS.items(), key=lambda each: -each[1]) if rows >= BIG))
    paths = [path for path in settings.SCHEDULES if path not in NOT_SWEEPS and ONLY in path]
    crowded = f"; load {os.getloadavg()[0]:.0f}: only CPU is held against the limit" if is_crowded() else ""
    print(f"\nNothing is due: best of {ROUNDS}{crowded}")
    report.sized(f"{SIZE.orders:,} orders, {SECONDS:g} s each")
    found = [idle(path) for path in paths]
    if often := [one for one in found if one.path not in NIGHTLY]:
        report_idle(often)
    for stock in STOCKS:
        if stock.path in paths:
            print(f"\n{stock.path} {stock.batch}")
            stock.take_back()  # what came of the sweeps before
            if stock.batch:
                constant(stock)
            busy(stock)
    return report.code()


def human(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


LENGTHS: dict[str, int] = {}
SERVER = int(ask("SELECT pg_backend_pid()")[0][0])

if __name__ == "__main__":
    raise SystemExit(main())
