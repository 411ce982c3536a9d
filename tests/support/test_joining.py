"""Plans that merge orders, split one, and undo that: what they show, who decides, and what stands against them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from amendments.actions import propose
from amendments.terms import Terms
from port444.accounts.models import User
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import CancelCause, Order, OrderStatus
from port444.payments import ledger
from support.actions import approve_plan, draft_plan, execute_plan, reject_plan, submit_plan
from support.actions.plans import About
from support.models import ActionType, Plan, PlanKind, PlanStatus, SupportAction
from tests.orders.conftest import MakeOrder, make_order, package, service

pytestmark = pytest.mark.django_db

__all__ = ["make_order", "package", "service"]
S, K, D = OrderStatus, PlanKind, Decimal
Browse = Callable[[User | None], Client]
WHY = "One hand-over for both, the client asked for it"


@pytest.fixture
def two(make_order: MakeOrder) -> tuple[Order, Order]:
    return make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)


def draft(kind: PlanKind, actor: User, about: About, **asked: Any) -> Plan:
    return draft_plan(kind, actor=actor, asked=asked, reason=WHY, about=about)


def carry_out(plan: Plan, by: User) -> Plan:
    submit_plan(plan.pk, actor=plan.requester, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=by, seen=Plan.objects.get(pk=plan.pk).figures_sha256)
    return execute_plan(plan.pk)


def merge(two: tuple[Order, Order], actor: User) -> Plan:
    return draft(K.MERGE, actor, About(order=two[0], other_order=two[1], target_user=two[0].client))


def test_a_merge_is_planned_approved_and_done(two: tuple[Order, Order], senior: User, staff: User) -> None:
    plan = merge(two, senior)
    figures = {line["label"]: (line["before"], line["after"]) for line in plan.figures["figures"]}
    assert figures["Escrow of the new order"] == ("0.00", "360.00")
    assert figures[f"Escrow of P4-{two[0].number}"] == ("180.00", "0.00")
    assert figures["In escrow"] == ("360.00", "360.00")
    assert (plan.needs_approval, plan.amount, plan.figures["blocked"]) == (True, D("360.00"), [])
    done = carry_out(plan, staff)
    assert (done.status, done.error) == (PlanStatus.EXECUTED, "")
    made = Order.objects.get(origin="merge")
    assert done.result["order"] == f"P4-{made.number}"
    assert ledger.balance("escrow", subject=made.pk) == D("360.00")
    action = SupportAction.objects.get(action_type=ActionType.ORDER_MERGE)
    assert (action.admin, action.approved_by, action.order, action.related_orders) == (senior, staff, two[0], [two[1].pk])


def test_a_merge_is_undone_by_another_plan(two: tuple[Order, Order], senior: User, staff: User) -> None:
    done = carry_out(merge(two, senior), staff)
    made = Order.objects.get(origin="merge")
    about = About(order=made, undoes=done, target_user=made.client)
    first = draft(K.UNDO, senior, about)
    figures = {line["label"]: (line["before"], line["after"]) for line in first.figures["figures"]}
    assert figures[f"Escrow of P4-{two[1].number}"] == ("0.00", "180.00")
    both = " and ".join(f"P4-{one.number}" for one in two)
    assert figures["Orders"] == (f"P4-{made.number}", both)
    assert figures["To deliver"][0] == ", ".join(made.deliverables)
    submit_plan(first.pk, actor=senior, seen=first.figures_sha256)
    second = draft(K.UNDO, senior, about)
    with pytest.raises(Conflict):
        submit_plan(second.pk, actor=senior, seen=second.figures_sha256)
    reject_plan(first.pk, actor=staff, note="Ask the client first.")
    undone = carry_out(draft(K.UNDO, senior, about), staff)
    assert (undone.status, undone.error) == (PlanStatus.EXECUTED, "")
    assert {Order.objects.get(pk=one.pk).status for one in two} == {S.IN_PROGRESS}
    assert Order.objects.get(pk=made.pk).cancel_cause == CancelCause.UNDONE
    assert draft(K.UNDO, senior, about).figures["blocked"]


def test_an_undoing_says_of_what(two: tuple[Order, Order], senior: User, client_user: User) -> None:
    plan = merge(two, senior)
    for undoes in (None, plan):
        with pytest.raises(Invalid):
            draft(K.UNDO, senior, About(order=two[0], undoes=undoes))


def test_a_split_is_planned_done_and_undone(two: tuple[Order, Order], senior: User, staff: User) -> None:
    order = two[0]
    about = About(order=order, target_user=order.client)
    plan = draft(K.SPLIT, senior, about, title="The report", price="60.01", deliverables=["1"], revisions=1)
    figures = {line["label"]: (line["before"], line["after"]) for line in plan.figures["figures"]}
    assert figures["Escrow of the new order"] == ("0.00", "60.01")
    assert figures[f"P4-{order.number} delivers"] == ("Five pages, A report", "Five pages")
    done = carry_out(plan, staff)
    made = Order.objects.get(split_from=order)
    assert (done.status, made.price, made.deliverables) == (PlanStatus.EXECUTED, D("60.01"), ["A report"])
    fees = {line["label"]: line["after"] for line in plan.figures["figures"]}
    assert fees["Service fee of the new order"] == str(made.client_fee)
    back = draft(K.UNDO, senior, About(order=made, other_order=order, undoes=done))
    words = {line["label"]: (line["before"], line["after"]) for line in back.figures["figures"]}
    assert words["Orders"] == (f"P4-{order.number} and P4-{made.number}", f"P4-{order.number}")
    assert words["To deliver"] == ("Five pages and A report", "Five pages, A report")
    undone = carry_out(back, staff)
    assert (undone.status, undone.error) == (PlanStatus.EXECUTED, "")
    assert Order.objects.get(pk=order.pk).price == D("180.00")


@pytest.mark.parametrize(
    "asked",
    [
        {"title": "", "price": "50.00"},
        {"title": "Part", "price": ""},
        {"title": "Part", "price": "1e3"},
        {"title": "Part", "price": "50.00", "deliverables": ["x"]},
        {"title": "Part", "price": "50.00", "deliverables": [-1]},
        {"title": "Part", "price": "50.00", "revisions": -1},
    ],
)
def test_what_cannot_be_read_is_no_split(two: tuple[Order, Order], senior: User, asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        draft(K.SPLIT, senior, About(order=two[0]), **asked)
    assert not Plan.objects.exists()


def test_a_share_that_leaves_nothing_is_shown_as_impossible(two: tuple[Order, Order], senior: User) -> None:
    plan = draft(K.SPLIT, senior, About(order=two[0]), title="All", price="180.00", deliverables=["0"])
    assert "keeps at least" in plan.figures["blocked"][0]
    with pytest.raises(Conflict):
        submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)


def test_what_changes_meanwhile_sends_it_back(two: tuple[Order, Order], senior: User, staff: User) -> None:
    plan = merge(two, senior)
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=staff, seen=plan.figures_sha256)
    Order.objects.filter(pk=two[1].pk).update(revisions_allowed=5)
    assert execute_plan(plan.pk).status == PlanStatus.DRAFT
    assert not Order.objects.filter(origin="merge").exists()


def test_what_is_delivered_meanwhile_fails_it(two: tuple[Order, Order], senior: User, staff: User, builder_user: User) -> None:
    plan = merge(two, senior)
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=staff, seen=plan.figures_sha256)
    orders.deliver(two[1].pk, actor=builder_user, note="Done.")
    failed = execute_plan(plan.pk)
    assert (failed.status, Order.objects.filter(origin="merge").exists()) == (PlanStatus.FAILED, False)
    assert "delivered" in failed.error


def test_an_open_change_or_another_plan_stands_against_it(two: tuple[Order, Order], senior: User, builder_user: User) -> None:
    first = merge(two, senior)
    submit_plan(first.pk, actor=senior, seen=first.figures_sha256)
    split = draft(K.SPLIT, senior, About(order=two[1]), title="Part", price="50.00", deliverables=["0"])
    assert split.figures["blocked"] == [f"Plan {first} about one of these orders waits."]
    propose(two[1].pk, actor=builder_user, client_key=uuid7(), terms=Terms("timeline_extension", "Longer", days=2))
    assert any("A change of one" in line for line in merge(two, senior).figures["blocked"])


def test_who_may(two: tuple[Order, Order], agent: User, senior: User, make_user: Callable[..., User], finance: User) -> None:
    for user in (agent, finance):
        with pytest.raises(NotAllowed):
            merge(two, user)
    Order.objects.filter(pk__in=[one.pk for one in two]).update(client=senior)
    assert "You are one of the two sides." in merge_of(two, senior).figures["blocked"]


def merge_of(two: tuple[Order, Order], actor: User) -> Plan:
    return draft(K.MERGE, actor, About(order=Order.objects.get(pk=two[0].pk), other_order=Order.objects.get(pk=two[1].pk)))


# The pages


def test_a_split_from_its_form_to_the_act(browse: Browse, two: tuple[Order, Order], senior: User, staff: User) -> None:
    browser, order = browse(senior), two[0]
    url = reverse("support:draft", args=["order_split"])
    form = browser.get(url, {"order": str(order.number)}).content.decode()
    assert "A report" in form
    assert "Of 2 that are left." in form
    said = {"order": str(order.number), "title": "The report", "price": "60.01", "deliverables": ["1"], "revisions": "1", "reason": WHY}
    for wrong in ({"price": "a lot"}, {"deliverables": ["9"]}, {"revisions": "-1"}, {"title": ""}, {"order": "999999"}):
        answer = browser.post(url, said | wrong)
        assert answer.status_code == 422, wrong
    assert not Plan.objects.exists()
    assert browser.post(url, said).status_code == 302
    plan = Plan.objects.get()
    page = browser.get(reverse("support:plan", args=[plan.number]))
    assert "Stays where it is" in page.content.decode()
    browser.post(reverse("support:submit_plan", args=[plan.number]), {"seen": page.context["sha256"]})
    approve_plan(plan.pk, actor=staff, seen=Plan.objects.get().figures_sha256)
    execute_plan(plan.pk)
    assert f"Undo {plan}" in browser.get(reverse("support:plan", args=[plan.number])).content.decode()
    undo = browser.get(reverse("support:draft", args=["order_undo"]), {"undoes": str(plan.number)})
    assert undo.status_code == 200
    assert browser.post(reverse("support:draft", args=["order_undo"]), {"undoes": str(plan.number), "reason": WHY}).status_code == 302
    made = Order.objects.get(split_from=order)
    assert (Plan.objects.latest("number").order, Plan.objects.latest("number").other_order) == (made, order)


def test_a_merge_offers_what_can_be_merged(browse: Browse, two: tuple[Order, Order], make_order: MakeOrder, senior: User) -> None:
    done, browser = make_order(S.COMPLETED), browse(senior)
    url = reverse("support:draft", args=["order_merge"])
    form = browser.get(url, {"order": str(two[0].number)}).content.decode()
    assert f'<option value="{two[1].number}"' in form
    assert f'<option value="{done.number}"' not in form
    of_person = browser.get(url, {"person": str(two[0].client_id)}).content.decode()
    assert f'<option value="{two[0].number}"' in of_person
    answer = browser.post(url, {"order": str(two[0].number), "other": str(two[0].number), "reason": WHY})
    assert (answer.status_code, Plan.objects.count()) == (422, 0)
    assert browser.post(url, {"order": str(two[0].number), "other": f"P4-{done.number}", "reason": WHY}).status_code == 302
    blocked = browser.get(reverse("support:plan", args=[Plan.objects.get().number])).content.decode()
    assert f"Order {done.number} is completed." in blocked
    assert "Freeze and ask" not in blocked


def test_only_what_was_executed_is_undone(browse: Browse, two: tuple[Order, Order], senior: User, agent: User) -> None:
    plan = merge(two, senior)
    url = reverse("support:draft", args=["order_undo"])
    answer = browse(senior).post(url, {"undoes": str(plan.number), "reason": WHY})
    assert (answer.status_code, Plan.objects.count()) == (422, 1)
    assert browse(agent).get(url).status_code == 403
