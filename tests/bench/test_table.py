"""The table of `./run bench`: what benchmarks report, whose rows take whose place, and that the page is of the rows beside it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from bench import report, table
from bench.report import Figure
from bench.table import Row, Table
from scripts import bench

MACHINE = "A machine, 2 cores"


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where figures go, in a process that has reported none yet."""
    monkeypatch.setattr(report, "_missed", [])
    monkeypatch.setattr(report, "_size", "")
    monkeypatch.setenv("BENCH_JSON", str(tmp_path / "lines"))
    return tmp_path / "lines"


@pytest.fixture
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of this test's own."""
    monkeypatch.setattr(table, "ROWS", tmp_path / "results.json")
    monkeypatch.setattr(table, "PAGE", tmp_path / "RESULTS.md")
    return tmp_path


def told(path: Path) -> list[Figure]:
    return [Figure(**json.loads(line)) for line in path.read_text().splitlines()]


def row(name: str, *, of: str = "one", size: str = "", why: str = "", value: float = 1.0) -> Row:
    return Row(of, "2026-11-23", MACHINE, Figure(name=name, size=size, why=why, value=None if why else value))


def test_the_page_is_of_the_rows_beside_it() -> None:
    assert table.PAGE.read_text() == Table.read().page()
    assert {one.bench for one in Table.read().rows} <= {*bench.NAMES}


def test_every_benchmark_is_explained_and_some_have_a_quick_size() -> None:
    explained = re.findall(r"^\| `\./run bench (\w+)`", (table.HERE / "README.md").read_text(), re.M)
    assert sorted({*explained}) == bench.NAMES
    assert {*bench.QUICK} <= {*bench.NAMES}


@pytest.mark.parametrize(
    ("value", "limit", "better", "peer", "ratio", "kept"),
    [
        (5, 5, "less", None, 1.0, True),
        (5.1, 5, "less", None, 1.02, False),
        (0.9, 0.9, "more", None, 1.0, True),
        (0.89, 0.9, "more", None, 0.989, False),
        (0, 0, "less", None, None, True),
        (1, 0, "less", None, None, False),
        (3, None, "less", None, None, None),
        (120, 1.2, "less", ("other", 100), 1.2, True),
        (121, 1.2, "less", ("other", 100), 1.21, False),
        (59, 0.6, "more", ("other", 100), 0.59, False),
        (60, None, "more", ("other", 100), 0.6, None),
        (float("nan"), 0.9, "more", None, None, False),
    ],
)
def test_a_limit_is_one_of_the_figure_or_of_what_it_is_beside_a_peer(
    lines: Path, value: float, limit: float | None, better: str, peer: tuple[str, float] | None, ratio: float | None, kept: bool | None
) -> None:
    report.sized("10 rows")
    report.figure("figure", value, "ms", limit=limit, better=better, peer=peer, also="which")  # type: ignore[arg-type]
    (found,) = told(lines)
    assert found.ratio == (ratio if ratio is None else pytest.approx(ratio, abs=0.001))
    assert (found.kept, found.size, found.also, report.code()) == (kept, "10 rows", "which", 1 if kept is False else 0)


def test_a_run_takes_the_place_of_the_one_before_it_with_the_same_size(kept_here: Path) -> None:
    known = Table([row("old", size="1"), row("large", size="2"), row("other", of="two"), row("npm", why="no npm")])
    known.merge([row("new", size="1"), row("newer", size="1")])
    assert [one.figure.name for one in known.rows] == ["new", "newer", "large", "other"]
    known.write()
    assert Table.read() == known
    page = (kept_here / "RESULTS.md").read_text()
    assert page.count(MACHINE) == 1
    assert page.index("## one") < page.index("| new |") < page.index("| large |") < page.index("## two") < page.index("| other |")


def test_what_cannot_be_measured_is_a_row_that_says_why(lines: Path, kept_here: Path) -> None:
    report.absent("the others", "there is no npm")
    Table([Row("one", "2026-11-23", MACHINE, told(lines)[0])]).write()
    assert "| the others | not measured: there is no npm |" in (kept_here / "RESULTS.md").read_text()
    assert report.code() == 0


@pytest.mark.parametrize(
    ("figures", "code", "names"),
    [
        ([Figure(name="a", kept=True)], 0, ["a"]),
        ([Figure(name="a", kept=False)], 1, ["a"]),
        ([Figure(name="a", kept=True)], 1, ["a", "the rest"]),
        ([Figure(name="a", kept=False)], -9, ["a", "the rest"]),
        ([], 0, ["all of it"]),
    ],
)
def test_a_benchmark_that_breaks_off_leaves_a_row(
    kept_here: Path, monkeypatch: pytest.MonkeyPatch, figures: list[Figure], code: int, names: list[str]
) -> None:
    def ran(command: list[str], env: dict[str, str]) -> int:
        assert command[1:] == ["-m", "bench.gas"]
        Path(env["BENCH_JSON"]).write_text("".join(json.dumps(vars(one)) + "\n" for one in figures))
        return code

    monkeypatch.setattr(subprocess, "call", ran)
    monkeypatch.setattr(bench, "FOLDER", kept_here / "folder")
    monkeypatch.setattr(table, "machine", lambda: MACHINE)
    assert bench.one("gas", {}) == code
    assert [one.figure.name for one in Table.read().rows] == names


def test_a_machine_is_named_without_its_name_and_its_paths() -> None:
    said = table.machine()
    assert re.search(r"\d+ cores, \d+ GiB of memory, .+, Python 3\.\d+\.\d+, PostgreSQL \d+", said)
