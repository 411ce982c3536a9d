"""The whole site under the journeys of many people at once: `./run bench load`.

LOAD_USERS    how many of them (60); of twenty, ten look around, four are pairs that talk, three order, two book calls and one is support
LOAD_SECONDS  how long all of them are there (180)
LOAD_ORDERS   how many orders the site has from before (50,000), and five times as many rows of the audit log

gunicorn, the queue, the mail sink and PostgreSQL as `./run` serves them; Locust (requirements/load.txt, in an environment of its own) and everything
else on the same machine. `bench/journeys.py` says what people do, `bench/timing.py` where the time of a request goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg

from bench import report
from bench.apart import python_with
from bench.site import TICKS, tell
from scripts import database
from scripts.environment import SetupFailed, say
from tests import realsite
from tests.copies import libpq

USERS = int(os.environ.get("LOAD_USERS", "60"))
SECONDS = int(os.environ.get("LOAD_SECONDS", "180"))
ORDERS = int(os.environ.get("LOAD_ORDERS", "50000"))
A_SECOND = 4  # people who come; each begins by signing in, which is meant to be slow
# p95 in milliseconds. A page that comes within half a second leaves the other half of the second after which people's thoughts wander to the network
# and the browser; a change does more and is waited for with a sign of it; a question of an open page nobody waits for, but it holds a thread.
LIMITS = {"pages": 500.0, "changes": 1000.0, "questions": 500.0}
QUESTIONS = ("/messages/{id}/new/", "/notifications/bell/")
PARTS = ("db", "template", "python", "wait", "queue")
WORDS = {
    "db": "waiting for the database",
    "template": "CPU in templates",
    "python": "other CPU of Python",
    "wait": "waiting for other threads and processes",
    "queue": "before the first line of Python and behind the last: free threads, gunicorn, Locust",
}


@dataclass
class Answers:
    """What came of one address, or of a kind of them; milliseconds."""

    took: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # and the number of questions asked of the database
    failed: int = 0

    def add(self, took: float, is_fine: bool, parts: dict[str, float]) -> None:
        self.took.append(took)
        self.failed += not is_fine
        if "total" in parts:
            for name, spent in {**parts, "queue": max(0.0, took - parts["total"])}.items():
                self.parts[name] += spent

    def at(self, share: float) -> float:
        return sorted(self.took)[int((len(self.took) - 1) * share)]

    def quantiles(self) -> str:
        return f"p50 {self.at(0.5):.0f}, p95 {self.at(0.95):.0f}, p99 {self.at(0.99):.0f}"


def main() -> int:
    """Print the figures; 1 when something failed or took too long."""
    report.sized(f"{USERS} users, {SECONDS} s, {ORDERS:,} orders")
    try:
        python = python_with("load")
    except SetupFailed as why:
        report.absent("journeys", str(why))
        return report.code()
    with database.thrown_away(durable=True) as base, tempfile.TemporaryDirectory(prefix="port444-bench-") as folder:
        addresses = {**base.addresses, "DATABASE_APP_URL": base.addresses["DATABASE_URL"]}
        settings: dict[str, Any] = {"DJANGO_SETTINGS_MODULE": "bench.timed"}
        with mock.patch.dict(os.environ, addresses), realsite.running(Path(folder), worker=False, **settings) as site:
            people = Path(folder) / "people.json"
            people.write_text(json.dumps(filled(site)))
            site.worker.start()
            result, cores = journeys(python, site, base, people)
    told(result, cores)
    return report.code()


def filled(site: realsite.Site) -> dict[str, Any]:
    """Years of orders behind the demo, and who goes on journeys."""
    say(site.manage("make_orders", str(ORDERS)).strip().splitlines()[-1])
    say(site.manage("make_audit_rows", str(5 * ORDERS)).strip().splitlines()[-1])
    with psycopg.connect(libpq(site.environment["DATABASE_OWNER_URL"]), autocommit=True) as owner:
        owner.execute("SELECT catalog_list(ARRAY(SELECT id FROM catalog_service))")  # what the search reads
        owner.execute("VACUUM ANALYZE")
    people: dict[str, Any] = tell(site, "bench.people:people_of_load", count=max(10, USERS))
    return people


def journeys(python: str, site: realsite.Site, base: database.Database, people: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """What Locust saw while all were there, and how many cores each part of the site had meanwhile."""
    result, log = people.with_name("result.json"), people.with_name("locust.log")
    command = [python, "-m", "locust", "-f", "bench/journeys.py", "--headless", "--only-summary", "--loglevel", "WARNING", "--host", site.url]
    command += ["--users", str(USERS), "--spawn-rate", str(A_SECOND)]
    environment = {**os.environ, "LOAD_PEOPLE": str(people), "LOAD_RESULT": str(result), "LOAD_SECONDS": str(SECONDS)}
    with log.open("w") as said:
        locust = subprocess.Popen(command, cwd=database.HOME, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        realsite.wait_until(lambda: result.exists() or locust.poll() is not None, 300, "not all have come")
        groups = {"web server": site.web.process, "queue": site.worker.process, "Locust": locust}
        server = base.server.pid() if base.server is not None else None
        before, began = burned(groups, server), time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            locust.wait(SECONDS - 1)
        took = time.monotonic() - began
        cores = {name: (seconds - before[name]) / took for name, seconds in burned(groups, server).items()}
        locust.wait(60)
    finally:
        locust.kill()
    if not result.exists() or not result.read_text():
        raise SystemExit(log.read_text()[-3000:])
    return json.loads(result.read_text()), cores


def told(result: dict[str, Any], cores: dict[str, float]) -> None:
    """Pages, journeys and where the time went, beside the limits."""
    pages, kinds = dict[str, Answers](), {kind: Answers() for kind in LIMITS}
    for method, name, took, is_fine, parts in result["answers"]:
        kind = "questions" if name in QUESTIONS else "pages" if method == "GET" else "changes"
        for answers in (pages.setdefault(f"{method} {name}", Answers()), kinds[kind]):
            answers.add(took, is_fine, parts)
    print_pages(pages)
    everything = sum(len(answers.took) for answers in kinds.values())
    report.figure("answers", everything / SECONDS, "a second", also=f"{everything:,} in {SECONDS} s")
    for kind, limit in LIMITS.items():
        rate = len(kinds[kind].took) / SECONDS
        report.figure(f"{kind}, p95", kinds[kind].at(0.95), "ms", limit=limit, also=f"{rate:.1f} a second, {kinds[kind].quantiles()}")
    ended: dict[str, list[float]] = {}
    for name, took in result["journeys"]:
        ended.setdefault(name, []).append(took)
    for name, times in sorted(ended.items()):
        half, most = statistics.median(times), sorted(times)[int((len(times) - 1) * 0.95)]
        report.figure(name, len(times) / SECONDS * 60, "a minute", also=f"people waited {half:.0f} ms for the site in all, p95 {most:.0f}")
    failed = [f"{name} {answers.failed}" for name, answers in pages.items() if answers.failed]
    report.figure("answers that failed", sum(answers.failed for answers in pages.values()), limit=0, also=", ".join(failed))
    report.figure("journeys that broke off", len(result["faults"]), limit=0, also="; ".join(sorted({*result["faults"]})[:5]))
    spent = {part: sum(answers.parts[part] for answers in kinds.values()) for part in PARTS}
    whole = sum(spent.values())
    for part in PARTS:
        report.figure(f"of the time of an answer: {WORDS[part]}", 100 * spent[part] / whole, "%", also=f"{spent[part] / everything:.1f} ms of each")
    for name, found in cores.items():
        report.figure(f"cores: {name}", found, f"of {os.cpu_count()}")


def print_pages(pages: dict[str, Answers]) -> None:
    """The table of all addresses, slowest first."""
    heads = "".join(f"{part:>9}" for part in PARTS)
    print(f"\n{'':44}{'a second':>9}{'p50 ms':>8}{'p95':>8}{'p99':>8}{'failed':>7}{'queries':>8}   of each, ms:{heads}")
    for name, answers in sorted(pages.items(), key=lambda pair: -pair[1].at(0.95)):
        count = len(answers.took)
        times = "".join(f"{answers.at(share):8.0f}" for share in (0.5, 0.95, 0.99))
        parts = "".join(f"{answers.parts[part] / count:9.1f}" for part in PARTS)
        print(f"{name:44}{count / SECONDS:9.2f}{times}{answers.failed:7}{answers.parts['queries'] / count:8.1f}{'':15}{parts}")
    print(flush=True)


def burned(groups: Mapping[str, subprocess.Popen[bytes] | None], server: int | None) -> dict[str, float]:
    """Seconds of CPU so far, of groups of processes and of PostgreSQL with those of its children that ended."""
    numbers = {os.getpgid(process.pid): name for name, process in groups.items() if process is not None and process.poll() is None}
    found = dict.fromkeys([*groups, "PostgreSQL"], 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            own, ended = (sum(map(int, fields[first : first + 2])) / TICKS for first in (11, 13))
            if int(folder.name) == server:
                found["PostgreSQL"] += own + ended
            elif int(fields[1]) == server:
                found["PostgreSQL"] += own
            elif int(fields[2]) in numbers:
                found[numbers[int(fields[2])]] += own
    return found


if __name__ == "__main__":
    raise SystemExit(main())
