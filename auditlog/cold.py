"""Cold storage: where exported rows and copies of the seals lie, out of reach of whoever can change the database."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from django.conf import settings


class Exists(Exception):
    """Something else lies under this name already; nothing was written."""


class Missing(Exception):
    """Nothing lies under this name."""


class Store(Protocol):
    """A place for files that are written once. Names are relative, with slashes."""

    url: str

    def put(self, name: str, content: BinaryIO) -> None:
        """Write all of `content`, at once as a reader sees it. The same bytes again are fine; other bytes raise Exists."""

    def open(self, name: str) -> BinaryIO:
        """The bytes, to be read in a stream and closed; raises Missing."""

    def size(self, name: str) -> int:
        """Bytes; raises Missing."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with `prefix`, in their order."""


def store(url: str = "") -> Store:
    """The store at `url`, by default AUDIT_COLD_URL."""
    url = url or settings.AUDIT_COLD_URL
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Folder(Path(unquote(parts.path)))
    raise ValueError(f"{url} is not an address of cold storage: file:///folder, s3://bucket/prefix or gs://bucket/prefix")


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()

    def put(self, name: str, content: BinaryIO) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            with part.open("wb") as file:
                while chunk := content.read(1 << 20):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(part, path)  # refuses a name that is taken, which a rename would not
            except FileExistsError:
                if _digest(path) != _digest(part):
                    raise Exists(name) from None
        finally:
            part.unlink(missing_ok=True)

    def open(self, name: str) -> BinaryIO:
        try:
            return (self.root / name).open("rb")
        except FileNotFoundError:
            raise Missing(name) from None

    def size(self, name: str) -> int:
        try:
            return (self.root / name).stat().st_size
        except FileNotFoundError:
            raise Missing(name) from None

    def names(self, prefix: str) -> Iterator[str]:
        paths = (path for path in self.root.rglob("*") if path.is_file() and not path.name.startswith("."))
        return iter(sorted(name for name in (path.relative_to(self.root).as_posix() for path in paths) if name.startswith(prefix)))


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
