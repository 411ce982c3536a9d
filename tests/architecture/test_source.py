"""What every file of the project keeps to, whoever writes it and whenever."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import CheckConstraint, Field, Q
from django.utils.module_loading import import_string

HOME = Path(settings.BASE_DIR)
PACKAGES = ("port444", "consultations", "auditlog", "support", "amendments")
# The sandbox plays a payment company: what it remembers is the outside world, with no table of what may follow what.
SANDBOX, SANDBOX_MODELS = HOME / "port444/payments/providers/sandbox.py", {"payments.SandboxCharge"}
CLOCK, STATES = HOME / "port444/kit/clock.py", HOME / "port444/kit/states.py"


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((HOME / package).rglob("*.py")) if "migrations" not in path.parts]


def templates() -> list[Path]:
    return sorted((HOME / "templates").rglob("*.html"))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(HOME)}:{line}"


def test_there_is_something_to_look_at() -> None:
    assert len(sources()) > 50
    assert len(templates()) > 50


def assignments(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            yield node.target


def test_status_is_written_by_move_to_alone() -> None:
    found = [
        place(path, target.lineno)
        for path in sources()
        if path not in (STATES, SANDBOX)
        for target in assignments(ast.parse(path.read_text()))
        if isinstance(target, ast.Attribute) and target.attr == "status"
    ]
    assert found == []


def test_status_is_not_written_past_the_state_machine() -> None:
    """`update(status=...)` would skip the table of what may follow what."""
    found = [
        place(path, node.lineno)
        for path in sources()
        if path != SANDBOX
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "update"
        and any(keyword.arg == "status" for keyword in node.keywords)
    ]
    assert found == []


@pytest.mark.parametrize("word", ["timezone.now(", "datetime.now(", "datetime.utcnow(", "date.today(", "datetime.today("])
def test_time_is_read_from_the_clock(word: str) -> None:
    found = [
        place(path, number)
        for path in sources()
        if path != CLOCK
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(rf"(?<!\w){re.escape(word)}", line.split("#")[0])
    ]
    assert found == []


def status_fields() -> list[Field[object, object]]:
    return [
        field
        for model in apps.get_models()
        if model.__module__.startswith(PACKAGES) and model._meta.managed and model._meta.label not in SANDBOX_MODELS
        for field in model._meta.local_fields
        if field.name == "status"
    ]


def test_there_are_statuses() -> None:
    assert status_fields()


def test_every_status_is_kept_inside_its_enum_by_the_database() -> None:
    missing = [
        field.model._meta.label
        for field in status_fields()
        if not any(
            isinstance(constraint, CheckConstraint)
            and isinstance(constraint.condition, Q)
            and ("status__in", sorted(value for value, _ in field.flatchoices)) in flat(constraint.condition.children)
            for constraint in field.model._meta.constraints
        )
    ]
    assert missing == []


def flat(children: Sequence[object]) -> list[tuple[str, object]]:
    """The conditions of a constraint as pairs, with lists in one order."""
    pairs = [child for child in children if isinstance(child, tuple)]
    return [(name, sorted(value) if isinstance(value, list | tuple) else value) for name, value in pairs]


def test_every_schedule_names_a_function() -> None:
    for path, cron in settings.SCHEDULES.items():
        assert callable(import_string(path)), path
        assert len(cron.split()) == 5, path


BANNED = {
    "inline script": re.compile(r"<script(?![^>]*\ssrc=)[^>]*>", re.I),
    "inline style sheet": re.compile(r"<style[\s>]", re.I),
    "style attribute": re.compile(r"<[^>{]*\sstyle\s*=", re.I),
    "event attribute": re.compile(r"""<[a-z][^>]*\son[a-z]+\s*=\s*["']""", re.I),
    "hx-on": re.compile(r"\shx-on[:\-]", re.I),
    "js: value": re.compile(r"""["'](?:js|javascript):""", re.I),
    "trigger filter": re.compile(r"""hx-trigger\s*=\s*["'][^"']*\["""),
}


@pytest.mark.parametrize("kind", BANNED)
def test_templates_keep_to_the_content_policy(kind: str) -> None:
    found = []
    for path in templates():
        if "email" in path.parts or path.name == "maintenance.html":
            continue  # mail needs inline styles, and the maintenance page is shown by a server that has nothing else
        text = path.read_text()
        found += [place(path, text.count("\n", 0, match.start()) + 1) for match in BANNED[kind].finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("inline script", "<script>alert(1)</script>"),
        ("inline style sheet", "<style>p {}</style>"),
        ("style attribute", '<p class="x" style="color: red">'),
        ("event attribute", '<button type="button" onclick="go()">'),
        ("hx-on", "<p hx-on:click='x'>"),
        ("js: value", """<p hx-vals="js:{a: 1}">"""),
        ("trigger filter", '<p hx-trigger="keyup[ctrlKey]">'),
    ],
)
def test_patterns_see_what_they_are_for(kind: str, bad: str) -> None:
    assert BANNED[kind].search(bad)
