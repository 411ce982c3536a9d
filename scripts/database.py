"""Where the database is: an external one by DATABASE_URL, or the embedded one, started for as long as it is used."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from scripts import devpg
from scripts.environment import say, try_lock

HOME = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("PORT444_VAR") or HOME / "var")
TESTS = VAR / "test"
# Tests copy and drop databases of 1,300 files all the time. Some file systems look for a long while at what was deleted before they make a file.
IN_MEMORY = Path("/dev/shm") / f"port444-{os.geteuid()}"  # in which every server has a folder of its own
GIB = 2**30


@dataclass(frozen=True)
class Database:
    """The addresses as Django reads them, and the embedded server behind them if it is ours."""

    addresses: dict[str, str]
    server: devpg.Server | None = None

    def keep_alive(self) -> None:
        """Start the embedded server again when it was killed."""
        if self.server is not None and self.server.pid() is None:
            say("PostgreSQL is gone; starting it again")
            self.server.start()


@contextlib.contextmanager
def served() -> Iterator[Database]:
    """The database that ./run serves from."""
    if external := external_addresses(os.environ):
        yield Database(external)
        return
    with devpg.Server(VAR).running() as server:
        say(f"PostgreSQL {server.major} is up ({server.binaries})")
        yield Database(server.environment(), server)


@contextlib.contextmanager
def thrown_away(*, durable: bool = False, small: bool = False, settings: tuple[str, ...] = ()) -> Iterator[Database]:
    """A database made for one run of the tests; several runs at once do not meet. A durable one waits for its disk, as one that serves does;
    a small one needs no disk where there is memory enough; `settings` are those of the embedded server, beside its own."""
    if external := external_addresses(os.environ):
        yield Database(external)
        return
    sweep_test_servers()
    server = devpg.Server((IN_MEMORY if small and has_memory() else TESTS) / secrets.token_hex(4), durable=durable, settings=settings)
    try:
        with server.running():
            yield Database(server.environment(), server)
    finally:
        remove(server)


@contextlib.contextmanager
def copies(base: Database) -> Iterator[dict[str, str]]:
    """The environment in which the tests keep databases to copy: those whose names begin with that of a folder, for as long as this."""
    with tempfile.TemporaryDirectory(prefix="port444_copies_") as folder:
        try:
            yield {"PORT444_COPIES": folder}
        finally:
            if base.server is None:
                drop(base.addresses["DATABASE_OWNER_URL"], f"{Path(folder).name}_")


def drop(url: str, prefix: str) -> None:
    """Remove the databases whose names begin so."""
    with psycopg.connect(url, autocommit=True) as connection:
        named = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall()
        for (name,) in named:
            connection.execute(f"DROP DATABASE {name}")


def external_addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """DATABASE_URL and its companions when the first is set; one role may play all parts."""
    url = environment.get("DATABASE_URL")
    if not url:
        return {}
    return {
        "DATABASE_URL": url,
        "DATABASE_OWNER_URL": environment.get("DATABASE_OWNER_URL") or url,
        "DATABASE_VIEWER_URL": environment.get("DATABASE_VIEWER_URL") or "",
    }


def as_owner(addresses: Mapping[str, str]) -> dict[str, str]:
    """The same addresses for a command that changes tables: DATABASE_URL is what Django connects with."""
    return {**addresses, "DATABASE_URL": addresses["DATABASE_OWNER_URL"]}


def has_memory() -> bool:
    """Whether a server of a few GiB may lie in memory beside all else that tests need (Linux)."""
    with contextlib.suppress(OSError):
        known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(known["MemAvailable"].split()[0]) * 1024 > 8 * GIB and shutil.disk_usage(IN_MEMORY.parent).free > 4 * GIB
    return False


def sweep_test_servers() -> None:
    """Stop and remove the servers of test runs that were killed."""
    for folder in (*TESTS.glob("*/pg*"), *IN_MEMORY.glob("*/pg*")):
        with contextlib.suppress(OSError), (folder / "users.lock").open("a") as users:
            if try_lock(users):
                server = devpg.Server(folder.parent, durable=False)
                server.stop()
                remove(server)


def remove(server: devpg.Server) -> None:
    """Remove a stopped server with all its data."""
    shutil.rmtree(server.folder, ignore_errors=True)
    shutil.rmtree(server.socket_folder, ignore_errors=True)
