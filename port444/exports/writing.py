"""Rows as CSV, as JSON lines, or as Parquet, in a file that knows its hash."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, BinaryIO, Protocol

from port444.kit import csvs

from .columns import Column, Kind
from .reading import Row

OPEN_TO_FORMULAS = (Kind.TEXT, Kind.JSON)
GROUP = 10_000  # rows in a row group of Parquet: of each something stays in memory to the end of the file, and its rows are until it is full


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Written:
    """What a file holds."""

    rows: int
    size: int
    sha256: str


class Hashed:
    """A file for writing only, that knows its size and hash."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.digest = file, 0, sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
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


class Sink(Protocol):
    def take(self, rows: Sequence[Row]) -> None: ...


def write(
    file: BinaryIO, columns: Sequence[Column], pieces: Iterable[Sequence[Row]], file_format: Format, progress: Callable[[int], object] | None = None
) -> Written:
    """All rows into `file`, at constant memory."""
    hashed, rows = Hashed(file), 0
    with SINKS[file_format](hashed, columns) as sink:
        for piece in pieces:
            sink.take(piece)
            rows += len(piece)
            if progress:
                progress(len(piece))
    file.flush()
    return Written(rows, hashed.size, hashed.digest.hexdigest())


class AsCsv:
    """Null and empty text are both empty; money below zero stays a number."""

    def __init__(self, file: Hashed, columns: Sequence[Column]) -> None:
        self.file = file
        self.open = [place for place, column in enumerate(columns) if column.kind in OPEN_TO_FORMULAS]
        self.flags = [place for place, column in enumerate(columns) if column.kind is Kind.FLAG]
        self.take([tuple(column.name for column in columns)])

    def take(self, rows: Sequence[Row]) -> None:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerows(self._cells(row) for row in rows)
        self.file.write(buffer.getvalue().encode())

    def _cells(self, row: Row) -> list[Any]:
        cells = list(row)
        for place in self.open:
            if cells[place]:
                cells[place] = csvs.text(cells[place])
        for place in self.flags:
            if isinstance(cells[place], bool):
                cells[place] = "true" if cells[place] else "false"
        return cells


class AsJson:
    """One object a line. Money is text, as readers of JSON make floating numbers of numbers; JSON stays as the database prints it."""

    def __init__(self, file: Hashed, columns: Sequence[Column]) -> None:
        self.file = file
        self.keys = [(json.dumps(column.name), column.kind is Kind.JSON) for column in columns]

    def take(self, rows: Sequence[Row]) -> None:
        self.file.write("".join(self._line(row) for row in rows).encode())

    def _line(self, row: Row) -> str:
        cells = (
            f"{key}: {value if is_json and value is not None else json.dumps(value, ensure_ascii=False)}"
            for (key, is_json), value in zip(self.keys, row, strict=True)
        )
        return "{" + ", ".join(cells) + "}\n"


class AsParquet:
    """Money is decimal and moments are of time, both exact; what is JSON is text."""

    def __init__(self, file: Hashed, columns: Sequence[Column]) -> None:
        import pyarrow as pa  # only here, as it takes its time and much memory
        from pyarrow import parquet

        kinds = {
            Kind.MONEY: pa.decimal128(30, 2),
            Kind.EXACT: pa.decimal128(38, 18),
            Kind.MOMENT: pa.timestamp("us", tz="UTC"),
            Kind.NUMBER: pa.int64(),
            Kind.FLAG: pa.bool_(),
        }
        pa.set_memory_pool(pa.system_memory_pool())  # which gives back what it no longer needs
        self.schema = pa.schema([(column.name, kinds.get(column.kind, pa.string())) for column in columns])
        self.arrays = pa
        self.group: list[Any] = []  # what will be one row group, in the form of Arrow already, which is small
        self.rows = 0
        self.table: Any = parquet.ParquetWriter(file, self.schema, compression="zstd", write_statistics=False)

    def take(self, rows: Sequence[Row]) -> None:
        if rows:
            made = [self._array(list(cells), field.type) for cells, field in zip(zip(*rows, strict=True), self.schema, strict=True)]
            self.group.append(self.arrays.RecordBatch.from_arrays(made, schema=self.schema))
            self.rows += len(rows)
        if self.rows >= GROUP:
            self.flush()

    def flush(self) -> None:
        if self.group:
            self.table.write_table(self.arrays.Table.from_batches(self.group, schema=self.schema), row_group_size=self.rows)
        self.group, self.rows = [], 0

    def _array(self, cells: list[Any], kind: Any) -> Any:
        pa = self.arrays
        if pa.types.is_timestamp(kind):
            return pa.array([cell and cell.removesuffix("Z") for cell in cells], pa.string()).cast(pa.timestamp("us")).cast(kind)
        if pa.types.is_decimal(kind):
            return pa.array(cells, pa.string()).cast(kind)
        return pa.array(cells, kind)


@contextlib.contextmanager
def _as_csv(file: Hashed, columns: Sequence[Column]) -> Iterator[Sink]:
    yield AsCsv(file, columns)


@contextlib.contextmanager
def _as_json(file: Hashed, columns: Sequence[Column]) -> Iterator[Sink]:
    yield AsJson(file, columns)


@contextlib.contextmanager
def _as_parquet(file: Hashed, columns: Sequence[Column]) -> Iterator[Sink]:
    sink = AsParquet(file, columns)
    yield sink
    sink.flush()
    sink.table.close()


SINKS: dict[Format, Callable[[Hashed, Sequence[Column]], contextlib.AbstractContextManager[Sink]]] = {
    Format.CSV: _as_csv,
    Format.JSONL: _as_json,
    Format.PARQUET: _as_parquet,
}
