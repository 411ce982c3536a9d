"""Several workers tell of the same returns at once, and people ask to hear of a return at the moment of it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction

from port444.accounts.models import User
from port444.away import jobs
from port444.away.actions import want_to_know
from port444.away.models import ReturnAlert, Span
from port444.builders.models import Builder
from port444.kit.clock import at, now
from port444.notifications.models import Notification
from tests.away.spans import leave

from .test_booking import rush

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, LAST = date(2027, 1, 14), date(2027, 1, 16)
DURING, END = datetime(2027, 1, 15, tzinfo=UTC), datetime(2027, 1, 17, tzinfo=UTC)
WORKERS, BUILDERS, ASKERS, ROUNDS = 4, 8, 6, 4


def person(name: str) -> User:
    return User.objects.create_user(f"{name}@example.com", name=name.title(), is_builder=True, time_zone="UTC")


def gone(number: int) -> Builder:
    builder = Builder.objects.create(user=person(f"builder{number}"), slug=f"builder-{number}", headline="Away")
    leave(builder, FIRST, LAST)
    return builder


def worker(job: Callable[[], int], moment: datetime) -> Callable[[], object]:
    def run() -> int:
        with at(moment):
            return job()

    return run


def told(kind: str) -> Counter[tuple[str, str]]:
    return Counter(Notification.objects.filter(kind=kind).values_list("user__email", "url"))


def test_everybody_is_told_once_whoever_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 3)  # so that the workers meet in several batches
    builders, askers = [gone(n) for n in range(BUILDERS)], [person(f"asker{n}") for n in range(2)]
    with at(DURING):
        for builder in builders:
            for asker in askers:
                want_to_know(builder.pk, actor=asker)
    last_day = END - timedelta(hours=1)
    assert rush([worker(jobs.remind, last_day)] * WORKERS) == ["won"] * WORKERS
    worker(jobs.remind, last_day)()  # what one has passed over for another's sake
    assert rush([worker(jobs.welcome, END)] * WORKERS) == ["won"] * WORKERS
    worker(jobs.welcome, END)()
    for kind, count in (("away.near", BUILDERS), ("away.back", BUILDERS), ("away.returned", BUILDERS * len(askers))):
        assert (len(told(kind)), set(told(kind).values())) == (count, {1})
    assert not Span.objects.filter(welcomed_at__isnull=True).exists()


@pytest.mark.parametrize("luck", range(ROUNDS))
def test_who_asks_at_the_moment_of_the_return_is_told_or_refused(luck: int) -> None:
    """Whoever was let in hears of the return, however close to it they asked."""
    chance = random.Random(luck)
    builder, askers = gone(luck), [person(f"asker{n}") for n in range(ASKERS)]
    end = now() + timedelta(seconds=1)
    Span.objects.update(starts_at=end - timedelta(days=1), ends_at=end)
    Builder.objects.update(away_from=end - timedelta(days=1), away_until=end)

    def near_the_end(act: Callable[[], object]) -> Callable[[], object]:
        moment = end + timedelta(milliseconds=chance.randint(-20, 20))

        def run() -> object:
            time.sleep(max(0.0, (moment - now()).total_seconds()))
            return act()

        return run

    asking = [near_the_end(partial(want_to_know, builder.pk, actor=asker)) for asker in askers]
    outcomes = rush(asking + [near_the_end(jobs.welcome) for _ in range(WORKERS)])
    assert set(outcomes) <= {"won", "not_away"}
    assert outcomes[ASKERS:] == ["won"] * WORKERS
    with at(end + timedelta(minutes=1)):
        jobs.welcome()
    let_in = {asker.email for asker, outcome in zip(askers, outcomes, strict=False) if outcome == "won"}
    assert {email for email, _ in told("away.returned")} == let_in
    assert not ReturnAlert.objects.filter(told_at__isnull=True).exists()


def test_the_return_waits_for_a_wish_that_is_being_written() -> None:
    """The sweep comes while somebody's wish is not committed yet: it leaves that builder to the next run, and then the wish is there."""
    builder, asker = gone(0), person("asker")
    written, swept = threading.Event(), threading.Event()

    def ask() -> None:
        with transaction.atomic(), at(END - timedelta(seconds=1)):
            want_to_know(builder.pk, actor=asker)
            written.set()
            swept.wait(60)

    def sweep() -> None:
        written.wait(60)
        worker(jobs.welcome, END)()
        swept.set()

    assert rush([ask, sweep]) == ["won", "won"]
    assert not Notification.objects.exists()
    worker(jobs.welcome, END)()
    assert told("away.returned") == {(asker.email, builder.get_absolute_url()): 1}
    assert sum(told("away.back").values()) == 1
