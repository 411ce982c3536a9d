"""The worker as a process: killed at work, started again, told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from port444.payments.escrow import current
from port444.payments.escrow.chain import pulse
from port444.payments.models import EscrowAttempt, EscrowOperation, EscrowStatus
from scripts.database import HOME

from .rig import Rig, X

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = ("CHAIN_ID", "CHAIN_RPC_URL", "ESCROW_ADDRESS", "USDC_ADDRESS", "CHAIN_PLATFORM_ADDRESS", "CHAIN_OPERATOR_KEY", "CHAIN_ARBITER_KEY")
PATIENCE = 60


@pytest.fixture
def start(settings: Any, rig: Rig) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts `manage.py run_chain` on the database and the chain of the test."""
    url = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}")),
        "ESCROW_BACKEND": "web3",
        "CHAIN_CONFIRMATIONS": "2",
        **{name: str(getattr(settings, name)) for name in SETTINGS},
    }
    started: list[subprocess.Popen[str]] = []

    def run() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_chain"], cwd=HOME, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def until(what: Callable[[], bool], rig: Rig, mine: bool = True) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        if mine:
            rig.mine()
        time.sleep(0.05)


def test_killed_at_work_started_again_and_told_to_end(rig: Rig, start: Callable[[], subprocess.Popen[str]]) -> None:
    deals = [rig.new_deal(X) for _ in range(4)]
    ops = [rig.amend("a"), *(current().amend(deal, X, f"b:{deal.id}").op_id for deal in deals)]
    asked = EscrowOperation.objects.filter(pk__in=ops)
    with rig.no_mining():
        first = start()
        until(lambda: EscrowAttempt.objects.filter(operation__in=ops).exists(), rig, mine=False)
        first.kill()
        first.communicate()
    second = start()
    until(lambda: asked.filter(status=EscrowStatus.CONFIRMED).count() == len(ops), rig)
    assert not pulse.is_late()
    assert EscrowAttempt.objects.filter(operation__in=ops).count() == len(ops)
    rig.check("a")
    second.send_signal(signal.SIGTERM)
    said, wrong = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, wrong
    assert said.splitlines()[-1] == "ended"
    assert "Traceback" not in wrong


def test_it_does_not_start_without_a_chain() -> None:
    environment = {**os.environ, "CHAIN_RPC_URL": "", "CHAIN_OPERATOR_KEY": ""}
    done = subprocess.run(
        [sys.executable, "manage.py", "run_chain"], cwd=HOME, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode != 0
    assert "CHAIN_OPERATOR_KEY" in done.stderr
