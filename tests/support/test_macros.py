"""The macro for a late order with the credit that it really gives: what it shows, what it does, and that the limits hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.notifications.models import Notification
from port444.orders.models import Order
from port444.payments.models import Credit
from support import kinds
from support.actions import approve_plan, draft_plan, execute_plan, submit_plan
from support.actions.plans import About
from support.kinds import Done
from support.macros import REMIND
from support.models import Plan, PlanKind, PlanStatus, SupportAction

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def late(make_order: Any) -> Order:
    order: Order = make_order("in_progress")
    Order.objects.filter(pk=order.pk).update(due_at=now() - timedelta(days=3))
    order.refresh_from_db()
    return order


def plan_of(actor: User, order: Order, amount: str = "20.00") -> Plan:
    asked = {"macro": "late_order", "amount": D(amount), "label": "For the waiting"}
    about = About(target_user=order.client, order=order)
    return draft_plan(PlanKind.MACRO, actor=actor, asked=asked, reason="Three days late, no word.", about=about)


def submitted(actor: User, order: Order, amount: str = "20.00") -> Plan:
    plan = plan_of(actor, order, amount)
    return submit_plan(plan.pk, actor=actor, seen=plan.figures_sha256)


def reminders() -> list[str]:
    return list(Notification.objects.filter(kind="order.late").values_list("user__email", flat=True))


def test_the_client_gets_a_credit_and_the_builder_a_word(late: Order, agent: User, client_user: User, builder_user: User) -> None:
    plan = plan_of(agent, late)
    labels = [figure["label"] for figure in plan.figures["figures"]]
    assert {"1.", "This credit", "2.", "Due"} <= set(labels)
    assert (plan.amount, plan.needs_approval, Credit.objects.exists(), reminders()) == (D("20.00"), False, False, [])
    done = submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    credit = Credit.objects.get()
    assert (done.status, credit.user, credit.amount, credit.label) == (PlanStatus.EXECUTED, client_user, D("20.00"), "For the waiting")
    assert reminders() == [builder_user.email]
    assert Notification.objects.get(kind="credit.issued").user == client_user
    acts = {act.action_type: act for act in SupportAction.objects.all()}
    assert set(acts) == {"credit_issue", "macro"}
    assert (acts["credit_issue"].amount, acts["credit_issue"].order) == (D("20.00"), late)
    assert [step["kind"] for step in done.result["steps"]] == ["credit_issue", REMIND]


def test_it_is_no_way_around_the_limits_of_credits(late: Order, agent: User, senior: User) -> None:
    asked = submitted(agent, late, "50.01")
    assert (asked.status, asked.why_approval) == (PlanStatus.REQUESTED, "More than $50.00 at once")
    assert (Credit.objects.count(), reminders()) == (0, [])
    approve_plan(asked.pk, actor=senior, seen=asked.figures_sha256)
    assert execute_plan(asked.pk).status == PlanStatus.EXECUTED
    assert (Credit.objects.get().amount, len(reminders())) == (D("50.01"), 1)


def test_what_was_given_in_macros_counts_for_credits_and_the_other_way_round(late: Order, agent: User, client_user: User) -> None:
    for _ in range(2):
        assert submitted(agent, late, "50.00").status == PlanStatus.EXECUTED  # 100.00 to one person in 30 days
    asked = {"amount": "0.01", "label": "One cent more", "scope": "all"}
    alone = draft_plan(PlanKind.CREDIT, actor=agent, asked=asked, reason="Case 1", about=About(target_user=client_user))
    assert alone.why_approval == "More than $100.00 to one person in 30 days"
    assert plan_of(agent, late, "0.01").needs_approval


def test_a_reminder_that_fails_takes_the_credit_back(late: Order, agent: User, monkeypatch: pytest.MonkeyPatch) -> None:
    known = kinds.of(REMIND)

    def fail(plan: Plan, actor: Any) -> Done:
        raise Conflict("It was delivered at this moment.")

    monkeypatch.setitem(kinds._kinds, REMIND, kinds.Kind(known.permission, known.action, known.check, known.preview, known.lock, fail))
    plan = plan_of(agent, late)
    with pytest.raises(Conflict, match="at this moment"):
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert not Credit.objects.exists()
    assert not SupportAction.objects.exists()
    assert not Notification.objects.filter(kind="credit.issued").exists()


def test_a_builder_who_has_delivered_is_not_reminded(make_order: Any, agent: User) -> None:
    plan = plan_of(agent, make_order("delivered"))
    assert "its builder has nothing to do" in plan.figures["blocked"][0]
    with pytest.raises(Conflict):
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert not Credit.objects.exists()


def test_its_form(late: Order, agent: User, browse: Any) -> None:
    browser, url = browse(agent), f"{reverse('support:draft', args=['macro'])}?macro=late_order&order={late.number}"
    shown = browser.get(url).content.decode()
    assert late.title in shown
    said = {"macro": "late_order", "order": late.number, "amount": "20", "label": "For the waiting", "reason": "Case 1"}
    for wrong in ({"amount": "0"}, {"amount": "x"}, {"amount": "5000.01"}, {"label": ""}, {"label": "x" * 121}, {"order": "P4-999999"}):
        assert browser.post(url, said | wrong).status_code == 422, wrong
    assert not Plan.objects.exists()
    assert browser.post(url, said).status_code == 302
    assert Plan.objects.get().order == late
