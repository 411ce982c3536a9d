"""Children of the supervisor: started again when they end, gone when it goes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import process
from scripts.process import Child

HOME = Path(__file__).resolve().parents[2]

# A child that forks a grandchild, says who they are, and ignores SIGTERM.
FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""

# A supervisor of that child.
PARENT = """
import os, sys, time
from scripts.process import Child
Child("family", sys.argv[1:], os.environ).start()
time.sleep(60)
"""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def exists(pid: int) -> bool:
    """Whether a process runs (one that has ended and waits to be reaped does not)."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.fixture
def family(tmp_path: Path) -> Iterator[tuple[list[str], Callable[[], list[int]]]]:
    """The command of a child with a grandchild, and the pids of both once they run."""
    script, pids = tmp_path / "family.py", tmp_path / "pids"
    script.write_text(FAMILY)

    def members() -> list[int]:
        wait_until(lambda: pids.exists() and len(pids.read_text().splitlines()) >= 2)
        return [int(line) for line in pids.read_text().splitlines()]

    yield [str(script), str(pids)], members
    for line in pids.read_text().splitlines():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


def test_kill_takes_the_whole_group(family: tuple[list[str], Callable[[], list[int]]]) -> None:
    command, members = family
    child = Child("family", command, os.environ)
    child.start()
    pids = members()
    child.terminate()
    assert child.is_alive
    child.kill()
    wait_until(lambda: not any(map(exists, pids)))
    assert not child.is_alive


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ties children to their parent")
def test_children_and_their_forks_die_with_a_killed_supervisor(family: tuple[list[str], Callable[[], list[int]]]) -> None:
    command, members = family
    supervisor = subprocess.Popen([sys.executable, "-c", PARENT, *command], cwd=HOME)
    pids = members()
    assert all(map(exists, pids))
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not any(map(exists, pids)))


def test_ended_child_is_started_again_after_a_pause(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "pause_after", lambda failures: 0.05)
    script = tmp_path / "brief.py"
    script.write_text("raise SystemExit(3)")
    child = Child("brief", [str(script)], os.environ)
    child.start()
    wait_until(lambda: not child.is_alive)
    assert not child.keep_alive()  # pausing
    wait_until(child.keep_alive)
    assert child.is_alive
    child.kill()
    assert "brief ended with code 3" in capsys.readouterr().out


def test_pauses_grow_and_stay_bounded() -> None:
    assert [process.pause_after(failures) for failures in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert process.pause_after(10_000) == 30


def test_recovered_child_pauses_briefly_again() -> None:
    child = Child("any", [], {})
    child.failures = 5
    child.started_at = 100.0
    child.note_end("ended", 100.0 + process.STABLE_AFTER)
    assert child.resume_at == 100.0 + process.STABLE_AFTER + 1
    child.note_end("ended", 200.0)
    assert child.failures == 1
