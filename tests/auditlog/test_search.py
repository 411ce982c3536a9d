"""The copy that the log is searched by: complete whatever commits when, written by nobody else, and the same answers as the log's."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings as live
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from auditlog import downloads, jobs, search
from auditlog.actions import index_rows, record
from auditlog.events import Event
from auditlog.management.commands import make_audit_rows
from auditlog.models import AuditExport, AuditLog
from auditlog.search import Wanted, find_places, find_rows
from port444.accounts.models import User
from port444.kit import context
from port444.kit.clock import now
from tests import copies

from .sealed import another, append, log

pytestmark = pytest.mark.usefixtures("own_database")
NOW = now()


def copied() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM audit_find ORDER BY id")
        return [pk for (pk,) in cursor.fetchall()]


def waiting() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT l.id FROM audit_log l, audit_find_mark m WHERE (l.xid, l.id) > (m.xid, m.id) AND l.id > m.floor_id ORDER BY l.id")
        return [pk for (pk,) in cursor.fetchall()]


def copy_all(batch: int = 1000) -> None:
    """Take in all that is committed. The horizon is the cluster's, so what runs beside may hold it for a while."""
    index_rows(NOW, batch)
    ends = time.monotonic() + 90
    while waiting():
        assert time.monotonic() < ends, "rows stay out of the copy"
        time.sleep(0.02)
        index_rows(NOW, batch)


def found(**asked: Any) -> list[int]:
    return sorted(pk for _, pk in find_places(Wanted(**asked), limit=1000))


@pytest.fixture
def owner(own_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(copies.libpq(copies.on_database(copies.owner_url(), own_database)), autocommit=True) as made:
        yield made


def test_rows_are_taken_in_once_and_found_before_and_after() -> None:
    ids = log(5)
    assert copied() == []
    assert found() == found(event_type="auth.login") == ids
    copy_all(batch=2)
    assert copied() == ids
    assert found() == found(event_type="auth.login") == ids
    more = log(2)
    assert found() == [*ids, *more], "those that wait and those that do not"
    copy_all()
    copy_all()
    assert copied() == found(words="signed") == [*ids, *more]


def test_what_commits_late_is_not_passed_over() -> None:
    with another() as late, another() as early:
        first, second = append(late), append(early)
        assert first < second
        early.commit()
        index_rows(NOW)
        assert found() == [second], "seen at once, copied or not"
        late.commit()
        assert found() == [first, second]
    copy_all()
    assert copied() == [first, second]


def test_the_job_takes_in_what_is_there_and_is_planned() -> None:
    assert live.SCHEDULES["auditlog.jobs.index"] == "* * * * *"
    ids = log(3)
    ends = time.monotonic() + 90
    while copied() != ids and time.monotonic() < ends:
        jobs.index()
    assert copied() == ids


def test_a_second_one_at_the_same_time_does_nothing() -> None:
    log()
    with another() as first:
        first.execute("SELECT pg_advisory_xact_lock(hashtext('audit_find'))")
        assert index_rows(NOW) == 0
    assert copied() == []


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM audit_find",
        "UPDATE audit_find SET severity = 'info'",
        "TRUNCATE audit_find",
        "INSERT INTO audit_find SELECT * FROM audit_find",
        "UPDATE audit_find_mark SET id = 0",
        "DELETE FROM {part}",
        "TRUNCATE {part}",
        "DROP TABLE {part}",
        "SELECT audit_find_forget('2026-01-01')",
        "SELECT audit_find_build('2026-01-01', 1)",
        "SELECT audit_find_fill(0)",
    ],
)
def test_who_serves_cannot_hide_a_row_from_who_searches(attack: str) -> None:
    ids = log()
    copy_all()
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_find'::regclass")
        (part,) = cursor.fetchone()
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(attack.format(part=part))
    assert copied() == ids


def test_the_copy_can_be_made_anew(owner: psycopg.Connection[Any]) -> None:
    ids = log(4)
    copy_all()
    owner.execute("DELETE FROM audit_find WHERE id = %s", [ids[1]])
    assert found() != ids
    make_audit_rows.index_all(owner, quiet=True)
    assert found() == ids
    more = log(2)
    copy_all()
    assert copied() == [*ids, *more]


def test_a_log_that_is_moved_to_another_cluster_goes_on(owner: psycopg.Connection[Any]) -> None:
    """Transaction ids begin anew there: what came along lies above them, copied or not."""
    ids = log(2)
    copy_all()
    ids += log(2)
    owner.execute("UPDATE audit_find_mark SET cluster = 1")
    assert found() == ids
    index_rows(NOW)
    assert copied() == found() == ids
    ids += log(2)
    assert found() == ids
    copy_all()
    assert copied() == ids


def test_made_up_rows_are_found_and_proper(capsys: pytest.CaptureFixture[str], settings: Any, own_database: str) -> None:
    settings.DATABASE_OWNER_URL = copies.libpq(copies.on_database(copies.owner_url(), own_database))
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="not for production"):
        call_command("make_audit_rows", "10")
    settings.DEVELOPMENT = True
    ids = log(2)
    call_command("make_audit_rows", "3000", "--months", "4")
    assert "3,000 rows over 4 months" in capsys.readouterr().out
    ids += log(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT to_char(timestamp, 'YYYYMM')), count(DISTINCT id) FROM audit_log")
        assert cursor.fetchone() == (3003, 4, 3003)
    assert found(who=(("actor_email", ""),)) == ids
    newest = find_rows(Wanted())
    assert [row.pk for row in newest.rows] == list(AuditLog.objects.values_list("pk", flat=True)[:50])
    assert len(find_rows(Wanted(category="financial")).rows) == 50
    half = NOW - timedelta(days=60)
    assert all(row.timestamp < half for row in find_rows(Wanted(until=half)).rows)
    lines = b"".join(downloads.csv_of(Wanted(event_type="auth.login"))).decode().splitlines()
    assert len(lines) == 1 + AuditLog.objects.filter(event_type="auth.login").count()
    for attack in ("DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(attack)


@pytest.mark.parametrize("ahead", [2000, 0])
def test_every_way_to_filter_gives_the_same_from_the_copy_as_from_the_log(monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """Also by the index that conditions are met in, which a short log would not need."""
    monkeypatch.setattr(search, "AHEAD", ahead)
    person, other = User(email="Ann@example.com"), User(email="bob@example.com")
    with transaction.atomic():
        with context.use(ip_address="2001:db8::7"):
            record(
                Event.WITHDRAWAL_HELD, actor=person, target=other, before={"state": "asked"}, after={"state": "held"}, description="See A-613",
                amount=Decimal(380),
            )  # fmt: skip
        record(Event.ADMIN_EDIT, actor=other, target=person, reason="typo")
        record(Event.ESCROW_FAILED, actor=None, target=person, transaction_hash="0x" + "ab" * 32)
    cases: list[dict[str, Any]] = [
        {"category": "financial"},
        {"event_type": "admin.edited"},
        {"least": "critical"},
        {"least": "warning"},
        {"who": (("actor_id", person.pk),)},
        {"who": (("actor_email", "ann@example.com"),)},
        {"who": (("actor_email", "bob@example.com"), ("actor_id", person.pk))},
        {"what": (("target_id", person.pk), ("request_id", person.pk))},
        {"what": (("transaction_hash", "0x" + "ab" * 32),), "least": "critical"},
        {"words": "a-613"},
        {"words": "TYPO"},
        {"words": "ann@example.com held"},
        {"since": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)},
        {"since": NOW + timedelta(days=1)},
        {"category": "financial", "least": "critical"},
        {"category": "financial", "least": "warning", "words": "held asked"},
        {"event_type": "admin.edited", "least": "critical"},
        {"who": (("actor_id", person.pk), ("actor_email", "bob@example.com")), "least": "warning", "words": "typo"},
        {"address": "2001:db8::7", "category": "financial", "until": NOW + timedelta(days=1)},
        {"amount_from": Decimal(380), "amount_to": Decimal(400), "category": "financial"},
    ]
    before = [found(**case) for case in cases]
    assert [len(ids) for ids in before] == [2, 1, 1, 3, 1, 1, 2, 2, 1, 1, 1, 1, 3, 0, 1, 1, 0, 1, 1, 1]
    copy_all()
    assert waiting() == []
    assert [found(**case) for case in cases] == before


def test_conditions_that_meet_seldom_have_pages_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "AHEAD", 5)
    with transaction.atomic():
        rare = [
            record(Event.ADMIN_EDIT if n % 9 == 0 else Event.LOGIN, actor=None, target=User(email="x@example.com"), description="marmalade")
            for n in range(90)
        ][::9][::-1]
    copy_all()
    wanted = Wanted(event_type="admin.edited", words="marmalade edited")
    assert wanted.is_mixed
    first = find_rows(wanted, limit=4)
    second = find_rows(wanted, older_than=first.older, limit=4)
    third = find_rows(wanted, older_than=second.older, limit=4)
    assert [[row.pk for row in page.rows] for page in (first, second, third)] == [rare[:4], rare[4:8], rare[8:]]
    assert (first.newer, third.older) == (None, None)
    back = find_rows(wanted, newer_than=third.newer, limit=4)
    assert [row.pk for row in back.rows] == rare[4:8]
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_indexscan")
        assert cursor.fetchone() == ("on",)


@pytest.fixture
def owner_of(own_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(copies.libpq(copies.on_database(copies.owner_url(), own_database)), autocommit=True) as owner:
        yield owner


def make_known(owner: psycopg.Connection[Any], pk: int, event_type: str) -> None:
    """A row in the copy alone."""
    owner.execute("SELECT audit_find_month(date_trunc('month', now() AT TIME ZONE 'UTC')::date)")
    owner.execute(
        "INSERT INTO audit_find (timestamp, id, event_type, event_category, severity, actor_email, transaction_hash, words)"
        " VALUES (now(), %s, %s, 'administrative', 'critical', 'x@example.com', '', '')",
        [pk, event_type],
    )


def make_exported(through: int) -> None:
    AuditExport.objects.create(
        first_seal=1, last_seal=1, from_xid=0, through_xid=1, first_id=1, last_id=through, rows=1, store="x", data_key="x", data_bytes=1,
        data_sha256="x", lines_sha256="x", manifest_key="x", manifest_sha256="x",
    )  # fmt: skip


def file_of(wanted: Wanted) -> list[list[str]]:
    return list(csv.reader(b"".join(downloads.csv_of(wanted)).decode().splitlines()))


def test_a_file_says_what_is_not_in_it(owner_of: psycopg.Connection[Any]) -> None:
    (pk,) = log()
    wanted = Wanted(event_type="auth.login")
    assert [row[0] for row in file_of(wanted)] == ["id", str(pk)]
    for known in (5001, 5002, 5003):
        make_known(owner_of, known, "auth.login")
    make_exported(5001)
    owner_of.execute("INSERT INTO audit_move VALUES (gen_random_uuid(), '2026-01-01', 'dropped', 9, now())")
    rows = file_of(wanted)
    assert {len(row) for row in rows} == {23}
    assert [row[0] for row in rows] == [
        "id",
        str(pk),
        "Rows of 2026-01 are not in this file: they are in cold storage. manage.py audit_restore brings them back.",
        "Rows that are not in this file: 1. They are in cold storage; manage.py audit_restore brings them back.",
        "Rows that are not in this file: 2. The log does not have them, and nothing says why; the first is 5002.",
    ]
    assert len(file_of(Wanted(event_type="auth.login", since=datetime(2026, 2, 1, tzinfo=UTC)))) == 4


def slow_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    column = downloads._column
    monkeypatch.setattr(
        downloads, "_column", lambda name: "(SELECT pg_sleep(l.id - l.id + 20))::text AS action" if name == "action" else column(name)
    )


def slow_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "ABSENT", "SELECT pg_sleep(20) FROM ({places}) found")


@pytest.mark.parametrize("slow", [slow_rows, slow_ending])
def test_a_file_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch, slow: Callable[[pytest.MonkeyPatch], None]) -> None:
    log(2)
    slow(monkeypatch)
    monkeypatch.setattr(downloads, "SECONDS", 1)
    rows = file_of(Wanted())
    assert rows[-1][0].startswith("There may be more")
    assert {len(row) for row in rows} == {23}
    assert AuditLog.objects.count() == 2, "and the connection can be used"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_of_a_file_is_a_formula(sign: str) -> None:
    with transaction.atomic():
        record(Event.ADMIN_EDIT, actor=None, target=User(), description=f"{sign}SUM(A1)")
    (row,) = csv.DictReader(io.StringIO(b"".join(downloads.csv_of(Wanted(event_type="admin.edited"))).decode(), newline=""))
    assert row["description"] == f"'{sign}SUM(A1)"


def test_room_in_the_copy_is_made_beside_who_searches(owner_of: psycopg.Connection[Any]) -> None:
    log()
    copy_all()
    with another(user="port444_app") as reader:
        reader.execute("SELECT count(*) FROM audit_find")
        owner_of.execute("SET lock_timeout = '3s'")
        owner_of.execute("SELECT audit_find_month('2031-01-01'), audit_find_month('2031-01-01')")
        here = f"audit_find_{NOW:%Y%m}"
        indexes = "SELECT count(*) FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid WHERE indrelid = %s::regclass"
        of_new, of_old = (owner_of.execute(indexes, [part]).fetchone() for part in ("audit_find_203101", here))
        assert of_new == of_old != (0,)
        reader.rollback()
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_find_203101")


def test_a_row_that_the_log_has_no_more_is_still_found_and_told_apart(
    owner_of: psycopg.Connection[Any], client: Client, make_user: Any, settings: Any
) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(make_user("Olu Staff", is_staff=True))
    asked = {"event_type": Event.AUDIT_LOSS_ACKNOWLEDGED.key}
    for pk in (5001, 5002):
        make_known(owner_of, pk, asked["event_type"])
    make_exported(5001)
    page = client.get(reverse("support:audit"), {**asked, "open": "5002"})
    assert (page.context["page"].away, page.context["page"].lost) == ({5001}, {5002})
    text = page.content.decode()
    assert text.count("In cold storage") == text.count("Missing in the log") == 1
    assert "The log does not have this row" in text
    assert "audit_restore" in client.get(reverse("support:audit"), {**asked, "open": "5001"}).content.decode()
