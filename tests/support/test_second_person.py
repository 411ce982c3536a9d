"""Nobody ends the holds of a serious incident alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from auditlog.actions import casework
from auditlog.models import AuditLog, IncidentEvent, IncidentLog, IncidentSeverity, IncidentStatus, Suppression, Verdict
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.notifications.models import Notification
from port444.payments.actions import hold_withdrawals_of
from port444.payments.models import PayoutHold
from support import actions
from support.models import SupportAction

from .test_incident_pages import Browse, address, decide, opened, words

pytestmark = pytest.mark.django_db
S = IncidentStatus
SERIOUS = (IncidentSeverity.HIGH, IncidentSeverity.CRITICAL)


@pytest.fixture
def ring(make_user: Callable[..., User]) -> list[User]:
    return [make_user(name, is_builder=True) for name in ("Mila Sander", "Omid Farsi")]


@pytest.fixture
def held(ring: list[User]) -> IncidentLog:
    incident = opened(people=ring)
    hold_withdrawals_of(ring[0].pk, reason="By a program.", incident=incident.pk, until=now() + timedelta(hours=72))
    return incident


@pytest.mark.parametrize("severity", SERIOUS)
@pytest.mark.parametrize(("do", "verdict", "status"), [("fp", "household", S.FALSE_POSITIVE), ("none", "inconclusive", S.RESOLVED)])
def test_one_asks_and_another_agrees(
    browse: Browse, senior: User, security: User, held: IncidentLog, severity: str, do: str, verdict: str, status: str
) -> None:
    IncidentLog.objects.update(severity=severity)
    client, second = browse(senior), browse(security)
    page = words(client.get(address(held)))
    assert "once they agree" in page
    assert "nobody ends that alone" in page
    assert decide(client, held, do, verdict=verdict, days="30").status_code == 302
    row = IncidentLog.objects.get()
    assert (row.status, row.assigned_to, row.closing_asked_by) == (S.INVESTIGATING, senior.pk, senior.pk)
    assert PayoutHold.objects.standing().count() == 1
    assert not Suppression.objects.exists()
    assert Notification.objects.filter(kind="incident.second_person").get().user == security
    # Whoever asked does not agree, by no way.
    assert "Agree and close it" not in words(client.get(address(held)))
    assert client.post(address(held, "agree_to_close")).status_code == 403
    assert PayoutHold.objects.standing().count() == 1
    assert str(held) in words(second.get(reverse("support:incidents"), {"tab": "second"}))
    assert str(held) not in words(client.get(reverse("support:incidents"), {"tab": "second"}))
    assert "Agree and close it" in words(second.get(address(held)))
    assert second.post(address(held, "agree_to_close")).status_code == 302
    row = IncidentLog.objects.get()
    assert (row.status, row.resolved_by, row.approved_by, row.closing_asked_by) == (status, senior.pk, security.pk, None)
    assert not PayoutHold.objects.standing().exists()
    assert Suppression.objects.count() == (do == "fp")
    assert f"agreed by {security.name}" in words(client.get(address(held)))
    closed = AuditLog.objects.get(event_type="incident.closed")
    assert (closed.actor_id, closed.metadata["approved_by"]) == (senior.pk, str(security.pk))
    assert AuditLog.objects.get(event_type="incident.closing_agreed").actor_id == security.pk
    assert SupportAction.objects.filter(admin=security, action_type="approval").count() == 1


def test_the_second_person_gives_a_code(browse: Browse, senior: User, security: User, held: IncidentLog, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(browse(senior), held, "fp", verdict="household")
    monkeypatch.setattr(sys.modules["support.views.incidents"], "recently_proved", lambda request: False)
    client = browse(security)
    assert "Code from your second factor" in words(client.get(address(held)))
    assert client.post(address(held, "agree_to_close"), {"code": "000000"}).status_code == 422
    assert PayoutHold.objects.standing().count() == 1


def test_the_second_person_may_not_agree(browse: Browse, senior: User, security: User, held: IncidentLog) -> None:
    decide(browse(senior), held, "fp", verdict="household")
    assert browse(security).post(address(held, "decline_to_close"), {"reason": ""}).status_code == 422
    assert browse(security).post(address(held, "decline_to_close"), {"reason": "They share a wallet."}).status_code == 302
    row = IncidentLog.objects.get()
    assert (row.status, row.closing_asked_by) == (S.INVESTIGATING, None)
    assert PayoutHold.objects.standing().count() == 1
    assert Notification.objects.filter(user=senior, kind="incident.second_person", title__contains="did not agree").count() == 1
    assert browse(security).post(address(held, "agree_to_close")).status_code == 409


def test_what_was_asked_for_is_taken_back(browse: Browse, senior: User, held: IncidentLog) -> None:
    decide(browse(senior), held, "none", verdict="inconclusive")
    assert browse(senior).post(address(held, "decline_to_close"), {"reason": "Too soon."}).status_code == 302
    assert IncidentLog.objects.get().closing_asked_by is None
    assert decide(browse(senior), held, "fp", verdict="team").status_code == 302


def test_what_has_grown_since_is_asked_anew(
    browse: Browse, senior: User, security: User, ring: list[User], held: IncidentLog, stranger: User
) -> None:
    decide(browse(senior), held, "fp", verdict="household")
    opened(people=[*ring, stranger])
    page = browse(security).post(address(held, "agree_to_close"))
    assert page.status_code == 409
    assert "Ask anew" in words(page)
    assert IncidentLog.objects.get().status == S.INVESTIGATING


def test_who_sees_and_may_not_approve(browse: Browse, senior: User, agent: User, auditor: User, held: IncidentLog) -> None:
    decide(browse(senior), held, "fp", verdict="household")
    for person in (agent, auditor):
        assert browse(person).post(address(held, "agree_to_close")).status_code == 403
        assert browse(person).post(address(held, "decline_to_close"), {"reason": "No."}).status_code == 403
    assert IncidentLog.objects.get().closing_asked_by == senior.pk


def test_a_part_of_it_is_no_second_person(browse: Browse, senior: User, security: User, ring: list[User]) -> None:
    incident = opened(people=[*ring, security])
    hold_withdrawals_of(ring[0].pk, reason="By a program.", incident=incident.pk)
    decide(browse(senior), incident, "fp", verdict="household")
    assert browse(security).post(address(incident, "agree_to_close")).status_code == 404
    with pytest.raises(NotAllowed):
        actions.agree_to_close(incident.pk, actor=security)
    assert not Notification.objects.filter(user=security, kind="incident.second_person").exists()


def test_a_hold_that_is_about_to_be_made_counts_and_one_that_ended_does_not(browse: Browse, senior: User, ring: list[User]) -> None:
    wanted, ended = opened("wanted", ring), opened("ended", ring)
    IncidentLog.objects.filter(pk=wanted.pk).update(hold_wanted_at=now())
    for incident in (wanted, ended):
        decide(browse(senior), incident, "fp", verdict="household")
    assert IncidentLog.objects.get(pk=wanted.pk).closing_asked_by == senior.pk
    assert IncidentLog.objects.get(pk=ended.pk).status == S.FALSE_POSITIVE


def test_many_at_once_leave_out_what_takes_two(browse: Browse, senior: User, ring: list[User], held: IncidentLog) -> None:
    other = opened("other", ring)
    form = {"pick": [held.number, other.number], "verdict": "household", "reason": "One household.", "sure": "1"}
    page: Client = browse(senior)
    answer: Any = page.post(reverse("support:close_incidents"), form, follow=True)
    assert "1 closed. Left open because of holds that take two people to end: 1." in words(answer)
    assert IncidentLog.objects.get(pk=held.pk).status == S.OPEN
    assert PayoutHold.objects.standing().count() == 1
    assert IncidentLog.objects.get(pk=other.pk).status == S.FALSE_POSITIVE


@pytest.mark.parametrize("part", [False, True], ids=["its own hold", "the hold of a part"])
def test_the_database_asks_for_two(senior: User, security: User, ring: list[User], *, part: bool) -> None:
    incident = opened(people=ring)
    source = incident
    if part:
        source = opened("part", ring)
        casework.merge(source.pk, actor=senior, into=incident.pk, reason="The same.")
    hold_withdrawals_of(ring[0].pk, reason="By a program.", incident=source.pk)
    closing = {"status": "resolved", "resolved_at": now(), "resolved_by": senior.pk, "action_taken": "no_action"}
    with pytest.raises(IntegrityError, match="a second person"), transaction.atomic():
        IncidentLog.objects.filter(pk=incident.pk).update(**closing)
    with pytest.raises(IntegrityError, match="incident_second_person"), transaction.atomic():
        IncidentLog.objects.filter(pk=incident.pk).update(**closing, approved_by=senior.pk)
    with pytest.raises(IntegrityError, match="incident_approved_by_another"), transaction.atomic():
        IncidentLog.objects.filter(pk=incident.pk).update(**closing, approved_by=ring[1].pk)
    with pytest.raises(NotAllowed):
        casework.resolve(incident.pk, actor=senior, verdict=Verdict.INCONCLUSIVE, reason="Alone.")
    assert IncidentLog.objects.get(pk=incident.pk).status == S.OPEN
    assert not IncidentEvent.objects.filter(incident=incident, kind="resolved").exists()
    IncidentLog.objects.filter(pk=incident.pk).update(**closing, approved_by=security.pk)


def test_opened_again_it_has_no_second_person(browse: Browse, senior: User, security: User, held: IncidentLog) -> None:
    decide(browse(senior), held, "fp", verdict="household")
    browse(security).post(address(held, "agree_to_close"))
    browse(senior).post(address(held, "reopen_incident"), {"reason": "One more came."})
    row = IncidentLog.objects.get()
    assert (row.status, row.approved_by, row.closing_asked_by) == (S.INVESTIGATING, None, None)
    kinds = list(IncidentEvent.objects.order_by("id").values_list("kind", flat=True))
    assert kinds[-4:] == ["agreed", "false_positive", "freed", "reopened"], "what happened before stays"
