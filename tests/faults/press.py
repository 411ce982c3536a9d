"""What a client does up to the press on "Approve", in a process that is killed at one of its steps.

python -m tests.faults.press NAME  with KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import sys

import django

django.setup()

from tests.faults import book, edges  # noqa: E402 (after setup)

if __name__ == "__main__":
    client = book.newcomer(sys.argv[1])
    edges.wrap()
    edges.task = "press"
    book.approve(client)
    edges.task = ""
