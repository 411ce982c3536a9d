"""Run a Python program whose clock is wrong by the seconds that stand in a file, which may change while it runs.

    python -m chaos.skewed FILE -m gunicorn ...
    python -m chaos.skewed FILE manage.py qcluster

What the program takes for now is skewed: the clock of the actions (`kit.clock`), Django's, and `time.time`. The monotonic clock is not,
as it is not when a real clock is set; nor are PostgreSQL and the chain, which have clocks of their own.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from datetime import datetime, timedelta, tzinfo

from django.utils import timezone

from port444.kit import clock

real_time = time.time


class Offset:
    """The number in a file, read again when the file has changed."""

    def __init__(self, path: str) -> None:
        self.path, self.stamp, self.seconds = path, -1, 0.0

    def read(self) -> float:
        try:
            stamp = os.stat(self.path).st_mtime_ns
            if stamp != self.stamp:
                with open(self.path) as file:
                    self.seconds = float(file.read().strip() or 0)
                self.stamp = stamp
        except (OSError, ValueError):
            pass  # half written: as before
        return self.seconds


def skew(offset: Offset) -> None:
    """Put the wrong clock in the place of the right one, in this process and what it forks."""

    class AnyMoment(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Skewed(datetime, metaclass=AnyMoment):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=offset.read())

    vars(clock)["datetime"] = Skewed
    vars(timezone)["datetime"] = Skewed
    time.time = lambda: real_time() + offset.read()


def main(arguments: list[str]) -> None:
    skew(Offset(arguments[0]))
    program = arguments[1:]
    if program[0] == "-m":
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = program
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
