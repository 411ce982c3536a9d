"""The whole site as separate processes on a database of its own: gunicorn, the job queue and the mail sink.

For tests in which a real browser walks through, or in which a process is killed. Nothing here uses Django: the site is seen as
a user and an operator see it.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from scripts.process import Child
from scripts.serve import listen, web_command
from tests import copies
from tests.copies import libpq, on_database

QUEUE = ["manage.py", "qcluster"]


@dataclass
class Site:
    """A running site. `url` has no slash at its end."""

    url: str
    name: str
    folder: Path
    environment: dict[str, str]
    web: Child
    mail: Child
    worker: Child
    mail_socket: socket.socket
    web_socket: socket.socket
    extra: dict[str, str] = field(default_factory=dict)
    shell: subprocess.Popen[str] | None = None

    @property
    def mail_folder(self) -> Path:
        return self.folder / "mail"

    def manage(self, *arguments: str) -> str:
        """Run manage.py to its end and give what it said."""
        return copies.manage(self.environment, *arguments)

    def run(self, code: str) -> str:
        """Run Python inside the site's Django, as in its shell, and give what it printed. Import what you name."""
        if self.shell is None:
            command = [sys.executable, "-m", "tests.console"]
            settings = {**self.environment, "DJANGO_SETTINGS_MODULE": "port444.settings"}
            self.shell = subprocess.Popen(command, cwd=copies.ROOT, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(json.dumps(code) + "\n")
        self.shell.stdin.flush()
        printed, failure = json.loads(self.shell.stdout.readline())
        assert not failure, printed + failure
        return str(printed)

    def fork(self, module: str, *arguments: str, **environment: str) -> Fork:
        """Start `python -m MODULE ARGUMENTS` as a fork of the site's shell."""
        output = self.folder / f"{module}.{secrets.token_hex(4)}.log"
        began = self.run(f"from tests import forks; print(forks.begin({module!r}, {arguments!r}, {environment!r}, {str(output)!r}))")
        return Fork(self, int(began), output)

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Read the site's database as its owner."""
        with psycopg.connect(libpq(self.environment["DATABASE_OWNER_URL"]), row_factory=dict_row) as connection:
            return connection.execute(sql, params).fetchall()

    def value(self, sql: str, *params: Any) -> Any:
        return next(iter(self.rows(sql, *params)[0].values()))

    def mails(self, to: str) -> list[EmailMessage]:
        """The captured mails to one address, oldest first."""
        files = sorted(self.mail_folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        messages = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
        return [message for message in messages if isinstance(message, EmailMessage) and to in str(message["To"])]

    def idle(self) -> bool:
        """Nothing is queued, and no message waits that is due and that nobody holds."""
        return bool(
            self.value(
                "SELECT (SELECT count(*) FROM django_q_ormq)"
                " + (SELECT count(*) FROM notifications_delivery WHERE status = 'pending' AND due_at <= now())"
            )
            == 0
        )

    def unsent(self) -> int:
        """Messages that are due or in somebody's hands."""
        return int(self.value("SELECT count(*) FROM notifications_delivery WHERE status = 'sending' OR (status = 'pending' AND due_at <= now())"))


@dataclass
class Fork:
    """A program that runs in a fork of a site's shell."""

    site: Site
    pid: int
    output: Path

    def wait(self) -> int:
        """Its code at its end, or the signal below zero."""
        return int(self.site.run(f"from tests import forks; print(forks.ended({self.pid}))"))

    def kill(self) -> None:
        """SIGKILL its whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for `condition`; a failure says `what` never happened."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s: {what}"
        time.sleep(0.1)


def wait_for_schedules(site: Site, condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for what the schedules of every minute do; meanwhile they are due whenever the queue looks."""

    def looked() -> object:
        site.rows("UPDATE django_q_schedule SET next_run = now() WHERE cron = '* * * * *' AND next_run > now() RETURNING id")
        return condition()

    wait_until(looked, seconds, what)


def answers(site: Site) -> bool:
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/healthz")
        status: int = connection.getresponse().status
        return status == 200
    return False


@contextlib.contextmanager
def running(folder: Path, *, seeded: bool = True, worker: bool = True, **settings: str) -> Iterator[Site]:
    """A site in `folder` with the demo data, stopped and removed afterwards."""
    name = f"site_{secrets.token_hex(4)}"
    (folder / "mail").mkdir(parents=True, exist_ok=True)
    web_socket, mail_socket = listen("0"), listen("0")
    url = f"http://127.0.0.1:{web_socket.getsockname()[1]}"
    environment = {
        **os.environ,
        "PORT444_ENV": "development",
        "SECRET_KEY": copies.secret(),
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": on_database(copies.app_url(), name),
        "DATABASE_OWNER_URL": on_database(copies.owner_url(), name),
        "DATABASE_VIEWER_URL": on_database(copies.viewer_url(), name),
        "PORT444_VAR": str(folder),
        "PORT444_MAIL_DIR": str(folder / "mail"),
        "PORT444_STORAGE": str(folder / "storage"),
        "PORT444_HEARTBEAT_FILE": str(folder / "heartbeat"),
        "EMAIL_URL": f"smtp://127.0.0.1:{mail_socket.getsockname()[1]}",
        "SITE_URL": url,
        "CLEARING_DAYS": "0",  # who is paid in a test withdraws at once
        **settings,
    }
    mail = Child("mail", ["-m", "scripts.mailsink", str(mail_socket.fileno()), str(folder / "mail")], environment, [mail_socket.fileno()])
    web = Child("web", web_command(web_socket), environment, [web_socket.fileno()])
    site = Site(url, name, folder, environment, web, mail, Child("queue", QUEUE, environment), mail_socket, web_socket)
    try:
        copies.copy(copies.DEMO if seeded else copies.EMPTY, name, folder / "storage")
        mail.start()
        web.start()
        if worker:
            site.worker.start()
        wait_until(lambda: answers(site), 30, "the site does not answer")
        yield site
    finally:
        if site.shell is not None:
            site.shell.kill()
            site.shell.communicate()
        for child in (site.worker, web, mail):
            child.kill()
        web_socket.close()
        mail_socket.close()
        with copies.as_owner() as connection:
            copies.remove(connection, name)
