"""Random lives of an order: whatever people press in whatever order, the state stays legal and no cent is lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.orders import actions, jobs
from port444.orders.models import Order, OrderStatus
from port444.payments import actions as payments
from port444.payments import jobs as payment_jobs
from port444.payments import ledger
from port444.payments.models import EscrowOperation, Refund
from tests.conftest import assert_books_balance

from .conftest import ANSWERS

S = OrderStatus
STEPS = ["pay", "answer", "save", "deliver", "revise", "accept", "cancel", "review", "wait an hour", "wait four days", "wait eight days", "sweep"]
WAITS = {"wait an hour": timedelta(hours=1), "wait four days": timedelta(days=4), "wait eight days": timedelta(days=8)}

presses = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(["client", "builder", "stranger"])), max_size=14)


def press(order: Order, step: str, actor: User) -> None:
    match step:
        case "pay":
            payments.pay_with_test_wallet(order.invoice_id, actor=actor)  # type: ignore[arg-type]
        case "answer":
            actions.answer_requirements(order.pk, actor=actor, answers=ANSWERS)
        case "save":
            actions.save_answers(order.pk, actor=actor, answers={1: "A draft"})
        case "deliver":
            actions.deliver(order.pk, actor=actor, note="Done.")
        case "revise":
            actions.request_revision(order.pk, actor=actor, note="More.")
        case "accept":
            actions.accept_delivery(order.pk, actor=actor)
        case "cancel":
            actions.cancel_order(order.pk, actor=actor)
        case "review":
            actions.leave_review(order.pk, actor=actor, stars=4)
        case "sweep":
            jobs.auto_accept()
            jobs.cancel_unanswered()
            jobs.publish_reviews()
            payment_jobs.expire_invoices()


@pytest.mark.timeout(600)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(presses=presses)
def test_any_life_of_an_order_keeps_the_books(
    client_user: User, builder_user: User, stranger: User, package: Package, presses: list[tuple[str, str]]
) -> None:
    people = {"client": client_user, "builder": builder_user, "stranger": stranger}
    moment = now()
    earned_before = ledger.balance("earnings", builder_user.pk)
    with at(moment):
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    for step, who in presses:
        moment += WAITS.get(step, timedelta(seconds=1))
        before = order.status
        with at(moment):
            refused = False
            try:
                press(order, step, people[who])
            except DomainError:
                refused = True
        order.refresh_from_db()
        # One press is at most one move of the table; in the ledger escrow has the money at once.
        moves = Order.NEXT.get(S(before), frozenset())
        assert order.status == before or order.status in (moves | Order.NEXT[S.FUNDING] if S.FUNDING in moves else moves)
        if refused or (who == "stranger" and step != "sweep"):
            assert order.status == before
    assert_money(order, builder_user, earned_before)
    assert_books_balance()


def assert_money(order: Order, builder_user: User, earned_before: Decimal) -> None:
    operations: dict[str, Any] = {row.kind: row.amount for row in EscrowOperation.objects.filter(subject_id=order.pk)}
    held = ledger.balance("escrow", subject=order.pk)
    earned = ledger.balance("earnings", builder_user.pk) - earned_before
    refunds = [row.amount for row in Refund.objects.filter(payment__invoice__deal_id=order.pk)]
    paid = order.paid_at is not None
    assert held == (order.price if paid and order.status not in (S.COMPLETED, S.CANCELLED) else 0)
    assert earned == (order.builder_share if order.status == S.COMPLETED else 0)
    assert refunds == ([order.total] if paid and order.status == S.CANCELLED else [])
    assert set(operations) == ({"open"} if paid else set()) | ({"release"} if earned else set()) | ({"refund"} if refunds else set())
