"""The list of what staff did: filters, pieces, who did how much, and the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit import clock
from support.actions import note_action
from support.models import ActionType, SupportAction
from support.views import acts

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]


@pytest.fixture
def done(agent: User, senior: User, client_user: User) -> dict[str, SupportAction]:
    with clock.at(clock.now() - timedelta(days=40)):
        old = note_action(ActionType.USER_SUSPEND, actor=senior, description="Suspended somebody", reason="Spam")
    return {
        "old": old,
        "credit": note_action(
            ActionType.CREDIT_ISSUE, actor=agent, description="Gave a credit", reason="=1+1", target_user=client_user, amount=Decimal("40.00")
        ),
        "failed": note_action(ActionType.REFUND_MANUAL, actor=agent, description="Refund", amount=Decimal("9.00"), error="Nothing was there."),
        "said": note_action(ActionType.APPROVAL, actor=senior, description="Approved A-7", target_user=client_user),
    }


def test_each_filter_finds_its_rows(browse: Browse, auditor: User, agent: User, client_user: User, done: dict[str, SupportAction]) -> None:
    browser, url = browse(auditor), reverse("support:actions")
    today = f"{clock.now():%Y-%m-%d}"
    cases: dict[str, tuple[dict[str, str], set[str]]] = {
        "all": ({}, {"old", "credit", "failed", "said"}),
        "by": ({"agent": agent.email.upper()}, {"credit", "failed"}),
        "about": ({"person": str(client_user.pk)}, {"credit", "said"}),
        "type": ({"action_type": "approval"}, {"said"}),
        "failed": ({"success": "no"}, {"failed"}),
        "today": ({"since": today, "until": today}, {"credit", "failed", "said"}),
        "several": ({"agent": agent.email, "success": "yes"}, {"credit"}),
    }
    names = {row.pk: name for name, row in done.items()}
    found = {case: {names[row.pk] for row in browser.get(url, asked).context["rows"]} for case, (asked, _) in cases.items()}
    assert found == {case: wanted for case, (_, wanted) in cases.items()}
    for bent in ("since=x", "agent=%00", "agent=nobody@example.com", "action_type=x", "since=2026-02-02&until=2026-01-01"):
        assert browser.get(f"{url}?{bent}").status_code == 422
    assert browser.get(f"{url}?after=%00").status_code == 200


def test_who_did_how_much(browse: Browse, auditor: User, done: dict[str, SupportAction]) -> None:
    found = browse(auditor).get(reverse("support:actions")).context["workers"]
    assert [(one.name, one.acts, one.given, one.decided, one.failed) for one in found] == [
        ("Mara Tanaka", 2, Decimal("40.00"), 0, 1),
        ("Ines Duarte", 1, Decimal("0.00"), 1, 0),
    ]


def test_pieces(browse: Browse, auditor: User, done: dict[str, SupportAction], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "SHOWN", 3)
    browser, url = browse(auditor), reverse("support:actions")
    first = browser.get(url).context
    second = browser.get(url + first["more"]).context
    assert [row.number for row in (*first["rows"], *second["rows"])] == sorted((row.number for row in done.values()), reverse=True)
    assert (len(second["rows"]), second["more"]) == (1, "")


def test_as_many_queries_for_many(browse: Browse, auditor: User, agent: User, client_user: User, done: dict[str, SupportAction]) -> None:
    browser, url = browse(auditor), reverse("support:actions")

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(url).status_code == 200
        return len(caught)

    queries()
    before = queries()
    for _ in range(5):
        note_action(ActionType.CREDIT_ISSUE, actor=agent, description="Gave a credit", target_user=client_user)
    assert queries() == before


def test_the_file(browse: Browse, finance: User, auditor: User, agent: User, done: dict[str, SupportAction], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "CHUNK", 1)
    url = reverse("support:export_actions")
    assert browse(auditor).post(url).status_code == 403
    assert not SupportAction.objects.filter(action_type=ActionType.EXPORT).exists()
    answer: Any = browse(finance).post(url, {"agent": agent.email})
    assert answer["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["number"] for row in rows] == [str(done["failed"].number), str(done["credit"].number)]
    assert (rows[1]["amount"], rows[1]["reason"], rows[0]["outcome"]) == ("40.00", "'=1+1", "Nothing was there.")
    taken = SupportAction.objects.get(action_type=ActionType.EXPORT)
    assert (taken.admin, agent.email in taken.reason) == (finance, True)
    assert AuditLog.objects.filter(event_type="support.acted", target_id=taken.pk).exists()
