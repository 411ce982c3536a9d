"""The log as files in cold storage: what a manifest says, and reading a file back.

A manifest lies at `manifests/<first seal>-<last seal>.json`, numbers in twelve digits. It is the JSON object

    {"body": text, "hash": hex, "key_id": hex, "signature": hex}

where `hash` is the SHA-256 of the body (UTF-8) and `signature` an Ed25519 signature over `signing.Kind.MANIFEST`, a newline and the
body. The body is canonical JSON (sorted keys, no spaces, ASCII):

    kind           "export": the rows of whole seals, which the log's ledger of exports names; "copy": rows copied for somebody
    version        1, of this form
    schema         how a line is printed (`lines.SCHEMA_VERSION`)
    columns        their names in the order of the line
    format         "csv" | "jsonl" | "parquet"
    compression    "gzip" | "zstd"; of parquet it lies inside of the file
    data_key, data_bytes, data_sha256   the file of rows as it lies in the same place
    lines_sha256   of the text it unpacks to, the header included; null for parquet
    rows           how many
    seals          [{"body", "hash", "key_id", "signature"}, ...] of every seal in order, as they are anchored: with their roots the
                   file is checked without the database. The rows of a seal are its next `rows` lines. Empty for a copy.
    made_at        moment

and of an export, always csv with gzip, also

    first_seal, last_seal, epoch, from_xid, through_xid
    first_id, last_id, first_at, last_at   lowest and highest of the rows; null when there are none
    previous       SHA-256 of the manifest before, as a file; "" for the first

and of a copy

    since, until   moments; null where it was not bounded. Rows with since <= timestamp < until.

Moments are ISO 8601 in UTC with microseconds. The CSV has a header line of the column names; its other lines are those that are
sealed, each with a newline behind it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO, cast

from isal import isal_zlib

from . import cold, seals, signing
from .lines import COLUMNS, HEADER, SCHEMA_VERSION, split
from .models import AuditExport, AuditSeal

VERSION = 1
FOLDER = "manifests/"
GZIP = 16 + 15  # a header of gzip, and its largest window
BLOCK = 1 << 18
NotGzip = cast(type[Exception], isal_zlib.IsalError)  # which its stub takes for an instance


class Damaged(Exception):
    """A file in cold storage is not what it has to be: replaced, cut, or gone."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name} {what}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as a file, and what it says."""

    content: bytes
    body: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


def manifest_key(first_seal: int, last_seal: int) -> str:
    return f"{prefix(first_seal)}{last_seal:012d}.json"


def prefix(first_seal: int) -> str:
    """How the name of a manifest begins that begins with this seal."""
    return f"{FOLDER}{first_seal:012d}-"


def sealed(seal: AuditSeal) -> dict[str, str]:
    """A seal as a manifest holds it."""
    facts: dict[str, str] = json.loads(seals.anchor_content(seal))
    return facts


def sign(kind: str, **facts: Any) -> Manifest:
    """A new manifest, signed."""
    text = seals.canonical({"kind": kind, "version": VERSION, "schema": SCHEMA_VERSION, "columns": COLUMNS, **facts})
    key_id, signature = signing.sign(signing.Kind.MANIFEST, text.encode())
    outer = {"body": text, "hash": seals.hash_of(text).hex(), "key_id": key_id, "signature": signature.hex()}
    return Manifest(seals.canonical(outer).encode() + b"\n", json.loads(text))


def read_manifest(store: cold.Store, name: str, *, digest: str = "") -> Manifest:
    """The manifest of that name, after checking its signature and, when it is known, its SHA-256; raises Damaged."""
    try:
        with store.open(name) as file:
            content = file.read()
    except cold.Missing:
        raise Damaged(name, "is gone") from None
    if digest and sha256(content).hexdigest() != digest:
        raise Damaged(name, "is not the file that was written")
    signed = seals.read_signed(signing.Kind.MANIFEST, content)
    if signed is None:
        raise Damaged(name, "is not signed by a key that is known")
    return Manifest(content, signed[1])


def as_file(manifest: Manifest) -> BinaryIO:
    return io.BytesIO(manifest.content)


def place_of(export: AuditExport) -> cold.Store:
    """Where an export lies: in cold storage as it is now, when all was taken there, or still where it was put."""
    here = cold.store()
    if here.url == export.store:
        return here
    try:
        here.size(export.manifest_key)
    except cold.Missing:
        return cold.store(export.store)
    return here


def manifest_of(export: AuditExport) -> tuple[cold.Store, Manifest]:
    """The manifest of an entry of the ledger of exports, and where it lies; raises Damaged when the entry says something else.

    Who serves may add entries, and cannot sign: one counts because its manifest lies in cold storage.
    """
    store = place_of(export)
    manifest = read_manifest(store, export.manifest_key, digest=export.manifest_sha256)
    columns = ("first_seal", "last_seal", "rows", "data_key", "data_bytes", "data_sha256", "lines_sha256")
    if any(manifest.body.get(column) != getattr(export, column) for column in columns):
        raise Damaged(export.manifest_key, "says otherwise than the ledger of exports")
    return store, manifest


def read_lines(export: AuditExport) -> Iterator[bytes]:
    """The lines of an export, without header and line ends, streamed from cold storage. Raises Damaged.

    That the file is whole and the one that was written is known at its end only: do not rely on a line before that.
    """
    yield from read_data(*manifest_of(export))


def read_data(store: cold.Store, manifest: Manifest) -> Iterator[bytes]:
    """The lines of the CSV file of a manifest, as `read_lines`."""
    name, rows = manifest.body["data_key"], 0
    with opened(store, name) as file:
        text = Unpacked(file)
        lines = split(text)
        try:
            if next(lines, None) != HEADER:
                raise Damaged(name, "does not begin with the names of the columns")
            for line in lines:
                rows += 1
                yield line
        except NotGzip:
            raise Damaged(name, "cannot be unpacked") from None
        except ValueError:
            raise Damaged(name, "ends inside a line") from None
    if not manifest.body.items() >= {"rows": rows, **text.facts()}.items():
        raise Damaged(name, "is not the file that was written")


class Unpacked:
    """The text in a file of rows, block by block, and what a manifest says of that file, known at its end. Raises NotGzip."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size, self._packed, self._plain = file, 0, sha256(), sha256()

    def __iter__(self) -> Iterator[bytes]:
        unpack = isal_zlib.decompressobj(GZIP)
        while block := self._file.read(BLOCK):
            self._size += len(block)
            self._packed.update(block)
            if not unpack.eof:
                text = unpack.decompress(block)
                self._plain.update(text)
                yield text
        if not unpack.eof:
            raise NotGzip("it is cut off")

    def facts(self) -> dict[str, Any]:
        return {"data_bytes": self._size, "data_sha256": self._packed.hexdigest(), "lines_sha256": self._plain.hexdigest()}


def opened(store: cold.Store, name: str) -> BinaryIO:
    try:
        return store.open(name)
    except cold.Missing:
        raise Damaged(name, "is gone") from None


def check_stored(store: cold.Store, name: str, size: int, digest: str) -> None:
    """Read a file back; raises Damaged when it is not the one of that size and SHA-256."""
    found, seen = sha256(), 0
    with opened(store, name) as file:
        while block := file.read(BLOCK):
            found.update(block)
            seen += len(block)
    if (seen, found.hexdigest()) != (size, digest):
        raise Damaged(name, "is not the file that was written")


def covers(manifest: Manifest, of: Sequence[AuditSeal]) -> bool:
    """Whether a manifest names these seals and no others."""
    return manifest.body.get("seals") == [sealed(seal) for seal in of]
