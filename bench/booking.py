"""How many calls can be booked at once, and that none lies over another: `./run bench booking`.

Sixteen clients book as fast as they can, each in a thread with a connection of its own, through the same actions as the pages: hold
a time, pay, the call is confirmed and told to both. On a real PostgreSQL that is thrown away afterwards.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench import report
from scripts import database

if TYPE_CHECKING:
    from port444.accounts.models import User
    from port444.builders.models import Builder

CLIENTS = 16
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
HORIZON = 90
HALF_HOUR = timedelta(minutes=30)
EXPECTED = {"slot_taken", "hold_exists", "slot_not_offered"}  # what a client may be told; anything else is a fault
OVERLAPS = """
    SELECT count(*) FROM consultations_slotclaim a JOIN consultations_slotclaim b
    ON a.id < b.id AND a.busy && b.busy AND a.status <> 'released' AND b.status <> 'released'
    AND (a.builder_id = b.builder_id OR a.client_id = b.client_id)
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass
class Told:
    """What one client met."""

    booked: int = 0
    holds: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Print the figures; 1 when two calls overlap or anybody was shown an error that is none of the words for a time that is gone."""
    report.sized(f"{CLIENTS} clients, {SECONDS:g} s each")
    with database.thrown_away() as base:
        environment = {**os.environ, "PORT444_ENV": "test", "SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "port444.settings"}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            check=True,
            cwd=database.HOME,
            env=environment | database.as_owner(base.addresses),
        )
        os.environ.update(environment | base.addresses)
        import django  # only now is there a database to be set up for

        django.setup()
        print(
            f"{CLIENTS} clients, {SECONDS:.0f} s each, {os.cpu_count()} cores, PostgreSQL without fsync; a booking is hold, payment and confirmation"
        )
        run("one builder, any time", 1, anywhere)
        run("one builder, all want the next free time", 1, the_next)
        run("100 builders, any time", 100, anywhere)
    return report.code()


Choose = Callable[[Random, "Sequence[Builder]", list[int]], tuple[Any, datetime]]


def first_day() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)


def anywhere(chance: Random, builders: Sequence[Builder], booked: list[int]) -> tuple[Any, datetime]:
    """Any builder, any half hour of the next weeks."""
    return chance.choice(builders), first_day() + HALF_HOUR * chance.randrange((HORIZON - 4) * 48)


def the_next(chance: Random, builders: Sequence[Builder], booked: list[int]) -> tuple[Any, datetime]:
    """What a page shows first: the earliest half hour that nobody has, as far as is known. Everybody meets there."""
    return builders[0], first_day() + HALF_HOUR * len(booked)


def run(name: str, count: int, choose: Choose) -> None:
    """One case on its own people."""
    builders, clients = people(name, count)
    booked: list[int] = []
    deadlocks = one(DEADLOCKS)
    start, told = threading.Barrier(CLIENTS), [Told() for _ in clients]
    threads = [
        threading.Thread(target=book_and_book, args=(Random(n), client, builders, choose, booked, told[n], start)) for n, client in enumerate(clients)
    ]
    began, burned = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report_on(name, told, time.perf_counter() - began, time.process_time() - burned, one(DEADLOCKS) - deadlocks)


def people(name: str, count: int) -> tuple[list[Builder], list[User]]:
    from consultations.actions import set_availability  # after django.setup()
    from consultations.actions.availability import Terms
    from consultations.slots import DAY_MINUTES, Window
    from port444.accounts.models import User
    from port444.builders.models import Builder
    from port444.kit.money import parse

    tag = name.replace(" ", "").replace(",", "")
    builders = []
    for n in range(count):
        user = User.objects.create_user(f"{tag}{n}@bench.example", name=f"Builder {n}", is_builder=True)
        builder = Builder.objects.create(user=user, slug=f"{tag}-{n}"[:50], headline="Always open", meeting_url="https://meet.example/bench")
        prices = {15: None, 30: parse("60"), 60: None}
        windows = [Window(day, 0, DAY_MINUTES) for day in range(7)]
        set_availability(builder.pk, actor=user, enabled=True, prices=prices, windows=windows, terms=Terms("UTC", 1, HORIZON, 0))
        builders.append(builder)
    return builders, [User.objects.create_user(f"{tag}c{n}@bench.example", name=f"Client {n}") for n in range(CLIENTS)]


def book_and_book(
    chance: Random, client: User, builders: Sequence[Builder], choose: Choose, booked: list[int], told: Told, start: threading.Barrier
) -> None:
    """What one client does until the time is over."""
    from django.db import connection  # after django.setup()

    from consultations.actions import hold_slot
    from port444.kit.errors import DomainError
    from port444.payments.actions import pay_with_test_wallet

    connection.ensure_connection()
    start.wait(60)
    until = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < until:
        builder, at = choose(chance, builders, booked)
        try:
            call = hold_slot(builder.pk, actor=client, minutes=30, starts_at=at, client_zone="UTC", client_key=uuid4())
            told.holds.append(time.perf_counter() - began)
            assert call.invoice_id is not None
            pay_with_test_wallet(call.invoice_id, actor=client)
        except DomainError as refusal:
            (told.refused if refusal.code in EXPECTED else told.faults)[refusal.code] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody would have seen it
            told.faults[f"{type(error).__name__}: {error}"[:200]] += 1
        else:
            told.booked += 1
            told.whole.append(time.perf_counter() - began)
            booked.append(1)
    connection.close()


def report_on(name: str, told: Sequence[Told], took: float, burned: float, deadlocks: int) -> None:
    booked, overlaps = sum(t.booked for t in told), one(OVERLAPS)
    refused, faults = sum((t.refused for t in told), Counter[str]()), sum((t.faults for t in told), Counter[str]())
    holds, whole = sorted(h for t in told for h in t.holds), sorted(w for t in told for w in t.whole)
    print()
    report.figure(f"{name}: bookings", booked / took, "a second", also=f"{booked} in {took:.1f} s, refused {dict(refused)}")
    report.figure(f"{name}: CPU of Python for an attempt", burned * 1000 / max(1, booked + refused.total()), "ms")
    report.figure(f"{name}: hold, p95", ms(holds, 0.95), "ms", also=f"p50 {ms(holds, 0.5):.0f}")
    report.figure(f"{name}: hold to confirmation, p95", ms(whole, 0.95), "ms", also=f"p50 {ms(whole, 0.5):.0f}")
    report.figure(f"{name}: calls that overlap", overlaps, limit=0)
    report.figure(f"{name}: errors shown", faults.total(), limit=0, also=f"{dict(faults)}, deadlocks broken by PostgreSQL {deadlocks}")


def ms(times: Sequence[float], share: float) -> float:
    return times[int((len(times) - 1) * share)] * 1000 if times else math.nan


def one(sql: str) -> int:
    from django.db import connection  # after django.setup()

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    raise SystemExit(main())
