"""./run as a whole: started, started twice, killed, started again, stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import ports, serve

HOME = Path(__file__).resolve().parents[2]
SETTINGS_OF_TESTS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_VIEWER_URL", "PORT444_ENV", "SECRET_KEY", "EMAIL_URL")


class Site:
    """A ./run with a `var` and a port of its own, without demo data."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.port = ports.free_port()
        self.environment = {name: value for name, value in os.environ.items() if name not in SETTINGS_OF_TESTS}
        self.environment |= {"PORT444_VAR": str(var), "PORT": str(self.port), "PORT444_SEED": "no"}
        self.started: list[subprocess.Popen[bytes]] = []

    @property
    def output(self) -> Path:
        return self.var / "output"

    @property
    def database_pid(self) -> Path:
        return next(self.var.glob("pg*/data/postmaster.pid"), self.var / "none")

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            process = subprocess.Popen([sys.executable, "-m", "scripts.serve"], cwd=HOME, env=self.environment, stdout=output, stderr=output)
        self.started.append(process)
        return process

    def start_and_wait(self) -> subprocess.Popen[bytes]:
        process = self.start()
        wait_until(lambda: b"is ready" in self.output.read_bytes() or process.poll() is not None)
        assert process.poll() is None, self.output.read_text()
        return process

    def answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{serve.HOST}:{self.port}/healthz", timeout=20) as answer:
            return bool(answer.status == 200)
        return False

    def clean_up(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(self.database_pid.read_text().split()[0]), signal.SIGQUIT)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.clean_up()


def test_life_of_the_site(site: Site) -> None:
    supervisor = site.start_and_wait()
    assert site.answers()
    secret = (site.var / "secret_key").read_text()
    assert (site.var / "secret_key").stat().st_mode & 0o077 == 0

    second = subprocess.run([sys.executable, "-m", "scripts.serve"], check=False, cwd=HOME, env=site.environment, capture_output=True, text=True)
    assert second.returncode == 1
    assert f"already running: http://{serve.HOST}:{site.port}/" in second.stderr

    # Killed, it leaves nothing that holds the port; the database is adopted by the next start.
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not site.answers())
    supervisor = site.start_and_wait()
    assert site.answers()
    assert (site.var / "secret_key").read_text() == secret

    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(30) == 0
    assert not site.answers()
    assert not site.database_pid.exists()


def test_taken_port_is_named(site: Site) -> None:
    with socket.create_server((serve.HOST, site.port)):
        assert site.start().wait(30) == 1
    assert f"Port {site.port} cannot be used" in site.output.read_text()
    assert not site.database_pid.exists()


@pytest.mark.parametrize("port", ["abc", "70000", "-1"])
def test_port_that_is_none(port: str) -> None:
    with pytest.raises(serve.ServeFailed, match="cannot be used"):
        serve.listen(port)
