"""The table of what all benchmarks found: rows in `bench/results.json`, and the same to be read in `bench/RESULTS.md`.

A row keeps the day, the machine and the size it was measured with. Whoever runs a benchmark again with the same size replaces its rows; rows of
other sizes and other benchmarks stay.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.report import Figure, number
from scripts import database, devpg

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "results.json", HERE / "RESULTS.md"
TOP = """\
# What the benchmarks found

Made by `./run bench` of `results.json` beside it; not written by hand. README.md says what each of them measures. A ratio is that of the figure
and its peer in the same run or, without a peer, of the figure and its limit. Figures belong to their machine; ratios with a peer say most.

"""
HEAD = "| figure | value | peer or limit | ratio | | also | size | date | machine |\n| --- | ---: | --- | ---: | --- | --- | --- | --- | --- |"
VERDICTS = {True: "kept", False: "**missed**", None: ""}


@dataclass(frozen=True)
class Row:
    """A figure of a benchmark, and where and when it was measured."""

    bench: str
    date: str
    machine: str
    figure: Figure

    @classmethod
    def of(cls, said: dict[str, Any]) -> Row:
        return cls(said["bench"], said["date"], said["machine"], Figure(**said["figure"]))


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def read(cls) -> Table:
        return cls([Row.of(said) for said in json.loads(ROWS.read_text())] if ROWS.exists() else [])

    def merge(self, found: list[Row]) -> None:
        """Put rows in the place of those of the same benchmark and size."""
        fresh = {(row.bench, row.figure.size) for row in found}
        # What could not be measured has no size, and is out of date as soon as something was.
        benches = {row.bench for row in found}
        stay = [row for row in self.rows if (row.bench, row.figure.size) not in fresh and not (row.figure.why and row.bench in benches)]
        self.rows = sorted([*stay, *found], key=lambda row: (row.bench, row.figure.size))  # figures of one run stay in their order

    def write(self) -> None:
        ROWS.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n")
        PAGE.write_text(self.page())

    def page(self) -> str:
        """The rows as Markdown, each benchmark by itself; machines are named once."""
        machines = {row.machine: chr(ord("A") + place) for place, row in enumerate({row.machine: row for row in self.rows}.values())}
        lines = [f"* Machine {letter}: {words}" for words, letter in machines.items()]
        for bench in dict.fromkeys(row.bench for row in self.rows):
            lines += ["", f"## {bench}", "", HEAD]
            lines += [line(row, machines[row.machine]) for row in self.rows if row.bench == bench]
        return TOP + "\n".join(lines) + "\n"


def line(row: Row, machine: str) -> str:
    one = row.figure
    value = one.why or " ".join(filter(None, (number(one.value), one.unit)))
    ratio = "" if one.ratio is None else number(one.ratio)
    cells = (one.name, value, one.beside(), ratio, VERDICTS[one.kept], one.also, one.size, row.date, machine)
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def machine() -> str:
    """What figures depend on, in one line; neither a name nor a path of it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [
        processor(),
        f"{os.cpu_count()} cores",
        f"{memory:.0f} GiB of memory",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        f"PostgreSQL {postgres()}",
    ]
    return ", ".join(parts)


def processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def postgres() -> str:
    """Its version: that of the server somebody named, or of the embedded one."""
    if addresses := database.external_addresses(os.environ):
        with psycopg.connect(addresses["DATABASE_URL"]) as connection:
            said = str(connection.execute("SHOW server_version").fetchone())
    else:
        said = subprocess.run([devpg.find_binaries() / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"[\d.]+", said)
    return found[0] if found else "unknown"
