"""One supervised child: a process group of its own, restarted with growing pauses when it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.environment import say

LONGEST_PAUSE = 30.0
# A child that ran for so long has recovered: the next pause is short again.
STABLE_AFTER = 60.0


@dataclass
class Child:
    """A long-running program of this Python, given as its arguments (`-m module ...` or `script.py ...`)."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    inherited: Sequence[int] = ()  # file descriptors
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)
    started_at: float = field(init=False, default=0.0)
    resume_at: float = field(init=False, default=0.0)
    failures: int = field(init=False, default=0)

    def start(self) -> None:
        """Start the program, tied to this process."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.tether", str(os.getpid()), *self.arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            pass_fds=self.inherited,
            start_new_session=True,
        )
        self.started_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether the program runs (its first process; others of its group may)."""
        return self.process is not None and self.process.poll() is None

    def keep_alive(self) -> bool:
        """Start the program again when it has ended and its pause is over. Whether it was started."""
        now = time.monotonic()
        if self.is_alive:
            return False
        if self.process is not None:
            self.note_end(f"ended with code {self.process.returncode}", now)
        if now < self.resume_at:
            return False
        self.start()
        return True

    def restart(self, reason: str) -> None:
        """Kill the whole group at once; `keep_alive` starts it again."""
        self.note_end(reason, time.monotonic())

    def note_end(self, reason: str, now: float) -> None:
        """Clear up after the program and set the pause before its next start."""
        self.failures = 0 if now - self.started_at >= STABLE_AFTER else self.failures
        pause = pause_after(self.failures)
        self.failures += 1
        self.resume_at = now + pause
        say(f"{self.name} {reason}; starting it again in {pause:.0f} s")
        self.kill()

    def terminate(self) -> None:
        """Ask the program to finish."""
        if self.process is not None and self.is_alive:
            self.process.terminate()

    def kill(self) -> None:
        """SIGKILL the group: a queue whose worker was killed may hang and ignore anything less."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


def pause_after(failures: int) -> float:
    """Seconds to wait before the next start: 1, 2, 4 ... 30."""
    return min(LONGEST_PAUSE, 2.0 ** min(failures, 10))
