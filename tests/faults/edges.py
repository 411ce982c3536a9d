"""Where a process can die: just before and just after each commit, each mail handed over, each call over HTTP.

The process is killed (SIGKILL) once, at step KILL_AT. With KILL_AT=0 nobody is killed and the steps are only written down.
STEPS_FILE and KILLED_FILE are in the environment, too.
"""

from __future__ import annotations

import os
import signal
import smtplib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests.adapters
from django.db.backends.base.base import BaseDatabaseWrapper

KILL_AT = int(os.environ["KILL_AT"])
STEPS_FILE = Path(os.environ["STEPS_FILE"])
KILLED_FILE = Path(os.environ["KILLED_FILE"])

task = ""  # what this process is doing just now; steps count only inside of something


def step(edge: str) -> None:
    """Count one step over all processes; at the chosen one, die as if the power had gone."""
    if not task:
        return
    with STEPS_FILE.open("a+") as steps:
        steps.write(f"{task}: {edge}\n")
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


def wrap() -> None:
    wrapper: Any = BaseDatabaseWrapper
    wrapper._commit = edged("commit", wrapper._commit)
    smtplib.SMTP.sendmail = edged("mail", smtplib.SMTP.sendmail)  # type: ignore[method-assign]
    urllib.request.urlopen = edged("call", urllib.request.urlopen)
    requests.adapters.HTTPAdapter.send = edged("call", requests.adapters.HTTPAdapter.send)  # type: ignore[method-assign]
