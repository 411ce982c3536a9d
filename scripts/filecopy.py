"""Copies of uploads and of cold storage inside a backup: each content once, under its hash, and a journal of what lay where and when.

    files/objects/5f/5f1d6a...     a content, written once
    files/journal.jsonl            [moment, root, name, sha256, bytes, mtime]; without a hash: gone; without a root: a look was finished

A look at the folders costs one `stat` a file; only what is new is read. Since the journal knows moments, files come back as of any of them.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PIECE = 1 << 20
ENDED = ""  # the root of the line that ends a look


class FilesFailed(SystemExit):
    """The copies are not what they have to be; the message says which."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What the journal knows of one file."""

    digest: str
    size: int
    changed: int  # mtime in nanoseconds


Names = dict[tuple[str, str], Copy]  # by root and name


def save(folder: Path, roots: Mapping[str, Path]) -> int:
    """Copy what is new below the `roots`, note what is gone, and give how many contents were copied."""
    objects, journal = folder / "objects", folder / "journal.jsonl"
    objects.mkdir(parents=True, exist_ok=True)
    cut_torn_line(journal)
    known, moment, lines, copied = as_of(folder), _stamp(datetime.now(UTC)), [], 0
    there: set[tuple[str, str]] = set()
    for root, name, path in walk(roots):
        facts = path.stat()
        there.add((root, name))
        before = known.get((root, name))
        if before is not None and (before.size, before.changed) == (facts.st_size, facts.st_mtime_ns):
            continue
        digest, is_new = put(objects, path)
        copied += is_new
        lines.append([moment, root, name, digest, facts.st_size, facts.st_mtime_ns])
    lines += [[moment, root, name, None, 0, 0] for root, name in sorted(known.keys() - there)]
    lines.append([moment, ENDED, "", None, 0, 0])
    with journal.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    return copied


def restore(folder: Path, roots: Mapping[str, Path], until: datetime | None = None) -> int:
    """Put the files back below the `roots`, as they were at `until`, each held to its hash; how many.

    What was first seen by the look that followed `until` belongs to it, because a row that names a file is written after the file.
    """
    names = as_of(folder, until)
    for (root, name), copy in sorted(names.items()):
        if root not in roots:
            continue
        target = roots[root] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = place(folder / "objects", copy.digest)
        if not source.exists():
            raise FilesFailed(f"{root}/{name} is not in the backup: {source} is gone.")
        if digest_of(source, target) != copy.digest:
            raise FilesFailed(f"{root}/{name} is not what was backed up: {source} has another content.")
        os.utime(target, ns=(copy.changed, copy.changed))
    return len(names)


def check(folder: Path) -> int:
    """Hold every content that the journal names to its hash; how many there are."""
    digests = {line[3]: f"{line[1]}/{line[2]}" for line in read(folder / "journal.jsonl") if line[3]}
    for digest, name in digests.items():
        source = place(folder / "objects", digest)
        if not source.exists():
            raise FilesFailed(f"{name} is not in the backup: {source} is gone.")
        if digest_of(source) != digest:
            raise FilesFailed(f"{name} is not what was backed up: {source} has another content.")
    return len(digests)


def as_of(folder: Path, until: datetime | None = None) -> Names:
    """What the journal says to have lain there at `until`, or at the end."""
    names: Names = {}
    end, last = _stamp(until) if until else "", ""
    for moment, root, name, digest, size, changed in read(folder / "journal.jsonl"):
        if end and moment > end and last > end and moment > last:
            break
        if root == ENDED:
            last = moment
        elif digest:
            names[root, name] = Copy(digest, size, changed)
        elif not end or moment <= end:  # what the look after `until` misses may have been there at `until`
            names.pop((root, name), None)
    return names


def walk(roots: Mapping[str, Path]) -> Iterator[tuple[str, str, Path]]:
    """Root, name and path of every file but those that begin with a dot, which are being written."""
    for root, folder in roots.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                yield root, path.relative_to(folder).as_posix(), path


def put(objects: Path, path: Path) -> tuple[str, bool]:
    """Keep the content of a file; its hash, and whether it was new."""
    part = objects / f".{os.getpid()}.part"
    digest = digest_of(path, part)
    target = place(objects, digest)
    is_new = not target.exists()
    if is_new:
        target.parent.mkdir(exist_ok=True)
        part.chmod(0o444)
        part.rename(target)
    else:
        part.unlink()
    return digest, is_new


def place(objects: Path, digest: str) -> Path:
    return objects / digest[:2] / digest


def digest_of(path: Path, copy: Path | None = None) -> str:
    """The SHA-256 of a file, which is copied on the way when that is asked for."""
    digest = hashlib.sha256()
    with path.open("rb") as source, copy.open("wb") if copy else open(os.devnull, "wb") as target:
        while piece := source.read(PIECE):
            digest.update(piece)
            target.write(piece)
        if copy:
            target.flush()
            os.fsync(target.fileno())
    return digest.hexdigest()


def read(journal: Path) -> Iterator[list]:  # type: ignore[type-arg]  # texts and numbers, as they were written
    """The lines of the journal."""
    if not journal.exists():
        return
    with journal.open() as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except ValueError:
                raise FilesFailed(f"Line {number} of {journal} cannot be read.") from None


def cut_torn_line(journal: Path) -> None:
    """Take away the half line that a killed writer has left."""
    if not journal.exists():
        return
    content = journal.read_bytes()
    if content and not content.endswith(b"\n"):
        os.truncate(journal, content.rfind(b"\n") + 1)


def expire(folder: Path, before: datetime) -> int:
    """Remove the contents that no moment since `before` needs; how many."""
    start, needed = _stamp(before), set[str]()
    latest: dict[tuple[str, str], str] = {}
    for moment, root, name, digest, _, _ in read(folder / "journal.jsonl"):
        if root == ENDED:
            continue
        held = latest.pop((root, name), None)
        if held and moment >= start:
            needed.add(held)
        if digest:
            latest[root, name] = digest
    needed |= set(latest.values())
    removed = 0
    for path in (folder / "objects").glob("??/*"):
        if path.name not in needed:
            path.unlink()
            removed += 1
    return removed


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
