"""Months leave the database for cold storage and come back: in a database of this test's own, with rows of a year ago."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from auditlog import files, lines
from auditlog.actions import Different, anchor_seals, drop_month, export_rows, exporting, index_rows, moving, record, restore_month, verify
from auditlog.events import Event
from auditlog.models import AuditExport, AuditLog, AuditMove
from auditlog.owner import as_owner
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.errors import Conflict, WrongState
from tests import copies

from .sealed import seal_all

MAY, JUNE, JULY = date(2025, 5, 1), date(2025, 6, 1), date(2025, 7, 1)
PARTITION = """
CREATE TABLE {part} PARTITION OF audit_log FOR VALUES FROM ('{start}') TO ('{end}');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {part} FOR EACH STATEMENT EXECUTE FUNCTION audit_reject();
ALTER TABLE {part} ENABLE ALWAYS TRIGGER no_truncate;
REVOKE ALL ON {part} FROM port444_app;
GRANT SELECT ON {part} TO port444_app
"""
# Every kind of value, some of them hard to print.
WRITE = """
INSERT INTO audit_log (timestamp, event_type, event_category, severity, actor_type, actor_id, actor_email, target_type, target_id,
  action, description, before_state, after_state, metadata, ip_address, user_agent, amount, currency, transaction_hash)
SELECT %s::timestamptz + n * interval '1 second', 'old.row', 'financial', 'info', 'client', gen_random_uuid(), 'a@example.com', 'order',
  gen_random_uuid(), 'Did "something"', E'first line\\nsecond, "quoted"\\r\\n\\\\N',
  CASE WHEN n %% 2 = 0 THEN '{"a": "b,\\"c\\"", "n": 1.50}'::jsonb END, '[]', '{}',
  '203.0.113.9', CASE WHEN n %% 3 = 0 THEN '' ELSE 'Browser \u00e9' END, 0.000000000000000001 * n, 'USDC', ''
FROM generate_series(1, %s) AS n
"""


class Log:
    """The log of a year ago in a database of its own, two months of it sealed and exported."""

    def __init__(self) -> None:
        with as_owner(), connection.cursor() as cursor:
            for month in (MAY, JUNE, JULY):
                end = (month + timedelta(days=31)).replace(day=1)
                cursor.execute(PARTITION.format(part=f"audit_log_{month:%Y%m}", start=month, end=end))

    def write(self, moment: str, count: int) -> None:
        with as_owner(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(WRITE, [moment, count])

    def seal_and_export(self) -> list[AuditExport]:
        seal_all()
        return export_rows()


@pytest.fixture
def log(own_database: str, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Log:
    """May, June and July 2025, in two files that are cut within June."""
    settings.AUDIT_COLD_URL = (tmp_path / "cold").as_uri()
    settings.VAR_DIR = tmp_path
    settings.AUDIT_SEAL_ROWS = 400
    monkeypatch.setattr(exporting, "FILE_ROWS", 1000)
    made = Log()
    made.write("2025-05-20", 500)
    made.write("2025-06-03", 800)
    made.write("2025-06-20", 300)
    made.write("2025-07-01 00:00:00", 100)
    made.seal_and_export()
    return made


@pytest.fixture
def admin(log: Log) -> Iterator[psycopg.Connection[Any]]:
    """A superuser of the database, whom nothing stops."""
    with psycopg.connect(
        copies.libpq(copies.on_database(copies.owner_url(), connection.settings_dict["NAME"])), user="postgres", autocommit=True
    ) as made:
        made.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL")
        yield made


def all_lines() -> list[bytes]:
    with transaction.atomic():
        return list(lines.copy_lines("true"))


def of(month: date) -> list[bytes]:
    return [line for line in all_lines() if line.split(b",", 2)[1].startswith(f"{month:%Y-%m}".encode())]


def tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relname IN (SELECT inhrelid::regclass::text FROM pg_inherits) FROM pg_class WHERE relname ~ '^audit_log_2025..$'"
        )
        return {name if attached else f"{name} detached" for name, attached in cursor.fetchall()}


def found() -> dict[str, int]:
    """How many rows of each month the search knows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*) FROM audit_find GROUP BY 1 ORDER BY 1")
        return {month: count for month, count in cursor.fetchall() if month.startswith("2025")}


def drop(month: date) -> AuditMove | None:
    with as_owner():
        return drop_month(month, actor=None)


def restore(month: date) -> AuditMove:
    with as_owner():
        return restore_month(month, actor=None)


def test_the_months_of_the_test_lie_in_files_that_are_cut_within_june(log: Log) -> None:
    exports = AuditExport.objects.order_by("first_seal")
    assert [export.rows for export in exports] == [800, 900]
    assert exports[0].last_at is not None
    assert f"{exports[0].last_at:%Y-%m}" == f"{exports[1].first_at:%Y-%m}" == "2025-06"


def test_a_month_is_dropped_and_comes_back_as_it_was(log: Log) -> None:
    before = of(MAY) + of(JUNE) + of(JULY)
    june = of(JUNE)
    while index_rows(clock.now()):
        pass
    assert found() == {"2025-05": 500, "2025-06": 1100, "2025-07": 100}
    move = drop(JUNE)
    assert move is not None
    assert (move.month, move.kind, move.rows) == (JUNE, "dropped", 1100)
    assert tables() == {"audit_log_202505", "audit_log_202507"}
    assert [line for line in all_lines() if line in set(june)] == []
    assert found() == {"2025-05": 500, "2025-07": 100}, "nor does the search know them any more"
    said = AuditLog.objects.get(event_type="audit.dropped")
    assert (said.metadata["month"], said.metadata["rows"], said.target_id) == ("2025-06", 1100, move.pk)
    back = restore(JUNE)
    assert (back.month, back.kind, back.rows) == (JUNE, "restored", 1100)
    assert AuditLog.objects.filter(event_type="audit.restored", target_id=back.pk).exists()
    assert of(JUNE) == june
    assert of(MAY) + of(JUNE) + of(JULY) == before
    assert found() == {"2025-05": 500, "2025-06": 1100, "2025-07": 100}
    again = drop(JUNE)
    assert again is not None
    assert (again.kind, again.rows) == ("dropped", 1100)


def test_the_log_stays_provable_all_the_way(log: Log, admin: psycopg.Connection[Any]) -> None:
    def problems() -> list[tuple[str, int | None]]:
        anchor_seals()
        return [(problem.code, problem.row) for problem in verify(files=True).problems]

    assert problems() == []
    drop(JUNE)
    assert problems() == []
    drop(MAY)
    restore(JUNE)
    assert problems() == []
    row = AuditLog.objects.filter(timestamp__gte=datetime(2025, 6, 20, tzinfo=UTC)).order_by("id").values_list("id", flat=True)[7]
    admin.execute("UPDATE audit_log SET amount = 0 WHERE id = %s", [row])
    assert problems() == [("row.changed", row)]
    admin.execute("DROP TABLE audit_log_202506")
    assert problems() != [], "a month that somebody dropped is missed, though its files are there"


def test_what_was_restored_is_as_closed_as_before(log: Log) -> None:
    def closed(part: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tgname, tgenabled::text, tgtype FROM pg_trigger WHERE tgrelid = %s::regclass ORDER BY 1", [part])
            triggers = cursor.fetchall()
            cursor.execute("SELECT relacl::text, relowner::regrole::text FROM pg_class WHERE oid = %s::regclass", [part])
            rights = cursor.fetchall()
            cursor.execute(
                "SELECT replace(indexdef, %s, '') FROM pg_indexes WHERE tablename = %s",
                [part, part],
            )
            return [triggers, rights, len(cursor.fetchall())]

    before = closed("audit_log_202506")
    assert len(before[0]) == 2
    drop(JUNE)
    restore(JUNE)
    assert closed("audit_log_202506") == before
    assert closed("audit_log_202506") == closed(f"audit_log_{clock.now():%Y%m}"), "as closed as those that are made ahead"
    for attack in ("TRUNCATE", "DELETE FROM", "INSERT INTO"):
        rest = " DEFAULT VALUES" if attack == "INSERT INTO" else ""
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"{attack} audit_log_202506{rest}")
    for attack in ("TRUNCATE audit_log_202506", "DELETE FROM audit_log_202506", "UPDATE audit_log_202506 SET action = ''"):
        with as_owner(), pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute(attack)


FORGE = "INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(audit_log, '{facts}')).* FROM audit_log WHERE id = {row}"
ANOTHER, GONE = r"Row {row} is another in the database than in rows/", r"Row {row} lies in rows/\S+ and is not in the database"


@pytest.mark.parametrize(
    ("tamper", "facts", "said"),
    [
        ("UPDATE audit_log SET amount = amount + 1 WHERE id = {row}", "", ANOTHER),
        ("UPDATE audit_log SET description = description || ' ' WHERE id = {row}", "", ANOTHER),
        ("DELETE FROM audit_log WHERE id = {row}", "", GONE),
        ("UPDATE audit_log SET xid = xid + 1000000 WHERE id = {row}", "", GONE),
        (FORGE, '{"id": 9999999}', "Row 9999999 is in the database and not in rows/"),
        (FORGE, '{"id": 9999999, "xid": 999999999}', "1 rows of audit_log_202506 are not in cold storage, the first of them row 9999999"),
    ],
)
def test_nothing_is_dropped_when_a_row_differs(log: Log, admin: psycopg.Connection[Any], tamper: str, facts: str, said: str) -> None:
    row = AuditLog.objects.filter(timestamp__gte=datetime(2025, 6, 20, tzinfo=UTC)).order_by("id").values_list("id", flat=True)[7]
    admin.execute(tamper.format(row=row, facts=facts).encode())
    with pytest.raises(Different, match=said.format(row=row)):
        drop(JUNE)
    assert tables() == {"audit_log_202505", "audit_log_202506", "audit_log_202507"}
    assert not AuditMove.objects.exists()


def stored(export: AuditExport) -> Path:
    return Path(export.store.removeprefix("file://")) / export.data_key


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("which", "harm"),
    [(0, flip), (1, flip), (1, Path.unlink), (1, lambda path: path.write_bytes(path.read_bytes()[:-9]))],
    ids=["first changed", "second changed", "gone", "cut"],
)
def test_nothing_is_dropped_or_restored_when_a_stored_byte_differs(log: Log, which: int, harm: Callable[[Path], object]) -> None:
    path = stored(AuditExport.objects.order_by("first_seal")[which])
    kept = path.read_bytes()
    harm(path)
    with pytest.raises(files.Damaged, match="rows/"):
        drop(JUNE)
    assert tables() == {"audit_log_202505", "audit_log_202506", "audit_log_202507"}
    path.write_bytes(kept)
    drop(JUNE)
    harm(path)
    with pytest.raises(files.Damaged, match="rows/"):
        restore(JUNE)
    assert tables() == {"audit_log_202505", "audit_log_202507"}
    assert [move.kind for move in AuditMove.objects.all()] == ["dropped"]
    path.write_bytes(kept)
    assert restore(JUNE).rows == 1100


def test_what_is_not_exported_or_too_young_stays(log: Log, settings: Any) -> None:
    with clock.at(datetime(2025, 9, 20, tzinfo=UTC)), pytest.raises(WrongState, match="not over for 90 days"):
        drop(JULY)
    log.write("2025-06-25", 1)
    with pytest.raises(Different, match=r"1 rows of audit_log_202506 are not in cold storage"):
        drop(JUNE)
    seal_all()
    with pytest.raises(WrongState, match=r"Seal \d+ has rows of 2025-06 and is not in cold storage yet"):
        drop(JUNE)
    with clock.at(clock.now() + timedelta(days=settings.AUDIT_HOT_DAYS + 1)):
        log.seal_and_export()
    move = drop(JUNE)
    assert move is not None
    assert move.rows == 1101


def test_a_month_that_is_not_there_cannot_be_dropped_nor_one_that_is_there_restored(log: Log) -> None:
    with pytest.raises(WrongState, match="2025-04 is not in the database"):
        drop(date(2025, 4, 1))
    with pytest.raises(WrongState, match="is in the database"):
        restore(JUNE)
    with pytest.raises(WrongState, match="left it in another way"):
        restore(date(2025, 4, 1))
    drop(JUNE)
    with pytest.raises(WrongState, match="2025-06 is not in the database"):
        drop(JUNE)


def test_a_month_that_somebody_removed_is_not_brought_back_quietly(log: Log, admin: psycopg.Connection[Any]) -> None:
    admin.execute("DROP TABLE audit_log_202506")
    with pytest.raises(WrongState, match="left it in another way"):
        restore(JUNE)


def test_the_serving_role_can_do_neither(log: Log) -> None:
    before = len(all_lines())
    with pytest.raises(DatabaseError, match="must be owner"):
        drop_month(JUNE, actor=None)
    drop(JUNE)
    with pytest.raises(DatabaseError, match="permission denied"):
        restore_month(JUNE, actor=None)
    assert len(all_lines()) == before - 1100 + 1
    assert tables() == {"audit_log_202505", "audit_log_202507"}


class Killed(BaseException):
    pass


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, at: str) -> Iterator[None]:
    """The process ends right before a statement that begins so."""
    execute = moving._execute

    def die(statement: str) -> None:
        if statement.startswith(at):
            raise Killed
        execute(statement)

    with monkeypatch.context() as patch:
        patch.setattr(moving, "_execute", die)
        with pytest.raises(Killed):
            yield


@pytest.mark.parametrize("at", ["ALTER TABLE audit_log DETACH", "LOCK TABLE", "DROP TABLE"])
def test_a_drop_that_was_killed_is_finished_by_the_next(log: Log, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    with dying(monkeypatch, at):
        drop(JUNE)
    assert not AuditMove.objects.exists()
    move = drop(JUNE)
    assert move is not None
    assert (move.kind, move.rows) == ("dropped", 1100)
    assert tables() == {"audit_log_202505", "audit_log_202507"}


def test_a_drop_that_was_killed_while_it_waited_for_readers_is_finished_by_the_next(log: Log, admin: psycopg.Connection[Any]) -> None:
    with closing(psycopg.connect(admin.info.dsn, user="postgres")) as reader:
        reader.execute("SELECT count(*) FROM audit_log")  # in a transaction that stays open
        name, refused = connection.settings_dict["NAME"], list[DatabaseError]()
        dropping = threading.Thread(target=drop_elsewhere, args=(name, refused))
        dropping.start()
        wait_for(admin, "SELECT pid FROM pg_stat_activity WHERE query LIKE '%%DETACH PARTITION%%CONCURRENTLY' AND wait_event_type = 'Lock'")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%DETACH PARTITION%CONCURRENTLY' AND pid <> pg_backend_pid()"
        )
        dropping.join(20)
        assert len(refused) == 1
        assert admin.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'audit_log_202506'::regclass").fetchone() == (True,)
    move = drop(JUNE)
    assert move is not None
    assert move.rows == 1100


def drop_elsewhere(name: str, refused: list[DatabaseError]) -> None:
    """In a thread, which has a connection of its own."""
    connection.settings_dict["NAME"] = name
    try:
        drop(JUNE)
    except DatabaseError as error:
        refused.append(error)
    finally:
        connection.close()


def wait_for(admin: psycopg.Connection[Any], question: str) -> None:
    ends = time.monotonic() + 20
    while not admin.execute(question.encode().replace(b"%%", b"%")).fetchall():
        assert time.monotonic() < ends, question
        time.sleep(0.02)


@pytest.mark.parametrize("at", ["CREATE TABLE", "ALTER TABLE audit_log ATTACH", "ANALYZE"])
def test_a_restore_that_was_killed_left_nothing_or_all(log: Log, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    drop(JUNE)
    with dying(monkeypatch, at):
        restore(JUNE)
    if at == "ANALYZE":
        assert len(of(JUNE)) == 1100
        return
    assert tables() == {"audit_log_202505", "audit_log_202507"}
    assert restore(JUNE).rows == 1100


def test_rows_that_came_between_comparing_and_detaching_keep_the_month(
    log: Log, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = moving._execute

    def late(statement: str) -> None:
        if "DETACH" in statement:
            admin.execute(FORGE.format(facts='{"id": 9999999, "timestamp": "2025-06-30"}', row=1).encode())
        execute(statement)

    with monkeypatch.context() as patch:
        patch.setattr(moving, "_execute", late)
        with pytest.raises(Different, match="has 1101 rows, but 1100 had been compared"):
            drop(JUNE)
    assert tables() == {"audit_log_202505", "audit_log_202506", "audit_log_202507"}
    assert len(of(JUNE)) == 1101


def test_two_at_once_the_second_is_refused(log: Log, admin: psycopg.Connection[Any]) -> None:
    admin.execute("SELECT pg_advisory_lock(hashtext('audit_move'))")
    with pytest.raises(Conflict, match="at this moment"):
        drop(JUNE)
    assert "audit_log_202506" in tables()


def test_nobody_who_writes_waits_or_loses_a_row(log: Log) -> None:
    written, stop, failed = [0] * 4, threading.Event(), list[DatabaseError]()
    name = connection.settings_dict["NAME"]

    def write(number: int) -> None:
        try:
            while not stop.is_set():
                with transaction.atomic():
                    record(Event.LOGIN, actor=None, target=User(email="a@example.com"), writer=number)
                written[number] += 1
        except DatabaseError as error:
            failed.append(error)
        finally:
            connection.close()

    def begin(number: int) -> None:
        connection.settings_dict["NAME"] = name
        write(number)

    writers = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(2):
            drop(JUNE)
            restore(JUNE)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert failed == []
    assert min(written) > 0
    assert AuditLog.objects.filter(event_type="auth.login").count() == sum(written)
    assert len(of(JUNE)) == 1100


def test_with_export_is_right_where_a_transaction_is_cut(log: Log) -> None:
    """One transaction of 800 rows lies in two files."""
    first, second = AuditExport.objects.order_by("first_seal")
    assert first.through_xid == second.from_xid
    rows: Any = AuditLog.objects.with_export().filter(timestamp__year=2025)
    assert rows.filter(exported_to_cold_storage=True).count() == 1700
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_export DISABLE TRIGGER ALL")
        cursor.execute("DELETE FROM audit_export WHERE id = %s", [second.pk])
    assert rows.filter(exported_to_cold_storage=True, exported_at=first.exported_at).count() == 800
    assert rows.filter(exported_to_cold_storage=False, exported_at=None).count() == 900


def test_the_commands_say_what_they_do(log: Log, settings: Any) -> None:
    def call(*words: str) -> str:
        out = StringIO()
        call_command(*words, stdout=out)
        return out.getvalue()

    assert call("audit_drop", "2025-06", "--check") == "2025-06 could be removed.\n"
    assert "audit_log_202506" in tables()
    assert call("audit_drop", "2025-06", "2025-05") == "2025-06 removed, 1100 rows.\n2025-05 removed, 500 rows.\n"
    with pytest.raises(CommandError, match="2025-06 stays: 2025-06 is not in the database"):
        call("audit_drop", "2025-06")
    assert call("audit_restore", "--from", "2025-06-30", "--to", "2025-07-02") == "2025-06 restored, 1100 rows.\n"
    assert call("audit_restore", "2025-05") == "2025-05 restored, 500 rows.\n"
    assert call("audit_restore", "--from", "2025-01-01", "--to", "2025-12-31") == "No month of that time was dropped.\n"
    for wrong in ((), ("2025-06", "--from", "2025-01-01"), ("--from", "2025-01-01")):
        with pytest.raises(CommandError, match="--from and --to"):
            call("audit_restore", *wrong)
    assert connection.settings_dict["USER"] == "port444_app"
