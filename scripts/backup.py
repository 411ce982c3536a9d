"""Back up and restore a whole site: its PostgreSQL to any moment, its uploads, and cold storage where that is a folder.

    python -m scripts.backup wal FOLDER             receive the changes of the database, second by second, until it is stopped (a service)
    python -m scripts.backup base FOLDER            a whole copy of the database, checked, and of the files (each night)
    python -m scripts.backup files FOLDER           the files that are new (every few minutes)
    python -m scripts.backup check FOLDER           read all of it: every byte as it was written, and no gap
    python -m scripts.backup expire FOLDER KEEP     remove what is older than the newest KEEP whole copies need
    python -m scripts.backup restore FOLDER DATA [MOMENT]
                                                    make the data folder DATA of a whole copy and put the files back; started on it,
                                                    PostgreSQL plays the changes, to their end or to MOMENT (2026-11-23T22:40:00+00:00)

FOLDER should lie on another machine than the database. In it:

    base/20261123T224000Z/    a whole copy, with PostgreSQL's own list of its files and their hashes
    wal/                      what has changed since, in files of 16 MiB; the newest is `.partial`
    files/                    see scripts/filecopy.py

BACKUP_DATABASE_URL names the database by a role that may replicate; PORT444_STORAGE and AUDIT_COLD_URL say where the files are, as for
the site. docs/operate.md says how they play together.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scripts import devpg, filecopy
from scripts.environment import leave, tell

SLOT = "port444_backup"  # by which the server keeps what was not received yet
SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?")
STARTED_IN = re.compile(r"START WAL LOCATION: ([0-9A-F]+/[0-9A-F]+) \(file ([0-9A-F]{24})\)")
# How reading changes ends: at what was not written yet, or at a file that is not there.
STOPPED_AT = re.compile(r"error in WAL record at ([0-9A-F]+)/([0-9A-F]+)|could not (?:find|open) file \"?([0-9A-F]{24})")


class BackupFailed(SystemExit):
    """The backup cannot be made, or is not what it has to be; the message says why."""


@dataclass(frozen=True)
class Tools:
    """The programs of PostgreSQL, and who runs them."""

    binaries: Path
    account: devpg.Account = field(default_factory=devpg.Account)

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of them to its end; raises PostgresFailed with what it said."""
        self.account.run(self.binaries / program, *arguments)


@dataclass(frozen=True)
class Base:
    """One whole copy of the database."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "database"

    @property
    def ended_at(self) -> datetime:
        """The first moment to which it can be brought."""
        return datetime.fromisoformat(json.loads((self.folder / "backup.json").read_text())["ended_at"])

    def start(self) -> tuple[str, str]:
        """Where the changes begin that belong to it: the place, and the file of 16 MiB."""
        found = STARTED_IN.search((self.database / "backup_label").read_text())
        if found is None:
            raise BackupFailed(f"{self.database / 'backup_label'} does not say where the copy begins.")
        return found[1], found[2]


def bases(folder: Path) -> list[Base]:
    """The whole copies, the oldest first."""
    return [Base(path.parent) for path in sorted((folder / "base").glob("*Z/backup.json"))]


def make_base(folder: Path, url: str, roots: Mapping[str, Path], tools: Tools) -> Base:
    """Copy the whole database and the files. What a killed run has left is removed; a copy is there whole or not at all."""
    started = datetime.now(UTC)
    prepare(folder, tools)
    for left in (folder / "base").glob(".*Z"):
        shutil.rmtree(left)
    name = f"{started:%Y%m%dT%H%M%SZ}"
    half = folder / "base" / f".{name}"
    tools.account.make_folder(half)
    copied = ("--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256", "--label", f"port444 {name}")
    tools.run("pg_basebackup", "--dbname", url, "--pgdata", half / "database", *copied)
    tools.run("pg_verifybackup", half / "database")
    filecopy.save(folder / "files", roots)
    facts = {"started_at": started.isoformat(), "ended_at": datetime.now(UTC).isoformat()}
    (half / "backup.json").write_text(json.dumps(facts))
    half.rename(folder / "base" / name)
    return Base(folder / "base" / name)


def prepare(folder: Path, tools: Tools) -> None:
    """The folders of a backup, entered by nobody else."""
    for name in ("base", "wal"):
        tools.account.make_folder(folder / name)
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files").chmod(0o700)


def receiving(folder: Path, url: str, tools: Tools) -> list[str]:
    """The command that receives changes until it is stopped, by a slot, so that none is missed while it does not run."""
    prepare(folder, tools)
    place = ("--dbname", url, "--directory", str(folder / "wal"), "--slot", SLOT)
    tools.run("pg_receivewal", *place, "--create-slot", "--if-not-exists")
    return [str(tools.binaries / "pg_receivewal"), *place, "--synchronous"]


def check(folder: Path, tools: Tools) -> None:
    """Read every whole copy, all changes and all files. Raises, naming the first that is not as it was written, or is missing."""
    if not bases(folder):
        raise BackupFailed(f"{folder} holds no whole copy.")
    for base in bases(folder):
        tools.run("pg_verifybackup", base.database)
    check_changes(folder, bases(folder)[0], tools)
    filecopy.check(folder / "files")


def check_changes(folder: Path, base: Base, tools: Tools) -> None:
    """Raise unless the changes from the beginning of `base` on are there without a gap and can be read to where the newest file ends."""
    place, first = base.start()
    received = segments(folder / "wal")
    beginning = number_of(first)
    if not received or max(received) < beginning:
        raise BackupFailed(f"{folder / 'wal'} holds no changes since the copy {base.folder.name}: is `backup wal` running?")
    missing = [number for number in range(beginning, max(received) + 1) if number not in received]
    if missing:
        raise BackupFailed(f"{len(missing)} files of changes are missing in {folder / 'wal'}, the first after {name_of(first, missing[0] - 1)}.")
    ends = max(number for number, path in received.items() if path.name.startswith(first[:8]))
    with tempfile.TemporaryDirectory(prefix="port444-wal-") as aside:
        Path(aside).chmod(0o755)
        for path in received.values():
            (Path(aside) / path.name.removesuffix(".partial")).symlink_to(path)
        try:
            tools.run("pg_waldump", "--quiet", "--path", aside, "--timeline", str(int(first[:8], 16)), "--start", place)
        except devpg.PostgresFailed as failure:
            if stopped_in(str(failure)) < ends:
                raise BackupFailed(f"The changes in {folder / 'wal'} cannot be read to their end. {failure}") from None


def segments(folder: Path) -> dict[int, Path]:
    """The files of changes by their number, whatever timeline they are of; a whole one comes before a partial one."""
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir(), reverse=True):
        if SEGMENT.fullmatch(path.name):
            found[number_of(path.name)] = path
    return found


def number_of(name: str) -> int:
    """The number of a file of changes of 16 MiB, of which 256 share the middle part of the name."""
    return int(name[8:16], 16) * 256 + int(name[16:24], 16)


def name_of(like: str, number: int) -> str:
    return f"{like[:8]}{number // 256:08X}{number % 256:08X}"


def stopped_in(said: str) -> int:
    """The number of the file at which pg_waldump stopped."""
    stopped = STOPPED_AT.search(said)
    if stopped is None:
        return -1
    return number_of(stopped[3]) if stopped[3] else int(stopped[1], 16) * 256 + (int(stopped[2], 16) >> 24)


def restore(folder: Path, data: Path, roots: Mapping[str, Path], tools: Tools, until: datetime | None = None) -> Base:
    """Make `data` of the newest whole copy from before `until`, ready to be started, and put the files back; which copy it was.

    Everything is checked on the way. Raises when `data` or one of `roots` holds something: nothing is ever written over.
    """
    for path in (data, *roots.values()):
        if path.exists() and any(path.iterdir()):
            raise BackupFailed(f"{path} is not empty. Move it away first: nothing is written over.")
    fitting = [base for base in bases(folder) if until is None or base.ended_at <= until]
    if not fitting:
        raise BackupFailed(f"{folder} holds no whole copy{f' from before {until}' if until else ''}.")
    base = fitting[-1]
    check_changes(folder, base, tools)
    if data.exists():
        data.rmdir()
    shutil.copytree(base.database, data, symlinks=True)
    write_recovery(folder, data, until)  # in two files that the list of the copy does not name
    tools.account.make_folder(data)
    tools.run("pg_verifybackup", data)
    for root, place in roots.items():  # cold storage is never set back: it is what tells that a log was
        filecopy.restore(folder / "files", {root: place}, None if root == "cold" else until)
    return base


def write_recovery(folder: Path, data: Path, until: datetime | None) -> None:
    """Tell PostgreSQL to play the changes when it starts, and to serve when they are played."""
    wal = str(folder.resolve() / "wal").replace("%", "%%")
    settings = {"restore_command": f'cp "{wal}/%f" "%p" || cp "{wal}/%f.partial" "%p"'}
    if until:
        settings |= {"recovery_target_time": until.astimezone(UTC).isoformat(sep=" "), "recovery_target_action": "promote"}
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items())
    (data / "recovery.signal").touch()


def expire(folder: Path, keep: int, tools: Tools) -> int:
    """Remove the whole copies but the newest `keep`, and the changes and contents that only they needed; how many copies."""
    if keep < 1:
        raise BackupFailed("Keep one whole copy at least.")
    old, kept = bases(folder)[:-keep], bases(folder)[-keep:]
    if not old:
        return 0
    for base in old:
        shutil.rmtree(base.folder)
    tools.run("pg_archivecleanup", folder / "wal", kept[0].start()[1])
    filecopy.expire(folder / "files", kept[0].ended_at)
    return len(old)


def roots_of(environment: Mapping[str, str]) -> dict[str, Path]:
    """The folders whose files belong to the site. Cold storage in a bucket is not among them: the bucket keeps it."""
    var = Path(environment.get("PORT444_VAR") or Path(__file__).resolve().parent.parent / "var")
    cold = urlsplit(environment.get("AUDIT_COLD_URL") or (var / "cold").absolute().as_uri())
    roots = {"storage": Path(environment.get("PORT444_STORAGE") or var / "storage")}
    return roots | ({"cold": Path(unquote(cold.path))} if cold.scheme == "file" else {})


def address() -> str:
    if url := os.environ.get("BACKUP_DATABASE_URL"):
        return url
    raise BackupFailed("Set BACKUP_DATABASE_URL, with a role that may replicate (docs/operate.md).")


def main(arguments: list[str]) -> int:
    """Do what the first word says."""
    match arguments:
        case [word, folder_name, *more]:
            folder = Path(folder_name).resolve()
        case _:
            tell(str(__doc__))
            return 2
    folder.mkdir(parents=True, exist_ok=True)
    binaries = devpg.find_binaries()
    tools, roots, started = Tools(binaries, devpg.Account.fit_for(folder, binaries)), roots_of(os.environ), time.monotonic()
    match word, more:
        case "wal", []:
            command = receiving(folder, address(), tools)
            os.execv(command[0], command)
        case "base", []:
            said = f"copied to {make_base(folder, address(), roots, tools).folder}"
        case "files", []:
            said = f"{filecopy.save(folder / 'files', roots)} new contents"
        case "check", []:
            check(folder, tools)
            said = "everything is there, as it was written"
        case "expire", [keep] if keep.isdigit():
            said = f"{expire(folder, int(keep), tools)} whole copies removed"
        case "restore", [data, *moment] if len(moment) < 2:
            until = datetime.fromisoformat(moment[0]).astimezone(UTC) if moment else None
            base = restore(folder, Path(data).resolve(), roots, tools, until)
            said = f"{data} is made of {base.folder.name}; start PostgreSQL on it, then look at its log and run the checks of docs/operate.md"
        case _:
            tell(str(__doc__))
            return 2
    tell(f"{said} ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
