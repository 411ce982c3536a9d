"""Measures the detectors on a long log; started by `bench/detectors.py`. With `run` it reads the log on, in a process of its own that is measured."""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()


import psycopg  # noqa: E402 (after setup, as all that follows)
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from tqdm import tqdm  # noqa: E402

from auditlog.actions import detecting, rows_left, run_detectors  # noqa: E402
from bench import history, report  # noqa: E402
from port444.kit.clock import now  # noqa: E402
from scripts.environment import say  # noqa: E402

ROWS = int(os.environ.get("BENCH_ROWS", "10000000"))
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "200000"))
PROFILE = bool(os.environ.get("BENCH_PROFILE"))
DAYS = 90
AN_HOUR = max(1, ROWS // (DAYS * 24))
HOURLY_S = 2.0  # of a run over the rows of one hour
FIRST_S = 15 * 60 * ROWS / 10_000_000 + 60  # of CPU, the session of the database included, of the run over all of them
MEMORY_MB = 600.0  # of the process of either
CHUNK = int(os.environ.get("BENCH_CHUNK", str(detecting.CHUNK)))
HOURS = 5  # hourly runs that are measured
OURS = "actor_email LIKE 'person%@rows.example'"
SIZE = "SELECT pg_total_relation_size('{table}') / 1048576.0"
REMEMBERED = ("detector_memory", "incident_log")


def all_runs() -> int:
    """Print what the first run and the hourly ones took; 1 when that is more than the limits."""
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        until, begun = now(), time.monotonic()
        if not _one(owner, f"SELECT count(*) FROM (SELECT FROM audit_log WHERE {OURS} LIMIT 1) any_of_ours"):
            since = until - timedelta(days=DAYS)
            history.write(settings.DATABASE_OWNER_URL, ROWS, people=PEOPLE, since=since, until=until, quiet=not sys.stderr.isatty())
            say(f"{ROWS:,} rows of {PEOPLE:,} people over {DAYS} days, made in {(time.monotonic() - begun) / 60:.1f} minutes")
        else:
            forget(owner)
        ran = run()
        told("first run", ran)
        for table in REMEMBERED:
            count, size = _one(owner, f"SELECT count(*) FROM {table}"), _one(owner, SIZE.format(table=table))
            print(f"    {table:20} {count:12,} rows  {size:8.0f} MB", flush=True)
        report.sized(f"{ROWS:,} rows, {PEOPLE:,} people")
        report.figure("the first run, with its session of the database", ran["cpu"] + ran["served"], "s of CPU", limit=FIRST_S)
        report.figure("memory of the first run", ran["memory"], "MB", limit=MEMORY_MB)
        slowest = 0.0
        for _ in range(HOURS):
            until = now()
            history.add(settings.DATABASE_OWNER_URL, AN_HOUR, people=PEOPLE, since=until - timedelta(hours=1), until=until)
            ran = run()
            slowest = max(slowest, ran["seconds"])
            told("an hour", ran)
    report.figure(f"the slowest hour of {AN_HOUR:,} rows", slowest, "s", limit=HOURLY_S)
    return report.code()


# Where detectors write, and what hangs on it.
WRITTEN = """
WITH RECURSIVE written AS (
  SELECT oid FROM pg_class WHERE relkind = 'r' AND relname IN ('detector_memory', 'detector_mark', 'incident_log')
  UNION SELECT conrelid FROM pg_constraint JOIN written ON confrelid = written.oid WHERE contype = 'f')
SELECT oid::regclass::text FROM written
"""


def forget(owner: psycopg.Connection[Any]) -> None:
    """As if the detectors had never run: a database that was kept is measured anew."""
    tables = [name for (name,) in owner.execute(WRITTEN).fetchall()]
    with owner.transaction():
        for change in ("DISABLE", None, "ENABLE"):  # these tables are watched, and what is in them does not go away
            for table in tables if change else ():
                owner.execute(f"ALTER TABLE {table} {change} TRIGGER USER".encode())
            if change is None:
                owner.execute(f"TRUNCATE {', '.join(tables)}".encode())


def run() -> dict[str, Any]:
    """One run in a process of its own: what it read, how long it took from its first question to its last, how much of two processors it and
    its session of the database had, and the most memory."""
    ran = subprocess.run([sys.executable, "-m", "bench.detecting", "run"], check=True, stdout=subprocess.PIPE)
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def told(name: str, ran: dict[str, Any]) -> None:
    cpu = f"CPU {ran['cpu']:7.2f} s and {ran['served']:7.2f} s of the database"
    taken = ", ".join(f"{count:,} {kind}" for kind, count in sorted(ran["taken"].items()))
    print(f"    {name:10} {ran['rows']:12,} rows read  {ran['seconds']:9.2f} s  {cpu}  {ran['memory']:6.0f} MB  {taken}", flush=True)


def one_run() -> None:
    """Read the log on to its end, and tell the parent what that took."""
    profile = cProfile.Profile()
    if PROFILE:
        profile.enable()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    before, served = time.process_time(), _burned(backend)
    with tqdm(total=rows_left(), desc="rows", unit="", disable=not sys.stderr.isatty()) as bar:
        ran = run_detectors(progress=bar.update, limit=CHUNK)
    cpu, served = time.process_time() - before, _burned(backend) - served
    if PROFILE:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {"rows": ran.rows, "seconds": ran.seconds, "cpu": cpu, "served": served, "memory": memory}
    print(json.dumps(said | {"taken": {kind.value: count for kind, count in ran.taken.items()}}))


def _burned(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _one(owner: psycopg.Connection[Any], query: str) -> Any:
    row = owner.execute(query.encode()).fetchone()
    return row[0] if row else None


if __name__ == "__main__":
    if sys.argv[1:] == ["run"]:
        one_run()
    else:
        raise SystemExit(all_runs())
