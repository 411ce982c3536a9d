"""How fast free times are found and shown: `./run bench slots`.

The generator alone, in CPU time, because the wall clock of a shared machine moves by a factor of four; then the booking page and
the builder's page of hours from a real gunicorn with two workers, over HTTP.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from bench import report
from bench.site import ask, running, tell
from consultations.slots import DAY, Hours, Span, Window, free_slots

LIMIT_CPU = 1.0  # ms for 90 days of half hours less 200 busy times
LIMIT_PAGE = 30.0  # ms, p50 of what clients see
SINCE = int(datetime(2027, 1, 4, tzinfo=UTC).timestamp())
ZONES = ("America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
ROUNDS = 300
REQUESTS = 150


def question(days: int, busy: int, zone: str = "America/New_York") -> Callable[[], list[int]]:
    """Weekdays from nine to five for so many days, less so many busy times of a quarter hour to an hour."""
    random = Random(f"{days} {busy}")
    hours = Hours([Window(day, 540, 1020) for day in range(5)], ZoneInfo(zone), notice=3600, horizon=days * DAY)
    starts = [SINCE + random.randrange(days * 96) * 900 for _ in range(busy)]
    spans: list[Span] = [(start, start + random.choice([900, 1800, 3600])) for start in starts]
    return lambda: free_slots(hours, spans, minutes=30, now=SINCE, since=SINCE, until=SINCE + days * DAY)


def cpu(questions: list[Callable[[], list[int]]], rounds: int) -> list[float]:
    """Milliseconds of CPU of each question: the median of runs that take turns, so that all see the same machine."""
    took: list[list[float]] = [[] for _ in questions]
    for _ in range(rounds):
        for times, ask_it in zip(took, questions, strict=True):
            started = time.process_time()
            ask_it()
            times.append((time.process_time() - started) * 1000)
    return [statistics.median(times) for times in took]


def generator() -> None:
    print("Generator: 90 days, 30 minutes, 200 busy times; median CPU of interleaved runs")
    questions = [question(90, 200, zone) for zone in ZONES]
    times = cpu(questions, ROUNDS)
    report.sized(f"90 days, 200 busy times, {ROUNDS} rounds")
    for zone, ask_it, took in zip(ZONES, questions, times, strict=True):
        report.figure(f"free times in {zone}", took, "ms of CPU", limit=LIMIT_CPU, also=f"{len(ask_it())} starts")


def linearity() -> None:
    sizes = (1, 2, 4, 8)
    print("Linear in days (200 busy times a quarter of a year)")
    for factor, took in zip(sizes, cpu([question(90 * n, 200 * n) for n in sizes], ROUNDS // 5), strict=True):
        print(f"  {90 * factor:>4} days, {200 * factor:>5} busy: {took:.3f} ms, {took / factor:.3f} a quarter")
    print("Linear in busy times (90 days; sorting them is the rest)")
    for factor, took in zip(sizes, cpu([question(90, 1000 * n) for n in sizes], ROUNDS // 5), strict=True):
        print(f"  {1000 * factor:>5} busy: {took:.3f} ms, {took / factor:.3f} a thousand")


@dataclass(frozen=True)
class Page:
    """A page to measure; `is_own` ones are seen signed in as the builder, a few times a year, and have no limit of their own."""

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    is_own: bool = False


PAGES = (
    Page("Booking page", "/b/{}/call/"),
    Page("Its times, for htmx", "/b/{}/call/times/?minutes=30&tz=Europe/Amsterdam", {"HX-Request": "true"}),
    Page("Hours and calls, signed in", "/calls/availability/", is_own=True),
)


def pages() -> None:
    print(f"Pages over HTTP, from gunicorn with two workers, {os.cpu_count()} cores")
    report.sized(f"{REQUESTS} requests, one at a time")
    with running() as site:
        idle, busy = (tell(site, "bench.world:busy_builder", slug=slug, busy=count) for slug, count in (("idle", 0), ("busy", 200)))
        session = {"Cookie": tell(site, "bench.world:cookie", slug=busy)}
        for page in PAGES:
            asked = [
                tell(site, "bench.world:queries", path=page.path.format(slug), slug=slug if page.is_own else "", headers=page.headers)
                for slug in (idle, busy)
            ]
            print(f"  {page.name}: {asked[0]} queries without busy times, {asked[1]} with 200")
            headers = page.headers | (session if page.is_own else {})
            took = {clients: ask(site, page.path.format(busy), count=REQUESTS, clients=clients, headers=headers) for clients in (1, 2)}
            for clients, timing in took.items():
                print(f"    {clients} at a time: {timing}")
            report.figure(f"{page.name}, p50", took[1].p50, "ms", limit=None if page.is_own else LIMIT_PAGE)
            report.figure(f"{page.name}: queries", asked[1], peer=("without busy times", asked[0]), limit=1)


def main() -> int:
    generator()
    linearity()
    pages()
    return report.code()


if __name__ == "__main__":
    raise SystemExit(main())
