"""./run rehearse: a site is backed up, destroyed and restored, and has to be what it was.

    ./run rehearse             a throw-away site with demo data: backed up while it lives on, destroyed, restored to its last second;
                               then destroyed once more and restored to the moment before a mistake
    ./run rehearse --short     the first of the two
    ./run rehearse FOLDER      restore the newest backup of FOLDER aside and check it (with the secrets of that site in the environment)

Each step is printed with its time. Ends with 1 when anything differs: a row, a file, a seal of the audit log, a sum in the ledger.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import sql

from scripts import backup, database, devpg, filecopy
from scripts.environment import leave, say, tell

# What a restored site has to pass, each a command of manage.py.
CHECKS = (("audit_verify", "--files"), ("ledger_verify",), ("audit_roles", "--check"))
# Not compared: what may be lost in a crash is in no backup.
TABLES = """
SELECT n.nspname, c.relname, c.relkind = 'S' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2
"""
ROWS = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} t"
PLACE = "SELECT last_value, '' FROM {}"
RECEIVED = "SELECT flush_lsn >= pg_current_wal_flush_lsn() FROM pg_stat_replication WHERE application_name = 'pg_receivewal'"
RECEIVING_TAKES = 30.0
# Somebody forgets the condition, as the owner of the tables.
MISTAKE = "UPDATE catalog_service SET title = 'oops'"

State = dict[str, tuple[int, str]]  # of each table, sequence or file: how many rows or bytes, and a hash


class Differs(SystemExit):
    """What was restored is not what was there; the message says what differs."""


@dataclass
class Rehearsal:
    """One throw-away site below `folder`, and its backup beside it."""

    folder: Path
    server: devpg.Server = field(init=False)
    tools: backup.Tools = field(init=False)
    receiver: subprocess.Popen[bytes] | None = field(init=False, default=None)
    keys: dict[str, str] = field(init=False, default_factory=lambda: {"SECRET_KEY": secrets.token_urlsafe(60)})

    def __post_init__(self) -> None:
        # A server that is being restored answers when all changes are played, not before.
        self.server = devpg.Server(self.folder / "site", settings=("hot_standby=off",))
        self.tools = backup.Tools(self.server.binaries, self.server.account)

    @property
    def kept(self) -> Path:
        return self.folder / "backup"

    @property
    def roots(self) -> dict[str, Path]:
        return {"storage": self.folder / "site" / "storage", "cold": self.folder / "site" / "cold"}

    @property
    def url(self) -> str:
        """The database by a role that may replicate."""
        return f"postgres://postgres@/{devpg.DATABASE}?host={self.server.socket_folder}"

    def environment(self) -> dict[str, str]:
        """All that a command of this site reads."""
        return {
            **os.environ,
            "PORT444_ENV": "development",
            **self.keys,
            "PORT444_VAR": str(self.folder / "site"),
            "PORT444_STORAGE": str(self.roots["storage"]),
            "AUDIT_COLD_URL": self.roots["cold"].as_uri(),
            "AUDIT_HOT_DAYS": "0",  # so that rows go into cold storage at once
            **self.server.environment(),
        }

    def python(self, *arguments: str, as_owner: bool = False) -> str:
        """Run Python with these arguments to its end, and give what it said. Raises Differs when it fails."""
        environment = database.as_owner(self.environment()) if as_owner else self.environment()
        done = subprocess.run(
            [sys.executable, *arguments], check=False, env=environment, cwd=database.HOME, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Differs(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout.strip()}\n{done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def make(self) -> None:
        """The site, with demo data."""
        self.server.make_folders()
        self.server.start()
        self.python("manage.py", "migrate", "--verbosity=0", as_owner=True)
        self.python("manage.py", "sync_schedules")
        self.python("manage.py", "seed_demo")

    def back_up(self) -> None:
        """Begin to receive changes, then make the whole copy."""
        command = backup.receiving(self.kept, self.url, self.tools)
        with (self.folder / "receiver.log").open("ab") as log:
            self.receiver = self.server.account.spawn(*command, log=log)
        backup.make_base(self.kept, self.url, self.roots, self.tools)

    def live_on(self) -> None:
        """What only the changes hold: messages with files, seals."""
        self.python("-m", "scripts.rehearsing", "grow")
        self.python("-m", "scripts.rehearsing", "seal")
        filecopy.save(self.kept / "files", self.roots)

    def make_mistake(self) -> datetime:
        """Change every service; the moment before it."""
        with self.server.connect(devpg.DATABASE) as connection:
            row = connection.execute("SELECT clock_timestamp()").fetchone()
            connection.execute("SET ROLE port444_owner")
            connection.execute(MISTAKE)
        assert row is not None
        assert isinstance(row[0], datetime)
        self.python("-m", "scripts.rehearsing", "seal")  # as each minute
        filecopy.save(self.kept / "files", self.roots)
        return row[0]

    def state(self) -> State:
        """Rows and a hash of every table, the place of every sequence, bytes and hash of every file."""
        found: State = {}
        with self.server.connect(devpg.DATABASE) as connection:
            for schema, name, is_sequence in connection.execute(TABLES).fetchall():
                query: Any = sql.SQL(PLACE if is_sequence else ROWS).format(sql.Identifier(str(schema), str(name)))
                row: Any = connection.execute(query).fetchone()
                found[f"{'sequence ' if is_sequence else ''}{schema}.{name}"] = (int(row[0]), str(row[1]))
        for root, name, path in filecopy.walk(self.roots):
            found[f"{root}/{name}"] = (path.stat().st_size, filecopy.digest_of(path))
        return found

    def destroy(self) -> None:
        """Lose the machine: the server is killed, its data folder and all files are removed."""
        self.wait_until_received()
        pid = self.server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.server.wait_for_end(20)
        self.server.process = None
        self.stop_receiving()
        for path in (self.server.data, *self.roots.values()):
            shutil.rmtree(path)

    def wait_until_received(self) -> None:
        """Wait until the backup has every change; without a receiver it has them already."""
        deadline = time.monotonic() + RECEIVING_TAKES
        while self.receiver is not None:
            with self.server.connect(devpg.DATABASE) as connection:
                row = connection.execute(RECEIVED).fetchone()
            if row == (True,):
                return
            if self.receiver.poll() is not None or time.monotonic() > deadline:
                raise Differs(f"Changes are not received:\n{(self.folder / 'receiver.log').read_text()[-800:]}")
            time.sleep(0.05)

    def stop_receiving(self) -> None:
        if self.receiver is not None:
            self.receiver.terminate()
            self.receiver.wait(20)
            self.receiver = None

    def restore(self, until: datetime | None = None, *, folder: Path | None = None) -> backup.Base:
        """Bring it back from nothing but the backup; of which whole copy."""
        self.server.make_folders()
        base = backup.restore(folder or self.kept, self.server.data, self.roots, self.tools, until)
        self.server.start()
        return base

    def compare(self, before: State) -> str:
        """How much is the same. Raises Differs, naming what is not."""
        after = self.state()
        wrong = differences(before, after)
        if wrong:
            raise Differs("\n".join([f"{len(wrong)} things are not what they were:", *wrong[:20]]))
        files = sum(not name.startswith(("sequence ",)) and "/" in name for name in after)
        rows = sum(count for name, (count, _) in after.items() if "/" not in name and not name.startswith("sequence "))
        return f"{rows:,} rows in {len(after) - files} tables and sequences, {files} files"

    def check(self) -> list[str]:
        """The last line that each check says, all of which pass."""
        return [f"{command[0]}: {self.python('manage.py', *command).splitlines()[-1]}" for command in CHECKS]

    def end(self) -> None:
        """Leave nothing behind."""
        self.stop_receiving()
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.server.socket_folder, ignore_errors=True)


def differences(before: State, after: State) -> list[str]:
    """What is missing, came up or changed. A sequence may have gone on: after a crash it skips some numbers."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was == now or (was and now and name.startswith("sequence ") and now[0] >= was[0]):
            continue
        found.append(f"  {name}: {words(was)} before, {words(now)} now")
    return found


def words(state: tuple[int, str] | None) -> str:
    return "nothing" if state is None else f"{state[0]:,} ({state[1][:12]})"


@contextlib.contextmanager
def step(name: str) -> Iterator[list[str]]:
    """Print what is done, what it came to and how long it took."""
    started, said = time.monotonic(), list[str]()
    try:
        yield said
    except SystemExit:
        say(f"FAILED   {name} ({time.monotonic() - started:.1f} s)")
        raise
    say(f"{time.monotonic() - started:6.1f} s  {name}{': ' if said else ''}{'; '.join(said)}")


@contextlib.contextmanager
def rehearsal() -> Iterator[Rehearsal]:
    """A place for one, removed afterwards."""
    made = Rehearsal(database.VAR.resolve() / "rehearsal" / secrets.token_hex(4))
    made.folder.mkdir(parents=True)
    try:
        yield made
    finally:
        made.end()


def whole(play: Rehearsal, *, short: bool) -> None:
    """From a site that is made to one that is restored, once or twice."""
    with step("a site with demo data"):
        play.make()
    with step("its audit log sealed, rows and seals in cold storage"):
        play.python("-m", "scripts.rehearsing", "seal")
    with step("a backup, and from here on every change") as said:
        play.back_up()
        said.append(size_of(play.kept))
    with step("life goes on: messages, files, seals"):
        play.live_on()
    if short:
        lose_and_restore(play)
        return
    good = play.state()
    with step("a mistake: every service renamed") as said:
        moment = play.make_mistake()
        said.append(f"{moment:%H:%M:%S.%f}")
    last = lose_and_restore(play)
    with step("destroyed again"):
        play.destroy()
    with step("restored to the moment before the mistake"):
        play.restore(moment)
    with step("compared with what was there then") as said:
        # Cold storage is never set back: it knows of the seals that this database has lost, and has to be told why.
        said.append(play.compare({**part(last, cold=True), **part(good, cold=False)}))
    with step("refused until the loss is acknowledged"):
        refuse_unacknowledged(play)
    with step("acknowledged, and checked") as said:
        play.python("manage.py", "audit_new_epoch", "--reason", "Restored to the moment before every service was renamed")
        said += play.check()


def lose_and_restore(play: Rehearsal) -> State:
    """Destroy the site, restore it to its last second, compare and check; what there was."""
    with step("every table and file counted and hashed"):
        before = play.state()
    with step("destroyed: server killed, database and files removed"):
        play.destroy()
    with step("restored from the backup, every byte of it checked"):
        play.restore()
    with step("compared with what was there") as said:
        said.append(play.compare(before))
    with step("checked") as said:
        said += play.check()
    return before


def refuse_unacknowledged(play: Rehearsal) -> None:
    """The audit log says by itself that a part of it is gone."""
    try:
        play.python("manage.py", "audit_verify")
    except Differs:
        return
    raise Differs("The audit log was set back, and nobody noticed.")


def restored(play: Rehearsal, folder: Path) -> None:
    """Restore somebody's backup aside and check it."""
    play.keys = {}  # those of the site, from the environment
    with step(f"restored from {folder}, every byte of it checked") as said:
        said.append(play.restore(folder=folder).folder.name)
    with step("checked") as said:
        said += play.check()


def part(state: State, *, cold: bool) -> State:
    """What of it lies in cold storage, or all else."""
    return {name: facts for name, facts in state.items() if name.startswith("cold/") is cold}


def size_of(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 2**20:.0f} MiB"


def main(arguments: list[str]) -> int:
    """Rehearse, and end with 0 when all is what it was."""
    os.chdir(database.HOME)
    started = time.monotonic()
    match arguments:
        case [] | ["--short"]:
            with rehearsal() as play:
                whole(play, short=bool(arguments))
        case [name] if Path(name).is_dir():
            with rehearsal() as play:
                restored(play, Path(name).resolve())
        case _:
            tell(str(__doc__))
            return 2
    say(f"everything is what it was ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
