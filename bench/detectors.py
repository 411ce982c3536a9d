"""What the detectors cost when the log is long: `./run bench detectors`.

BENCH_ROWS    how many rows the log has (10,000,000); making them takes some minutes and about 1 GB for a million
BENCH_PEOPLE  how many people there are (200,000)
BENCH_KEEP    a folder in which the database stays; when it has rows already, what was remembered of them is cleared and measured anew
BENCH_PROFILE 1 prints where the first run spends its time (which makes it slower)
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts import database, devpg


def main() -> int:
    """Print the figures; 1 when a run takes too long or too much memory."""
    settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "port444.settings", "EMAIL_URL": "dummymail://"}
    # What docs/operate.md says of a server: a quarter of the memory.
    buffers = (f"shared_buffers={os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 4 // 2**20}MB",)
    with kept(Path(folder), buffers) if (folder := os.environ.get("BENCH_KEEP")) else database.thrown_away(settings=buffers) as base:
        environment = {**os.environ, **settings, **base.addresses}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, check=True, cwd=database.HOME, env=database.as_owner(environment))
        return subprocess.run([sys.executable, "-m", "bench.detecting"], check=False, cwd=database.HOME, env=environment).returncode


@contextlib.contextmanager
def kept(folder: Path, settings: tuple[str, ...]) -> Iterator[database.Database]:
    """A server whose data stays where it is for the next time."""
    with devpg.Server(folder, durable=False, settings=settings).running() as server:
        yield database.Database(server.environment(), server)


if __name__ == "__main__":
    raise SystemExit(main())
