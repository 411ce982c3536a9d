"""Where an export goes: a file, a folder, standard output, or cold storage. Under its name it is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auditlog import cold
from auditlog.actions.exporting import temporary
from port444.kit.errors import Conflict, Invalid

STANDARD = "-"
NOWHERE = "standard output"  # the place of what went there


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that has no name yet; `publish` gives it the name it is found by, from its content's hash where it lies among others."""

    file: BinaryIO
    publish: Callable[[str], str]


def kind_of(dest: str, endings: tuple[str, ...]) -> str:
    """The ending that a destination names itself, or nothing."""
    return next((ending for ending in endings if dest.endswith(f".{ending}")), "")


@contextlib.contextmanager
def opened(dest: str, stem: str, ending: str) -> Iterator[Opened]:
    """A place to write to. Until it is published nothing is there, whatever happens."""
    if dest == STANDARD:
        with temporary() as file:
            yield Opened(file, lambda _: _to_standard(file))
    elif "://" in dest:
        try:
            store = cold.store(dest)
        except ValueError as error:
            raise Invalid(f"{error}.", code="place") from error
        with temporary() as file:
            yield Opened(file, lambda digest: _to_store(store, file, f"exports/{stem}-{digest[:16]}.{ending}"))
    else:
        path = Path(dest)
        if path.is_dir() or dest.endswith("/"):
            path = path / f"{stem}.{ending}"
        with _beside(path) as file:
            yield Opened(file, lambda _: _to_file(file, path))


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """A hidden file beside the one it will be, since a name is only moved inside one file system."""
    if not path.parent.is_dir():
        raise Invalid(f"There is no folder {path.parent}.", code="place")
    _require_free(path)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(part, "x+b", opener=_private) as file:
            yield file
    except PermissionError as error:
        raise Invalid(f"Nothing may be written to {path.parent}.", code="place") from error
    finally:
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _to_file(file: BinaryIO, path: Path) -> str:
    file.flush()
    os.fsync(file.fileno())
    try:
        os.link(str(file.name), path)  # refuses a name that is taken, which a rename would not
    except FileExistsError:
        _require_free(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return str(path)


def _require_free(path: Path) -> None:
    if path.exists():
        raise Conflict(f"{path} is there already, and stays as it is. Choose another name.", code="place_taken")


def _to_store(store: cold.Store, file: BinaryIO, name: str) -> str:
    store.put(name, file)
    return f"{store.url}/{name}"


def _to_standard(file: BinaryIO) -> str:
    file.seek(0)
    shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
    sys.stdout.buffer.flush()
    return NOWHERE
