"""How long the data takes to make that other benchmarks are measured on: `./run bench data`.

BENCH_ORDERS  how many orders (1,000,000), with all that hangs on them: `manage.py make_orders`
BENCH_ROWS    how many rows of the audit log (10,000,000): `manage.py make_audit_rows`

Each on a database that is thrown away. Rows are made inside of the server (INSERT of a SELECT), so nothing travels; indexes and foreign keys are made
behind them. Both show how far they have come.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psycopg

from bench import report
from scripts import database

ORDERS = int(os.environ.get("BENCH_ORDERS", "1000000"))
ROWS = int(os.environ.get("BENCH_ROWS", "10000000"))
ORDERS_S = 600 * ORDERS / 1_000_000
ROWS_S = 600 * ROWS / 10_000_000
SIZE = "SELECT pg_database_size(current_database()) / 1073741824.0::float8"
WRITTEN = "SELECT sum(n_live_tup)::bigint FROM pg_stat_user_tables"


def main() -> int:
    """Print the figures; 1 when either takes more than some minutes."""
    making("orders, with all that hangs on them", "make_orders", ORDERS, ORDERS_S)
    making("rows of the audit log, and the copy they are searched by", "make_audit_rows", ROWS, ROWS_S)
    return report.code()


def making(words: str, command: str, count: int, limit: float) -> None:
    """One of the generators, on a database of its own."""
    settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench" * 8, "EMAIL_URL": "dummymail://"}
    with database.thrown_away() as base:
        environment = {**os.environ, **settings, **base.addresses}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, check=True, cwd=database.HOME, env=database.as_owner(environment))
        began = time.monotonic()
        subprocess.run([sys.executable, "manage.py", command, str(count)], check=True, cwd=database.HOME, env=environment)
        seconds = time.monotonic() - began
        with psycopg.connect(base.addresses["DATABASE_OWNER_URL"]) as owner:
            (size,), (rows,) = (owner.execute(query).fetchall()[0] for query in (SIZE.encode(), WRITTEN.encode()))
        report.sized(f"{count:,}")
        report.figure(words, seconds, "s", limit=limit, also=f"{rows:,} rows in all tables, {size:.1f} GiB, {rows / seconds:,.0f} rows a second")


if __name__ == "__main__":
    raise SystemExit(main())
