"""What the search costs the database among 100,000 services: `./run bench search`.

BENCH_SERVICES  how many services are for sale (100,000)
BENCH_SEARCHES  how many searches of each kind are tried (150)
BENCH_KEEP      a folder in which the database stays; when it has services already, they are measured as they are
BENCH_DATABASE  the address of an empty database of your own, for the role that owns it, to be filled and measured

`bench/searching.py` fills and measures in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.audit_pages import kept
from scripts import database

SETTINGS = {"PORT444_ENV": "test", "SECRET_KEY": "bench" * 8, "DJANGO_SETTINGS_MODULE": "port444.settings", "EMAIL_URL": "dummymail://"}


def main() -> int:
    """Print the figures; 1 when a kind of search takes too long."""
    if own := os.environ.get("BENCH_DATABASE"):
        return measure({"DATABASE_URL": own})
    with kept(Path(folder)) if (folder := os.environ.get("BENCH_KEEP")) else database.thrown_away() as base:
        return measure(database.as_owner({**os.environ, **base.addresses}))


def measure(environment: dict[str, str]) -> int:
    environment = {**os.environ, **environment, **SETTINGS}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, cwd=database.HOME, env=environment)
    return subprocess.run([sys.executable, "-m", "bench.searching"], check=False, cwd=database.HOME, env=environment).returncode


if __name__ == "__main__":
    raise SystemExit(main())
