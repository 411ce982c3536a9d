"""The copy that the log is searched by: complete whatever commits when, written by nobody else, and the same answers as the log's."""

from __future__ import annotations

import csv
import io
import itertools
import random
import re
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
from auditlog.search import Page, Wanted, find_places, find_rows
from port444.accounts.models import User
from port444.kit import context
from port444.kit.clock import now
from tests import copies
from tests.conftest import in_groups

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
    return sorted(pk for _, pk in find_places(Wanted(**asked), limit=1000).places)


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


def test_the_copy_can_be_made_anew(owner: psycopg.Connection[Any], own_database: str) -> None:
    ids = log(4)
    copy_all()
    owner.execute("DELETE FROM audit_find WHERE id = %s", [ids[1]])
    assert found() != ids
    make_audit_rows.index_all(copies.libpq(copies.on_database(copies.owner_url(), own_database)), quiet=True)
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


@pytest.mark.parametrize("ahead", [2000, 1])
def test_every_way_to_filter_gives_the_same_from_the_copy_as_from_the_log(monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """Also by the index that conditions are met in, which a short log would not need."""
    monkeypatch.setattr(search, "AHEAD", ahead)
    monkeypatch.setattr(search, "BUDGET", 60.0)
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
    monkeypatch.setattr(search, "BUDGET", 60.0)
    with transaction.atomic():
        rare = [
            record(Event.ADMIN_EDIT if n % 9 == 0 else Event.LOGIN, actor=None, target=User(email="x@example.com"), description="marmalade")
            for n in range(90)
        ][::9][::-1]
    copy_all()
    wanted = Wanted(event_type="admin.edited", words="marmalade edited")
    assert not wanted.is_in_order
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


def pages_of(wanted: Wanted, limit: int, **edge: Any) -> list[Page]:
    """As who goes on by "Older" or "Newer" and "Look further" sees them, to the end."""
    pages = [find_rows(wanted, limit=limit, **edge)]
    forwards = "newer_than" in edge
    while onwards := pages[-1].newer if forwards else pages[-1].older:
        pages.append(find_rows(wanted, limit=limit, **{"newer_than" if forwards else "older_than": onwards}))
    return pages


def ids_of(pages: list[Page], *, forwards: bool = False) -> list[int]:
    return [row.pk for page in pages for row in (reversed(page.rows) if forwards else page.rows)]


@pytest.fixture
def long_log(settings: Any, own_database: str) -> list[AuditLog]:
    """Four months, the newest rows not yet in the copy; newest first."""
    settings.DATABASE_OWNER_URL = copies.libpq(copies.on_database(copies.owner_url(), own_database))
    settings.DEVELOPMENT = True
    call_command("make_audit_rows", "2400", "--months", "4")
    copy_all()  # what was above the cluster's horizon while other tests ran
    with transaction.atomic():
        for n in range(30):
            event = Event.ORDER_PAID if n % 3 else Event.LOGIN
            record(event, actor=None, target=User(email="x@example.com"), amount=Decimal(n), description="see thread")
    assert len(waiting()) == 30
    return list(AuditLog.objects.order_by("-timestamp", "-id"))


def fits(row: AuditLog, wanted: Wanted) -> bool:
    """The same question in plain words."""
    texts = (row.event_type, row.target_type, row.action, row.description, row.actor_email, row.before_state, row.after_state, row.metadata)
    words = re.findall(r"[a-z0-9-]+", " ".join(map(str, texts)).lower())
    return (
        (wanted.since is None or row.timestamp >= wanted.since)
        and (wanted.until is None or row.timestamp < wanted.until)
        and wanted.category in ("", row.event_category)
        and wanted.event_type in ("", row.event_type)
        and (wanted.least == "" or row.severity in {"warning": ("warning", "critical"), "critical": ("critical",)}[wanted.least])
        and (not wanted.who or any(getattr(row, column) == value for column, value in wanted.who))
        and (not wanted.what or any(getattr(row, column) == value for column, value in wanted.what))
        and wanted.address in ("", row.ip_address)
        and (wanted.amount_from is None or (row.amount is not None and row.amount >= wanted.amount_from))
        and (wanted.amount_to is None or (row.amount is not None and row.amount <= wanted.amount_to))
        and all(word in words for word in wanted.words.split())
    )


@pytest.mark.timeout(420)
@pytest.mark.parametrize(("budget", "ahead", "some"), [(60.0, 2000, 100), (60.0, 150, 100), (0.0, 150, 100), (0.04, 60, 70), (60.0, 90, 91)])
def test_pages_leave_nothing_out_and_show_nothing_twice(
    long_log: list[AuditLog], monkeypatch: pytest.MonkeyPatch, budget: float, ahead: int, some: int
) -> None:
    """Wherever a look ends for want of time: however many pages it takes, they hold what a plain filter over the log holds."""
    for name, value in (("BUDGET", budget), ("AHEAD", ahead), ("SOME", some)):
        monkeypatch.setattr(search, name, value)
    if some == 91:
        monkeypatch.setattr(search, "QUICK", 0)
        ticks = itertools.count(step=15)  # each look at the clock takes a quarter of the budget: a page ends after one month
        monkeypatch.setattr(search, "monotonic", lambda: float(next(ticks)))
    drawn = random.Random(444)
    row, middle = long_log[1000], long_log[1200].timestamp
    choices: dict[str, list[Any]] = {
        "since": [middle],
        "until": [middle],
        "category": ["financial", "security"],
        "event_type": ["auth.login", "order.delivered"],
        "least": ["warning", "critical"],
        "who": [(("actor_id", row.actor_id), ("actor_email", "")), (("actor_email", row.actor_email),)],
        "what": [(("target_id", row.target_id), ("request_id", row.request_id))],
        "address": [row.ip_address],
        "amount_from": [Decimal(10), Decimal(250)],
        "amount_to": [Decimal(20), Decimal(300)],
        "words": ["thread", "zzyzx", "delivered login", "see thread", "order delivered"],
    }
    cases = [Wanted(words="thread"), Wanted(words="zzyzx"), Wanted(category="administrative", event_type="auth.login")]
    while len(cases) < 16:
        names = drawn.sample(sorted(choices), drawn.choice([1, 2, 2, 3]))
        cases.append(Wanted(**{name: drawn.choice(choices[name]) for name in names}))
    for wanted in cases:
        expected = [one.pk for one in long_log if fits(one, wanted)]
        most = len(expected) // 20 + 2 * len(long_log) // min(ahead, some) + 6
        older = pages_of(wanted, 20)
        assert ids_of(older) == expected, wanted
        assert len(older) <= most, "each look goes on"
        reached = [page.reached for page in older if page.reached]
        assert reached == sorted(reached, reverse=True)
        newer = pages_of(wanted, 20, newer_than=(long_log[-1].timestamp - timedelta(1), 0))
        assert ids_of(newer, forwards=True) == expected[::-1], wanted
        assert len(newer) <= most


def test_a_page_without_rows_has_a_way_back() -> None:
    ids, signed = log(3), Wanted(event_type="auth.login")
    newest = find_rows(signed, limit=2)
    last = find_rows(signed, older_than=newest.older, limit=2)
    beyond = find_rows(Wanted(words="zzyzx"), older_than=newest.older)
    assert [row.pk for row in [*newest.rows, *last.rows]] == ids[::-1]
    assert (beyond.rows, beyond.older, beyond.reached) == ([], None, None)
    assert beyond.newer is not None
    assert [row.pk for row in find_rows(signed, newer_than=beyond.newer).rows] == ids[:0:-1], "with the row that it began after"
    assert find_rows(Wanted(words="zzyzx"), newer_than=newest.older).older is not None


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
    client.force_login(in_groups(make_user("Olu Staff", is_staff=True), "Security"))
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
