"""What somebody does to cold storage, and rows that are nowhere else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditlog import cold
from auditlog.actions import export_rows, prove, verify
from auditlog.files import read_lines
from auditlog.models import AuditExport
from port444.kit import clock
from scripts import audit_verifier

from .tampering import OwnLog
from .test_proving import check, key
from .test_verifying import found, last_seq, place_of, words


@pytest.fixture
def kept(own_log: OwnLog, tmp_path: Path, settings: Any) -> tuple[OwnLog, list[list[int]], AuditExport]:
    """Three seals of 2, 3 and 4 rows, in cold storage too."""
    settings.VAR_DIR = tmp_path
    ids = own_log.sealed(2, 3, 4)
    with clock.at(clock.now() + timedelta(days=settings.AUDIT_HOT_DAYS + 1)):
        (export,) = export_rows()
    own_log.seal()
    return own_log, ids, export


Kept = tuple[OwnLog, list[list[int]], AuditExport]


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Put another file in the place of the exported one."""
    text = gzip.decompress(path.read_bytes()).removesuffix(b"\n").split(b"\n")
    path.unlink()
    path.write_bytes(gzip.compress(b"\n".join([text[0], *change(text[1:])]) + b"\n"))


def take_out(log: OwnLog, row: int, *, said: bool = True) -> str:
    """Drop the month of a row."""
    _, moment = place_of(row)
    month = moment[:7]
    moves = [f"INSERT INTO audit_move VALUES (gen_random_uuid(), '{month}-01', 'dropped', 9, now())"] if said else []
    log.tamper(f"DROP TABLE audit_log_{month.replace('-', '')}", *moves)
    return month


def test_what_nobody_touched(kept: Kept) -> None:
    log, _, _ = kept
    assert words(verify(files=True)) == []
    code, said = check("--key", key(), log.folder)
    assert (code, said.splitlines()[-1]) == (0, "4 seals and 9 rows looked through: valid")


CHANGES = {
    "row.changed": lambda lines: [*lines[:3], lines[3].replace(b"auth.login", b"auth.logout"), *lines[4:]],
    "row.removed": lambda lines: [*lines[:3], *lines[4:]],
    "row.added": lambda lines: [*lines[:4], lines[3].replace(b",", b"7,", 1), *lines[4:]],
    "row.reordered": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
}


@pytest.mark.parametrize("code", CHANGES)
def test_file_replaced(kept: Kept, code: str) -> None:
    log, (_, ids, _), export = kept
    rewrite(log.folder / export.data_key, CHANGES[code])
    report = verify(files=True)
    row = int(f"{ids[1]}7") if code == "row.added" else ids[1]
    assert found(report) == [(code, 2, row)]
    assert f"of {export.data_key}" in words(report)[0]
    assert verify().ok, "the database is as it was"
    status, said = check("--key", key(), log.folder)
    assert status == 1
    assert "seal 2" in said
    assert "not the file that the manifest names" in said


def test_file_packed_anew(kept: Kept) -> None:
    log, _, export = kept
    rewrite(log.folder / export.data_key, lambda lines: lines)
    report = verify(files=True)
    assert found(report) == [("file.changed", 1, None)]
    assert check("--key", key(), log.folder)[0] == 1


@pytest.mark.parametrize("cut", [0, 40, -9])
def test_file_cut_off(kept: Kept, cut: int) -> None:
    log, _, export = kept
    path = log.folder / export.data_key
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:cut])
    report = verify(files=True)
    assert [problem.code for problem in report.problems] == ["file.unusable"]
    assert export.data_key in words(report)[0]
    assert check("--key", key(), log.folder)[0] == 1


def test_file_removed(kept: Kept) -> None:
    log, _, export = kept
    (log.folder / export.data_key).unlink()
    assert words(verify(files=True)) == [f"{export.data_key} is gone from cold storage."]
    assert check("--key", key(), log.folder)[0] == 2


def test_manifest_replaced_or_removed(kept: Kept) -> None:
    log, _, export = kept
    path = log.folder / export.manifest_key
    facts = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps({**facts, "body": facts["body"].replace('"rows":9', '"rows":8')}))
    assert found(verify(files=True)) == [("manifest.changed", 1, None)]
    assert check("--key", key(), log.folder)[0] == 1
    path.unlink()
    assert found(verify(files=True)) == [("manifest.removed", 1, None)]


def test_month_that_was_taken_out_is_read_from_its_file(kept: Kept) -> None:
    log, (_, ids, _), export = kept
    take_out(log, ids[0])
    report = verify(last=3)
    assert words(report) == []
    assert report.valid_rows == report.rows == 9
    proof = log.folder.with_name("proof.json")
    proof.write_text(json.dumps(prove(ids[1])))
    assert audit_verifier.main(["--key", key(), str(proof)]) == 0
    rewrite(log.folder / export.data_key, CHANGES["row.changed"])
    report = verify(last=3)
    assert found(report) == [("row.changed", 2, ids[1])]
    (log.folder / export.data_key).unlink()
    assert words(verify(last=3)) == [f"{export.data_key} is gone from cold storage; seal 1 is the first that cannot be read."]


def test_cold_storage_that_was_taken_elsewhere(kept: Kept, settings: Any) -> None:
    """The entry of an export names the place of then for ever; what was taken along is read where it is now."""
    log, (_, ids, _), export = kept
    before, elsewhere = settings.AUDIT_COLD_URL, log.folder.with_name("elsewhere")
    settings.AUDIT_COLD_URL = elsewhere.as_uri()
    assert len(list(read_lines(export))) == 9, "nothing was taken along: it lies where it was put"
    log.folder.rename(elsewhere)
    assert cold.store().url != before
    assert len(list(read_lines(export))) == 9
    take_out(log, ids[0])
    assert prove(ids[1])["path"]["rows"] == 3
    assert words(verify(last=3, files=True)) == []


def test_month_that_went_without_a_word_though_it_is_exported(kept: Kept) -> None:
    log, (_, ids, _), _ = kept
    month = take_out(log, ids[0], said=False)
    assert words(verify(last=3))[0].startswith(f"{month} is gone from the database, and nothing says that it was taken out")


def test_month_that_is_said_to_be_taken_out_and_is_nowhere(kept: Kept) -> None:
    log, (ids, _, _), _ = kept
    month = take_out(log, ids[0])
    log.tamper("TRUNCATE audit_export")
    report = verify(last=3)
    assert found(report)[0] == ("row.removed", 1, ids[0])
    assert f"was removed with {month}, which is not in cold storage" in words(report)[0]
    assert report.valid_rows == 0


def test_cold_storage_that_does_not_answer(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is not taken for tampering."""
    log, (_, ids, _), _ = kept
    take_out(log, ids[0])

    def refuse(*arguments: object) -> Any:
        raise ConnectionError("no route")

    for name in ("open", "names"):
        monkeypatch.setattr(cold.Folder, name, refuse)
    report = verify(last=3, files=True, store=cold.store())
    assert {problem.code for problem in report.problems} == {"anchor.unreachable", "file.unreachable"}
    assert last_seq() == 4
