"""Refunds as plans: what they come to line by line, who has to agree, and that they do just that."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from amendments import actions as amendments
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from port444.payments import ledger
from port444.payments.actions import fail_refund, pay_with_test_wallet, send_refund, settle_invoice
from port444.payments.models import Payment, Refund, RefundStatus
from support.actions import approve_plan, draft_plan, execute_plan, submit_plan
from support.actions.plans import About
from support.models import Plan, PlanKind, PlanStatus, SupportAction
from tests.amendments.conftest import TOP_UP
from tests.confirming import confirm_all, use_chain
from tests.orders.conftest import ANSWERS, MakeOrder, earnings, make_order, package, service  # noqa: F401 - fixtures

S, D = OrderStatus, Decimal


def draft(agent: User, order: Order, what: str, amount: str = "", why: str = "less_work") -> Plan:
    asked = {"what": what, "amount": amount, "why": why}
    about = About(target_user=order.client, order=order)
    return draft_plan(PlanKind.REFUND, actor=agent, asked=asked, reason="They wrote to us", about=about)


def submit(plan: Plan) -> Plan:
    return submit_plan(plan.pk, actor=plan.requester, seen=plan.figures_sha256)


def figures(plan: Plan) -> dict[str, tuple[str, str]]:
    return {line["label"]: (line["before"], line["after"]) for line in plan.figures["figures"]}


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def test_a_lower_price_is_shown_line_by_line_and_done(make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    plan = draft(agent, order, "scope", "60.00")
    assert not plan.needs_approval
    invoice = order.invoice
    assert invoice is not None
    assert figures(plan) == {
        "Price": ("180.00", "120.00"),
        "Service fee": ("9.90", "6.60"),
        "In escrow": ("180.00", "120.00"),
        "The builder gets": ("162.00", "108.00"),
        f"Back to invoice {invoice.number}, test wallet": ("", "63.30"),
        "The client gets": ("", "63.30"),
    }
    assert Refund.objects.count() == 0, "looking moves nothing"
    done = submit(plan)
    assert (done.status, done.amount) == (PlanStatus.EXECUTED, D("63.30"))
    after = fresh(order)
    assert (after.price, after.client_fee, after.builder_share) == (D("120.00"), D("6.60"), D("108.00"))
    assert Refund.objects.get().amount == D("63.30")
    action = SupportAction.objects.get()
    assert (action.action_type, action.admin, action.amount, action.order) == ("refund_manual", agent, D("63.30"), order)


def test_after_the_release_a_second_person_agrees(make_order: MakeOrder, agent: User, finance: User, builder_user: User) -> None:  # noqa: F811
    order = make_order(S.COMPLETED)
    plan = draft(agent, order, "scope", "30.00")
    assert (plan.needs_approval, plan.why_approval) == (True, "The builder was paid already")
    lines = figures(plan)
    assert lines["From the balance of Anaya"] == ("", "27.00")
    assert lines["From the platform's fee of the builder"] == ("", "3.00")
    assert lines["From the service fee"] == ("", "1.65")
    assert lines["The client gets"] == ("", "31.65")
    had = earnings(builder_user)
    assert submit(plan).status == PlanStatus.REQUESTED
    assert earnings(builder_user) == had
    with pytest.raises(NotAllowed):
        approve_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    assert earnings(builder_user) == had - 27
    assert Refund.objects.get().amount == D("31.65")


def test_what_the_builder_spent_meanwhile_sends_the_plan_back(make_order: MakeOrder, agent: User, finance: User, builder_user: User) -> None:  # noqa: F811
    order = make_order(S.COMPLETED)
    plan = submit(draft(agent, order, "scope", "30.00"))
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    ledger.post("spent", "Withdrawn", [(ledger.earnings(builder_user.pk), D("-160.00")), (ledger.EXTERNAL, D("160.00"))])
    back = execute_plan(plan.pk)
    assert (back.status, Refund.objects.count(), earnings(builder_user)) == (PlanStatus.DRAFT, 0, D("2.00"))
    assert {line["label"] for line in back.figures["figures"]} >= {"The platform bears"}


def test_goodwill_while_it_runs_is_the_fee(make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    plan = draft(agent, order, "goodwill", "5.00", "goodwill")
    assert plan.why_approval == "The platform gives up its fee"
    assert figures(plan)["Service fee"] == ("9.90", "4.90")
    assert draft(agent, order, "goodwill", "10.00", "goodwill").figures["blocked"]


def test_what_cannot_be_done_says_why(make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    for amount, words in (("180.00", "whole price"), ("999.00", "whole price")):
        plan = draft(agent, order, "scope", amount)
        assert any(words in sentence for sentence in plan.figures["blocked"])
        with pytest.raises(Conflict):
            submit(plan)
    assert "Nothing was paid twice" in draft(agent, order, "duplicate").figures["blocked"][0]
    assert "Nothing went out in part" in draft(agent, order, "rest").figures["blocked"][0]
    assert Refund.objects.count() == 0


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"what": "all"},
        {"what": "scope", "why": "late"},
        {"what": "scope", "why": "late", "amount": "-5"},
        {"what": "scope", "why": "late", "amount": 5.5},
        {"what": "scope", "why": "late", "amount": "0.00"},
        {"what": "scope", "why": "duplicate", "amount": "5.00"},
        {"what": "goodwill", "why": "whatever", "amount": "5.00"},
    ],
)
def test_what_cannot_be_read_is_no_plan(make_order: MakeOrder, agent: User, asked: dict[str, Any]) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    with pytest.raises(Invalid):
        draft_plan(PlanKind.REFUND, actor=agent, asked=asked, reason="r", about=About(target_user=order.client, order=order))
    assert not Plan.objects.exists()


def test_only_who_may_refund(make_order: MakeOrder, auditor: User, security: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    for person in (auditor, security):
        with pytest.raises(NotAllowed):
            draft(person, order, "scope", "10.00")


def test_nobody_refunds_an_order_of_their_own(make_order: MakeOrder, agent: User, builder_user: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    builder_user.is_staff = True
    builder_user.save()
    builder_user.groups.set(agent.groups.all())
    assert "You are a party" in draft(User.objects.get(pk=builder_user.pk), order, "goodwill", "5.00").figures["blocked"][0]


def test_a_change_that_is_paid_and_not_in_force_comes_first(client_user: User, package: Package, agent: User, settings: Any) -> None:  # noqa: F811
    use_chain(settings)
    order = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    confirm_all()
    orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    amendment = amendments.propose(order.pk, actor=order.builder.user, client_key=uuid7(), terms=TOP_UP)
    assert any("proposed anew" in line for line in draft(agent, order, "scope", "10.00").figures["tells"])
    invoice = amendments.approve(amendment.pk, actor=client_user).invoice
    assert invoice is not None
    pay_with_test_wallet(invoice.pk, actor=client_user)
    assert any("not in force" in line for line in draft(agent, order, "scope", "10.00").figures["blocked"])
    confirm_all()
    assert not draft(agent, order, "scope", "10.00").figures["blocked"]


def test_a_disputed_order_is_left_to_its_dispute(make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    Order.objects.filter(pk=order.pk).update(disputed_at=order.paid_at)
    assert "in dispute" in draft(agent, order, "scope", "10.00").figures["blocked"][0]


def test_what_was_paid_twice_goes_back_once(make_order: MakeOrder, agent: User, client_user: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    first = Payment.objects.get(invoice=order.invoice_id)
    twice = Payment.objects.create(
        invoice=first.invoice,
        provider="sandbox",
        amount=first.amount,
        expires_at=first.expires_at,
        status="succeeded",
        succeeded_at=first.succeeded_at,
    )
    plan = draft(agent, order, "duplicate")
    assert figures(plan)["The client gets"] == ("", "189.90")
    assert plan.why_approval.startswith("More than")
    Plan.objects.filter(pk=plan.pk).update(needs_approval=False)
    refund = Refund.objects.filter(payment=twice)
    settle_invoice(first.invoice_id)  # the job came first
    assert refund.count() == 1
    with pytest.raises(Conflict):
        submit(plan)
    assert refund.count() == 1


def test_a_refused_refund_is_sent_again(make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order = make_order(S.IN_PROGRESS)
    submit(draft(agent, order, "scope", "10.00"))
    refund = fail_refund(Refund.objects.get().pk, "The wallet is closed.")
    plan = draft(agent, order, "rest")
    assert plan.figures["figures"][0]["note"] == "The wallet is closed."
    assert submit(plan).status == PlanStatus.EXECUTED
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED
    assert send_refund(refund.pk).status == RefundStatus.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_two_agents_at_once_never_give_back_more_than_was_paid(
    make_order: MakeOrder,  # noqa: F811
    agent: User,
    finance: User,
) -> None:
    order = make_order(S.IN_PROGRESS)
    plans = [draft(agent, order, "scope", "90.00"), draft(finance, order, "scope", "90.00")]
    assert [plan.needs_approval for plan in plans] == [False, False]
    came: list[str] = []

    def ask(plan: Plan) -> None:
        try:
            came.append(submit(plan).status)
        except DomainError as error:
            came.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[plan]) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(came) == ["executed", "figures_changed"] or "blocked" in came
    after = fresh(order)
    assert (after.price, sum(refund.amount for refund in Refund.objects.all())) == (D("90.00"), D("94.95"))
    assert ledger.balance("escrow", subject=order.pk) == after.price


# The pages


def begin(browser: Any, **form: Any) -> Any:
    return browser.post(reverse("support:draft", args=["refund_manual"]), form)


def test_from_the_form_to_the_refund(browse: Any, make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order, browser = make_order(S.IN_PROGRESS), browse(agent)
    form = browser.get(reverse("support:draft", args=["refund_manual"]), {"order": order.number})
    assert "The price is $180.00" in form.content.decode()
    answer = begin(browser, order=order.number, what="scope", amount="60", why="less_work", reason="Ticket 12")
    plan = Plan.objects.get()
    assert (answer.status_code, plan.target_user, plan.order, plan.amount) == (302, order.client, order, D("63.30"))
    seen = browser.get(reverse("support:plan", args=[plan.number]))
    assert "63.30" in seen.content.decode()
    assert browser.post(reverse("support:submit_plan", args=[plan.number]), {"seen": seen.context["sha256"]}).status_code == 302
    assert fresh(order).price == 120
    again = browser.get(reverse("support:draft", args=["refund_manual"]), {"from": plan.number})
    assert 'value="60.00"' in again.content.decode()


def test_what_is_typed_wrongly_is_said_at_its_field(browse: Any, make_order: MakeOrder, agent: User) -> None:  # noqa: F811
    order, browser = make_order(S.COMPLETED), browse(agent)
    right = {"order": order.number, "what": "scope", "amount": "60", "why": "less_work", "reason": "Ticket 12"}
    wrong = {
        "order": {"order": "999999"},
        "amount": {"amount": "6,0"},
        "what": {"what": "everything"},
        "why": {"why": "duplicate"},
        "reason": {"reason": ""},
    }
    for name, said in wrong.items():
        answer = begin(browser, **{**right, **said})
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, [name]), name
    for missing in ("amount", "why", "order"):
        answer = begin(browser, **{name: said for name, said in right.items() if name != missing})
        assert (answer.status_code, missing in answer.context["form"].errors) == (422, True), missing
    assert not Plan.objects.exists()
    assert begin(browser, **{**right, "what": "rest", "amount": "", "why": ""}).status_code == 302
