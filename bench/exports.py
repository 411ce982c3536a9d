"""What an export takes in memory and time: `./run bench exports`.

A million rows of the audit log are made in a database that is thrown away. `manage.py export_audit_logs` writes ten thousand of them,
and all of them, in every format, each time in a process of its own whose peak of memory the kernel tells.

BENCH_ROWS    how many rows (1,000,000)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from bench import report
from bench.export import FILL, MONTH
from scripts import database

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
FEW = 10_000
FORMATS = ("csv", "jsonl", "parquet")
MORE = 1.1  # times the memory for a hundred times the rows
MICROSECONDS = 60.0  # of the process's CPU for a row, with its start
FOLDER = database.VAR / "bench-exports"


def main() -> int:
    """Print the figures; 1 when a limit is not kept."""
    with database.thrown_away() as base:
        settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench", "EMAIL_URL": "dummymail://", "PORT444_VAR": str(FOLDER)}
        environment = {**os.environ, **settings, **base.addresses}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, env=database.as_owner(environment))
        with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
            owner.execute(MONTH)
            owner.execute(FILL, [1, ROWS])
            owner.execute("VACUUM ANALYZE audit_log")
            first: datetime = owner.execute("SELECT min(timestamp) FROM audit_log_old").fetchall()[0][0]
        print(f"{ROWS:,} rows made", flush=True)
        try:
            return measure(environment, first)
        finally:
            shutil.rmtree(FOLDER, ignore_errors=True)


def measure(environment: Mapping[str, str], first: datetime) -> int:
    report.sized(f"{ROWS:,} rows")
    for file_format in FORMATS:
        _, _, little = take(environment, file_format, FEW, first)
        seconds, cpu, much = take(environment, file_format, ROWS, first)
        report.figure(f"{file_format}: memory for all rows", much, "MB", peer=(f"for {FEW:,}", little), limit=MORE)
        report.figure(f"{file_format}: CPU for a row", cpu / ROWS * 1e6, "us", limit=MICROSECONDS, also=f"{seconds:.1f} s for all")
    return report.code()


def take(environment: Mapping[str, str], file_format: str, rows: int, first: datetime) -> tuple[float, float, float]:
    """Seconds, those of its CPU, and megabytes at the peak."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{rows}.{file_format}"
    until = first + timedelta(seconds=rows)  # a row a second
    command = [sys.executable, "manage.py", "export_audit_logs", "--from", first.isoformat(), "--to", until.isoformat(), "--dest", str(path)]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = process.stdout.read().decode() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    found = int(said.split(" rows")[0].rsplit("m", 1)[-1] or 0)
    if process.returncode or abs(found - rows) > rows / 10:  # what making the site has logged is not in it
        raise SystemExit(f"{found} rows came, and code {process.returncode}")
    Path(path).unlink()
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
