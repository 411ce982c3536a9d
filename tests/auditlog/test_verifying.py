"""What somebody with all power over the database does to the log, and that each of it is found and named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command
from django.db import connection
from django_q.models import OrmQ

from auditlog import jobs, marks, queries, seals, signing
from auditlog.actions import Behind, Report, acknowledge_loss, look_past_actions, seal_rows, verify, verify_history, verify_recent, verifying
from auditlog.cold import Folder
from auditlog.models import AuditCheck, AuditSeal, CheckKind, IncidentLog, IncidentSeverity
from auditlog.search import proof
from auditlog.signing import Kind
from port444.kit import clock
from port444.kit.ids import uuid7

from .tampering import OwnLog

COPIED = """
event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, target_type, target_id, action, description,
before_state, after_state, metadata, ip_address, user_agent, request_id, device_id, amount, currency, transaction_hash
"""


def found(report: Report) -> list[tuple[str, int | None, int | None]]:
    return [(problem.code, problem.seal, problem.row) for problem in report.problems]


def words(report: Report) -> list[str]:
    return [problem.words for problem in report.problems]


def last_seq() -> int:
    return AuditSeal.objects.order_by("-seq").values_list("seq", flat=True)[0]


def place_of(row: int) -> tuple[int, str]:
    """Transaction and moment of a row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xid, timestamp::text FROM audit_log WHERE id = %s", [row])
        xid, moment = cursor.fetchone()
        return xid, moment


def insertion(like: int, row: int, *, xid: str = "xid", moment: str = "timestamp") -> str:
    """A row that was never written, which tells the same as another."""
    return (
        f"INSERT INTO audit_log (id, timestamp, xid, {COPIED}) OVERRIDING SYSTEM VALUE "
        f"SELECT {row}, {moment}, {xid}, {COPIED} FROM audit_log WHERE id = {like}"
    )


@contextmanager
def signing_with(key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(signing, "_private", lambda: key)
        yield


def resigned(seal: AuditSeal, key: Ed25519PrivateKey) -> str:
    """A statement that signs the body of a seal anew."""
    key_id = signing.key_id(key.public_key())
    body = seal.body.replace(seal.key_id, key_id)
    return (
        f"UPDATE audit_seal SET body = '{body}', key_id = '{key_id}', hash = '\\x{seals.hash_of(body).hex()}', "
        f"signature = '\\x{key.sign(Kind.SEAL.over(body.encode())).hex()}' WHERE seq = {seal.seq}"
    )


def test_a_log_that_nobody_touched(own_log: OwnLog) -> None:
    own_log.sealed(3, 1, 4)
    own_log.write(2)
    report = verify(files=True)
    assert [problem.words for problem in report.problems] == []
    assert report.seals == report.valid_seals == AuditSeal.objects.count()
    assert report.rows == report.valid_rows >= 8
    assert report.waiting == 2


def test_changed_row(own_log: OwnLog) -> None:
    _, ids, _ = own_log.sealed(3, 4, 2)
    own_log.tamper(f"UPDATE audit_log SET description = 'nothing' WHERE id = {ids[2]}")
    report, seq = verify(), last_seq() - 1
    assert found(report) == [("row.changed", seq, ids[2])]
    assert words(report) == [f"Row {ids[2]} in seal {seq} was changed."]
    assert report.rows - report.valid_rows == 1


def test_deleted_rows(own_log: OwnLog) -> None:
    _, ids, _ = own_log.sealed(3, 4, 2)
    own_log.tamper(f"DELETE FROM audit_log WHERE id IN ({ids[1]}, {ids[3]})")
    report, seq = verify(), last_seq() - 1
    assert found(report) == [("row.removed", seq, ids[1])]
    assert words(report) == [f"Row {ids[1]} in seal {seq} was removed, and 1 other ({ids[3]})."]


def test_row_added_among_sealed_ones(own_log: OwnLog) -> None:
    """Dated now or then: its transaction is one whose rows were sealed."""
    _, ids, _ = own_log.sealed(3, 4, 2)
    _, moment = place_of(ids[1])
    own_log.tamper(insertion(ids[0], ids[3] + 5000, moment="clock_timestamp()"), insertion(ids[0], ids[3] + 5001, moment=f"'{moment}'"))
    report, seq = verify(), last_seq() - 1
    assert found(report) == [("row.added", seq, ids[3] + 5000)]
    assert words(report) == [f"Row {ids[3] + 5000} in seal {seq} was added, and 1 other ({ids[3] + 5001})."]
    assert report.rows == report.valid_rows


@pytest.mark.parametrize(("xid", "row"), [("1", "-7"), ("-3", "9000000"), ("0", "0")])
def test_row_put_in_front_of_all(own_log: OwnLog, xid: str, row: str) -> None:
    ids, _ = own_log.sealed(3, 1)
    own_log.tamper(insertion(ids[0], int(row), xid=xid))
    assert ("row.added", 1, int(row)) in found(verify())


def test_row_that_waits_for_its_seal_is_dated_back(own_log: OwnLog) -> None:
    ids, _ = own_log.sealed(3, 1)
    new = ids[-1] + 5000
    own_log.tamper(insertion(ids[0], new, xid="pg_current_xact_id()::text::bigint", moment="now() - interval '2 hours'"))
    assert found(verify()) == [("row.backdated", None, new)]
    own_log.seal()
    report = verify()
    assert found(report) == [("row.backdated", last_seq(), new)]
    assert f"was written after seal {last_seq() - 1} of" in words(report)[0]
    assert found(verify(first=last_seq())) == [("row.backdated", last_seq(), new)], "a look at the end sees it too"


def test_row_of_a_transaction_that_never_was(own_log: OwnLog) -> None:
    """With such a number it would never be sealed."""
    ids, _ = own_log.sealed(3, 1)
    new = ids[-1] + 5000
    own_log.tamper(insertion(ids[0], new, xid="4611686018427387904"))
    assert found(verify()) == [("row.added", None, new)]


def test_rows_that_changed_places(own_log: OwnLog) -> None:
    _, ids, _ = own_log.sealed(3, 5, 2)
    columns = [name.strip() for name in COPIED.split(",")]
    taken = ", ".join(f"{name} = o.{name}" for name in columns)
    pair = f"(VALUES ({ids[1]}, {ids[3]}), ({ids[3]}, {ids[1]})) AS p (a, b)"
    own_log.tamper(f"UPDATE audit_log l SET {taken} FROM {pair} JOIN audit_log o ON o.id = p.b WHERE l.id = p.a")
    report, seq = verify(), last_seq() - 1
    assert found(report) == [("row.reordered", seq, ids[1])]
    assert words(report) == [f"Row {ids[1]} in seal {seq} changed places with another, and 1 other ({ids[3]})."]


def test_rows_in_another_order(own_log: OwnLog) -> None:
    """Two transactions are told the other way round."""
    one = own_log.write(2)
    two = own_log.write(2)
    own_log.seal()
    (a, _), (b, _) = place_of(one[0]), place_of(two[0])
    own_log.tamper(f"UPDATE audit_log SET xid = {a} + {b} - xid WHERE id = ANY('{{{one[0]}, {one[1]}, {two[0]}, {two[1]}}}')")
    report = verify()
    assert found(report) == [("row.reordered", last_seq(), one[0])]


def test_row_moved_to_another_time(own_log: OwnLog) -> None:
    first, second = own_log.sealed(3, 3)
    xid, _ = place_of(second[0])
    own_log.tamper(f"UPDATE audit_log SET xid = {xid} WHERE id = {first[1]}")
    report, seq = verify(), last_seq()
    assert found(report) == [("row.removed", seq - 1, first[1]), ("row.added", seq, first[1])]


def test_truncated(own_log: OwnLog) -> None:
    first, second = own_log.sealed(3, 2)
    own_log.tamper("TRUNCATE audit_log")
    report, seq = verify(), last_seq()
    assert found(report)[-2:] == [("row.removed", seq - 1, first[0]), ("row.removed", seq, second[0])]
    assert report.valid_rows == 0
    assert (report.valid_seals, report.seals) == (seq, seq)


def test_month_that_went_without_a_word(own_log: OwnLog) -> None:
    first, _ = own_log.sealed(3, 2)
    _, moment = place_of(first[0])
    own_log.tamper(f"DROP TABLE audit_log_{moment[:4]}{moment[5:7]}")
    report = verify()
    assert found(report)[0][0] == "month.removed"
    assert words(report)[0].startswith(f"{moment[:7]} is gone from the database")
    assert report.valid_rows == 0


def test_leaves_changed(own_log: OwnLog) -> None:
    own_log.sealed(3, 2)
    seq = last_seq()
    own_log.tamper(f"UPDATE audit_leaves SET leaves = overlay(leaves placing '\\x00' from 20) WHERE seal_id = {seq}")
    report = verify()
    assert found(report) == [("leaves.changed", seq, None)]
    assert report.valid_rows == report.rows


def test_row_and_leaves_changed(own_log: OwnLog) -> None:
    """The leaves are not believed: the root is signed, they are not."""
    _, ids = own_log.sealed(3, 2)
    seq = last_seq()
    own_log.tamper(
        f"UPDATE audit_log SET description = 'nothing' WHERE id = {ids[1]}",
        f"UPDATE audit_leaves SET leaves = overlay(leaves placing '\\x00' from 60) WHERE seal_id = {seq}",
    )
    assert found(verify()) == [("rows.changed", seq, ids[0])]


@pytest.mark.parametrize("column", ["rows", "through_xid", "next_xid", "last_id", "epoch", "floor_id"])
def test_seal_says_otherwise_than_signed(own_log: OwnLog, column: str) -> None:
    own_log.sealed(3, 2)
    seq = last_seq()
    own_log.tamper(f"UPDATE audit_seal SET {column} = {column} + 1 WHERE seq = {seq}")
    report = verify()
    assert ("seal.changed", seq, None) in found(report)
    assert report.valid_seals == seq - 1


def test_row_changed_with_its_root(own_log: OwnLog) -> None:
    """Whoever computes anew what belongs to a row lacks the signature."""
    _, ids, _ = own_log.sealed(2, 3, 1)
    seal = AuditSeal.objects.get(seq=last_seq() - 1)
    body = seal.body.replace(bytes(seal.root).hex(), "00" * 32)
    hash_ = seals.hash_of(body).hex()
    own_log.tamper(
        f"UPDATE audit_log SET description = 'nothing' WHERE id = {ids[0]}",
        f"UPDATE audit_seal SET root = '\\x{'00' * 32}', body = '{body}', hash = '\\x{hash_}' WHERE seq = {seal.seq}",
    )
    report = verify()
    assert found(report)[0] == ("seal.signature", seal.seq, None)
    assert ("seal.order", seal.seq + 1, None) in found(report)


def test_seals_swapped(own_log: OwnLog) -> None:
    own_log.sealed(2, 3, 1)
    seq = last_seq()
    own_log.tamper(
        f"UPDATE audit_seal SET seq = 999999 WHERE seq = {seq - 1}",
        f"UPDATE audit_seal SET seq = {seq - 1} WHERE seq = {seq}",
        f"UPDATE audit_seal SET seq = {seq} WHERE seq = 999999",
    )
    report = verify()
    assert found(report)[:2] == [("seal.changed", seq - 1, None), ("seal.order", seq - 1, None)]
    assert words(report)[0] == f"Seal {seq - 1} was changed: seq is not what was signed."


def test_seal_signed_with_another_key(own_log: OwnLog) -> None:
    own_log.sealed(2, 3, 1)
    seq = last_seq()
    key = Ed25519PrivateKey.generate()
    own_log.tamper(resigned(AuditSeal.objects.get(seq=seq - 1), key))
    report = verify()
    assert found(report)[0] == ("seal.key", seq - 1, None)
    assert signing.key_id(key.public_key()) in words(report)[0]


def test_seal_deleted(own_log: OwnLog) -> None:
    _, ids, _ = own_log.sealed(2, 3, 1)
    seq = last_seq()
    own_log.tamper(
        f"DELETE FROM audit_anchor WHERE seal_id = {seq - 1}",
        f"DELETE FROM audit_leaves WHERE seal_id = {seq - 1}",
        f"DELETE FROM audit_seal WHERE seq = {seq - 1}",
        f"DELETE FROM audit_log WHERE id = ANY('{{{ids[0]}, {ids[1]}, {ids[2]}}}')",
    )
    report = verify()
    assert found(report)[0] == ("seal.removed", seq - 1, None)
    assert words(report)[0] == f"Seal {seq - 1} is gone from the database."


def test_tail_cut_off(own_log: OwnLog) -> None:
    """What is left of the database hangs together; what lies outside does not let it end there."""
    _, second, _ = own_log.sealed(2, 3, 1)
    seq = last_seq()
    own_log.tamper(
        *(f"DELETE FROM {table} WHERE seal_id > {seq - 2}" for table in ("audit_anchor", "audit_leaves")),
        f"DELETE FROM audit_seal WHERE seq > {seq - 2}",
        f"DELETE FROM audit_log WHERE id >= {second[0]}",
    )
    report = verify()
    assert found(report) == [("log.cut", seq - 1, None)]
    assert words(report) == [f"The database ends at seal {seq - 2}, cold storage at {seq}: seals {seq - 1} to {seq} and their rows are gone."]


def test_all_cut_off(own_log: OwnLog) -> None:
    own_log.sealed(2, 1)
    seq = last_seq()
    own_log.tamper("TRUNCATE audit_log, audit_seal, audit_leaves, audit_anchor, audit_export, audit_move, audit_check")
    assert words(verify()) == [f"The database ends at seal 0, cold storage at {seq}: seals 1 to {seq} and their rows are gone."]


def test_rolled_back_to_an_old_backup(own_log: OwnLog) -> None:
    own_log.sealed(2)
    seq = last_seq()
    own_log.back_up(f"{own_log.name}_old")
    own_log.sealed(3, 1)
    own_log.roll_back_to(f"{own_log.name}_old")
    report = verify()
    assert words(report) == [f"The database ends at seal {seq}, cold storage at {seq + 2}: seals {seq + 1} to {seq + 2} and their rows are gone."]
    own_log.write()
    with pytest.raises(Behind):
        seal_rows()
    acknowledge_loss(actor=None, reason="the disk died")
    own_log.seal()
    assert words(verify(files=True)) == [], "a loss that was acknowledged, and signed for, is no tampering"


def test_rewritten_by_somebody_with_the_key(own_log: OwnLog) -> None:
    """Whoever has the key can make a log that hangs together, and cannot make the old seals go away."""
    first, _ = own_log.sealed(2, 3)
    seq = last_seq()
    own_log.tamper(
        f"UPDATE audit_log SET description = 'nothing' WHERE id = {first[0]}",
        *(f"DELETE FROM {table} WHERE seal_id >= {seq - 1}" for table in ("audit_anchor", "audit_leaves")),
        f"DELETE FROM audit_seal WHERE seq >= {seq - 1}",
    )
    away = own_log.folder.with_name("away")
    own_log.folder.rename(away)
    own_log.write()
    own_log.seal(anchored=False)
    own_log.write(2)
    own_log.seal(anchored=False)
    own_log.folder.mkdir(exist_ok=True)
    assert found(verify()) == [], "it hangs together"
    own_log.folder.rmdir()
    away.rename(own_log.folder)
    for files in (False, True):
        report = verify(files=files)
        assert found(report)[0] == ("seal.rewritten", seq - 1, None), files


def anchored(own_log: OwnLog, seq: int) -> Path:
    (path,) = own_log.folder.glob(f"seals/*/*/*/{seq:012d}.json")
    return path


def test_seal_replaced_in_cold_storage(own_log: OwnLog) -> None:
    own_log.sealed(2, 3, 1)
    seq = last_seq() - 1
    path = anchored(own_log, seq)
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "body": facts["body"].replace('"rows":3', '"rows":2')}))
    report = verify(files=True)
    assert found(report) == [("anchor.changed", seq, None)]
    assert f"{seq:012d}.json in cold storage was replaced" in words(report)[0]


def test_seal_removed_from_cold_storage(own_log: OwnLog) -> None:
    own_log.sealed(2, 3, 1)
    seq = last_seq() - 1
    anchored(own_log, seq).unlink()
    assert found(verify()) == [("anchor.removed", seq, None)]


def test_two_seals_of_one_number_in_cold_storage(own_log: OwnLog) -> None:
    own_log.sealed(2, 3)
    seq = last_seq()
    other = own_log.folder / f"seals/2026/01/01/{seq:012d}.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    assert found(verify()) == [("anchor.changed", seq, None)]


def test_cold_storage_out_of_reach(own_log: OwnLog) -> None:
    own_log.sealed(2)
    own_log.folder.rename(own_log.folder.with_name("away"))
    os.symlink("/dev/null/nowhere", own_log.folder)
    assert not verify().ok


def test_command_names_the_first_and_counts(own_log: OwnLog) -> None:
    _, ids = own_log.sealed(2, 3)
    said = StringIO()
    call_command("audit_verify", stdout=said)
    count = AuditSeal.objects.count()
    assert f"{count}/{count} seals valid" in said.getvalue()
    own_log.tamper(f"UPDATE audit_log SET description = 'nothing' WHERE id = {ids[1]}")
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit_verify", since=last_seq(), stdout=said)
    assert ended.value.code == 1
    assert said.getvalue().splitlines() == [f"Row {ids[1]} in seal {last_seq()} was changed.", "1/1 seals valid, 2/3 rows valid"]


def test_jobs_keep_what_they_saw(own_log: OwnLog) -> None:
    own_log.sealed(2, 3)
    jobs.verify_recent()
    jobs.verify_history()
    recent, history = (AuditCheck.objects.get(kind=kind) for kind in ("recent", "history"))
    assert recent.ok
    assert history.ok
    assert (recent.first_seal, recent.last_seal, recent.seals) == (1, last_seq(), last_seq())
    assert IncidentLog.objects.count() == 0


def test_a_day_with_too_many_rows_is_looked_through_in_several_runs(own_log: OwnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    own_log.sealed(1, 1, 1)
    monkeypatch.setattr(verifying, "BATCH_SEALS", 1)
    spans = [(check.first_seal, check.last_seal) for check in (verify_recent(seconds=0) for _ in range(3))]
    assert spans == [(1, 1), (2, 2), (3, 3)]
    own_log.sealed(1)
    assert verify_recent(seconds=0).first_seal == 1, "all of the day was looked at, and it begins anew"
    assert not queries.looking_is_late()
    with clock.at(clock.now() + timedelta(hours=2)):
        assert queries.looking_is_late()


def test_what_left_the_day_before_a_look_came_to_it_is_said(own_log: OwnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    own_log.sealed(1, 1, 1)
    monkeypatch.setattr(verifying, "BATCH_SEALS", 1)
    assert verify_recent(seconds=0).ok
    own_log.write()
    with clock.at(clock.now() + timedelta(days=2)):
        check = verify_recent(seconds=0)
        assert [(problem["code"], problem["seal"]) for problem in check.problems] == [("look.behind", 2)]
        assert "no time to look at the seals from 2 to 2 " in check.problems[0]["words"]
        assert queries.looking_is_late()
    assert IncidentLog.objects.count() == 0, "which is no sign that somebody has changed anything"


def test_history_is_gone_through_part_by_part(own_log: OwnLog) -> None:
    own_log.sealed(1, 1, 1)
    ends = []
    for _ in range(last_seq() + 1):
        jobs.verify_history()
        ends.append(AuditCheck.objects.order_by("-checked_at")[0].last_seal)
    assert ends == [*range(1, last_seq() + 1), 1]


def test_history_that_takes_too_long_goes_on_in_another_job(own_log: OwnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    own_log.sealed(1, 1, 1)
    monkeypatch.setattr(verifying, "BATCH_SEALS", 1)
    monkeypatch.setattr(verifying, "HISTORY_PARTS", 1)
    assert [verify_history(seconds=0), verify_history(3, seconds=0), verify_history(3, seconds=0)] == [3, 3, 0]
    assert list(AuditCheck.objects.order_by("checked_at").values_list("first_seal", "last_seal", "ok")) == [(n, n, True) for n in (1, 2, 3)]
    monkeypatch.setattr(jobs, "SWEEP_SECONDS", 0)
    jobs.verify_history()
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == ("auditlog.jobs.verify_history", (3,))


def test_history_goes_on_where_reading_of_cold_storage_took_too_long(own_log: OwnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of seals are read one by one, which takes longer than their rows."""
    own_log.sealed(1, 1, 1)
    opened = []

    def slow(self: Folder, name: str, read: Callable[[Folder, str], BinaryIO] = Folder.open) -> BinaryIO:
        opened.append(name)
        ticking[0] += 10
        return read(self, name)

    ticking = [0.0]
    monkeypatch.setattr(Folder, "open", slow)
    monkeypatch.setattr("time.monotonic", lambda: ticking[0])
    monkeypatch.setattr(verifying, "HISTORY_PARTS", 1)
    assert [verify_history(seconds=30), verify_history(3, seconds=30)] == [3, 0]
    assert len(opened) == 3
    assert list(AuditCheck.objects.order_by("checked_at").values_list("first_seal", "last_seal", "ok")) == [(1, 2, True), (3, 3, True)]


def test_a_part_of_history_reads_the_names_of_its_days(own_log: OwnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    own_log.sealed(1, 1, 1)
    own_log.tamper(f"UPDATE audit_seal SET sealed_at = sealed_at - interval '400 days' WHERE seq < {last_seq()}")
    asked = []

    def names(self: Folder, prefix: str, read: Callable[[Folder, str], Iterator[str]] = Folder.names) -> Iterator[str]:
        asked.append(prefix)
        return read(self, prefix)

    monkeypatch.setattr(Folder, "names", names)
    verify(first=2, last=2)
    assert 2 <= len(asked) <= 3, "its own day, and those since the newest seal"


@pytest.mark.parametrize("body", ["no statement", '{"lost": 7}', "{}", '"lost":'])
def test_seal_that_the_serving_role_made_up(own_log: OwnLog, body: str) -> None:
    """It may add seals and cannot sign them. What the seal says is not even read."""
    own_log.sealed(2)
    last = AuditSeal.objects.latest("seq")
    last.seq, last.body, last.hash, last.signature = last.seq + 1, body, b"1" * 32, b"2" * 64
    last.save(force_insert=True)
    report = verify()
    assert ("seal.changed", last.seq, None) in found(report)
    assert not [problem for problem in report.problems if problem.code.endswith(".unreachable")]
    own_log.tamper(f"UPDATE audit_seal SET hash = sha256(body::bytea) WHERE seq = {last.seq}")
    assert ("seal.signature", last.seq, None) in found(verify(files=True))


def past_the_actions() -> None:
    IncidentLog.objects.create(
        fingerprint="x", incident_type="fraud_attempt", severity="low", detection_method="manual", description="x", confidence=1
    )


def looked(kind: CheckKind, last: int, **facts: Any) -> AuditCheck:
    """What the serving role can write: that somebody looked up to there."""
    return AuditCheck.objects.create(
        **{"kind": kind, "first_seal": 1, "last_seal": last, "seals": last, "rows": 1, "ok": True, "milliseconds": 1} | facts
    )


def look_later() -> list[list[str]]:
    with clock.at(clock.now() + timedelta(minutes=3)):
        return [one.models for one in look_past_actions()]


@pytest.mark.parametrize("fakes", [1, 30])
def test_a_look_that_nobody_took_hides_no_change(own_log: OwnLog, monkeypatch: pytest.MonkeyPatch, fakes: int) -> None:
    monkeypatch.setattr(marks, "FAR", 25)
    own_log.sealed(1)
    assert look_later() == []
    mine = marks.newest(CheckKind.ACTIONS)[0]
    assert mine is not None
    for _ in range(fakes):
        looked(CheckKind.ACTIONS, 2**62, checked_at=clock.now() + timedelta(days=1), key_id=mine.key_id, signature=mine.signature)
    past_the_actions()
    own_log.seal()
    assert look_later() == [["incidentlog"]]
    incident = IncidentLog.objects.get(fingerprint="audit-log:check:actions")
    assert (incident.severity, "changes past the actions" in incident.description) == ("critical", True)
    assert look_later() == ([] if fakes == 1 else [["incidentlog"]]), "under very many no look of ours is found, and all is looked at anew"


def test_a_look_that_nobody_took_leaves_no_part_of_history_out(own_log: OwnLog) -> None:
    own_log.sealed(1, 1, 1)
    looked(CheckKind.HISTORY, 2)
    looked(CheckKind.RECENT, last_seq())
    assert proof().history is proof().recent is None, "nor is it shown as one"
    jobs.verify_history()
    check = marks.newest(CheckKind.HISTORY)[0]
    assert check is not None
    assert (check.first_seal, check.last_seal) == (1, 1)
    assert proof().history == check


@pytest.mark.parametrize("name", ["pk", "kind", "last_seal", "ok", "problems", "checked_at"])
def test_a_check_is_signed_whole(own_log: OwnLog, name: str) -> None:
    own_log.sealed(1)
    jobs.verify_recent()
    check = AuditCheck.objects.get()
    assert marks.is_genuine(check)
    setattr(check, name, {"pk": uuid7(), "kind": "actions", "last_seal": 7, "ok": False, "problems": ["x"], "checked_at": clock.now()}[name])
    assert not marks.is_genuine(check)


@pytest.mark.parametrize("epochs", [0, 1])
def test_no_change_hides_behind_a_made_up_seal(own_log: OwnLog, epochs: int) -> None:
    own_log.sealed(1)
    last = AuditSeal.objects.latest("seq")
    past_the_actions()
    if epochs:
        own_log.seal()
    last.seq, last.epoch, last.floor_id, last.hash = last_seq() + 1, last.epoch + epochs, 0, b"1" * 32
    last.save(force_insert=True)
    for _ in range(2):
        with clock.at(clock.now() + timedelta(minutes=3)):
            jobs.witness()
    assert IncidentLog.objects.filter(fingerprint="audit-log:forged").exists()
    own_log.tamper(f"DELETE FROM audit_seal WHERE seq = {last.seq}")
    own_log.seal()
    assert ["incidentlog"] in look_later()


def test_what_a_job_finds_is_a_critical_incident(own_log: OwnLog) -> None:
    _, ids = own_log.sealed(2, 3)
    own_log.tamper(f"UPDATE audit_log SET description = 'nothing' WHERE id = {ids[1]}")
    jobs.verify_recent()
    jobs.verify_recent()
    incident = IncidentLog.objects.get()
    assert incident.severity == IncidentSeverity.CRITICAL
    assert f"Row {ids[1]} in seal {last_seq()} was changed." in incident.description
    check = AuditCheck.objects.order_by("-checked_at")[0]
    assert (check.ok, check.problems[0]["row"]) == (False, ids[1])
