"""Ending an order from outside, and finishing what escrow gave up, as plans of two people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from amendments import actions as amendments
from amendments.models import Amendment, AmendmentStatus
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import CancelCause, Order, OrderStatus
from port444.payments import ledger
from port444.payments.actions import pay_with_test_wallet
from port444.payments.escrow import books
from port444.payments.models import EscrowOperation, Payment, Refund
from support.actions import approve_plan, draft_plan, execute_approved, execute_plan, submit_plan
from support.actions.plans import About
from support.models import Plan, PlanKind, PlanStatus
from tests.amendments.conftest import TOP_UP
from tests.confirming import confirm_all, use_chain
from tests.orders.conftest import ANSWERS, MakeOrder, earnings, make_order, package, service

__all__ = ["make_order", "package", "service"]  # fixtures

pytestmark = pytest.mark.django_db

S, D = OrderStatus, Decimal


def draft(agent: User, order: Order, what: str, why: str = "quality") -> Plan:
    about = About(target_user=order.client, order=order)
    return draft_plan(PlanKind.REFUND, actor=agent, asked={"what": what, "why": why}, reason="They wrote to us", about=about)


def submit(plan: Plan) -> Plan:
    return submit_plan(plan.pk, actor=plan.requester, seen=plan.figures_sha256)


def figures(plan: Plan) -> dict[str, tuple[str, str]]:
    return {line["label"]: (line["before"], line["after"]) for line in plan.figures["figures"]}


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (S.PENDING_REQUIREMENTS, "More than $100.00 at once"),
        (S.IN_PROGRESS, "More than $100.00 at once"),
        (S.DELIVERED, "Something was delivered, and the builder gets nothing for it"),
        (S.IN_REVISION, "Something was delivered, and the builder gets nothing for it"),
    ],
)
def test_two_people_end_an_order(make_order: MakeOrder, agent: User, finance: User, status: str, why: str) -> None:
    order = make_order(status)
    plan = draft(agent, order, "cancel")
    assert (plan.why_approval, plan.amount) == (why, order.total)
    lines = figures(plan)
    assert lines["In escrow"] == ("180.00", "0.00")
    assert lines["Service fee"] == ("9.90", "0.00")
    assert lines["The builder gets"] == ("162.00", "0.00")
    assert lines["The client gets"] == ("", "189.90")
    assert submit(plan).status == PlanStatus.REQUESTED
    assert fresh(order).status == status
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    after = fresh(order)
    assert (after.status, after.cancel_cause, after.cancelled_by) == (S.CANCELLED, CancelCause.SUPPORT, agent)
    assert (Refund.objects.get().amount, Payment.objects.get().refunded) == (order.total, order.total)
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    assert Refund.objects.count() == 1


def test_a_small_order_is_ended_by_one(make_order: MakeOrder, package: Package, agent: User) -> None:
    Package.objects.filter(pk=package.pk).update(price=D("50.00"))
    package.refresh_from_db()
    order = make_order(S.IN_PROGRESS)
    assert submit(draft(agent, order, "cancel")).status == PlanStatus.EXECUTED
    assert fresh(order).status == S.CANCELLED


def test_what_happened_meanwhile_sends_the_plan_back(make_order: MakeOrder, agent: User, finance: User, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    plan = submit(draft(agent, order, "cancel"))
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    orders.deliver(order.pk, actor=builder_user, note="Done.")
    assert execute_plan(plan.pk).status == PlanStatus.DRAFT
    assert (fresh(order).status, Refund.objects.count()) == (S.DELIVERED, 0)


def test_nobody_of_the_two_sides_ends_it(make_order: MakeOrder, agent: User, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    builder_user.is_staff = True
    builder_user.save()
    builder_user.groups.set(agent.groups.all())
    person = User.objects.get(pk=builder_user.pk)
    for what in ("cancel", "duplicate", "rest"):
        assert any("You are a party" in line for line in draft(person, order, what).figures["blocked"]), what


def test_a_change_that_escrow_did_not_take_goes_back_too(client_user: User, package: Package, agent: User, finance: User, settings: Any) -> None:
    use_chain(settings)
    order = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    confirm_all()
    orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    amendment = amendments.propose(order.pk, actor=order.builder.user, client_key=uuid7(), terms=TOP_UP)
    invoice = amendments.approve(amendment.pk, actor=client_user).invoice
    assert invoice is not None
    pay_with_test_wallet(invoice.pk, actor=client_user)
    assert any("not in force" in line for line in draft(agent, order, "cancel").figures["blocked"])
    books.give_up(EscrowOperation.objects.open().get().pk, "The token is paused.")
    plan = submit(draft(agent, order, "cancel"))
    assert figures(plan)["Of a change that escrow did not take"] == ("", "42.20")
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    confirm_all()
    assert Amendment.objects.get().status == AmendmentStatus.REFUNDED
    assert all(payment.refunded == payment.amount for payment in Payment.objects.all())
    assert (ledger.balance("client", owner=client_user.pk), ledger.balance("fees")) == (D(0), D(0))


def test_what_escrow_gave_up_is_finished_by_two(client_user: User, package: Package, agent: User, finance: User, settings: Any) -> None:
    use_chain(settings)
    order = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    confirm_all()
    orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    orders.deliver(order.pk, actor=order.builder.user, note="Done.")
    orders.accept_delivery(order.pk, actor=client_user)
    assert "Nothing went out in part" in draft(agent, order, "rest").figures["blocked"][0]
    books.give_up(EscrowOperation.objects.open().get().pk, "The token is paused.")
    plan = draft(agent, order, "rest")
    assert figures(plan)[f"Release to the builder, out of P4-{order.number}"] == ("0.00", "180.00")
    assert submit(plan).status == PlanStatus.REQUESTED
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    confirm_all()
    assert earnings(order.builder.user) == order.builder_share
    with pytest.raises(Conflict):
        submit(draft(agent, order, "rest"))


def test_one_plan_that_breaks_does_not_stop_the_others(make_order: MakeOrder, agent: User, finance: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep does what was approved when a process died; what raises an error nobody foresaw is passed over."""
    first, second = make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)
    plans = [submit(draft(agent, order, "cancel")) for order in (first, second)]
    for plan in plans:
        approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    done = execute_plan

    def execute(pk: Any) -> Plan:
        if pk == plans[0].pk:
            raise RuntimeError("nobody foresaw this")
        return done(pk)

    execute.__name__ = "execute_plan"
    monkeypatch.setattr("support.actions.plans.execute_plan", execute)
    moment = plans[0].created_at.replace(year=plans[0].created_at.year + 1)
    assert execute_approved(moment) == 1
    assert [fresh(order).status for order in (first, second)] == [S.IN_PROGRESS, S.CANCELLED]


def test_from_the_form_to_the_end(browse: Any, make_order: MakeOrder, agent: User) -> None:
    order, browser = make_order(S.IN_PROGRESS), browse(agent)
    said = {"order": order.number, "what": "cancel", "amount": "", "why": "quality", "reason": "Ticket 12"}
    address = reverse("support:draft", args=["refund_manual"])
    wrong = browser.post(address, {**said, "why": ""})
    assert (wrong.status_code, list(wrong.context["form"].errors)) == (422, ["why"])
    assert browser.post(address, said).status_code == 302
    page = browser.get(reverse("support:plan", args=[Plan.objects.get().number])).content.decode()
    assert f"End order {order.number}" in page
    assert "189.90" in page
