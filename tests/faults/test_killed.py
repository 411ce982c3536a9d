"""Processes die (SIGKILL) between any two steps of hold, pay, confirm, remind and sync; afterwards everything has happened once.

The site, its queue, its mail sink and a Google on loopback are real processes; what dies is a fork of the site's shell, which spares
each the time of loading. `./run test tests/faults` tries a few edges of each, `FAULTS=all ./run test tests/faults` every one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from consultations.calendars import Calendar
from port444.demo import cast
from tests.fakes.google import FakeGoogle
from tests.realsite import Site, running, wait_until

ALL = os.environ.get("FAULTS") == "all"
RETRY = 4  # seconds after which the queue hands an unfinished job out again
SCOPES = "openid email https://www.googleapis.com/auth/calendar"
BOOKED = "deliver_wallet_answer,settle_invoice,deliver,write_copy"
pytestmark = pytest.mark.timeout(3600 if ALL else 400)


@pytest.fixture(scope="module")
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle(email="anaya@gmail.example") as fake:
        yield fake


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, google: FakeGoogle) -> Iterator[Site]:
    settings = {"Q_TIMEOUT": "3", "Q_RETRY": str(RETRY), "Q_WORKERS": "1", **google.settings()}
    with running(tmp_path_factory.mktemp("faults"), seeded=False, worker=False, **settings) as served:
        main = Calendar(google.email, "Anaya", "Asia/Kolkata", is_primary=True)
        facts = {"account": google.email, "credentials": google.tokens(SCOPES), "calendars": [dataclasses.asdict(main)]}
        in_site(served, f"from tests.faults.book import prepare; prepare({json.dumps(facts)!r})")
        press(served, "Warmup", 0)
        worker(served, "warmup", BOOKED, 0)  # also carries out what setting up has queued
        yield served


def in_site(site: Site, code: str) -> None:
    site.run(code)


def marks(site: Site, name: str, kill_at: int) -> dict[str, str]:
    (site.folder / f"{name}.steps").touch()
    names = {"STEPS_FILE": f"{name}.steps", "KILLED_FILE": f"{name}.killed"}
    return {"KILL_AT": str(kill_at), **{key: str(site.folder / value) for key, value in names.items()}}


def steps_of(site: Site, name: str, kill_at: int) -> list[str]:
    steps = (site.folder / f"{name}.steps").read_text().splitlines()
    assert (site.folder / f"{name}.killed").exists() == bool(kill_at), steps
    return steps


def died(site: Site, mark: str, kill_at: int, module: str, *arguments: str) -> list[str]:
    """Run a program to its end, or to its death at that step; gives its steps."""
    fork = site.fork(module, *arguments, **marks(site, mark, kill_at))
    assert fork.wait() == (-signal.SIGKILL if kill_at else 0), fork.output.read_text()
    return steps_of(site, mark, kill_at)


def press(site: Site, name: str, kill_at: int) -> list[str]:
    """A client books and approves, to the end or to the death of the process; gives its steps."""
    return died(site, f"press-{name}-{kill_at}", kill_at, "tests.faults.press", name)


def worker(site: Site, mark: str, tasks: str, kill_at: int) -> list[str]:
    """Let the worker carry out the queue, to its end or to its death; gives its steps of these tasks."""
    fork = site.fork("tests.faults.worker", TASKS=tasks, **marks(site, mark, kill_at))
    steps, killed = (site.folder / f"{mark}.{ending}" for ending in ("steps", "killed"))
    try:
        wait_until(lambda: killed.exists() or (steps.read_text() and quiet(site)), 90, "the worker neither died nor finished")
    finally:
        fork.kill()
    return steps_of(site, mark, kill_at)


def quiet(site: Site) -> bool:
    """Nothing is queued, to be sent or to be written, and nobody holds anything."""
    undone = (
        "SELECT (SELECT count(*) FROM consultations_calendarevent WHERE status IN ('wanted', 'unwanted'))"
        " + (SELECT count(*) FROM consultations_linkedcalendar WHERE is_read AND next_sync_at <= now())"
    )
    return site.idle() and not site.unsent() and not site.value(undone)


def recover(site: Site) -> None:
    """Start the queue as an operator would, play the sweeps of every minute, and wait until nothing is left to do."""
    queue = site.fork("django", "qcluster")
    sweeps = "from port444.notifications.jobs import sweep; from consultations.jobs import send_reminders, sweep_calendars"
    try:
        wait_until(site.idle, 40, "the queue is not empty after the restart")
        if not quiet(site):
            outlast_leases(site)
        in_site(site, f"{sweeps}; sweep(); send_reminders(); sweep_calendars()")
        wait_until(lambda: quiet(site), 60, "something was never done")
    finally:
        queue.kill()


# What somebody has in hands, until when, and whether it is so.
LEASES = (
    ("notifications_delivery", "claimed_until", "status = 'sending' AND claimed_until > now()"),
    ("consultations_calendarevent", "lease_until", "lease_until > now() AND status IN ('wanted', 'unwanted')"),
    ("consultations_linkedcalendar", "next_sync_at", "synced_at IS NULL AND next_sync_at > now()"),
)


def outlast_leases(site: Site) -> None:
    """The leases of the dead worker run out: those who try every edge wait for it, else the time is set."""
    if ALL:
        held = " + ".join(f"(SELECT count(*) FROM {table} WHERE {is_held})" for table, _, is_held in LEASES)
        wait_until(lambda: not site.value(f"SELECT {held}"), 60, "a lease of the dead worker did not run out")
    for table, until, is_held in LEASES:
        site.rows(f"UPDATE {table} SET {until} = now() WHERE {is_held} RETURNING id")


def chosen(steps: list[str], few: int) -> list[int]:
    """The edges at which to kill: all, or some from first to last; of one the middle."""
    if ALL:
        return list(range(1, len(steps) + 1))
    return sorted({1 + (len(steps) - 1) * n // (few - 1) for n in range(few)}) if few > 1 else [(len(steps) + 1) // 2]


def check_once(site: Site, google: FakeGoogle, name: str, *, mails: int = 1) -> None:
    """One charge, one paid invoice, one scheduled call, one event, so many mails a person and each once, and books that balance."""
    address = f"{name.lower()}@fault.example"
    client = site.value("SELECT id FROM accounts_user WHERE email = %s", address)
    charges = (
        "SELECT count(*) FROM payments_payment p JOIN payments_invoice i ON i.id = p.invoice_id WHERE i.payer_id = %s AND p.status = 'succeeded'"
    )
    assert site.value(charges, client) == 1
    assert site.rows("SELECT status, number IS NOT NULL AS numbered FROM payments_invoice WHERE payer_id = %s", client) == [
        {"status": "paid", "numbered": True}
    ]
    calls = site.rows("SELECT status, chain, scheduled_at FROM consultations_consultation WHERE client_id = %s", client)
    assert [call["status"] for call in calls] == ["scheduled"]
    assert site.value("SELECT balance FROM payments_ledgeraccount WHERE kind = 'client' AND owner_id = %s", client) == 0
    assert site.value("SELECT sum(amount) FROM payments_posting") == 0
    copies = site.rows("SELECT status, external_id FROM consultations_calendarevent WHERE chain = %s", calls[0]["chain"])
    assert [copy["status"] for copy in copies] == ["written"]
    starts = [datetime.fromisoformat(event["start"]["dateTime"]) for event in google.live_events() if name in json.dumps(event)]
    assert starts == [calls[0]["scheduled_at"]]
    to_client = Counter(str(mail["Subject"]) for mail in site.mails(address))
    to_builder = Counter(str(mail["Subject"]) for mail in site.mails(cast.BUILDER) if name in str(mail["Subject"]) + str(mail.get_body(("plain",))))
    assert list(to_client.values()) == [1] * mails, to_client
    assert list(to_builder.values()) == [1] * mails, to_builder


def test_hold_and_pay(site: Site, google: FakeGoogle) -> None:
    """The web process dies while a client holds and pays; the client presses again."""
    steps = press(site, "Steady", 0)
    assert {"press: after commit", "press: before call"} <= set(steps), steps
    worker(site, "steady", BOOKED, 0)
    check_once(site, google, "Steady")
    for number in chosen(steps, 2):
        name = f"Patient{number}"
        taken = press(site, name, number)
        print(f"killed at step {number} of {len(steps)}: {taken[-1]}")
        press(site, name, 0)
        recover(site)
        check_once(site, google, name)


def test_confirm(site: Site, google: FakeGoogle) -> None:
    """The worker dies between the wallet's answer and the last mail and event."""
    press(site, "Unharmed", 0)
    steps = worker(site, "unharmed", BOOKED, 0)
    check_once(site, google, "Unharmed")
    wanted = {"deliver_wallet_answer: after call", "settle_invoice: before commit", "deliver: after mail", "write_copy: after call"}
    assert wanted <= set(steps), steps
    for number in chosen(steps, 3):
        name = f"Victim{number}"
        press(site, name, 0)
        taken = worker(site, name, BOOKED, number)
        print(f"killed at step {number} of {len(steps)}: {taken[-1]}")
        recover(site)
        check_once(site, google, name)


def make_due(site: Site, name: str) -> None:
    """Let the time of the first reminders have come."""
    site.rows(
        "UPDATE consultations_reminder r SET due_at = now() - interval '1 minute' FROM consultations_consultation c, accounts_user u"
        " WHERE r.consultation_id = c.id AND c.client_id = u.id AND u.email = %s AND r.kind = '24h' RETURNING r.id",
        f"{name.lower()}@fault.example",
    )
    in_site(site, "from port444.kit.jobs import enqueue; enqueue('consultations.jobs.send_reminders')")


def test_remind(site: Site, google: FakeGoogle) -> None:
    """The worker dies between a reminder's time and its mails."""

    def booked(name: str) -> None:
        press(site, name, 0)
        worker(site, f"{name}-booked", BOOKED, 0)
        make_due(site, name)

    booked("Reminded")
    steps = worker(site, "reminded", "send_reminders,deliver", 0)
    check_once(site, google, "Reminded", mails=2)
    assert {"send_reminders: before commit", "deliver: after mail"} <= set(steps), steps
    for number in chosen(steps, 2):
        name = f"Early{number}"
        booked(name)
        taken = worker(site, name, "send_reminders,deliver", number)
        print(f"killed at step {number} of {len(steps)}: {taken[-1]}")
        recover(site)
        check_once(site, google, name, mails=2)


def test_sync(site: Site, google: FakeGoogle) -> None:
    """The worker dies while it reads a calendar: what it says is known once, and what follows is read from the right place."""

    def sync(mark: str, kill_at: int) -> list[str]:
        in_site(site, "from tests.faults.book import read_calendars; read_calendars()")
        return worker(site, mark, "sync_calendar", kill_at)

    def known() -> list[datetime]:
        return [row["starts_at"] for row in site.rows("SELECT starts_at FROM consultations_externalevent ORDER BY starts_at")]

    def real() -> list[datetime]:
        return [datetime.fromisoformat(event["start"]["dateTime"]) for event in google.live_events() if "dentist" in json.dumps(event)]

    soon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=9)
    ids = [google.add_event(soon, soon + timedelta(minutes=20), summary="dentist")]
    steps = sync("sync-unharmed", 0)
    assert known() == real() == [soon]
    assert {"sync_calendar: after call", "sync_calendar: before commit", "sync_calendar: after commit"} <= set(steps), steps
    for number in chosen(steps, 2):
        google.delete_event(ids.pop())
        later = soon + timedelta(hours=number)
        ids.append(google.add_event(later, later + timedelta(minutes=20), summary="dentist"))
        taken = sync(f"sync-{number}", number)
        print(f"killed at step {number} of {len(steps)}: {taken[-1]}")
        site.rows("UPDATE consultations_linkedcalendar SET next_sync_at = now() RETURNING id")  # the lease runs out
        recover(site)
        assert known() == real() == [later]
