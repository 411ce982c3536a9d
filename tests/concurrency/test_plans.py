"""Staff press everything about one plan at one moment: it is decided once, done once, and limits hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from threading import Lock
from typing import Any

import pytest

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import now
from support import kinds
from support.actions import approve_plan, draft_plan, execute_approved, execute_plan, reject_plan, submit_plan, withdraw_plan
from support.actions.plans import About
from support.kinds import Done, Figure, Kind, Preview
from support.models import ActionType, Plan, PlanKind, PlanStatus, SupportAction
from tests.conftest import in_groups

from .test_booking import rush

pytestmark = pytest.mark.django_db(transaction=True)
S = PlanStatus


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Decimal]:
    """What a kind that gives something has given; like a provider it does not forget it on a rollback."""
    made: list[Decimal] = []
    lock = Lock()

    def preview(plan: Plan) -> Preview:
        return Preview("Give something", (Figure("Gift", plan.asked["amount"]),), Decimal(plan.asked["amount"]))

    def execute(plan: Plan, actor: Any) -> Done:
        with lock:
            made.append(plan.amount)
        return Done("Gave something")

    def check(asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"amount": str(asked["amount"])}

    kind = Kind("issue_credits", ActionType.CREDIT_ISSUE, check, preview, lambda plan: None, execute)
    monkeypatch.setitem(kinds._kinds, PlanKind.CREDIT, kind)
    return made


def draft(agent: User, person: User, amount: str) -> Plan:
    return draft_plan(PlanKind.CREDIT, actor=agent, asked={"amount": amount}, reason="Late answer", about=About(target_user=person))


def requested(agent: User, person: User) -> Plan:
    plan = draft(agent, person, "60.00")
    return submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)


def executed(plan: Plan, given: list[Decimal]) -> None:
    assert Plan.objects.get(pk=plan.pk).status == S.EXECUTED
    assert given == [Decimal("60.00")]
    assert SupportAction.objects.filter(action_type=ActionType.CREDIT_ISSUE).count() == 1
    assert AuditLog.objects.filter(event_type="plan.executed", target_id=plan.pk).count() == 1


def approve_and_do(plan: Plan, person: User) -> None:
    approve_plan(plan.pk, actor=person, seen=plan.figures_sha256)
    execute_plan(plan.pk)


def test_two_approve_at_once(given: list[Decimal], agent: User, senior: User, finance: User, security: User, client_user: User) -> None:
    plan = requested(agent, client_user)
    told = rush([partial(approve_and_do, plan, person) for person in (senior, finance, security)])
    assert sorted(told) == ["won", "wrong_state", "wrong_state"]
    executed(plan, given)
    assert SupportAction.objects.filter(action_type=ActionType.APPROVAL).count() == 1


def test_approve_reject_and_withdraw_at_once(given: list[Decimal], agent: User, senior: User, finance: User, client_user: User) -> None:
    outcomes = set()
    for _ in range(4):
        given.clear()
        plan = requested(agent, client_user)
        told = rush(
            [
                partial(approve_plan, plan.pk, actor=senior, seen=plan.figures_sha256),
                partial(reject_plan, plan.pk, actor=finance, note="Too much."),
                partial(withdraw_plan, plan.pk, actor=agent),
            ]
        )
        plan.refresh_from_db()
        assert set(told) <= {"won", "wrong_state"}
        assert given == []
        assert plan.status in (S.APPROVED, S.REJECTED, S.WITHDRAWN)
        if plan.status == S.WITHDRAWN and plan.approver_id:  # it was approved, and then withdrawn before anybody did it
            assert told.count("won") == 2
        else:
            assert told.count("won") == 1
        outcomes.add(plan.status)
        execute_plan(plan.pk)
        assert (given == [Decimal("60.00")]) == (plan.status == S.APPROVED)
    assert outcomes


def test_submitted_twice(given: list[Decimal], agent: User, client_user: User) -> None:
    plan = draft(agent, client_user, "40.00")
    told = rush([partial(submit_plan, plan.pk, actor=agent, seen=plan.figures_sha256)] * 4)
    assert sorted(told) == ["won", "wrong_state", "wrong_state", "wrong_state"]
    assert given == [Decimal("40.00")]


def test_slices_at_once_stay_within_the_limit(given: list[Decimal], agent: User, client_user: User) -> None:
    plans = [draft(agent, client_user, "45.00") for _ in range(6)]
    assert not any(plan.needs_approval for plan in plans)
    told = rush([partial(submit_plan, plan.pk, actor=agent, seen=plan.figures_sha256) for plan in plans])
    assert told == ["won"] * 6
    assert given == [Decimal("45.00")] * 2, "a third would be more than 100.00 to one person"
    assert Plan.objects.filter(status=S.REQUESTED).count() == 4


def test_what_was_approved_is_done_after_a_crash(given: list[Decimal], agent: User, senior: User, client_user: User) -> None:
    plan = requested(agent, client_user)
    approve_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    moment = now()
    assert execute_approved(moment) == 0, "who approved it is at it"
    later: list[Callable[[], object]] = [partial(execute_approved, moment.replace(year=moment.year + 1))] * 3 + [partial(execute_plan, plan.pk)]
    assert rush(later) == ["won"] * 4
    executed(plan, given)


def test_who_lost_the_right_meanwhile(given: list[Decimal], agent: User, senior: User, client_user: User) -> None:
    plan = requested(agent, client_user)
    approve_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    senior.groups.clear()
    assert execute_plan(plan.pk).status == S.FAILED
    assert given == []
    in_groups(senior, "Senior agent")
    assert execute_plan(plan.pk).status == S.FAILED, "it stays so"
