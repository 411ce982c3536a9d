"""The parts of the running site, as an operator sees them from outside: its processes, its server of PostgreSQL, its chain, its disk."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts import chain, devpg
from scripts.process import Child

ROOT = Path(__file__).resolve().parent.parent
BALLAST = "ballast"


def children(pid: int) -> list[int]:
    """Processes that this one has started and that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(folder.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [below for one in found for below in descendants(one)]


def command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


class Site:
    """The whole site under its supervisor, started and started again by us."""

    def __init__(self, folder: Path, environment: Mapping[str, str], ports: tuple[int, int], chain_line: str, look_every: float) -> None:
        self.folder, self.environment = folder, dict(environment)
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.chain_url = f"http://{chain.HOST}:{ports[1]}"
        arguments = ["-m", "chaos.site", str(ports[0]), str(ports[1]), chain_line, str(look_every)]
        self.child = Child("site", arguments, self.environment)
        self.postgres = devpg.Server(folder)
        self.clocks = Path(environment["CHAOS_CLOCKS"])

    def start(self) -> None:
        self.child.start()

    @property
    def pid(self) -> int:
        assert self.child.process is not None
        return self.child.process.pid

    def main_of(self, name: str) -> int | None:
        """The first process of a part: of `gunicorn`, `qcluster`, `run_chain` or `anvil`."""
        return next((pid for pid in children(self.pid) if name in command(pid) and "scripts.serve" not in command(pid)), None)

    def postmaster(self) -> int | None:
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int((self.postgres.data / "postmaster.pid").read_text().splitlines()[0])
        return None

    def answers(self) -> bool:
        return status_of(f"{self.url}/") == 200

    def stop(self) -> None:
        self.child.terminate()
        ends = time.monotonic() + 40
        while self.child.is_alive and time.monotonic() < ends:
            time.sleep(0.1)
        self.child.kill()
        self.postgres.stop()

    def state(self) -> int:
        """The block that the file of the chain's node ends with; -1 while it is being written."""
        try:
            found = json.loads((self.folder / "anvil.json").read_bytes())
        except (OSError, ValueError):
            return -1
        number = found.get("best_block_number", found.get("block", {}).get("number", -1))
        return int(number, 16) if isinstance(number, str) else int(number)

    def head(self) -> int:
        return int(chain.ask(self.chain_url, "eth_blockNumber"), 16)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return 0


class Prober(threading.Thread):
    """Asks for the first page twice a second and writes down from when to when there was none."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = f"{url}/"
        self.outages: list[tuple[float, float]] = []
        self.down_since: float | None = None
        self.asked = self.missed = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            fine = status_of(self.url) == 200
            self.asked += 1
            self.missed += not fine
            if not fine and self.down_since is None:
                self.down_since = time.time()
            if fine and self.down_since is not None:
                self.outages.append((self.down_since, time.time()))
                self.down_since = None


class Disk:
    """What cold storage lies on: a small file system of memory where we may mount one, which can be full; else the folder itself, which can
    be away."""

    SIZE = 48 << 20

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = False

    def open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        made = ["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=0755", "port444-chaos", str(self.folder)]
        with contextlib.suppress(OSError):
            self.is_mounted = os.geteuid() == 0 and subprocess.run(made, capture_output=True, check=False).returncode == 0

    @property
    def words(self) -> str:
        return (
            f"a file system of {self.SIZE >> 20} MB, filled to the last byte (ENOSPC)"
            if self.is_mounted
            else "the folder, put out of reach (ENOTDIR)"
        )

    def fill(self) -> None:
        if not self.is_mounted:
            self.folder.rename(self.folder.with_suffix(".away"))
            self.folder.write_text("")
            return
        with (self.folder / BALLAST).open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while ballast.write(b"\0" * size):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def empty(self) -> None:
        if self.is_mounted:
            (self.folder / BALLAST).unlink(missing_ok=True)
        elif self.folder.is_file():
            self.folder.unlink()
            self.folder.with_suffix(".away").rename(self.folder)

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Processes that stand still for as long as this."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def clear(folder: Path) -> None:
    """What an earlier run has left, also one that was killed."""
    if (folder / "cold").is_dir():
        subprocess.run(["umount", "-l", str(folder / "cold")], capture_output=True, check=False)
    with contextlib.suppress(SystemExit, OSError):
        server = devpg.Server(folder)
        if server.data.exists():
            server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def in_django(module: str, environment: Mapping[str, str], facts: Any = None, seconds: float = 600) -> Any:
    """Run a module inside the site's Django to its end and give what it printed as JSON on its last line."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**environment, "DJANGO_SETTINGS_MODULE": "port444.settings"},
        input=json.dumps(facts),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])
