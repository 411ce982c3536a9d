"""The job queue, but its worker is killed at a step of the jobs named in TASKS. It is the real cluster: only the edges are wrapped.

python -m tests.faults.worker      with TASKS, KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import os
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (after setup)
from django_q.signals import post_execute_in_worker, pre_execute  # noqa: E402

from tests.faults import edges  # noqa: E402

# Sweeps that happen to run meanwhile are not counted.
TASKS = set(os.environ["TASKS"].split(","))


def began(func: str, **_: Any) -> None:
    name = str(func).rpartition(".")[2]
    edges.task = name if name in TASKS else ""


def ended(**_: Any) -> None:
    edges.task = ""


def main() -> None:
    edges.wrap()
    pre_execute.connect(lambda sender, func, task, **_: began(task["func"] if isinstance(task["func"], str) else task["name"]), weak=False)
    post_execute_in_worker.connect(lambda **_: ended(), weak=False)
    call_command("qcluster")


if __name__ == "__main__":
    main()
