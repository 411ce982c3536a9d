"""Exports the audit log in processes that are killed (SIGKILL) one after the other, each a step later than the one before.

python -m tests.faults.archive ROWS    prints a line for each: where it died

For each, rows are written and sealed, an export begins and dies, and another one goes on from there. All are forks of this
process, which itself stays off the database. At last, two export at the same time.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 (after setup)
from django.db import transaction  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402

from auditlog import cold  # noqa: E402
from auditlog.actions import export_rows, exporting, record, seal_rows, sealing  # noqa: E402
from auditlog.events import Event  # noqa: E402
from auditlog.models import AuditSeal  # noqa: E402
from port444.accounts.models import User  # noqa: E402
from port444.kit import clock  # noqa: E402
from tests import power  # noqa: E402

ROWS = int(sys.argv[1])  # under seals of three, in files of two seals


class Steps:
    """Counts where a process can die, and kills it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.number, self.kill_at = 0, kill_at

    def step(self, name: str) -> None:
        self.number += 1
        if self.number == self.kill_at:
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.step(f"before {name.strip('_')}")
            result = original(*args, **kwargs)
            self.step(f"after {name.strip('_')}")
            return result

        setattr(owner, name, stepped)


def write() -> None:
    """Rows, all of them sealed."""
    settings.AUDIT_COLD_URL = (settings.VAR_DIR / "seals").as_uri()  # which the sealer looks into, and is near
    with transaction.atomic():
        last = max(record(Event.LOGIN, actor=None, target=User(email="a@fault.example"), number=number) for number in range(ROWS))
    deadline = time.monotonic() + 60
    while not AuditSeal.objects.filter(last_id__gte=last).exists():
        assert time.monotonic() < deadline
        seal_rows()


def export(kill_at: int = 0) -> None:
    steps = Steps(kill_at)
    for owner, name in ((BaseDatabaseWrapper, "_commit"), (exporting.Packer, "_keep"), (type(cold.store()), "put"), (type(cold.store()), "open")):
        steps.around(owner, name)
    with clock.at(clock.now() + timedelta(days=settings.AUDIT_HOT_DAYS + 1)):
        export_rows()


def forked(*works: Callable[[], None]) -> list[int]:
    """Run these at once, each in a process of its own; the signals that ended them, or 0."""
    children = []
    for work in works:
        children.append(os.fork())
        if not children[-1]:
            code = 1
            try:
                work()
                code = 0
            except Exception:
                logging.getLogger(__name__).exception("a process failed")
            finally:
                os._exit(code)
    ends = [os.waitpid(child, 0)[1] for child in children]
    if any(os.WIFEXITED(end) and os.WEXITSTATUS(end) for end in ends):
        sys.exit("a process failed")
    return [os.WTERMSIG(end) if os.WIFSIGNALED(end) else 0 for end in ends]


if __name__ == "__main__":
    cold.store()  # loads what talks to it, once for all
    settings.AUDIT_SEAL_ROWS, exporting.FILE_ROWS = 3, 6
    sealing.NOW = sealing.NOW.replace(power.CLUSTER, power.OWN)
    for number in itertools.count(1):
        forked(write)
        (killed,) = forked(partial(export, number))
        if not killed:
            break
        forked(export)
    forked(write)
    forked(export, export)
