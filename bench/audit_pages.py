"""What the filters of the audit page cost the database when the log is long: `./run bench audit_pages`.

BENCH_ROWS    how many rows the log has (10,000,000); making them takes some minutes and about 1.2 GB for a million
BENCH_PLANS   0 leaves the plans out
BENCH_DATABASE  the address of a database that has the rows already, for a role that may read them

For each filter a common value, a rare one and one that no row has; the first page, one further back, and a page of what lies before.
"""

from __future__ import annotations

import os
import subprocess
import sys

from scripts import database


def main() -> int:
    """Print the figures; 1 when a filter takes too long."""
    settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "port444.settings", "EMAIL_URL": "dummymail://"}
    measure = [sys.executable, "-m", "bench.audit_reading"]
    if ready := os.environ.get("BENCH_DATABASE"):
        return subprocess.run(measure, check=False, cwd=database.HOME, env={**os.environ, **settings, "DATABASE_URL": ready}).returncode
    with database.thrown_away() as base:
        environment = {**os.environ, **settings, **base.addresses}
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "--verbosity=0"], check=True, cwd=database.HOME, env=database.as_owner(environment))
        rows = os.environ.get("BENCH_ROWS", "10000000")
        subprocess.run([*manage, "make_audit_rows", rows], check=True, cwd=database.HOME, env=environment)
        return subprocess.run(measure, check=False, cwd=database.HOME, env=environment).returncode


if __name__ == "__main__":
    raise SystemExit(main())
