"""Many people want one time, on a real PostgreSQL with real transactions.

What keeps a time from being sold twice is shown twice over: with the promises of the database and the builder's lock in place
one booking is stored; with both taken away the same crowd books the same time many times.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from consultations import queries
from consultations.actions import booking, hold_slot, set_availability
from consultations.actions.availability import Terms
from consultations.models import Consultation, SlotClaim
from consultations.slots import DAY_MINUTES, Window
from port444.accounts.models import User
from port444.builders.models import Builder, BuilderQuerySet
from port444.kit.errors import DomainError
from port444.payments.models import Invoice
from tests.conftest import APP, OWNER, log_in_as

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 32
PROMISES = ("slot_claim_builder_free", "slot_claim_client_free")
OVERLAPS = """
    SELECT count(*) FROM consultations_slotclaim a JOIN consultations_slotclaim b
    ON a.id < b.id AND a.busy && b.busy AND a.status <> 'released' AND b.status <> 'released'
    AND (a.builder_id = b.builder_id OR a.client_id = b.client_id)
"""


@pytest.fixture
def sell() -> Callable[[str], Builder]:
    """A builder who is open around the clock."""

    def make(name: str) -> Builder:
        user = User.objects.create_user(f"{name}@example.com", name=name.title(), is_builder=True)
        builder = Builder.objects.create(user=user, slug=name, headline="Always open")
        windows = [Window(day, 0, DAY_MINUTES) for day in range(7)]
        prices = {15: Decimal("20.00"), 30: Decimal("40.00"), 60: Decimal("80.00")}
        set_availability(builder.pk, actor=user, enabled=True, prices=prices, windows=windows, terms=Terms("Asia/Kolkata", 1, 30, 0))
        return builder

    return make


@pytest.fixture
def crowd() -> list[User]:
    return [User.objects.create_user(f"client{n}@example.com", name=f"Client {n}") for n in range(CROWD)]


def tomorrow_noon() -> datetime:
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(12), UTC)


def rush(wishes: list[Callable[[], Any]]) -> list[str]:
    """Carry out all wishes at one moment, each on a connection of its own: "won", the code of the refusal, or the unexpected error."""
    start = threading.Barrier(len(wishes))

    def act(wish: Callable[[], Any]) -> str:
        try:
            connection.ensure_connection()
            start.wait(60)
            wish()
        except DomainError as refusal:
            return refusal.code
        except Exception as error:  # noqa: BLE001 - anything else is what the test looks for
            return f"{type(error).__name__}: {error}"
        else:
            return "won"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(wishes)) as pool:
        return list(pool.map(act, wishes))


def book(builder: Builder, client: User, starts_at: datetime, minutes: int = 30) -> Callable[[], Consultation]:
    key = uuid4()
    return lambda: hold_slot(builder.pk, actor=client, minutes=minutes, starts_at=starts_at, client_zone="UTC", client_key=key)


def one(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


@contextmanager
def as_owner() -> Iterator[Any]:
    """A cursor of the role that owns the tables; the serving role cannot change them."""
    log_in_as(OWNER)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        log_in_as(APP)


@pytest.fixture
def promises_dropped() -> Iterator[None]:
    """Both exclusion constraints gone, and back afterwards just as they were."""
    with as_owner() as cursor:
        cursor.execute("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = ANY(%s)", [list(PROMISES)])
        definitions = dict(cursor.fetchall())
        assert set(definitions) == set(PROMISES)
        for name in definitions:
            cursor.execute(f"ALTER TABLE consultations_slotclaim DROP CONSTRAINT {name}")
    yield
    with as_owner() as cursor:
        cursor.execute("DELETE FROM consultations_slotclaim")
        for name, definition in definitions.items():
            cursor.execute(f"ALTER TABLE consultations_slotclaim ADD CONSTRAINT {name} {definition}")


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder's row is read and not locked; everybody has looked before anybody writes."""
    monkeypatch.setattr(BuilderQuerySet, "lock", lambda self, pk: self.get(pk=pk))
    looked, first, real = threading.Barrier(CROWD), threading.local(), queries.offers

    def look_and_wait(*args: Any, **question: Any) -> tuple[bool, bool]:
        answer = real(*args, **question)
        if not getattr(first, "done", False):  # a second try after a deadlock comes alone
            first.done = True
            looked.wait(60)
        return answer

    monkeypatch.setattr(booking, "offers", look_and_wait)


def test_of_a_crowd_that_wants_one_time_one_gets_it(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    builder, noon = sell("anaya"), tomorrow_noon()
    outcome = Counter(rush([book(builder, client, noon) for client in crowd]))
    assert outcome == {"won": 1, "slot_taken": CROWD - 1}
    assert (Consultation.objects.count(), SlotClaim.objects.count(), Invoice.objects.count()) == (1, 1, 1)


def test_the_database_alone_keeps_the_promise(sell: Callable[[str], Builder], crowd: list[User], no_lock: None) -> None:
    """Without the lock everybody finds the time free; the exclusion constraint lets one in, and its deadlocks are worded, too."""
    builder, noon = sell("anaya"), tomorrow_noon()
    outcome = Counter(rush([book(builder, client, noon) for client in crowd]))
    assert outcome == {"won": 1, "slot_taken": CROWD - 1}
    assert (Consultation.objects.count(), SlotClaim.objects.count(), Invoice.objects.count()) == (1, 1, 1)


def test_without_lock_and_constraints_the_crowd_books_one_time_many_times(
    sell: Callable[[str], Builder], crowd: list[User], promises_dropped: None, no_lock: None
) -> None:
    """The race itself: this is what the two tests above prevent."""
    builder, noon = sell("anaya"), tomorrow_noon()
    outcome = Counter(rush([book(builder, client, noon) for client in crowd]))
    assert outcome["won"] > 1
    assert SlotClaim.objects.filter(busy__contains=noon).count() == outcome["won"]
    assert one(OVERLAPS) > 0


def test_the_lock_alone_keeps_the_promise(sell: Callable[[str], Builder], crowd: list[User], promises_dropped: None) -> None:
    builder, noon = sell("anaya"), tomorrow_noon()
    outcome = Counter(rush([book(builder, client, noon) for client in crowd]))
    assert outcome == {"won": 1, "slot_taken": CROWD - 1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_two_stored_calls_overlap_whatever_is_asked(sell: Callable[[str], Builder], crowd: list[User], seed: int) -> None:
    chance = random.Random(seed)
    builders, noon = [sell("anaya"), sell("mika")], tomorrow_noon()
    wishes = [
        book(chance.choice(builders), chance.choice(crowd[:12]), noon + timedelta(minutes=15 * chance.randrange(16)), chance.choice([15, 30, 60]))
        for _ in range(CROWD)
    ]
    outcome = Counter(rush(wishes))
    assert set(outcome) <= {"won", "slot_taken", "slot_not_offered", "hold_exists", "too_many_holds"}
    assert outcome["won"] > 1
    assert one(OVERLAPS) == 0


def test_a_client_cannot_hold_two_calls_at_once_with_two_builders(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    noon, client = tomorrow_noon(), crowd[0]
    wishes = [book(sell(f"builder{n}"), client, noon + timedelta(minutes=15 * (n % 2)), 60 if n % 2 == 0 else 15) for n in range(8)]
    outcome = Counter(rush(wishes))
    assert (outcome["won"], outcome["won"] + outcome["slot_taken"]) == (1, 8)
    assert one(OVERLAPS) == 0


def test_pressing_pay_many_times_makes_one_hold(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    wish = book(sell("anaya"), crowd[0], tomorrow_noon())
    assert Counter(rush([wish] * 8)) == {"won": 8}
    assert (Consultation.objects.count(), Invoice.objects.count()) == (1, 1)


def test_a_client_holds_three_times_at_most_whoever_they_are_with(sell: Callable[[str], Builder], crowd: list[User]) -> None:
    noon, client = tomorrow_noon(), crowd[0]
    outcome = Counter(rush([book(sell(f"builder{n}"), client, noon + timedelta(hours=n)) for n in range(8)]))
    assert outcome == {"won": booking.MOST_HOLDS, "too_many_holds": 8 - booking.MOST_HOLDS}
