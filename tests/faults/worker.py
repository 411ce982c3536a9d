"""The job queue, but its worker is killed (SIGKILL) once, at step KILL_AT.

A step is an edge around something that stays: just before and just after each commit, each mail handed over, each call over
HTTP. With KILL_AT=0 nobody is killed and the steps are only written down. It is the real cluster: only the edges are wrapped.

    python -m tests.faults.worker      with KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import os
import signal
import smtplib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (after setup)
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django_q.signals import post_execute_in_worker, pre_execute  # noqa: E402

KILL_AT = int(os.environ["KILL_AT"])
STEPS_FILE = Path(os.environ["STEPS_FILE"])
KILLED_FILE = Path(os.environ["KILLED_FILE"])

# From the wallet's answer to the mails; sweeps that happen to run meanwhile are not counted.
TASKS = {"deliver_wallet_answer", "settle_invoice", "deliver"}

task = ""  # what this worker executes just now


def began(func: str, **_: Any) -> None:
    global task
    task = str(func)


def ended(**_: Any) -> None:
    global task
    task = ""


def step(edge: str) -> None:
    """Count one step over all workers; at the chosen one, die as if the power had gone."""
    if task.rpartition(".")[2] not in TASKS:
        return
    with STEPS_FILE.open("a+") as steps:
        steps.write(f"{task.rpartition('.')[2]}: {edge}\n")
        steps.flush()
        steps.seek(0)
        number = len(steps.readlines())
    if number == KILL_AT:
        try:
            KILLED_FILE.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def edged(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        step(f"before {name}")
        result = original(*args, **kwargs)
        step(f"after {name}")
        return result

    return wrapped


def main() -> None:
    wrapper: Any = BaseDatabaseWrapper
    wrapper._commit = edged("commit", wrapper._commit)
    smtplib.SMTP.sendmail = edged("mail", smtplib.SMTP.sendmail)  # type: ignore[method-assign]
    urllib.request.urlopen = edged("call", urllib.request.urlopen)
    pre_execute.connect(lambda sender, func, task, **_: began(task["func"] if isinstance(task["func"], str) else task["name"]), weak=False)
    post_execute_in_worker.connect(lambda **_: ended(), weak=False)
    call_command("qcluster")


if __name__ == "__main__":
    main()
