"""docs/security.md answers every item of OWASP ASVS 5.0.0, levels 1 and 2, and names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from django.conf import settings as ours

HOME = Path(ours.BASE_DIR)
PAGE = HOME / "docs/security.md"
ANSWERS = {"met", "partly", "not met", "none"}
# The numbers of each section that are of the levels 1 and 2.
SECTIONS = """
1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 4.4:4 5.1:1 5.2:3 5.3:2 5.4:3
6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 8.1:2 8.2:3 8.3:1 8.4:1 9.1:3 9.2:4
10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1 12.1:3 12.2:2 12.3:4
13.1:1 13.2:5 13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2
"""
ITEMS = [f"{section}.{n}" for section, _, last in (one.partition(":") for one in SECTIONS.split()) for n in range(1, int(last) + 1)]
ROW = re.compile(r"^\| (\d+\.\d+\.\d+(?:, \d+\.\d+\.\d+)*) \| ([a-z ]+) \| (.+) \| (.*) \|$", re.M)


def rows() -> list[tuple[list[str], str, str, list[str]]]:
    return [(ids.split(", "), answer, how, re.findall(r"`([^`]+)`", by)) for ids, answer, how, by in ROW.findall(PAGE.read_text())]


@cache
def functions_of(path: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def missing(named: str) -> bool:
    """Whether a file, or a test in it, is not there."""
    path, _, test = named.partition("::")
    return not (HOME / path).is_file() or bool(test and (not test.startswith("test_") or test not in functions_of(HOME / path)))


def test_every_item_is_answered_once() -> None:
    answered = [item for ids, *_ in rows() for item in ids]
    assert len(ITEMS) == 253
    assert sorted(answered) == sorted(ITEMS)
    assert {answer for _, answer, *_ in rows()} == ANSWERS


def test_what_is_met_is_shown() -> None:
    assert [ids for ids, answer, _, by in rows() if bool(by) != (answer in ("met", "partly"))] == []


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`((?:tests|docs|port444|scripts|auditlog|static|templates)/[\w./-]+\.\w+(?:::\w+)?)`", PAGE.read_text())
    assert len(named) > 100
    assert [one for one in named if missing(one)] == []
    assert missing("tests/security/test_list.py::test_that_is_not_there")
    assert missing("tests/security/test_nothing.py")


def test_every_test_of_this_folder_is_there_for_an_item() -> None:
    """By its file, at least."""
    text = PAGE.read_text()
    files = sorted(str(path.relative_to(HOME)) for path in Path(__file__).parent.glob("test_*.py"))
    assert [file for file in files if file not in text] == []
