"""./run: the database, the web server, the job queue and a mail sink under one supervisor, until Ctrl-C.

With --chain a local chain runs beside them, and the worker that carries escrow to it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TextIO

from scripts import chain, database, development, system, watchdog
from scripts.environment import leave, say, tell, try_lock
from scripts.process import Child

HOST = "127.0.0.1"
DEFAULT_PORT = "8444"
STOPPING_TAKES = 8.0
ANSWERING_TAKES = 60.0


class ServeFailed(SystemExit):
    """Serving cannot begin; the message says why."""


class Supervisor:
    """Starts everything in order, keeps it running, stops it in the opposite order."""

    def __init__(self, base: database.Database, web_socket: socket.socket, mail_socket: socket.socket, chain_port: int = 0) -> None:
        self.base = base
        self.address = web_address(web_socket)
        self.stop_requested = threading.Event()
        self.watchdog = watchdog.Watchdog()
        self.environment = development.environment(base.addresses)
        sends_itself = bool(self.environment.get("EMAIL_URL"))
        if not sends_itself:
            self.environment["EMAIL_URL"] = f"smtp://{HOST}:{mail_socket.getsockname()[1]}"
        self.environment.setdefault("SITE_URL", self.address)
        self.mail = Child("mail", mail_command(mail_socket), self.environment, [mail_socket.fileno()])
        self.web = Child("web", web_command(web_socket), self.environment, [web_socket.fileno()])
        self.queue = Child("queue", ["manage.py", "qcluster"], self.environment)
        self.children = [self.web, self.queue] if sends_itself else [self.mail, self.web, self.queue]
        self.node = Child("chain", chain.kept_command(chain_port), self.environment)
        self.worker = Child("escrow", ["manage.py", "run_chain"], self.environment)
        self.contracts: dict[str, str] = {}
        self.chain_url = f"http://{chain.HOST}:{chain_port}" if chain_port else ""
        if self.chain_url:
            self.children += [self.node, self.worker]

    def run(self) -> None:
        """Serve until somebody asks to stop."""
        on_stop_signals(lambda *_: self.stop_requested.set())
        try:
            if self.begin():
                self.watch()
        finally:
            self.stop()

    def begin(self) -> bool:
        """Bring everything up. False when a stop was asked for on the way."""
        started = time.monotonic()
        if self.chain_url and not self.begin_chain():
            return False
        if not self.manage("migrate", "--verbosity=0", environment=database.as_owner(self.environment)):
            return False
        for child in self.children:
            if child not in (self.queue, self.node, self.worker):
                child.start()
        if not self.manage("sync_schedules"):
            return False
        if not self.wait_for_web():
            return False
        demo = self.seed()
        if self.stop_requested.is_set():
            return False
        self.queue.start()
        self.watchdog.began(time.monotonic())
        notes = [demo]
        if self.chain_url:
            self.worker.start()
            notes.append(chain.greeting(self.contracts))
        tell(greeting(self.address, notes, time.monotonic() - started, captured=self.mail in self.children))
        return True

    def begin_chain(self) -> bool:
        """Start the local chain and make sure of the contracts. False when a stop was asked for meanwhile."""
        self.node.start()
        deadline = time.monotonic() + ANSWERING_TAKES
        while not chain.answers(self.chain_url):
            if self.stop_requested.wait(0.05):
                return False
            if not self.node.is_alive or time.monotonic() > deadline:
                raise ServeFailed("The local chain does not answer; the reason stands above.")
        self.contracts = chain.settle_in(self.chain_url)
        self.environment |= self.contracts
        return True

    def watch(self) -> None:
        """Start again what ends, and restart a queue that hangs."""
        next_look = 0.0
        while not self.stop_requested.wait(0.5):
            for child in self.children:
                if child.keep_alive() and child is self.queue:
                    self.watchdog.began(time.monotonic())
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + watchdog.LOOK_EVERY
                self.base.keep_alive()
                self.look_after_queue()

    def look_after_queue(self) -> None:
        """Restart the queue when it shows no sign of life."""
        beat = watchdog.read_beat(Path(self.environment["PORT444_HEARTBEAT_FILE"]))
        self.watchdog.look(time.monotonic(), beat, watchdog.read_queue(self.environment["DATABASE_URL"]))
        if self.queue.is_alive and self.watchdog.is_hung(time.monotonic()):
            self.queue.restart(f"showed no sign of life for {self.watchdog.patience:.0f} s")

    def stop(self) -> None:
        """Stop web and queue together, the mail sink after those who send; a second signal stops at once."""
        say("stopping")
        self.stop_requested.clear()
        for group in ([self.web, self.queue, self.worker], [self.mail, self.node]):
            for child in group:
                child.terminate()
            deadline = time.monotonic() + STOPPING_TAKES
            while any(child.is_alive for child in group) and time.monotonic() < deadline:
                if self.stop_requested.wait(0.05):
                    break
            for child in group:
                child.kill()

    def manage(self, *arguments: str, environment: Mapping[str, str] | None = None) -> bool:
        """Run one command of manage.py to its end. False when a stop was asked for meanwhile."""
        code, said = self.call(arguments, environment or self.environment)
        if code is not None and code != 0:
            raise ServeFailed(f"manage.py {arguments[0]} failed:\n{said}")
        return code == 0

    def seed(self) -> str:
        """Write the demo data unless it is there; what the command says about the accounts."""
        if self.environment.get("PORT444_SEED") == "no" or not has_command("seed_demo"):
            return ""
        say(f"{self.address} answers; the demo data comes next")
        # The story goes back for weeks, and a chain has no past to offer: its money is held in the ledger, to the end of those orders.
        held = {"ESCROW_BACKEND": "ledger", "PAYMENT_PROVIDERS": "sandbox"} if self.chain_url else {}
        code, said = self.call(("seed_demo",), {**self.environment, **held})
        if code is not None and code != 0:
            say("the demo data could not be written; going on without it")
        return said.strip()

    def call(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int | None, str]:
        """Run manage.py quietly: its exit code (None when a stop was asked for) and what it said."""
        say(f"manage.py {' '.join(arguments)}")
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.tether", str(os.getpid()), "manage.py", *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.append(process.communicate()[0]), daemon=True)
        reader.start()
        while reader.is_alive() and not self.stop_requested.is_set():
            reader.join(0.05)
        if reader.is_alive():
            process.kill()
            return None, ""
        return process.returncode, b"".join(said).decode(errors="replace")

    def wait_for_web(self) -> bool:
        """Wait until the first page comes. False when a stop was asked for meanwhile."""
        deadline = time.monotonic() + ANSWERING_TAKES
        while not self.stop_requested.wait(0.1):
            if not self.web.is_alive:
                raise ServeFailed("The web server ended; the reason stands above.")
            status = first_page(self.address)
            if status is not None:
                if status >= 500:
                    say(f"{self.address} answers with {status}; the reason stands above")
                return True
            if time.monotonic() > deadline:
                raise ServeFailed(f"{self.address} does not answer.")
        return False


@contextlib.contextmanager
def only_one() -> Iterator[TextIO]:
    """Hold the lock of the one running ./run, with a note of where it serves."""
    with writable(database.VAR / "run.lock") as lock:
        if not try_lock(lock):
            lock.seek(0)
            raise ServeFailed(f"port444 is already running: {lock.read().strip() or 'it is just starting'}")
        yield lock


def writable(path: Path) -> TextIO:
    """Open a file of `var` to read and write."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")
    except PermissionError as error:
        raise ServeFailed(f"{error.filename} belongs to another user. Run this as that user, or remove it.") from error


def listen(port: str) -> socket.socket:
    """A listening socket, held here: a child that is started again loses no connection, and nobody takes the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, int(port)))
    except (OSError, ValueError, OverflowError) as error:
        listener.close()
        raise ServeFailed(f"Port {port} cannot be used ({getattr(error, 'strerror', None) or error}). Choose another: PORT=8445 ./run") from error
    listener.listen(256)
    return listener


def web_address(listener: socket.socket) -> str:
    """The address of the first page."""
    return f"http://{HOST}:{listener.getsockname()[1]}/"


def web_command(listener: socket.socket) -> list[str]:
    """gunicorn on a socket that is open already."""
    return [
        *("-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"),
        *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
        *("--timeout", "60", "--graceful-timeout", "5", "--log-level", "warning", "--no-control-socket"),
        "port444.wsgi",
    ]


def mail_command(listener: socket.socket) -> list[str]:
    """The mail sink on a socket that is open already."""
    return ["-m", "scripts.mailsink", str(listener.fileno()), str(development.MAIL)]


def first_page(address: str) -> int | None:
    """The status of the first page, or None while nobody answers."""
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def has_command(name: str) -> bool:
    """Whether an app of the project has this command of manage.py."""
    return any(database.HOME.glob(f"*/**/management/commands/{name}.py"))


def greeting(address: str, notes: list[str], seconds: float, *, captured: bool) -> str:
    """What stands at the end of the start."""
    lines = ["", f"port444 is ready after {seconds:.0f} s: {address}"]
    if captured:
        lines.append(f"E-mail is captured, never sent:  {address}dev/outbox/")
    for note in filter(None, notes):
        lines += ["", note]
    return "\n".join([*lines, "", "Ctrl-C stops it."])


def on_stop_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle the signals that end a program, but for those the caller has it ignore (nohup)."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def main(arguments: list[str]) -> int:
    """Serve, if nobody does yet."""
    os.chdir(database.HOME)
    on_stop_signals(signal.default_int_handler)  # until the supervisor takes over
    port = os.environ.get("PORT") or DEFAULT_PORT
    if missing := system.missing_libraries():
        say(f"documents cannot be made without {' '.join(missing)} (apt-get install {' '.join(missing)})")
    chain_port = 0
    if arguments == ["--chain"]:
        chain.anvil()
        chain_port = chain.free_port()
    with only_one() as lock, listen(port) as web_socket, listen("0") as mail_socket:
        lock.truncate(0)
        lock.write(f"{web_address(web_socket)} (process {os.getpid()})")
        lock.flush()
        with database.served() as base:
            Supervisor(base, web_socket, mail_socket, chain_port).run()
    return 0


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
