"""What a client does up to the press on "Approve", in a process that is killed at one of its steps.

python -m tests.faults.press NAME [change]  with KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import sys

import django

django.setup()

from tests.faults import book, change, edges  # noqa: E402 (after setup)

if __name__ == "__main__":
    name, is_change = sys.argv[1], "change" in sys.argv[2:]
    client = None if is_change else book.newcomer(name)
    edges.wrap()
    edges.task = "press"
    if client is None:
        change.approve(name)
    else:
        book.approve(client)
    edges.task = ""
