"""What a person's page in the console costs when they have done a lot, on a site with a million orders: `./run bench support`.

The database is made by SQL in some minutes (`bench/crowd.py`) and thrown away; `bench/person.py` measures in a process of its own.

BENCH_KEEP  a folder in which the database stays; when it has been filled already, it is measured as it is
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.audit_pages import kept
from scripts import database


def main() -> int:
    """Print the figures; 1 when the page takes too long or asks more questions than it should."""
    with kept(Path(folder)) if (folder := os.environ.get("BENCH_KEEP")) else database.thrown_away() as base:
        settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench" * 8, "DJANGO_SETTINGS_MODULE": "port444.settings", "EMAIL_URL": "dummymail://"}
        environment = {**os.environ, **settings, **base.addresses}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, check=True, cwd=database.HOME, env=database.as_owner(environment))
        return subprocess.run([sys.executable, "-m", "bench.person"], check=False, cwd=database.HOME, env=environment).returncode


if __name__ == "__main__":
    raise SystemExit(main())
