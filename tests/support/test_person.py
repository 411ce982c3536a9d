"""One view of a person: who may see it, what stands in it, that its panels fall alone, and that the looking is recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from auditlog.events import Event
from auditlog.models import AuditLog, IncidentLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.messaging.actions import send_message
from port444.orders.models import Dispute, Order
from port444.payments.actions import Grant, issue_credit
from port444.payments.models import CreditSource, PayoutHold
from port444.webhooks import actions as webhooks
from support.actions import note_action
from support.models import ActionType
from support.panels import BY_KEY, PANELS, Panel
from support.people import find_person, open_disputes

views = import_module("support.views.person")
pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
Make = Callable[..., Any]
HTMX = {"HX-Request": "true"}
INCIDENT: dict[str, Any] = {"fingerprint": "x", "incident_type": "fast_withdrawal", "severity": "high", "detection_method": "automated"}


def looks(user: User) -> list[str]:
    rows = AuditLog.objects.filter(event_type=Event.PERSON_SEEN.key, actor_id=user.pk).order_by("id")
    return [row["what"] for row in rows.values_list("metadata", flat=True)]


def page(user: User) -> str:
    return reverse("support:person", args=[user.pk])


def part(user: User, key: str) -> str:
    return reverse("support:panel", args=[user.pk, key])


def test_disputes_of_both_sides_are_found_by_their_indexes(
    make_order: Make, make_user: Callable[..., User], builder: Builder, client_user: User, builder_user: User
) -> None:
    """What they bought and what they sold, each asked by itself: one condition on both would read every dispute that is open."""
    moment, rows = now(), []
    for n in range(2):
        order = make_order(moment + timedelta(hours=1))
        claim: dict[str, Any] = {"opened_by": client_user, "by_client": True, "reason": "late", "claim": "Late", "amount": Decimal(100)}
        ended: dict[str, Any] = {"status": "withdrawn", "closed_at": moment} if n else {}
        until = moment + timedelta(hours=43)
        rows.append(Dispute.objects.create(order=order, to_client=Decimal(50), opened_at=moment, answer_until=until, **claim, **ended))
    for user, found in ((client_user, 1), (builder_user, 1), (make_user("Nobody Here"), 0)):
        person = find_person(user.pk)
        assert person is not None
        with CaptureQueriesContext(connection) as asked:
            assert [one.row for one in open_disputes(person)] == rows[:found]
        (query,) = asked.captured_queries
        assert "UNION" in query["sql"]
        assert " OR " not in query["sql"]


@pytest.mark.parametrize("key", ["", *BY_KEY])
def test_nobody_else_learns_of_the_page(browse: Browse, client_user: User, stranger: User, key: str) -> None:
    url = part(client_user, key) if key else page(client_user)
    assert browse(None).get(url).status_code == 302
    for somebody in (client_user, stranger):
        assert browse(somebody).get(url).status_code == 404
    assert looks(client_user) == looks(stranger) == []


def test_nobody_at_this_address(browse: Browse, agent: User) -> None:
    assert browse(agent).get(reverse("support:person", args=[uuid7()])).status_code == 404
    assert browse(agent).get(reverse("support:panel", args=[uuid7(), "orders"])).status_code == 404
    assert browse(agent).get(f"/console/people/{agent.pk}/everything/").status_code == 404
    assert looks(agent) == []


def test_the_top_says_who_it_is_and_what_keeps_them(browse: Browse, senior: User, make_order: Make, client_user: User) -> None:
    order: Order = make_order("in_progress")
    User.objects.filter(pk=client_user.pk).update(suspended_at=now(), suspension_reason="Somebody else's card")
    PayoutHold.objects.create(user=client_user, reason="New address")
    issue_credit(client_user, Grant(Decimal("25.00"), CreditSource.ADMIN, "Sorry"), actor=None)
    IncidentLog.objects.create(**INCIDENT, user_id=client_user.pk, description="Fast", confidence=71)
    answer = browse(senior).get(page(client_user))
    assert answer.status_code == 200
    said = answer.content.decode()
    for words in ("Jonas Vermeer", client_user.email, "Somebody else&#x27;s card", "New address", "Withdrawals held", f"P4-{order.number}", "71"):
        assert words in said, words
    metrics = answer.context["metrics"]
    assert (metrics.orders, metrics.active, metrics.success) == ("1", 1, None)
    assert metrics.in_escrow == order.price
    assert metrics.spent == order.total
    assert metrics.credits == Decimal("25.00")
    assert answer.context["risk"].points == 71


def test_figures_of_both_sides(browse: Browse, agent: User, make_order: Make, builder_user: User) -> None:
    order: Order = make_order("completed")
    metrics = browse(agent).get(page(builder_user)).context["metrics"]
    assert (metrics.orders, metrics.active, metrics.success, metrics.completed) == ("1", 0, 100, 1)
    assert metrics.earned == order.builder_share
    assert metrics.spent == metrics.in_escrow == 0


def test_a_look_is_recorded_once_in_ten_minutes(browse: Browse, agent: User, client_user: User, stranger: User) -> None:
    client = browse(agent)
    moment = now()
    for _ in range(2):
        client.get(page(client_user))
    client.get(part(client_user, "orders"), headers=HTMX)
    assert looks(agent) == ["page"]
    client.get(page(stranger))
    client.get(part(client_user, "threads"), headers=HTMX)
    client.get(part(client_user, "threads"))
    assert looks(agent) == ["page", "page", "threads"]
    with clock.at(moment + timedelta(minutes=11)):
        client.get(page(client_user))
    assert looks(agent) == ["page", "page", "threads", "page"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_a_panel_needs_its_permission(browse: Browse, finance: User, agent: User, client_user: User, panel: Any) -> None:
    for user in (finance, agent):
        allowed = {permission for group in user.groups.all() for permission in group.permissions.values_list("codename", flat=True)}
        client = browse(user)
        assert client.get(part(client_user, panel.key)).status_code == (200 if panel.permission in allowed else 403)
        shown = {one.key for one, *_ in [*client.get(page(client_user)).context["opened"], *client.get(page(client_user)).context["closed"]]}
        assert (panel.key in shown) is (panel.permission in allowed)


def test_every_panel_shows_what_there_is(browse: Browse, staff: User, make_order: Make, client_user: User, builder: Builder) -> None:
    order: Order = make_order("in_progress")
    send_message(order.conversation_id, actor=client_user, body="My secret words", client_key=uuid7())
    issue_credit(client_user, Grant(Decimal("25.00"), CreditSource.ADMIN, "For the wait"), actor=None)
    note_action(ActionType.CREDIT_ISSUE, actor=staff, description="Issued 25.00", target_user=client_user, reason="Waited long")
    IncidentLog.objects.create(**INCIDENT, user_id=client_user.pk, description="Very fast", confidence=5)
    terms = webhooks.Terms("https://hooks.example/My-secret-words", ["order.delivered"])
    endpoint, _ = webhooks.add_endpoint(client_user.pk, actor=client_user, terms=terms, client_key=uuid7())
    webhooks.ping_endpoint(endpoint.pk, actor=client_user)
    expected: dict[str, str] = {
        "orders": f"P4-{order.number}",
        "payments": (order.invoice and order.invoice.number) or "no number",
        "threads": "Anaya Krishnan",
        "credits": "For the wait",
        "incidents": "Very fast",
        "audit": "order.placed",
        "actions": "Waited long",
        "disputes": "None.",
        "withdrawals": "None.",
        "calls": "None.",
        "amendments": "None.",
        "webhooks": "hooks.example",
    }
    assert set(expected) == set(BY_KEY)
    client = browse(staff)
    for key, words in expected.items():
        answer = client.get(part(client_user, key), headers=HTMX)
        said = answer.content.decode()
        assert answer.status_code == 200
        assert words in said, key
        assert "<html" not in said
        assert "My secret words" not in said.replace("-", " ")
        assert "<h1>" in client.get(part(client_user, key)).content.decode()


def test_a_panel_falls_alone(
    browse: Browse, agent: User, client_user: User, make_order: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_order("in_progress")
    client = browse(agent)

    def fall(*_: Any) -> Any:
        raise DatabaseError("no such table")

    for panel in PANELS:
        if panel.key != "audit":
            monkeypatch.setattr(type(panel), "rows", fall)
    answer = client.get(part(client_user, "payments"), headers=HTMX)
    assert answer.status_code == 200
    assert "Payments could not be loaded" in answer.content.decode()
    assert client.get(part(client_user, "payments")).status_code == 500
    whole = client.get(page(client_user))
    assert whole.status_code == 200
    assert "Orders could not be loaded" in whole.content.decode()
    assert "Jonas Vermeer" in whole.content.decode()
    assert "The panel payments could not be loaded" in caplog.text


def test_a_slow_panel_is_given_up(browse: Browse, agent: User, client_user: User, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def sleep(*_: Any, **__: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr(views, "LONGEST", "50ms")
    monkeypatch.setattr(Panel, "rows", sleep)
    answer = browse(agent).get(part(client_user, "orders"), headers=HTMX)
    assert "could not be loaded" in answer.content.decode()
    assert "statement timeout" in caplog.text


def test_a_panel_goes_on_by_place(browse: Browse, agent: User, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    for n in range(10):
        with clock.at(moment - timedelta(hours=n // 2)):
            issue_credit(client_user, Grant(Decimal(1), CreditSource.PROMO, f"Credit {n}"), actor=None)
    client = browse(agent)
    assert client.get(page(client_user)).context["closed"][2][1] == "10"
    assert len(client.get(part(client_user, "credits"), headers=HTMX).context["rows"].rows) == 8
    monkeypatch.setattr(views, "ON_PAGE", 4)
    seen, url = [], part(client_user, "credits")
    for _ in range(3):
        answer = client.get(url)
        seen += [row[0].words for row in answer.context["rows"].rows]
        url = part(client_user, "credits") + answer.context["older"]
    assert sorted(seen) == [f"Credit {n}" for n in range(10)]
    assert answer.context["older"] == ""
    for wrong in ("x", "1_x", "99999999999999999999999_" + str(uuid7())):
        assert client.get(part(client_user, "credits"), {"before": wrong}).status_code == 400


def test_nobody_begins_anything_with_themselves(browse: Browse, staff: User) -> None:
    answer = browse(staff).get(page(staff))
    assert all(button.why_not == "This is you." for button in answer.context["buttons"])


@pytest.fixture
def busy(make_order: Make, client_user: User, builder: Builder) -> None:
    for status in ("in_progress", "delivered"):
        order = make_order(status)
    send_message(order.conversation_id, actor=client_user, body="Words", client_key=uuid7())
    issue_credit(client_user, Grant(Decimal(1), CreditSource.PROMO, "A"), actor=None)


def questions(client: Client, url: str, headers: dict[str, str] | None = None) -> int:
    with CaptureQueriesContext(connection) as seen:
        client.get(url, headers=headers or {})
    return len(seen)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_the_questions_of_a_panel_are_fixed(browse: Browse, staff: User, client_user: User, busy: None, make_order: Make, panel: Panel) -> None:
    client, url = browse(staff), part(client_user, panel.key)
    client.get(url, headers=HTMX)
    before = questions(client, url, HTMX)
    make_order("in_progress")
    assert questions(client, url, HTMX) == before == QUESTIONS[panel.key]


def test_the_questions_of_the_page_are_fixed(browse: Browse, staff: User, client_user: User, busy: None, make_order: Make) -> None:
    client = browse(staff)
    client.get(page(client_user))
    before = questions(client, page(client_user))
    make_order("in_progress")
    assert questions(client, page(client_user)) == before == 25


# Session, user, what they may (two), the person, the timeout and the savepoint around it, and the panel's own.
QUESTIONS = {**dict.fromkeys(BY_KEY, 10), "credits": 9, "withdrawals": 9, "webhooks": 9, "audit": 12}
