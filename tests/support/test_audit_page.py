"""The audit log as staff read it: who may, what the filters find, what is recorded of the reading, and the file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import AuditLog
from auditlog.search import Page
from port444.accounts.models import User
from port444.kit import context

pytestmark = pytest.mark.django_db
VIEW = import_module("support.views.audit")
PAGE, FILE = "support:audit", "support:export_audit"


@pytest.fixture
def console(client: Client, staff: User, settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    return client


def rows_of(answer: Any) -> list[int]:
    return [row.pk for row in answer.context["page"].rows]


def readings() -> list[dict[str, Any]]:
    return list(AuditLog.objects.filter(event_type=Event.AUDIT_READ.key).order_by("id").values_list("metadata", flat=True))


@pytest.mark.parametrize("page", [PAGE, FILE])
def test_nobody_but_staff_learns_of_the_page(client: Client, client_user: User, staff: User, settings: Any, page: str) -> None:
    before = AuditLog.objects.count()
    url, ask = reverse(page), client.get if page == PAGE else client.post
    assert ask(url).headers["Location"].startswith(reverse("account_login"))
    client.force_login(client_user)
    assert ask(url).status_code == 404
    settings.STAFF_SECOND_FACTOR = True
    client.force_login(staff)
    assert ask(url).status_code == 302
    assert AuditLog.objects.count() == before


def test_each_filter_finds_its_rows(console: Client, client_user: User, stranger: User) -> None:
    request_id = uuid4()
    with context.use(ip_address="203.0.113.77", request_id=request_id):
        held = record(
            Event.WITHDRAWAL_HELD, actor=client_user, target=stranger, amount=Decimal("380.00"), before={"status": "asked"}, after={"status": "held"},
            description="Looks like A-613", transaction_hash="0x" + "ab" * 32,
        )  # fmt: skip
    failed = record(Event.ESCROW_FAILED, actor=None, target=client_user, amount=Decimal("12.50"))
    login = record(Event.LOGIN, actor=stranger, target=stranger)
    own = {held, failed, login}
    cases: dict[str, tuple[dict[str, Any], set[int]]] = {
        "category": ({"category": "financial"}, {held, failed}),
        "type": ({"event_type": "auth.login"}, {login}),
        "warning and up": ({"least": "warning"}, {held, failed}),
        "critical": ({"least": "critical"}, {failed}),
        "actor by e-mail": ({"actor": client_user.email.upper()}, {held}),
        "actor by id": ({"actor": stranger.pk}, {login}),
        "target by id": ({"about": stranger.pk}, {held, login}),
        "target by e-mail": ({"about": client_user.email}, {failed}),
        "request": ({"about": request_id}, {held}),
        "hash": ({"about": "0x" + "AB" * 32}, {held}),
        "address": ({"address": "203.0.113.77"}, {held}),
        "amount from": ({"amount_from": "100"}, {held}),
        "amount to": ({"amount_to": "100"}, {failed}),
        "words of the text": ({"words": "a-613 looks"}, {held}),
        "words of the values": ({"words": "HELD"}, {held}),
        "several": ({"category": "financial", "least": "critical", "words": "failed"}, {failed}),
        "none": ({"words": "quincunx"}, set()),
        "a day": ({"since": "2020-01-01", "until": "2020-01-02"}, set()),
    }
    for name, (asked, found) in cases.items():
        answer = console.get(reverse(PAGE), asked)
        assert answer.status_code == 200, name
        assert set(rows_of(answer)) & own == found, name
        if found == set():
            assert b"No row is like this" in answer.content


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"since": "2026-02-02", "until": "2026-02-01"}, "until"),
        ({"amount_from": "2", "amount_to": "1"}, "amount_to"),
        ({"about": "P4-999999999"}, "about"),
        ({"about": "nothing"}, "about"),
        ({"words": "?!"}, "words"),
        ({"address": "999.1.1.1"}, "address"),
        ({"event_type": "no.such"}, "event_type"),
    ],
)
def test_a_filter_that_cannot_be(console: Client, asked: dict[str, str], field: str) -> None:
    answer = console.get(reverse(PAGE), asked)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert readings() == []
    assert console.post(reverse(FILE), asked).status_code == 422
    assert not AuditLog.objects.filter(event_type=Event.AUDIT_DOWNLOADED.key).exists()


def test_pages_go_both_ways_without_a_gap(console: Client, client_user: User) -> None:
    made = [record(Event.PROFILE_CHANGED, actor=client_user, target=client_user, n=n) for n in range(120)][::-1]
    asked = {"about": str(client_user.pk), "event_type": "user.profile_changed"}
    first = console.get(reverse(PAGE), asked)
    second = console.get(f"{reverse(PAGE)}?{first.context['older']}")
    third = console.get(f"{reverse(PAGE)}?{second.context['older']}")
    assert [rows_of(page) for page in (first, second, third)] == [made[:50], made[50:100], made[100:]]
    assert (first.context["newer"], third.context["older"]) == ("", "")
    back = console.get(f"{reverse(PAGE)}?{third.context['newer']}")
    assert rows_of(back) == made[50:100]
    assert rows_of(console.get(f"{reverse(PAGE)}?{back.context['newer']}")) == made[:50]
    for wrong in ("older=x", "older=1", "newer=9999999999999999999999-1"):
        assert console.get(f"{reverse(PAGE)}?{wrong}").status_code == 400


def test_a_look_that_ends_for_want_of_time_says_how_far_it_is_and_goes_on(
    console: Client, client_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = AuditLog.objects.get(pk=record(Event.PROFILE_CHANGED, actor=client_user, target=client_user))
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    monkeypatch.setattr(VIEW, "find_rows", lambda *_, **__: Page([], None, (moment, 0), moment))
    page = console.get(reverse(PAGE), {"words": "marmalade"}).content.decode()
    assert "No row so far" in page
    assert "Looked back to" in page
    assert "1 March 2026, 00:00" in page
    assert "nothing up to there" in page
    assert f'href="?words=marmalade&amp;older={int(moment.timestamp())}000000-0">Look further</a>' in page
    assert "No row is like this" not in page
    monkeypatch.setattr(VIEW, "find_rows", lambda *_, **__: Page([row], (moment, 0), (row.timestamp, row.pk), moment))
    page = console.get(reverse(PAGE), {"words": "marmalade", "newer": "1-0"}).content.decode()
    assert "Looked forward to" in page
    assert "no more up to there" in page
    assert page.index(">Look further</a>") < page.index(">Older</a>")


def test_reading_is_recorded_once_for_a_filter(console: Client, client_user: User, staff: User) -> None:
    for _ in range(60):
        pk = record(Event.PROFILE_CHANGED, actor=client_user, target=client_user)
    asked = {"event_type": "user.profile_changed"}
    first = console.get(reverse(PAGE), asked)
    console.get(f"{reverse(PAGE)}?{first.context['older']}")
    console.get(reverse(PAGE), {**asked, "open": str(pk)})
    assert readings() == [{"asked": asked}]
    console.get(reverse(PAGE), {"actor": "x@example.com"})
    assert readings()[1:] == [{"asked": {"actor": "x@example.com"}}]
    row = AuditLog.objects.filter(event_type=Event.AUDIT_READ.key).latest("id")
    assert (row.actor_id, row.actor_type, row.severity) == (staff.pk, "admin", "info")


def test_an_open_row_shows_what_changed_and_what_happened_around_it(console: Client, client_user: User) -> None:
    with context.use(request_id=uuid4(), ip_address="203.0.113.5"):
        record(Event.LOGIN, actor=client_user, target=client_user)
        pk = record(
            Event.PROFILE_CHANGED,
            actor=client_user,
            target=client_user,
            before={"language": "<b>Ann</b>"},
            after={"language": "Bea", "tags": ["x"], "price": 0.1},
            why="typo",
        )
    answer = console.get(reverse(PAGE), {"about": str(client_user.pk), "open": str(pk)})
    page = answer.content.decode()
    assert "<del>&lt;b&gt;Ann&lt;/b&gt;</del>" in page
    assert "<ins>Bea</ins>" in page
    assert "<ins>0.1</ins>" in page
    assert "why <b>typo</b>" in page
    assert [step.row.event_type for step in answer.context["steps"]] == ["auth.login", "user.profile_changed"]
    assert answer.context["about"][0].pk == pk


def test_the_page_asks_the_same_number_of_questions_however_much_there_is(console: Client, client_user: User, django_assert_num_queries: Any) -> None:
    asked = {"about": str(client_user.pk)}
    for _ in range(3):
        pk = record(Event.PROFILE_CHANGED, actor=client_user, target=client_user, after={"n": 1})
    console.get(reverse(PAGE), asked)
    with django_assert_num_queries(QUERIES):
        console.get(reverse(PAGE), asked)
    for _ in range(60):
        pk = record(Event.PROFILE_CHANGED, actor=client_user, target=client_user, after={"n": 1})
    with django_assert_num_queries(QUERIES):
        console.get(reverse(PAGE), asked)
    with django_assert_num_queries(QUERIES + 5):  # its transaction twice, as there is no request, its target in three
        console.get(reverse(PAGE), {**asked, "open": str(pk)})


# Session, user, what they may (two), numbers beside the tabs, an open viewing, own cases; five of the proof; the mark, the places, the rows.
QUERIES = 15


def test_the_file_holds_every_row_of_the_filter_and_no_formula(console: Client, client_user: User, staff: User) -> None:
    with context.use(user_agent="=HYPERLINK(1)"):
        made = [
            record(Event.PROFILE_CHANGED, actor=client_user, target=client_user, description="@SUM(A1)", after={"n": n}, amount=Decimal("1.50"))
            for n in range(70)
        ]
    answer = console.post(reverse(FILE), {"event_type": "user.profile_changed"})
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]
    assert [int(row["id"]) for row in rows] == made[::-1]
    assert {(row["description"], row["user_agent"], row["amount"]) for row in rows} == {("'@SUM(A1)", "'=HYPERLINK(1)", "1.5")}
    assert {UUID(row["actor_id"]) for row in rows} == {client_user.pk}
    logged = AuditLog.objects.get(event_type=Event.AUDIT_DOWNLOADED.key)
    assert (logged.actor_id, logged.metadata) == (staff.pk, {"asked": {"event_type": "user.profile_changed"}, "format": "csv"})
