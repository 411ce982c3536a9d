"""What a trial of parameters counts as right and as wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from auditlog.actions import Finding, casework, open_incident
from auditlog.actions.backtesting import _figures
from auditlog.detectors.suspicions import Suspicion
from auditlog.models import ActionTaken, IncidentLog, IncidentSeverity, IncidentType, Verdict
from port444.accounts.models import User
from port444.kit.clock import now

pytestmark = pytest.mark.django_db
NAME = "multi_accounting"


def opened(name: str, person: User) -> IncidentLog:
    facts: dict[str, Any] = {"severity": IncidentSeverity.MEDIUM, "confidence": 60, "description": "Two accounts.", "detector": NAME}
    return open_incident(Finding(name, IncidentType.MULTI_ACCOUNTING, user_id=person.pk, **facts))


def alert(name: str) -> Suspicion:
    return Suspicion(name, "multi_accounting", "medium", 60, "Two accounts.", NAME, "linked_accounts", [], [])


def test_right_is_what_was_confirmed_whatever_was_done(senior: User, client_user: User) -> None:
    """A warning for what could not be told is no proof, and a confirmed case may need nothing more."""
    moment = now()
    decided = {
        "confirmed, and nothing to do": (Verdict.CONFIRMED, ActionTaken.NO_ACTION),
        "confirmed": (Verdict.CONFIRMED, ActionTaken.ACCOUNT_SUSPENDED),
        "warned, inconclusive": (Verdict.INCONCLUSIVE, ActionTaken.WARNING_ISSUED),
        "warned again, inconclusive": (Verdict.INCONCLUSIVE, ActionTaken.WARNING_ISSUED),
        "inconclusive": (Verdict.INCONCLUSIVE, ActionTaken.NO_ACTION),
    }
    for name, (verdict, action) in decided.items():
        casework.resolve(opened(name, client_user).pk, actor=senior, verdict=verdict, reason="Seen.", action=action)
    casework.mark_false_positive(opened("harmless", client_user).pk, actor=senior, reason="A family.")
    found = [alert("confirmed, and nothing to do"), alert("confirmed"), alert("warned, inconclusive"), alert("harmless")]
    figures = _figures(found, NAME, moment - timedelta(days=1), now() + timedelta(seconds=1))
    assert {name: figures[name] for name in ("right", "right_told", "wrong", "wrong_told")} == {
        "right": 2,
        "right_told": 2,
        "wrong": 1,
        "wrong_told": 1,
    }
