"""The worker dies (SIGKILL) between any two steps from payment to confirmation; after a restart everything has happened once.

`./run test tests/faults` tries a few edges, `FAULTS=all ./run test tests/faults` every one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from port444.demo import cast
from tests.realsite import Site, running, wait_until

FEW = 5
RETRY = 4  # seconds after which the queue hands an unfinished job out again
pytestmark = pytest.mark.timeout(3600 if os.environ.get("FAULTS") == "all" else 400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"Q_TIMEOUT": "3", "Q_RETRY": str(RETRY), "Q_WORKERS": "1"}
    with running(tmp_path_factory.mktemp("faults"), seeded=False, worker=False, **settings) as served:
        served.manage("shell", "-v0", "-c", "from tests.faults.book import prepare; prepare()")
        yield served


def run_worker_until(site: Site, name: str, kill_at: int) -> list[str]:
    """Let the worker carry out the queue, to its end or to its death; gives the steps that it took."""
    steps, killed = site.folder / f"{name}.steps", site.folder / f"{name}.killed"
    steps.touch()
    site.start_worker(
        ["-m", "tests.faults.worker"], DJANGO_SETTINGS_MODULE="port444.settings", KILL_AT=str(kill_at), STEPS_FILE=str(steps), KILLED_FILE=str(killed)
    )
    try:
        wait_until(lambda: killed.exists() or (steps.read_text() and site.idle() and not site.unsent()), 60, "the worker neither died nor finished")
    finally:
        site.worker.kill()
    assert killed.exists() == bool(kill_at), steps.read_text()
    return steps.read_text().splitlines()


def recover(site: Site) -> None:
    """Start the queue as an operator would, and wait until nothing is left to do."""
    site.start_worker()
    try:
        wait_until(site.idle, 30, "the queue is not empty after the restart")
        if site.unsent():
            # The dead worker's lease on a mail must run out; then the sweep of every minute takes it.
            lapsed = "SELECT count(*) FROM notifications_delivery WHERE status = 'sending' AND claimed_until > now()"
            wait_until(lambda: not site.value(lapsed), 40, "the lease did not run out")
            site.manage("shell", "-v0", "-c", "from port444.notifications.jobs import sweep; sweep()")
            wait_until(lambda: not site.unsent(), 30, "a mail was never sent")
    finally:
        site.worker.kill()


def check_once(site: Site, name: str) -> None:
    """One charge, one paid invoice, one scheduled call, one mail a person, and books that balance."""
    address = f"{name.lower()}@fault.example"
    client = site.value("SELECT id FROM accounts_user WHERE email = %s", address)
    charges = (
        "SELECT count(*) FROM payments_payment p JOIN payments_invoice i ON i.id = p.invoice_id WHERE i.payer_id = %s AND p.status = 'succeeded'"
    )
    assert site.value(charges, client) == 1
    assert site.rows("SELECT status, number IS NOT NULL AS numbered FROM payments_invoice WHERE payer_id = %s", client) == [
        {"status": "paid", "numbered": True}
    ]
    assert site.rows("SELECT status FROM consultations_consultation WHERE client_id = %s", client) == [{"status": "scheduled"}]
    assert site.value("SELECT balance FROM payments_ledgeraccount WHERE kind = 'client' AND owner_id = %s", client) == 0
    assert site.value("SELECT sum(amount) FROM payments_posting") == 0
    to_client = Counter(str(mail["Subject"]) for mail in site.mails(address))
    to_builder = Counter(str(mail["Subject"]) for mail in site.mails(cast.BUILDER) if name in str(mail["Subject"]) + str(mail.get_body(("plain",))))
    assert list(to_client.values()) == [1], to_client
    assert list(to_builder.values()) == [1], to_builder


def test_killed_between_steps(site: Site) -> None:
    steps: list[str] = []
    for name in ("Warmup", "Unharmed"):  # the first also carries out what setting up has queued
        site.manage("shell", "-v0", "-c", f"from tests.faults.book import approve; approve('{name}')")
        steps = run_worker_until(site, name, 0)
        check_once(site, name)
    assert {"deliver_wallet_answer: after call", "settle_invoice: before commit", "deliver: after mail"} <= set(steps), steps

    everywhere = range(1, len(steps) + 1)
    chosen = everywhere if os.environ.get("FAULTS") == "all" else sorted({1 + (len(steps) - 1) * n // (FEW - 1) for n in range(FEW)})
    for number in chosen:
        name = f"Victim{number}"
        site.manage("shell", "-v0", "-c", f"from tests.faults.book import approve; approve('{name}')")
        taken = run_worker_until(site, name, number)
        print(f"killed at step {number} of {len(steps)}: {taken[-1]}")
        recover(site)
        check_once(site, name)
