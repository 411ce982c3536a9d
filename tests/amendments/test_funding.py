"""Escrow that answers later, or never: the change is in force when it is confirmed, once, and a failure has two ways on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from amendments import actions, jobs
from amendments.actions.telling import deal
from amendments.models import Amendment, AmendmentStatus
from amendments.terms import Terms
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders import jobs as order_jobs
from port444.orders.models import Order, OrderStatus
from port444.payments import jobs as payment_jobs
from port444.payments import ledger
from port444.payments.escrow import LedgerEscrow, books
from port444.payments.models import Credit, EscrowKind, EscrowOperation, Refund
from tests.orders.conftest import earnings

from .conftest import DELIVERABLE, SCOPE, TIME, TOP_UP, Chain, Propose, now_of
from .test_approve import in_escrow, pay

A, S = AmendmentStatus, OrderStatus
Quiet = Callable[[Order], AbstractContextManager[None]]
HOUR = timedelta(hours=1)
NOTHING = Decimal("0.00")


@pytest.fixture
def paid(chain_order: Order, client_user: User, propose: Propose) -> Amendment:
    """Paid, and its money on the way into the contract."""
    return pay(actions.approve(propose(chain_order).pk, actor=client_user))


def test_paid_is_not_in_force(paid: Amendment, chain_order: Order, chain: Chain) -> None:
    assert (paid.status, paid.paid_at is not None, paid.completed_at) == (A.FUNDING, True, None)
    waiting = now_of(chain_order)
    assert (waiting.price, waiting.due_at, waiting.deliverables) == (Decimal("180.00"), chain_order.due_at, chain_order.deliverables)
    assert waiting.clock_stopped_at is not None
    assert [(row.kind, row.op_id, row.amount) for row in chain.waiting()] == [("amend", paid.funding, Decimal("60.00"))]
    chain.confirm()
    assert now_of(paid).status == A.COMPLETED
    changed = now_of(chain_order)
    assert (changed.price, changed.clock_stopped_at) == (Decimal("240.00"), None)
    assert in_escrow(chain_order) == Decimal("240.00")


def test_it_comes_into_force_once(paid: Amendment, chain_order: Order, chain: Chain) -> None:
    chain.confirm()
    seen = (now_of(chain_order).due_at, Message.objects.count(), Notification.objects.count())
    books.confirm(paid.funding)
    operation = EscrowOperation.objects.get(op_id=paid.funding)
    operation.move_to("queued", confirmed_at=None)  # a reorganisation
    books.confirm(paid.funding)
    assert now_of(chain_order).price == Decimal("240.00")
    assert (now_of(chain_order).due_at, Message.objects.count(), Notification.objects.count()) == seen
    assert AuditLog.objects.filter(event_type="amendment.completed").count() == 1


def test_the_clock_stands_until_escrow_has_it(chain_order: Order, client_user: User, propose: Propose, chain: Chain) -> None:
    assert chain_order.due_at is not None
    moment = now()
    with at(moment):
        amendment = actions.approve(propose(chain_order).pk, actor=client_user)
    with at(moment + HOUR):
        pay(amendment)
    with at(moment + 4 * HOUR):
        chain.confirm()
    assert now_of(chain_order).due_at == chain_order.due_at + 4 * HOUR + timedelta(days=3)


def test_more_time_waits_for_escrow_too(chain_order: Order, client_user: User, propose: Propose, chain: Chain) -> None:
    amendment = actions.approve(propose(chain_order, TIME).pk, actor=client_user)
    assert (amendment.status, now_of(chain_order).due_at) == (A.FUNDING, chain_order.due_at)
    chain.confirm()
    assert now_of(amendment).status == A.COMPLETED
    assert now_of(chain_order).delivery_days == 12


def test_what_is_not_escrows_business_does_not_wait(chain_order: Order, client_user: User, propose: Propose, chain: Chain) -> None:
    assert actions.approve(propose(chain_order, DELIVERABLE).pk, actor=client_user).status == A.COMPLETED
    assert chain.waiting() == []


def test_escrow_outlives_the_order(paid: Amendment, chain_order: Order, chain: Chain) -> None:
    before = LedgerEscrow().position(deal(chain_order)).expiry
    chain.confirm()
    assert before is not None
    after = LedgerEscrow().position(deal(chain_order)).expiry
    assert after is not None
    assert after > before
    due = now_of(chain_order).due_at
    assert after >= due + timedelta(days=93) - timedelta(seconds=1)


def test_more_money_alone_leaves_the_end_of_escrow(chain_order: Order, client_user: User, propose: Propose, chain: Chain) -> None:
    pay(actions.approve(propose(chain_order, TOP_UP).pk, actor=client_user))
    chain.confirm()
    assert now_of(chain_order).price == Decimal("220.00")
    assert not EscrowOperation.objects.filter(kind=EscrowKind.EXTEND).exists()


@pytest.mark.parametrize("terms", [SCOPE, TIME], ids=["money", "time"])
def test_what_comes_after_the_end_of_the_order_goes_back(chain_order: Order, client_user: User, propose: Propose, chain: Chain, terms: Terms) -> None:
    """The client has taken the order's money out of the contract alone, while the change was on its way in."""
    amendment = actions.approve(propose(chain_order, terms).pk, actor=client_user)
    if amendment.invoice is not None:
        amendment = pay(amendment)
    Order.objects.filter(pk=chain_order.pk).update(status=S.CANCELLED, cancelled_at=now(), cancel_cause="reclaimed")
    chain.confirm()
    row = now_of(chain_order)
    assert (now_of(amendment).status, row.price, row.delivery_days, row.clock_stopped_at) == (A.REFUNDED, Decimal("180.00"), 7, None)
    assert [refund.amount for refund in Refund.objects.all()] == ([Decimal("63.30")] if terms is SCOPE else [])
    assert in_escrow(chain_order) == Decimal("180.00")


@pytest.mark.parametrize("step", ["withdraw", "decline", "approve", "ask", "expire"])
def test_what_is_paid_cannot_be_taken_back(
    paid: Amendment, chain_order: Order, client_user: User, builder_user: User, nothing_happens: Quiet, step: str
) -> None:
    acts: dict[str, Callable[[], Any]] = {
        "withdraw": lambda: actions.withdraw(paid.pk, actor=builder_user),
        "decline": lambda: actions.decline(paid.pk, actor=client_user, reason="No."),
        "approve": lambda: actions.approve(paid.pk, actor=client_user),
        "ask": lambda: actions.ask_for_changes(paid.pk, actor=client_user, note="No."),
        "expire": lambda: actions.expire(paid.pk),
    }
    with at(paid.expires_at + HOUR), nothing_happens(chain_order):
        assert jobs.expire() == 0
        with pytest.raises(WrongState):
            acts[step]()


def test_the_order_does_not_end_while_money_is_on_its_way(
    paid: Amendment, chain_order: Order, client_user: User, builder_user: User, chain: Chain, nothing_happens: Quiet
) -> None:
    with nothing_happens(chain_order), pytest.raises(WrongState) as refusal:
        orders.cancel_order(chain_order.pk, actor=builder_user)
    assert (refusal.value.code, "on its way" in refusal.value.message) == ("amendment_funding", True)
    orders.deliver(chain_order.pk, actor=builder_user, note="Done.")
    with nothing_happens(chain_order), pytest.raises(WrongState):
        orders.accept_delivery(chain_order.pk, actor=client_user)
    chain.give_up()
    with nothing_happens(chain_order), pytest.raises(WrongState) as refusal:
        orders.accept_delivery(chain_order.pk, actor=client_user)
    assert "give it up" in refusal.value.message
    actions.take_money_back(paid.pk, actor=client_user)
    assert orders.accept_delivery(chain_order.pk, actor=client_user).status == S.COMPLETED
    chain.confirm()
    assert earnings(builder_user) == Decimal("162.00")


def test_questions_that_are_not_answered_do_not_end_it_either(chain_order: Order, client_user: User, propose: Propose, chain: Chain) -> None:
    Order.objects.filter(pk=chain_order.pk).update(status=S.PENDING_REQUIREMENTS, due_at=None, started_at=None)
    amendment = actions.approve(propose(chain_order, TIME).pk, actor=client_user)
    with at(now_of(chain_order).requirements_until):
        assert order_jobs.cancel_unanswered() == 0
    chain.confirm()
    assert now_of(amendment).status == A.COMPLETED


def test_a_failure_has_words_and_waits_for_a_person(paid: Amendment, chain_order: Order, client_user: User, builder_user: User, chain: Chain) -> None:
    chain.give_up("The token is paused.")
    failed = now_of(paid)
    assert (failed.status, failed.funding_failure) == (A.FUNDING_FAILED, "The token is paused.")
    assert now_of(chain_order).price == Decimal("180.00")
    told = {row.user_id: row.body for row in Notification.objects.filter(kind="amendment.failed")}
    assert set(told) == {client_user.pk, builder_user.pk}
    assert "Try again, or take it back" in told[client_user.pk]
    assert "Escrow did not take" in Message.objects.latest("created_at").body
    actions.take_money_back(paid.pk, actor=client_user)


def test_trying_again_is_another_operation(paid: Amendment, chain_order: Order, client_user: User, chain: Chain) -> None:
    chain.give_up()
    again = actions.retry_funding(paid.pk, actor=client_user)
    assert (again.status, again.funding_try, again.funding_failure) == (A.FUNDING, 2, "")
    assert again.funding != paid.funding
    chain.confirm()
    assert now_of(paid).status == A.COMPLETED
    done = EscrowOperation.objects.filter(kind=EscrowKind.AMEND, applied_at__isnull=False)
    assert [row.amount for row in done] == [Decimal("60.00")]
    assert in_escrow(chain_order) == now_of(chain_order).price == Decimal("240.00")


def test_the_money_comes_back_whole(paid: Amendment, chain_order: Order, client_user: User, builder_user: User, chain: Chain) -> None:
    assert chain_order.due_at is not None
    chain.give_up()
    back = actions.take_money_back(paid.pk, actor=client_user)
    assert (back.status, back.closed_at is not None) == (A.REFUNDED, True)
    refund = Refund.objects.get()
    assert (refund.amount, refund.payment.invoice_id) == (Decimal("63.30"), paid.invoice_id)
    assert refund.credit_note is not None
    assert (refund.credit_note.subtotal, refund.credit_note.fee) == (Decimal("60.00"), Decimal("3.30"))
    assert ledger.balance("client", owner=client_user.pk) == NOTHING
    row = now_of(chain_order)
    assert (row.price, row.clock_stopped_at, in_escrow(chain_order)) == (Decimal("180.00"), None, Decimal("180.00"))
    assert row.due_at > chain_order.due_at
    assert {row.user_id for row in Notification.objects.filter(kind="amendment.refunded")} == {client_user.pk, builder_user.pk}


def test_repair_is_for_the_client_and_for_staff_and_only_after_a_failure(
    paid: Amendment, chain_order: Order, client_user: User, builder_user: User, stranger: User, staff: User, chain: Chain, nothing_happens: Quiet
) -> None:
    repairs = (actions.retry_funding, actions.take_money_back)
    for repair in repairs:
        with nothing_happens(chain_order), pytest.raises(WrongState):
            repair(paid.pk, actor=client_user)
    chain.give_up()
    for repair in repairs:
        for person in (builder_user, stranger):
            with nothing_happens(chain_order), pytest.raises(NotAllowed):
                repair(paid.pk, actor=person)
    actions.retry_funding(paid.pk, actor=staff)
    chain.give_up()
    actions.take_money_back(paid.pk, actor=staff)
    for repair in repairs:
        with nothing_happens(chain_order), pytest.raises(WrongState):
            repair(paid.pk, actor=client_user)
    assert Refund.objects.count() == 1


def test_nothing_is_repaired_while_escrow_may_still_take_it(
    paid: Amendment, chain_order: Order, client_user: User, chain: Chain, nothing_happens: Quiet
) -> None:
    """However it came about that an amendment is said to have failed while its operation has not."""
    Amendment.objects.filter(pk=paid.pk).update(status=A.FUNDING_FAILED)
    for repair in (actions.retry_funding, actions.take_money_back):
        with nothing_happens(chain_order), pytest.raises(Conflict) as refusal:
            repair(paid.pk, actor=client_user)
        assert refusal.value.code == "still_flying"
    chain.confirm()
    assert now_of(paid).status == A.COMPLETED


def test_a_date_that_escrow_does_not_take_can_be_given_up(chain_order: Order, client_user: User, propose: Propose, chain: Chain) -> None:
    amendment = actions.approve(propose(chain_order, TIME).pk, actor=client_user)
    chain.give_up()
    assert now_of(amendment).status == A.FUNDING_FAILED
    assert actions.take_money_back(amendment.pk, actor=client_user).status == A.REFUNDED
    assert not Refund.objects.exists()
    assert now_of(chain_order).delivery_days == 7


def test_escrow_that_refuses_at_once_does_not_lose_the_payment(
    order: Order, client_user: User, propose: Propose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise Conflict("Escrow is closed.", code="escrow_closed")

    monkeypatch.setattr(LedgerEscrow, "amend", refuse)
    amendment = pay(actions.approve(propose(order).pk, actor=client_user))
    assert (amendment.status, amendment.funding_failure) == (A.FUNDING_FAILED, "Escrow is closed.")
    assert ledger.balance("client", owner=client_user.pk) == Decimal("60.00")
    actions.take_money_back(amendment.pk, actor=client_user)
    assert ledger.balance("client", owner=client_user.pk) == NOTHING
    assert Refund.objects.get().amount == Decimal("63.30")


def test_escrow_that_refuses_the_date_leaves_the_money_and_the_change(
    order: Order, client_user: User, propose: Propose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise Conflict("Escrow ends then.", code="escrow_expiry")

    monkeypatch.setattr(LedgerEscrow, "extend", refuse)
    assert pay(actions.approve(propose(order).pk, actor=client_user)).status == A.COMPLETED
    assert now_of(order).price == Decimal("240.00")


# Credits


def remaining(credit: Credit) -> Decimal:
    credit.refresh_from_db()
    return Decimal(credit.remaining)


def test_credits_pay_a_part(order: Order, client_user: User, builder_user: User, builder: Builder, propose: Propose, give: Any) -> None:
    gift, call = give("10.00"), give("100.00", builder)
    amendment = actions.approve(propose(order).pk, actor=client_user)
    assert amendment.invoice is not None
    # Neither ends, so the one that pays for this builder alone comes first, up to what the builder earns with it.
    assert (amendment.invoice.credit, amendment.invoice.prepaid) == (Decimal("60.00"), Decimal("54.00"))
    assert (amendment.invoice.total, remaining(gift), remaining(call)) == (Decimal("3.30"), Decimal("4.00"), Decimal("46.00"))
    pay(amendment)
    changed = now_of(order)
    assert (changed.price, changed.credit, changed.prepaid) == (Decimal("240.00"), Decimal("60.00"), Decimal("54.00"))
    orders.deliver(order.pk, actor=builder_user, note="Done.")
    orders.accept_delivery(order.pk, actor=client_user)
    assert earnings(builder_user) == Decimal("216.00") - Decimal("54.00")


def test_credits_pay_all_of_it_without_a_payment(order: Order, client_user: User, propose: Propose, give: Any, settings: Any) -> None:
    settings.CLIENT_FEE_BPS = 0
    give("500.00")
    amendment = actions.approve(propose(order, TOP_UP).pk, actor=client_user)
    assert (amendment.status, amendment.invoice is not None) == (A.COMPLETED, True)
    assert now_of(order).credit == Decimal("40.00")


@pytest.mark.parametrize("step", ["withdraw", "decline", "expire", "cancel"])
def test_what_does_not_come_into_force_gives_credits_back(
    order: Order, client_user: User, builder_user: User, propose: Propose, give: Any, step: str
) -> None:
    credit = give("25.00")
    amendment = actions.approve(propose(order, TOP_UP).pk, actor=client_user)
    assert remaining(credit) == NOTHING
    if step == "withdraw":
        actions.withdraw(amendment.pk, actor=builder_user)
    elif step == "decline":
        actions.decline(amendment.pk, actor=client_user, reason="No.")
    elif step == "cancel":
        orders.cancel_order(order.pk, actor=builder_user)
    else:
        with at(amendment.expires_at):
            jobs.expire()
            payment_jobs.expire_invoices()
    assert remaining(credit) == Decimal("25.00")


def test_money_and_credits_come_back_after_a_failure(chain_order: Order, client_user: User, propose: Propose, chain: Chain, give: Any) -> None:
    credit = give("25.00")
    amendment = pay(actions.approve(propose(chain_order, TOP_UP).pk, actor=client_user))
    chain.give_up()
    actions.take_money_back(amendment.pk, actor=client_user)
    assert (remaining(credit), Refund.objects.get().amount) == (Decimal("25.00"), Decimal("17.20"))
    assert (ledger.balance("client", owner=client_user.pk), ledger.balance("credits")) == (NOTHING, NOTHING)


def test_a_changed_order_that_is_cancelled_gives_everything_back(
    order: Order, client_user: User, builder_user: User, propose: Propose, give: Any
) -> None:
    credit = give("25.00")
    for terms in (SCOPE, TOP_UP):
        pay(actions.approve(propose(order, terms).pk, actor=client_user))
    orders.cancel_order(order.pk, actor=builder_user)
    assert (in_escrow(order), remaining(credit)) == (NOTHING, Decimal("25.00"))
    paid_in = Decimal("189.90") + Decimal("63.30") + Decimal("42.20") - Decimal("25.00")
    assert sum(row.amount for row in Refund.objects.all()) == paid_in
    assert ledger.balance("client", owner=client_user.pk) == NOTHING
