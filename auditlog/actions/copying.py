"""Copies of rows for somebody: an auditor, a court, the person whom they are about.

A copy proves who made it and that it is whole, by its signed manifest. It is no part of the ledger of exports, and no row counts
as exported for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Buffer, Callable, Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO, Protocol

from django.db import transaction

from auditlog import cold, files, lines, seals
from auditlog.events import Event
from auditlog.files import Manifest
from auditlog.models import AuditLog, Format
from port444.kit.clock import now

from .exporting import Packer, Progress, temporary
from .recording import record

# One JSON object a line. Money is text, as readers of JSON make floating numbers of numbers.
AS_JSON = "row_to_json((SELECT r FROM (SELECT " + ", ".join(f"{c}::text AS {c}" if c == "amount" else c for c in lines.COLUMNS) + ") r))"  # noqa: S608 - of our own names
# Characters that JSON never holds, so that nothing is quoted or escaped.
JSON_LINES = "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02'"
ENDINGS = {Format.CSV: "csv.gz", Format.JSONL: "jsonl.gz", Format.PARQUET: "parquet"}
GROUP = 128  # pieces that go into a row group of Parquet


def copy_rows(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    file_format: Format = Format.CSV,
    dest: str = "",
    actor: Any | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Put the rows with since <= timestamp < until into a file at `dest`, by default cold storage, beside a signed manifest.

    Rows of months that have left the database are not in it. That the log was copied is itself recorded, before anything lies there.
    """
    store = cold.store(dest)
    with temporary() as file:
        rows, written = _write(file, file_format, since, until, progress or (lambda _: None))
        stem = f"copies/{_name(since, 'beginning')}-{_name(until, 'now')}-{written['data_sha256'][:16]}"
        manifest = files.sign(
            "copy",
            format=file_format.value,
            compression="zstd" if file_format == Format.PARQUET else "gzip",
            data_key=f"{stem}.{ENDINGS[file_format]}",
            **written,
            rows=rows,
            since=seals.moment(since),
            until=seals.moment(until),
            seals=[],
            made_at=seals.moment(now()),
        )
        _record(store, manifest, actor)
        store.put(manifest.body["data_key"], file)
    files.check_stored(store, manifest.body["data_key"], written["data_bytes"], written["data_sha256"])
    # Under a name of its own content: the same rows may be copied again, at another time.
    store.put(f"{stem}-{manifest.sha256[:8]}.json", BytesIO(manifest.content))
    return manifest


@transaction.atomic
def _record(store: cold.Store, manifest: Manifest, actor: Any | None) -> None:
    facts = {name: manifest.body[name] for name in ("since", "until", "rows", "data_key", "data_sha256")}
    record(Event.AUDIT_EXPORTED, actor=actor, target=AuditLog(), store=store.url, **facts)


def _name(moment: datetime | None, otherwise: str) -> str:
    return f"{moment:%Y%m%dT%H%M%S}" if moment else otherwise


class Writer(Protocol):
    """Takes lines, and knows afterwards what it has written."""

    def write_lines(self, some: Iterable[Buffer]) -> None: ...
    def written(self) -> dict[str, Any]: ...


def _write(file: BinaryIO, file_format: Format, since: datetime | None, until: datetime | None, progress: Progress) -> tuple[int, dict[str, Any]]:
    bounds = [(sign, moment) for sign, moment in ((">=", since), ("<", until)) if moment is not None]
    where = " AND ".join(f"timestamp {sign} %s" for sign, _ in bounds) or "true"
    columns, options = (AS_JSON, JSON_LINES) if file_format == Format.JSONL else (lines.PRINTED, lines.AS_CSV)
    rows = 0
    open_writer: Callable[[BinaryIO], contextlib.AbstractContextManager[Writer]] = parquet if file_format == Format.PARQUET else Packer
    with open_writer(file) as writer, transaction.atomic():
        if file_format == Format.CSV:
            writer.write_lines([lines.HEADER + b"\n"])
        with contextlib.closing(lines.copy_pieces(where, [moment for _, moment in bounds], columns=columns, options=options)) as pieces:
            for piece in pieces:
                writer.write_lines(piece)
                rows += len(piece)
                progress(len(piece))
    return rows, writer.written()


class Hashed:
    """A file for writing only, that knows its hash."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.sha256 = file, 0, sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self.file.write(data)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.flush()


@contextlib.contextmanager
def parquet(file: BinaryIO) -> Iterator[Writer]:
    """Writes lines as rows of Parquet, some thousand at a time."""
    import pyarrow as pa  # only here, as it takes its time and much memory
    from pyarrow import csv
    from pyarrow import parquet as pq

    kinds = {"id": pa.int64(), "xid": pa.int64(), "timestamp": pa.timestamp("us", tz="UTC"), "amount": pa.decimal128(38, 18)}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in lines.COLUMNS])
    convert = csv.ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False)
    parse = csv.ParseOptions(newlines_in_values=True)
    hashed = Hashed(file)

    class Rows:
        """The lines that wait for a row group."""

        def __init__(self) -> None:
            self.waiting: list[bytes] = []

        def write_lines(self, some: Iterable[Buffer]) -> None:
            self.waiting.append(b"".join(some))
            if len(self.waiting) >= GROUP:
                self.flush()

        def flush(self) -> None:
            if self.waiting:
                text = b"".join([lines.HEADER, b"\n", *self.waiting])
                read = csv.ReadOptions(use_threads=False, block_size=len(text) + 1)
                table.write_table(csv.read_csv(BytesIO(text), read_options=read, parse_options=parse, convert_options=convert))
            self.waiting = []

        def written(self) -> dict[str, Any]:
            return {"data_bytes": hashed.size, "data_sha256": hashed.sha256.hexdigest(), "lines_sha256": None}

    pa.set_memory_pool(pa.system_memory_pool())  # which gives back what it no longer needs
    with pq.ParquetWriter(hashed, schema, compression="zstd") as table:
        rows = Rows()
        yield rows
        rows.flush()
