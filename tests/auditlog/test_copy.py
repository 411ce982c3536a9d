from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pyarrow import parquet

from auditlog import cold, files, lines
from auditlog.actions import copy_rows, record
from auditlog.events import Event
from auditlog.models import AuditExport, AuditLog, Format
from port444.accounts.models import User

TRICKY = 'a "quoted"\nsecond, line\\n \x7f é'


@pytest.fixture
def dest(tmp_path: Path, settings: Any) -> str:
    settings.AUDIT_COLD_URL = (tmp_path / "cold").as_uri()
    settings.VAR_DIR = tmp_path
    return (tmp_path / "copies").as_uri()


@pytest.fixture
def log(client_user: User) -> list[AuditLog]:
    ids = [
        record(Event.LOGIN, actor=client_user, target=client_user, description=TRICKY, amount=Decimal("12.34"), number=1),
        record(Event.LOGIN, actor=None, target=client_user, after={"note": TRICKY}),
        record(Event.LOGOUT, actor=client_user, target=client_user),
    ]
    return list(AuditLog.objects.filter(pk__in=ids).order_by("pk"))


def copied(dest: str, rows: list[AuditLog], file_format: Format) -> tuple[files.Manifest, Path]:
    since, until = rows[0].timestamp, rows[-1].timestamp + timedelta(microseconds=1)
    manifest = copy_rows(since=since, until=until, file_format=file_format, dest=dest)
    body = manifest.body
    data = Path(dest.removeprefix("file://")) / body["data_key"]
    assert (body["rows"], body["data_bytes"], body["data_sha256"]) == (3, data.stat().st_size, sha256(data.read_bytes()).hexdigest())
    assert (datetime.fromisoformat(body["since"]), datetime.fromisoformat(body["until"])) == (since, until)
    (name,) = (name for name in cold.store(dest).names("copies/") if name.endswith(".json"))
    assert files.read_manifest(cold.store(dest), name).body == body
    return manifest, data


def test_csv(log: list[AuditLog], dest: str) -> None:
    manifest, data = copied(dest, log, Format.CSV)
    with transaction.atomic():
        expected = list(lines.copy_lines("id = ANY(%s)", [[row.pk for row in log]]))
    assert gzip.decompress(data.read_bytes()) == b"\n".join([lines.HEADER, *expected, b""])
    assert list(files.read_data(cold.store(dest), manifest)) == expected


def test_jsonl(log: list[AuditLog], dest: str) -> None:
    _, data = copied(dest, log, Format.JSONL)
    found = [json.loads(line) for line in gzip.decompress(data.read_bytes()).splitlines()]
    assert [tuple(row) for row in found] == [lines.COLUMNS] * 3
    assert [row["id"] for row in found] == [row.pk for row in log]
    assert (found[0]["description"], found[0]["metadata"], found[0]["after_state"]) == (TRICKY, {"number": 1}, None)
    assert (found[0]["amount"], found[1]["amount"]) == ("12.340000000000000000", None)
    assert found[1]["after_state"] == {"note": TRICKY}
    assert (found[0]["actor_id"], found[1]["actor_id"], found[1]["actor_email"]) == (str(log[0].actor_id), None, "")
    assert [datetime.fromisoformat(row["timestamp"]) for row in found] == [row.timestamp for row in log]


def test_parquet(log: list[AuditLog], dest: str) -> None:
    manifest, data = copied(dest, log, Format.PARQUET)
    assert (manifest.body["compression"], manifest.body["lines_sha256"]) == ("zstd", None)
    table = parquet.read_table(data)
    assert tuple(table.column_names) == lines.COLUMNS
    found = table.to_pylist()
    assert [(row["id"], row["xid"], row["timestamp"]) for row in found] == [(row.pk, row.xid, row.timestamp) for row in log]
    assert (found[0]["description"], found[0]["amount"], found[1]["amount"]) == (TRICKY, Decimal("12.34"), None)
    assert (found[0]["actor_id"], found[1]["actor_id"], found[1]["actor_email"]) == (str(log[0].actor_id), None, "")
    assert json.loads(found[1]["after_state"]) == {"note": TRICKY}


@pytest.mark.parametrize("file_format", Format)
def test_nothing_to_copy(log: list[AuditLog], dest: str, file_format: Format) -> None:
    manifest = copy_rows(until=datetime.fromisoformat("2001-01-01T00:00+00:00"), file_format=file_format, dest=dest)
    assert manifest.body["rows"] == 0


def test_a_copy_is_recorded_and_is_no_export(log: list[AuditLog], dest: str) -> None:
    manifest, _ = copied(dest, log, Format.CSV)
    event = AuditLog.objects.filter(event_type="audit.exported").latest("pk")
    assert (event.severity, event.metadata["rows"], event.metadata["store"]) == ("warning", 3, dest)
    assert event.metadata["data_sha256"] == manifest.body["data_sha256"]
    assert not AuditExport.objects.filter(data_key=manifest.body["data_key"]).exists()
    assert [row.__dict__["exported_to_cold_storage"] for row in AuditLog.objects.with_export().filter(pk=log[0].pk)] == [False]


def test_the_command(log: list[AuditLog], tmp_path: Path, dest: str, capsys: pytest.CaptureFixture[str]) -> None:
    day = log[0].timestamp.date()
    options = {"from": str(day), "to": str(day + timedelta(days=1)), "format": "jsonl", "dest": str(tmp_path / "copies")}
    call_command("export_audit_logs", *(f"--{name}={value}" for name, value in options.items()))
    said = capsys.readouterr()
    (data,) = (tmp_path / "copies").rglob("*.jsonl.gz")
    assert data.name in said.out
    assert said.err == "", "no bar where nobody looks"
    ids = [json.loads(line)["id"] for line in gzip.decompress(data.read_bytes()).splitlines()]
    assert {row.pk for row in log} <= set(ids)
    call_command("export_audit_logs")
    assert "Nothing to put into cold storage" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--from", "yesterday"], ["--format", "xls"], ["--dest", "ftp://x/y"]])
def test_what_the_command_cannot_read(log: list[AuditLog], dest: str, arguments: list[str]) -> None:
    before = AuditLog.objects.count()
    with pytest.raises(CommandError):
        call_command("export_audit_logs", *arguments)
    assert AuditLog.objects.count() == before
