"""The life of a plan, with a kind that only counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from support import kinds
from support.actions import approve_plan, draft_plan, execute_plan, expire_plans, reject_plan, submit_plan, withdraw_plan
from support.actions.plans import About
from support.kinds import Done, Figure, Kind, Preview
from support.models import ActionType, Plan, PlanKind, PlanStatus, SupportAction

Make = Callable[..., User]


@dataclass
class Purse:
    """What the kind of these tests works on."""

    balance: Decimal = Decimal("100.00")
    given: list[Decimal] = field(default_factory=list)


@pytest.fixture
def purse(monkeypatch: pytest.MonkeyPatch) -> Purse:
    made = Purse()

    def check(asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"amount": str(Decimal(asked["amount"]))}

    def preview(plan: Plan) -> Preview:
        amount = Decimal(plan.asked["amount"])
        short = () if amount <= made.balance else ("There is not so much.",)
        return Preview("Give something", (Figure("Purse", str(made.balance - amount), str(made.balance)),), amount, blocked=short)

    def execute(plan: Plan, actor: Any) -> Done:
        made.balance -= plan.amount
        made.given.append(plan.amount)
        return Done("Gave something", {"left": str(made.balance)})

    kind = Kind("issue_credits", ActionType.CREDIT_ISSUE, check, preview, lambda plan: None, execute)
    monkeypatch.setitem(kinds._kinds, PlanKind.CREDIT, kind)
    return made


def in_group(user: User, name: str) -> User:
    user.groups.add(Group.objects.get(name=name))
    return user


def draft(agent: User, target: User, amount: str) -> Plan:
    return draft_plan(PlanKind.CREDIT, actor=agent, asked={"amount": amount}, reason="Late answer", about=About(target_user=target))


def test_a_small_amount_is_given_at_once(purse: Purse, agent: User, client_user: User) -> None:
    plan = draft(agent, client_user, "40.00")
    assert (plan.status, plan.needs_approval, purse.given) == (PlanStatus.DRAFT, False, [])
    done = submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert (done.status, purse.given, done.result) == (PlanStatus.EXECUTED, [Decimal("40.00")], {"left": "60.00"})
    action = SupportAction.objects.get()
    assert (action.action_type, action.admin, action.target_user, action.amount, action.plan) == (
        "credit_issue",
        agent,
        client_user,
        done.amount,
        done,
    )
    assert AuditLog.objects.filter(event_type="plan.executed", target_id=plan.pk).exists()


def test_more_than_the_limit_waits_for_a_second_person(purse: Purse, agent: User, senior: User, client_user: User) -> None:
    plan = draft(agent, client_user, "60.00")
    assert submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256).status == PlanStatus.REQUESTED
    assert purse.given == []
    with pytest.raises(NotAllowed):
        approve_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=senior, seen=plan.figures_sha256, note="Fair.")
    done = execute_plan(plan.pk)
    assert (done.status, done.approver, purse.given) == (PlanStatus.EXECUTED, senior, [Decimal("60.00")])
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    assert purse.given == [Decimal("60.00")], "once"
    action = SupportAction.objects.get(action_type=ActionType.CREDIT_ISSUE)
    assert (action.requires_approval, action.approved_by) == (True, senior)


def test_slices_count_together(purse: Purse, agent: User, client_user: User) -> None:
    purse.balance = Decimal("1000.00")
    for _ in range(2):
        plan = draft(agent, client_user, "45.00")
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    third = draft(agent, client_user, "45.00")
    assert third.needs_approval
    assert third.why_approval.startswith("More than")
    with clock.at(clock.now() + timedelta(days=31)):
        assert not draft(agent, client_user, "45.00").needs_approval


def test_figures_that_changed_send_it_back(purse: Purse, agent: User, senior: User, client_user: User) -> None:
    plan = draft(agent, client_user, "60.00")
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    purse.balance = Decimal("90.00")
    back = execute_plan(plan.pk)
    assert (back.status, back.approver, back.needs_approval, purse.given) == (PlanStatus.DRAFT, None, True, [])
    assert back.figures_sha256 != plan.figures_sha256


def test_a_draft_that_was_not_looked_at_is_not_submitted(purse: Purse, agent: User, client_user: User) -> None:
    plan = draft(agent, client_user, "40.00")
    purse.balance = Decimal("90.00")
    with pytest.raises(Conflict) as refused:
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert (refused.value.code, purse.given) == ("figures_changed", [])
    assert Plan.objects.get().status == PlanStatus.DRAFT


def test_what_cannot_be_done_is_not_done(purse: Purse, agent: User, senior: User, client_user: User) -> None:
    plan = draft(agent, client_user, "120.00")
    with pytest.raises(Conflict):
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    fits = draft(agent, client_user, "90.00")
    submit_plan(fits.pk, actor=agent, seen=fits.figures_sha256)
    approve_plan(fits.pk, actor=senior, seen=fits.figures_sha256)
    purse.balance = Decimal("10.00")
    failed = execute_plan(fits.pk)
    assert (failed.status, failed.error, purse.given) == (PlanStatus.FAILED, "There is not so much.", [])
    assert SupportAction.objects.get(success=False).error_message == "There is not so much."


def test_rejected_withdrawn_expired(purse: Purse, agent: User, senior: User, client_user: User) -> None:
    one, two, three = (draft(agent, client_user, "60.00") for _ in range(3))
    for plan in (one, two, three):
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    with pytest.raises(Invalid):
        reject_plan(one.pk, actor=senior, note=" ")
    assert reject_plan(one.pk, actor=senior, note="Too much.").status == PlanStatus.REJECTED
    assert withdraw_plan(two.pk, actor=agent).status == PlanStatus.WITHDRAWN
    later = clock.now() + timedelta(hours=73)
    with clock.at(later):
        with pytest.raises(WrongState):
            approve_plan(three.pk, actor=senior, seen=three.figures_sha256)
        assert expire_plans(later) == 1
    assert Plan.objects.get(pk=three.pk).status == PlanStatus.EXPIRED
    assert purse.given == []


def test_who_may_not(purse: Purse, agent: User, senior: User, client_user: User, make_user: Make) -> None:
    auditor = in_group(make_user("Audrey Vale", is_staff=True), "Auditor")
    with pytest.raises(NotAllowed):
        draft(auditor, client_user, "10.00")
    with pytest.raises(NotAllowed):
        draft(agent, agent, "10.00")
    assert not Plan.objects.exists()
    plan = draft(agent, senior, "60.00")
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    for person in (senior, auditor):
        with pytest.raises(NotAllowed):
            approve_plan(plan.pk, actor=person, seen=plan.figures_sha256)
    assert Plan.objects.get().status == PlanStatus.REQUESTED


@pytest.mark.parametrize(
    "change",
    [
        "approver_id = requester_id, decided_at = now(), status = 'approved'",
        "status = 'executed', executed_at = now()",
        "amount = 1, figures = '{}'",
        "requester_id = target_user_id",
        "status = 'draft', approver_id = requester_id",
    ],
)
def test_the_database_keeps_four_eyes(purse: Purse, agent: User, client_user: User, change: str) -> None:
    plan = draft(agent, client_user, "60.00")
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE support_plan SET {change} WHERE id = %s", [plan.pk])
    assert Plan.objects.get().status == PlanStatus.REQUESTED


def test_an_act_is_written_once(purse: Purse, agent: User, client_user: User) -> None:
    plan = draft(agent, client_user, "40.00")
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    for change in ("UPDATE support_supportaction SET reason = 'x'", "DELETE FROM support_supportaction", "DELETE FROM support_plan"):
        with pytest.raises(Exception, match=r"permission denied|append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)
    assert SupportAction.objects.get().reason == "Late answer"
