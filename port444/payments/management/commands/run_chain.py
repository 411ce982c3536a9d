"""The worker of the chain: carries operations there and answers back, until it is told to end."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

from port444.payments.actions.chain import audit, note_problem, take_snapshot
from port444.payments.escrow.chain import pulse
from port444.payments.escrow.chain.anchoring import anchor_seal
from port444.payments.escrow.chain.client import Chain, RpcError, Unreachable, WrongChain, connect
from port444.payments.escrow.chain.engine import tick
from port444.payments.escrow.chain.transfers import find_transfers

log = logging.getLogger(__name__)

PAUSE, BUSY_PAUSE = 1.0, 0.1  # seconds between two rounds
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # after a failure
LOCK = 0x706F7274  # the number of the lock by which workers of one database know of each other

Chore = Callable[[Chain], object]
# What is done besides, and how often in seconds.
CHORES: list[tuple[Chore, float]] = [(find_transfers, 3.0), (take_snapshot, 15.0), (audit, 60.0), (anchor_seal, 10.0)]


class Worker:
    """Goes round until `stop` is set. No failure ends it: it waits a little longer each time and tries again."""

    def __init__(self, chores: Sequence[tuple[Chore, float]] = ()) -> None:
        self.stop = threading.Event()
        self.failures = 0
        self._due = {chore: 0.0 for chore, _ in chores}
        self._every = dict(chores)
        self._locked: object = None

    def run(self) -> None:
        pause = 0.0
        while not self.stop.wait(pause):
            pause = self.go_round()
        if connection.connection is not None:
            connection.close()

    def go_round(self) -> float:
        """One round; gives how long to wait before the next."""
        try:
            if not self._is_alone():
                return LONGEST_WAIT / 3
            chain = connect()
            moved = tick(chain)
            pulse.beat(chain.chain_id, chain.operator)
            self._do_chores(chain)
        except WrongChain as error:
            log.critical("nothing is sent: %s", error)
            self._say(f"Nothing is sent: {error}")
        except (Unreachable, RpcError) as error:
            log.warning("the chain cannot be asked: %s", error)
            self._say(f"The chain cannot be asked: {error}")
        except ImproperlyConfigured as error:
            log.critical("nothing is sent: %s", error)
        except (DatabaseError, InterfaceError) as error:
            log.warning("the database cannot be used: %s", error)
            self._let_go()
        except Exception:
            log.exception("a round of the chain's worker failed")
            self._let_go()
        else:
            self.failures = 0
            return BUSY_PAUSE if moved else PAUSE
        self.failures += 1
        return float(min(FIRST_WAIT * 2 ** min(self.failures - 1, 10), LONGEST_WAIT))

    def _is_alone(self) -> bool:
        """Two workers do no harm and get in each other's way. The lock goes with the connection, however the process ends."""
        if self._locked is not None and self._locked is connection.connection:
            return True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, settings.CHAIN_ID % 2**31])
            (alone,) = cursor.fetchone()
        self._locked = connection.connection if alone else None
        if not alone:
            log.info("another worker is at work")
        return bool(alone)

    def _say(self, problem: str) -> None:
        """For the page of staff."""
        try:
            note_problem(problem)
        except (DatabaseError, InterfaceError):
            self._let_go()

    def _let_go(self) -> None:
        self._locked = None
        connection.close()

    def _do_chores(self, chain: Chain) -> None:
        for chore, due in self._due.items():
            if time.monotonic() < due:
                continue
            self._due[chore] = time.monotonic() + self._every[chore]
            try:
                chore(chain)
            except (Unreachable, WrongChain, RpcError) as error:
                log.warning("%s could not ask the chain: %s", getattr(chore, "__name__", chore), error)
                note_problem(f"The chain could not be asked: {error}")


class Command(BaseCommand):
    help = "Carries escrow operations to the chain and what became of them to the books, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        missing = [
            name for name in ("CHAIN_ID", "CHAIN_RPC_URL", "ESCROW_ADDRESS", "USDC_ADDRESS", "CHAIN_OPERATOR_KEY") if not getattr(settings, name)
        ]
        if missing:
            raise CommandError(f"There is no chain to work with: {', '.join(missing)} not set.")
        worker = Worker(CHORES)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop.set())
        self.stdout.write(f"at work on chain {settings.CHAIN_ID}, escrow {settings.ESCROW_ADDRESS}")
        worker.run()
        self.stdout.write("ended")
