"""What the filters of the audit page cost the database when the log is long: `./run bench audit_pages`.

BENCH_ROWS    how many rows the log has (10,000,000); making them takes some minutes and about 1.2 GB for a million
BENCH_PLANS   0 leaves the plans out
BENCH_KEEP    a folder in which the database stays; when it has rows already, they are measured and none are made
BENCH_DATABASE  the address of a database that has the rows already, for a role that may read them

For each filter a common value, a rare one and one that no row has; the first page, one further back, and a page of what lies before. Conditions
that hardly ever meet are looked for page by page, as who presses "Look further" does it, until a page is full or the log at its end.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from scripts import database, devpg
from scripts.environment import say


def main() -> int:
    """Print the figures; 1 when a filter takes too long."""
    settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "port444.settings", "EMAIL_URL": "dummymail://"}
    measure = [sys.executable, "-m", "bench.audit_reading"]
    if ready := os.environ.get("BENCH_DATABASE"):
        return subprocess.run(measure, check=False, cwd=database.HOME, env={**os.environ, **settings, "DATABASE_URL": ready}).returncode
    with kept(Path(folder)) if (folder := os.environ.get("BENCH_KEEP")) else database.thrown_away() as base:
        environment = {**os.environ, **settings, **base.addresses}
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "--verbosity=0"], check=True, cwd=database.HOME, env=database.as_owner(environment))
        if not has_rows(base):
            begun = time.monotonic()
            rows = os.environ.get("BENCH_ROWS", "10000000")
            subprocess.run([*manage, "make_audit_rows", rows], check=True, cwd=database.HOME, env=environment)
            say(f"made in {(time.monotonic() - begun) / 60:.1f} minutes")
        return subprocess.run(measure, check=False, cwd=database.HOME, env=environment).returncode


@contextlib.contextmanager
def kept(folder: Path) -> Iterator[database.Database]:
    """A server whose data stays where it is for the next time."""
    with devpg.Server(folder, durable=False).running() as server:
        yield database.Database(server.environment(), server)


def has_rows(base: database.Database) -> bool:
    with psycopg.connect(base.addresses["DATABASE_OWNER_URL"]) as connection:
        return connection.execute("SELECT EXISTS (SELECT FROM audit_find)").fetchone() == (True,)


if __name__ == "__main__":
    raise SystemExit(main())
