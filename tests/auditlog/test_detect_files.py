"""`manage.py detect --input FILE --output FILE`: anybody's events, in any order and state, with no database at all."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditlog.detectors import reading
from auditlog.detectors.facts import MONTH
from auditlog.detectors.reading import Reader, Unreadable, moment_of
from scripts.database import HOME

from .happenings import COLUMNS, write

RING = [
    {
        "occurred_at": f"2026-03-0{day}T10:0{n}:00Z",
        "event_type": kind,
        "actor_id": f"u{n}",
        "actor_type": "user",
        "ip_address": f"8.8.{n}.1",
        "device_id": "d1",
    }
    for n in range(3)
    for day, kind in ((1, "sign_up"), (2, "sign_in"), (3, "sign_in"))
]
PAID = [
    {
        "occurred_at": "2026-03-04T10:00:00",
        "event_type": "escrow_release",
        "actor_id": "u1",
        "target_id": "u0",
        "target_type": "user",
        "amount": "300",
    },
    {
        "occurred_at": "2026-03-04T10:20:00+00:00",
        "event_type": "withdrawal",
        "actor_id": "u0",
        "target_id": "w7",
        "target_type": "withdrawal",
        "amount": "300.00",
    },
]


def command(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As on a fresh clone: neither keys nor a database, nor word of which environment it is."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PORT444", "DATABASE", "SECRET", "PG", "EMAIL", "DJANGO"))}
    words = tuple(map(str, words))
    return subprocess.run(
        [sys.executable, "manage.py", "detect", *words], cwd=HOME, env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def found(path: Path, **environment: str) -> list[dict[str, Any]]:
    output = path.with_suffix(".jsonl")
    done = command("--input", path, "--output", output, **environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_says_what_it_found_a_line_each(tmp_path: Path) -> None:
    incidents = found(write(tmp_path / "events.csv", [*RING, *PAID]))
    assert [(one["incident_type"], one["withdrawal_id"], one["severity"] == "low") for one in incidents] == [
        ("fast_withdrawal", "w7", False),
        ("suspicious_activity", None, False),  # two of the three dealt with each other
        ("multi_accounting", None, False),
    ]
    for one in incidents:
        assert one.keys() >= {"incident_type", "user_ids", "withdrawal_id", "severity", "confidence", "reasons", "fingerprint"}
        assert one["severity"] in ("low", "medium", "high", "critical")
        assert sum(reason["points"] for reason in one["reasons"]) == one["confidence"]
        assert all(reason["text"] for reason in one["reasons"])
    assert incidents[2]["user_ids"] == ["u0", "u1", "u2"]


def test_needs_no_database_wherever_it_is_said_to_be(tmp_path: Path) -> None:
    assert found(
        write(tmp_path / "events.csv", RING), DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing", PORT444_ENV="production", SECRET_KEY="x" * 60
    )


def test_says_what_a_table_must_have(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", RING, columns=["occurred_at", "actor_id"])
    done = command("--input", path, "--output", tmp_path / "out.jsonl")
    assert done.returncode == 2
    assert "has no column event_type" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_says_when_there_is_no_file(tmp_path: Path) -> None:
    done = command("--input", tmp_path / "nothing.csv")
    assert (done.returncode, "nothing.csv cannot be read" in done.stderr) == (2, True)


def test_counts_what_it_cannot_read(tmp_path: Path) -> None:
    bad = [
        {**RING[0], "occurred_at": "yesterday"},
        {**RING[0], "event_type": ""},
        {**RING[1], "amount": "many"},
        {**RING[0], "event_type": "page_seen"},
    ]
    path = write(tmp_path / "events.csv", [*RING, *bad])
    done = command("--input", path, "--output", tmp_path / "out.jsonl")
    assert done.returncode == 0
    assert "13 rows: 9 read, 1 of kinds that no detector reads, 3 left out" in done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1


def facts(path: Path) -> list[Any]:
    return [fact._replace(event="") for fact in Reader(str(path)).facts()]


def test_rows_come_person_by_person_and_by_time_whatever_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"occurred_at": (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n)).isoformat(), "event_type": "sign_in", "actor_id": f"u{n % 7}"}
        for n in range(500)
    ]
    in_order = facts(write(tmp_path / "a.csv", rows))
    assert in_order == sorted(in_order, key=lambda fact: (fact.second // MONTH, fact.actor, fact.at))
    random.Random(4).shuffle(rows)
    shuffled = facts(write(tmp_path / "b.csv", rows))
    assert [(fact.actor, fact.at) for fact in shuffled] == [(fact.actor, fact.at) for fact in in_order]
    monkeypatch.setattr(reading, "TOGETHER", 64)  # through files
    assert facts(write(tmp_path / "c.csv", rows)) == shuffled


def test_a_row_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    assert len(facts(write(tmp_path / "a.csv", [*PAID, *PAID]))) == 2


def test_columns_may_be_missing_moved_or_more(tmp_path: Path) -> None:
    columns = ["metadata", "extra", "Event Type", "actor_id", "occurred_at"]
    path = tmp_path / "a.csv"
    path.write_text(
        "\ufeff" + ",".join(columns) + "\r\n" + '"{""fingerprint"": ""f""}",x,sign_in,u1,2026-03-01\r\n,,sign_in,u2,2026-03-02,too,many\r\n\r\n'
    )
    (one, other) = facts(path)
    assert (one.kind, one.actor, one.meta, one.ip, one.amount) == ("sign_in", "u1", {"fingerprint": "f"}, "", None)
    assert other.actor == "u2"


def test_semicolons_and_tabs_part_columns_too(tmp_path: Path) -> None:
    for n, mark in enumerate(";\t|"):
        path = tmp_path / f"{n}.csv"
        path.write_text(mark.join(("occurred_at", "event_type", "actor_id")) + "\n" + mark.join(("2026-03-01", "sign_in", "u1")) + "\n")
        assert [fact.actor for fact in facts(path)] == ["u1"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T10:00:00Z",
        "2026-03-01 10:00:00",
        "2026-03-01T12:00:00+02:00",
        "2026-03-01 10:00:00+00",
        "2026-03-01 10:00:00 UTC",
        "1772359200",
        "1772359200000",
    ],
)
def test_moments_of_many_spellings(text: str) -> None:
    assert moment_of(text) == datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "nan", "-5", "inf", "0001-01-01T00:00:00+23:00", "99999-01-01"])
def test_what_is_no_moment(text: str) -> None:
    assert moment_of(text) is None


@pytest.mark.parametrize(
    ("cell", "meta"),
    [("{'fingerprint': 'f', 'ok': True}", {"fingerprint": "f", "ok": True}), ("[1, 2]", {}), ("{", {}), ("null", {}), ('"{}"', {}), ("[" * 5000, {})],
)
def test_metadata_of_any_kind(tmp_path: Path, cell: str, meta: dict[str, Any]) -> None:
    (fact,) = facts(write(tmp_path / "a.csv", [{**RING[0], "metadata": cell}]))
    assert fact.meta == meta


def test_our_own_names_of_events_do_too(tmp_path: Path) -> None:
    rows = [{**RING[0], "event_type": "auth.login"}, {**RING[0], "event_type": "earning.credited"}, {**RING[0], "event_type": "user.signed_up"}]
    assert {fact.kind for fact in facts(write(tmp_path / "a.csv", rows))} == {"sign_in", "escrow_release", "sign_up"}


def test_amounts(tmp_path: Path) -> None:
    rows = [{**PAID[0], "amount": text, "target_id": f"u{n}"} for n, text in enumerate(["1,200.50", "$7", "3 USDC", "-5"])]
    assert [fact.amount for fact in facts(write(tmp_path / "a.csv", rows))] == [Decimal("1200.50"), Decimal(7), Decimal(3), Decimal(5)]


@pytest.mark.parametrize("content", ["", "\n", "a\0b,c\n1,2\n", "\x89PNG\r\n\x1a\n"])
def test_what_is_no_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(Unreadable):
        facts(path)


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    assert found(write(tmp_path / "events.csv", [], COLUMNS)) == []
