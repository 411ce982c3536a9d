from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.db import IntegrityError, connection, connections, transaction
from django_q.conf import Conf
from django_q.models import OrmQ

from auditlog import cold, files, jobs, lines, merkle, seals
from auditlog.actions import export_rows, exporting, record, seal_rows, sealing
from auditlog.actions.exporting import Changed, Packer
from auditlog.events import Event
from auditlog.files import Damaged
from auditlog.models import AuditExport, AuditLog, AuditSeal, IncidentLog
from auditlog.queries import last_seal
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.ids import uuid7

from .sealed import unsealed

# Everything that the test sees is below it, its own transaction included.
HORIZON = "SELECT pg_current_xact_id()::text::bigint + 1, clock_timestamp(), system_identifier::text FROM pg_control_system()"
TRICKY = 'a "quoted"\nsecond, line\n\n"'


@pytest.fixture
def archive(tmp_path: Path, settings: Any) -> Path:
    """A cold storage of this test."""
    settings.AUDIT_COLD_URL = (tmp_path / "cold").as_uri()
    settings.VAR_DIR = tmp_path
    return tmp_path / "cold"


@pytest.fixture
def log(archive: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, client_user: User) -> Callable[..., list[AuditSeal]]:
    """Writes rows in the test's transaction and seals them, three under a seal. What other tests have left is exported, as it were."""
    monkeypatch.setattr(sealing, "NOW", HORIZON)
    if waiting := len(unsealed()):
        settings.AUDIT_SEAL_ROWS = waiting
        seal_rows()
    newest = AuditExport.objects.order_by("-last_seal").first()
    done, last = newest.last_seal if newest else 0, last_seal()
    if last is not None and last.seq > done:
        ranges = {"from_xid": 0, "through_xid": 0, "rows": 0, "data_bytes": 1}
        AuditExport.objects.create(first_seal=done + 1, last_seal=last.seq, manifest_sha256="ab" * 32, **ranges)
    others = set(AuditExport.objects.values_list("pk", flat=True))
    held = files.manifest_of
    monkeypatch.setattr(files, "manifest_of", lambda export: None if export.pk in others else held(export))
    settings.AUDIT_SEAL_ROWS = 3

    def write(count: int) -> list[AuditSeal]:
        for number in range(count):
            record(Event.LOGIN, actor=client_user, target=client_user, description=TRICKY if number % 2 else "", number=number)
        return seal_rows()

    return write


@pytest.fixture
def later() -> Iterator[None]:
    """All that was written is old enough."""
    with clock.at(clock.now() + timedelta(days=site.AUDIT_HOT_DAYS + 1)):
        yield


def stored(archive: Path) -> dict[str, bytes]:
    paths = (path for path in archive.rglob("*") if path.is_file() and "seals/" not in path.as_posix())
    return {path.relative_to(archive).as_posix(): path.read_bytes() for path in paths}


def exported(*seals_: AuditSeal) -> list[bytes]:
    ids = [pk for seal in seals_ for pk in range(seal.first_id or 0, (seal.last_id or 0) + 1)]
    with transaction.atomic():
        return list(lines.copy_lines("id = ANY(%s)", [ids]))


@pytest.mark.usefixtures("later")
def test_rows_go_out_as_they_were_sealed(log: Callable[..., list[AuditSeal]], archive: Path) -> None:
    made = log(7)
    assert [seal.rows for seal in made] == [3, 3, 1]
    seen: list[int] = []
    (export,) = export_rows(progress=seen.append)
    assert (export.first_seal, export.last_seal, export.rows, sum(seen)) == (made[0].seq, made[-1].seq, 7, 7)
    assert (export.first_id, export.last_id) == (made[0].first_id, made[-1].last_id)
    assert (export.first_at, export.last_at) == (made[0].first_at, made[-1].last_at)
    found = stored(archive)
    assert set(found) == {export.data_key, export.manifest_key}
    data = found[export.data_key]
    assert (len(data), sha256(data).hexdigest()) == (export.data_bytes, export.data_sha256)
    text = gzip.decompress(data)
    assert sha256(text).hexdigest() == export.lines_sha256
    expected = exported(*made)
    assert any(b'"\nsecond, line' in line.replace(b'""', b'"') for line in expected)
    assert text == b"".join(line + b"\n" for line in [lines.HEADER, *expected])
    assert list(files.read_lines(export)) == expected

    outer = json.loads(found[export.manifest_key])
    body = json.loads(outer["body"])
    assert seals.canonical(body) == outer["body"]
    assert [seal["hash"] for seal in body["seals"]] == [bytes(seal.hash).hex() for seal in made]
    roots = [json.loads(seal["body"])["root"] for seal in body["seals"]]
    assert roots == [merkle.root([merkle.leaf(line) for line in part]).hex() for part in (expected[:3], expected[3:6], expected[6:])]

    event = AuditLog.objects.get(event_type="audit.archived", target_id=export.pk)
    assert event.metadata["rows"] == 7
    row = AuditLog.objects.with_export().get(pk=made[0].first_id or 0)
    assert row.__dict__["exported_to_cold_storage"] is True
    assert row.__dict__["exported_at"] == export.exported_at


def test_only_what_is_old_enough(log: Callable[..., list[AuditSeal]], archive: Path) -> None:
    log(3)
    with clock.at(clock.now() + timedelta(days=site.AUDIT_HOT_DAYS - 1)):
        assert export_rows() == []
    assert stored(archive) == {}
    with clock.at(clock.now() + timedelta(days=site.AUDIT_HOT_DAYS, seconds=5)):
        assert [export.rows for export in export_rows()] == [3]


@pytest.mark.usefixtures("later")
def test_again_does_nothing_and_files_follow_each_other(log: Callable[..., list[AuditSeal]], archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditlog.actions.exporting.FILE_ROWS", 6)
    made = log(12)
    first, second = export_rows()
    assert [(export.first_seal, export.last_seal, export.rows) for export in (first, second)] == [
        (made[0].seq, made[1].seq, 6),
        (made[2].seq, made[3].seq, 6),
    ]
    manifest = files.read_manifest(cold.store(), second.manifest_key, digest=second.manifest_sha256)
    assert manifest.body["previous"] == first.manifest_sha256
    before = stored(archive)
    assert export_rows() == []
    assert stored(archive) == before
    assert [*files.read_lines(first), *files.read_lines(second)] == exported(*made)


@pytest.mark.usefixtures("later")
def test_a_seal_without_rows_goes_out_too(log: Callable[..., list[AuditSeal]]) -> None:
    (seal,) = log(0) or seal_rows() or [_empty()]
    (export,) = export_rows()
    assert (export.last_seal, export.rows, export.first_id, export.first_at) == (seal.seq, 0, None, None)
    assert list(files.read_lines(export)) == []


def _empty() -> AuditSeal:
    """What the sealer makes when nothing has happened for an hour."""
    last = last_seal()
    seal = AuditSeal(
        seq=last.seq + 1 if last else 1,
        epoch=last.epoch if last else 1,
        floor_id=last.floor_id if last else 0,
        from_xid=last.through_xid if last else 0,
        from_id=last.through_id if last else 0,
        through_xid=last.through_xid if last else 0,
        through_id=last.through_id if last else 0,
        next_xid=1,
        rows=0,
        root=merkle.root([]),
        prev_hash=last.hash if last else seals.FIRST,
        sealed_at=clock.now() - timedelta(days=site.AUDIT_HOT_DAYS + 1),
    )
    sealing._sign(seal, system="1")
    seal.save(force_insert=True)
    return seal


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"root": bytes(32)}, "its columns say otherwise"),
        ({"rows": 2}, "its columns say otherwise"),
        ({"signature": bytes(64)}, "its signature is wrong"),
        ({"body": "{}"}, "its signature is wrong"),
        ({"prev_hash": bytes(32)}, "its columns say otherwise"),
    ],
)
def test_a_seal_that_was_changed_stops_the_export(
    log: Callable[..., list[AuditSeal]], archive: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], words: str
) -> None:
    made = log(6)
    _read_as(monkeypatch, made[1].seq, said)
    with pytest.raises(Changed, match=f"seal {made[1].seq}: {words}"):
        export_rows()
    assert stored(archive) == {}
    assert not AuditExport.objects.filter(last_seal__gte=made[0].seq).exists()
    assert words in IncidentLog.objects.get(severity="critical").description


def _read_as(monkeypatch: pytest.MonkeyPatch, seq: int, said: dict[str, Any]) -> None:
    """Have the database say something else of a seal, as after a change by its administrator."""
    original = AuditSeal.from_db.__func__  # type: ignore[attr-defined]

    def from_db(cls: type[AuditSeal], *args: Any, **kwargs: Any) -> AuditSeal:
        seal: AuditSeal = original(cls, *args, **kwargs)
        if seal.seq == seq:
            for name, value in said.items():
                setattr(seal, name, value)
        return seal

    monkeypatch.setattr(AuditSeal, "from_db", classmethod(from_db))


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: [*rows[:4], rows[4].replace(b"auth.login", b"auth.logout"), *rows[5:]], "differ from what was sealed, first in row {4}"),
        (lambda rows: [*rows[:4], *rows[5:]], "1 of its 3 rows are missing|first in row {4}"),
        (lambda rows: [*rows[:3], rows[4], rows[3], rows[5]], "first in row {3}"),
        (lambda rows: [*rows[:4], rows[4].replace(b"auth.login", b"auth.logout"), *rows[4:]], "first in row {4}"),
        (lambda rows: [*rows, rows[5]], "row {5} was added"),
        (lambda rows: [], "3 of its 3 rows are missing"),
    ],
)
def test_rows_that_are_not_those_sealed_stop_the_export(
    log: Callable[..., list[AuditSeal]], archive: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    made = log(6)
    rows = exported(*made)

    def tampered(where: str, params: list[int], **kwargs: Any) -> Any:
        from_xid, from_id, through_xid, through_id, *_ = params
        first = from_id if from_xid == through_xid else 0
        yield [memoryview(line + b"\n") for line in change(rows) if first < lines.id_of(line) <= through_id]

    monkeypatch.setattr(lines, "copy_pieces", tampered)
    for index, row in enumerate(rows):
        words = words.replace(f"{{{index}}}", str(lines.id_of(row)))
    with pytest.raises(Changed, match=words):
        export_rows()
    assert stored(archive) == {}
    assert not AuditExport.objects.filter(last_seal__gte=made[0].seq).exists()
    assert IncidentLog.objects.get(severity="critical").description.startswith("The audit log was not exported")


@pytest.mark.usefixtures("later")
def test_a_file_that_is_damaged_on_the_way_is_not_entered(
    log: Callable[..., list[AuditSeal]], archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = log(3)
    put = cold.Folder.put

    def cut(self: cold.Folder, name: str, content: Any) -> None:
        put(self, name, content)
        path = self.root / name
        path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(cold.Folder, "put", cut)
    with pytest.raises(Damaged, match="is not the file that was written"):
        export_rows()
    assert not AuditExport.objects.filter(last_seal__gte=made[0].seq).exists()


@pytest.mark.usefixtures("later")
def test_a_manifest_that_lies_there_is_entered_after_a_look(log: Callable[..., list[AuditSeal]], archive: Path) -> None:
    """As after a death between the manifest and the ledger, or a return to an older backup."""
    made = log(7)
    with transaction.atomic():
        (lost,) = export_rows()
        before = stored(archive)
        transaction.set_rollback(True)
    log(2)  # would have gone into the same file
    first, *_ = export_rows()
    assert (first.first_seal, first.last_seal, first.manifest_sha256) == (made[0].seq, made[-1].seq, lost.manifest_sha256)
    assert first.pk != lost.pk
    after = stored(archive)
    assert {name: after[name] for name in before} == before


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", ["data", "data gone", "signature", "junk"])
def test_a_manifest_that_is_not_right_stops_the_export(log: Callable[..., list[AuditSeal]], archive: Path, damage: str) -> None:
    made = log(4)
    with transaction.atomic():
        (lost,) = export_rows()
        transaction.set_rollback(True)
    manifest, data = archive / lost.manifest_key, archive / lost.data_key
    if damage == "data":
        data.write_bytes(gzip.compress(gzip.decompress(data.read_bytes()).replace(b"auth.login", b"auth.fogin")))
    elif damage == "data gone":
        data.unlink()
    elif damage == "signature":
        outer = json.loads(manifest.read_bytes())
        outer["body"] = outer["body"].replace('"rows":4', '"rows":5')
        manifest.write_text(json.dumps(outer))
    else:
        manifest.write_bytes(b"[]")
    with pytest.raises(Damaged):
        export_rows()
    assert not AuditExport.objects.filter(last_seal__gte=made[0].seq).exists()


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "longer", "other manifest", "manifest gone"])
def test_reading_back_notices_what_was_done_to_a_file(log: Callable[..., list[AuditSeal]], archive: Path, damage: str) -> None:
    log(4)
    (export,) = export_rows()
    data, manifest = archive / export.data_key, archive / export.manifest_key
    whole = data.read_bytes()
    if damage == "changed":
        data.write_bytes(gzip.compress(gzip.decompress(whole).replace(b"auth.login", b"auth.fogin")))
    elif damage == "cut":
        data.write_bytes(whole[:-4])
    elif damage == "gone":
        data.unlink()
    elif damage == "longer":
        data.write_bytes(whole + b"\0")
    elif damage == "other manifest":
        manifest.write_bytes(manifest.read_bytes().replace(b"csv", b"cvs"))
    else:
        manifest.unlink()
    with pytest.raises(Damaged):
        list(files.read_lines(export))


@pytest.mark.usefixtures("later")
def test_somebody_else_was_faster(log: Callable[..., list[AuditSeal]], archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once, of whom none saw the other's lock: the manifest of the first counts for both."""
    made = log(4)
    with transaction.atomic():
        (theirs,) = export_rows()
        transaction.set_rollback(True)
    before = stored(archive)
    monkeypatch.setattr(cold.Folder, "names", lambda self, prefix: iter(()))
    (ours,) = export_rows()
    assert (ours.first_seal, ours.manifest_sha256, ours.data_key) == (made[0].seq, theirs.manifest_sha256, theirs.data_key)
    assert stored(archive) == before
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditExport.objects.create(pk=uuid7(), **{name: value for name, value in theirs.__dict__.items() if name not in ("_state", "id")})


@pytest.mark.usefixtures("later")
@pytest.mark.django_db(transaction=True)
def test_two_at_once(archive: Path) -> None:
    """The second finds the lock taken and returns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('audit_export'))")
    found: list[list[AuditExport]] = []

    def other() -> None:
        try:
            found.append(export_rows())
        finally:
            connections.close_all()

    try:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('audit_export'))")
    assert found == [[]]
    assert stored(archive) == {}


@pytest.mark.usefixtures("later")
def test_nothing_is_believed_to_be_exported_that_cold_storage_does_not_know(log: Callable[..., list[AuditSeal]], archive: Path) -> None:
    """The serving role may add to the ledger: one row, and nothing would ever have been exported again."""
    log(3)
    (export,) = export_rows()
    log(3)
    facts = {name: value for name, value in export.__dict__.items() if name not in ("_state", "id", "first_seal", "last_seal")}
    AuditExport.objects.create(**facts, first_seal=export.last_seal + 1, last_seal=2**62)
    before = stored(archive)
    with pytest.raises(Damaged, match="says otherwise than the ledger of exports"):
        export_rows()
    assert "says otherwise" in IncidentLog.objects.latest("detected_at").description
    assert stored(archive) == before


@pytest.mark.usefixtures("later")
def test_the_daily_job_exports(log: Callable[..., list[AuditSeal]]) -> None:
    assert "auditlog.jobs.export" in site.SCHEDULES
    made = log(3)
    jobs.export()
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == ("auditlog.jobs.export_file", ())
    assert task["timeout"] > 60 * Conf.TIMEOUT, "or a slow line would have it ended, and begun again, for ever"
    jobs.export_file()
    assert AuditExport.objects.get(first_seal=made[0].seq).rows == 3
    assert OrmQ.objects.count() == 1, "and nothing is left for another"


@pytest.mark.usefixtures("later")
def test_each_file_is_a_job_of_its_own(log: Callable[..., list[AuditSeal]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "FILE_ROWS", 3)
    ticking, export_next = [0.0], exporting._export_next

    def slowly(progress: exporting.Progress) -> AuditExport | None:
        ticking[0] += 10
        return export_next(progress)

    monkeypatch.setattr("time.monotonic", lambda: ticking[0])
    monkeypatch.setattr(exporting, "_export_next", slowly)
    first, second = log(6)
    jobs.export_file()
    assert AuditExport.objects.filter(first_seal__gte=first.seq).count() == 1
    assert [(row.task["func"], row.task["timeout"]) for row in OrmQ.objects.all()] == [("auditlog.jobs.export_file", jobs.EXPORT_SECONDS)]
    jobs.export_file()
    assert AuditExport.objects.get(first_seal=second.seq).rows == 3


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_found_however_the_text_is_cut(size: int) -> None:
    whole = [b"1,a", b'2,"x\ny"', b'3,"""\n\n,"', b"", b'4,""']
    text = b"".join(line + b"\n" for line in whole)
    assert list(lines.split(text[at : at + size] for at in range(0, len(text), size))) == whole
    for end in (b"5,b", b'5,"b\n'):
        with pytest.raises(ValueError, match="inside a line"):
            list(lines.split([text, end]))


@pytest.mark.parametrize("count", [0, 1, 2, 1023, 1024, 1025, 2047, 2048, 3000, 4097])
@pytest.mark.parametrize("step", [1, 500, 5000])
def test_a_tree_that_grows_has_the_same_root(count: int, step: int) -> None:
    leaves = [merkle.leaf(b"%d" % number) for number in range(count)]
    tree = merkle.Growing()
    for at in range(0, count, step):
        tree.add(leaves[at : at + step])
    assert tree.root() == merkle.root(leaves)


def test_a_full_disk_is_told() -> None:
    def fill() -> None:
        with open("/dev/full", "wb") as full, Packer(full) as packer:
            for _ in range(10):
                packer.write(os.urandom(1 << 20))

    with pytest.raises(OSError, match="No space"):
        fill()


@pytest.mark.usefixtures("db")
def test_a_copy_that_fails_on_the_way_says_why() -> None:
    record_many = "SELECT audit_append('auth.login', 'security', 'info', 'system', NULL, '', NULL, 'x', NULL, 'x', 'x', NULL, NULL, '{}',"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{record_many} NULL, '', NULL, NULL, NULL, '', '')")
    with pytest.raises(Exception, match="division by zero"), transaction.atomic(), closing(lines.copy_pieces("1 / (id - id) > 0")) as pieces:
        list(pieces)
