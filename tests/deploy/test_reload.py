"""The web server is told to begin anew while people use it: nobody is turned away, and nobody's request is cut off."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
CLIENTS = 4


class Load:
    """Clients that ask one request after the other, some of them slow ones, until they are told to stop."""

    def __init__(self, port: int) -> None:
        self.port, self.ended = port, threading.Event()
        self.answers: list[str] = []  # which process answered
        self.failures: list[str] = []
        self.threads = [threading.Thread(target=self.ask, args=(number,)) for number in range(CLIENTS)]

    def ask(self, number: int) -> None:
        while not self.ended.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request("GET", "/?0.4" if number == 0 else "/?0.01")
                answer = connection.getresponse()
                self.answers.append(answer.read().decode())
                if answer.status != 200:
                    self.failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()

    def wait_for(self, count: int) -> None:
        """Until so many more were answered."""
        wanted, deadline = len(self.answers) + count, time.monotonic() + 60
        while len(self.answers) < wanted:
            assert time.monotonic() < deadline, "nobody answers"
            time.sleep(0.02)


@contextlib.contextmanager
def asked(port: int) -> Iterator[Load]:
    load = Load(port)
    for thread in load.threads:
        thread.start()
    try:
        load.wait_for(20)
        yield load
        load.wait_for(20)
    finally:
        load.ended.set()
        for thread in load.threads:
            thread.join()


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """A socket that stays open when the server goes, as systemd holds one."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        listener.set_inheritable(True)
        yield listener


def start(held: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    environment = {"PATH": "/usr/bin:/bin", "WEB_BIND": f"fd://{held.fileno()}", "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.py", "tests.deploy.app:application"]
    return subprocess.Popen(command, cwd=HOME, env=environment, pass_fds=[held.fileno()], stderr=subprocess.DEVNULL)


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait(60)


def test_changed_settings_are_taken_by_new_workers_while_the_old_finish(held: socket.socket, tmp_path: Path) -> None:
    server = start(held, tmp_path / "counts")
    try:
        with asked(held.getsockname()[1]) as load:
            for _ in range(2):
                before = set(load.answers)
                server.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + 60
                while set(load.answers[-20:]) & before:
                    assert time.monotonic() < deadline, "the old workers stay"
                    load.wait_for(5)
    finally:
        stop(server)
    assert load.failures == []
    assert len(set(load.answers)) >= 6  # two workers, three times


def test_a_restart_keeps_people_waiting_and_turns_nobody_away(held: socket.socket, tmp_path: Path) -> None:
    server = start(held, tmp_path / "before")
    try:
        with asked(held.getsockname()[1]) as load:
            before = set(load.answers)
            stop(server)
            server = start(held, tmp_path / "after")
    finally:
        stop(server)
    assert load.failures == []
    assert before.isdisjoint(load.answers[-10:])
