"""Random refunds among everything else that happens to an order: no cent is lost, and the order goes on whatever was given back."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amendments import actions as amendments
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.orders import actions
from port444.orders.models import LIVE, Order, OrderStatus
from port444.payments import escrow, ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet, send_refund
from port444.payments.escrow import Deal
from port444.payments.models import Basis, Compensation, CreditSource, Payment, PaymentStatus, Refund, SandboxCharge
from tests.amendments.conftest import TOP_UP
from tests.confirming import confirm_all, confirm_one, use_chain
from tests.conftest import assert_books_balance
from tests.orders.conftest import ANSWERS, package, service  # noqa: F401 - fixtures

S, D = OrderStatus, Decimal
STEPS = ["reduce", "reduce", "waive", "amend", "deliver", "accept", "cancel", "take back", "take back", "goodwill", "confirm", "confirm"]
afterwards = st.lists(st.tuples(st.sampled_from(["take back", "goodwill"]), st.integers(1, 110)), max_size=5)
lives = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 110)), max_size=10)


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def press(order: Order, step: str, percent: int, staff: User) -> None:
    key = str(uuid7())
    share = (order.price * percent / 100).quantize(D("0.01"), ROUND_DOWN)
    match step:
        case "reduce":
            actions.reduce_order(order.pk, share, key=key, reason="Less", actor=staff)
        case "waive":
            actions.waive_fee(order.pk, (order.client_fee * percent / 100).quantize(D("0.01"), ROUND_DOWN), key=key, reason="Late", actor=staff)
        case "amend":
            asked = amendments.propose(order.pk, actor=order.builder.user, client_key=uuid7(), terms=TOP_UP)
            invoice = amendments.approve(asked.pk, actor=order.client).invoice
            assert invoice is not None
            pay_with_test_wallet(invoice.pk, actor=order.client)
        case "deliver":
            actions.deliver(order.pk, actor=order.builder.user, note="Done.")
        case "accept":
            actions.accept_delivery(order.pk, actor=order.client)
        case "cancel":
            actions.cancel_order(order.pk, actor=order.builder.user)
        case "take back":
            actions.compensate_order(order.pk, share, Basis.SCOPE, key=key, reason="Less", actor=staff)
        case "goodwill":
            actions.compensate_order(order.pk, share, Basis.GOODWILL, key=key, reason="Sorry", actor=staff)
        case "confirm":
            confirm_one(percent)


@pytest.mark.timeout(900)
@settings(max_examples=14, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(life=lives, afterwards=afterwards, credit=st.sampled_from(["", "promo", "consultation_conversion"]), chain=st.booleans())
def test_whatever_goes_back_no_cent_is_lost(
    client_user: User,
    builder: Builder,
    staff: User,
    package: Package,  # noqa: F811
    settings: Any,
    life: list[tuple[str, int]],
    afterwards: list[tuple[str, int]],
    credit: str,
    chain: bool,
) -> None:
    use_chain(settings)
    if not chain:
        settings.ESCROW_BACKEND, settings.ESCROW_ADDRESS = "ledger", ""
    had = {name: ledger.balance(name) for name in ("fees", "losses")} | {"earnings": ledger.balance("earnings", builder.user.pk)}
    if credit:
        issue_credit(client_user, Grant(D("33.33"), CreditSource(credit), "Credit", builder_id=builder.pk), actor=None)
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    confirm_all()
    actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    live(order, life, staff)
    assert_stands(fresh(order))
    order = fresh(order)
    if order.status in LIVE:  # it goes on, whatever was given back
        if order.status != S.DELIVERED:
            actions.deliver(order.pk, actor=builder.user, note="Done.")
        actions.accept_delivery(order.pk, actor=client_user)
        confirm_all()
        order = fresh(order)
        assert_stands(order)
    live(order, afterwards, staff)
    assert_money(order, builder, had)
    assert_books_balance()


def live(order: Order, life: list[tuple[str, int]], staff: User) -> None:
    for step, percent in life:
        try:
            press(fresh(order), step, percent, staff)
        except DomainError:
            continue
    confirm_all()


def assert_stands(order: Order) -> None:
    standing = escrow.current().position(Deal("order", order.pk, order.client_id, order.builder.user_id))
    running = order.status in LIVE
    assert standing.locked == ledger.balance("escrow", subject=order.pk) == (order.price if running else 0)
    if running:
        assert standing.lent == order.credit


def assert_money(order: Order, builder: Builder, had: dict[str, Decimal]) -> None:
    payments = Payment.objects.filter(invoice__deal_id=order.pk, status=PaymentStatus.SUCCEEDED)
    for payment in payments:
        back = sum((send_refund(refund.pk).amount for refund in Refund.objects.filter(payment=payment)), D(0))
        assert back == payment.refunded <= payment.amount
    made = list(Compensation.objects.filter(subject_id=order.pk))
    assert sum(one.amount for one in made if one.basis == Basis.SCOPE) <= order.price
    earned = ledger.balance("earnings", builder.user.pk) - had["earnings"]
    released = order.builder_share if order.status == S.COMPLETED else D(0)
    assert earned == released - sum(one.from_builder for one in made)
    assert ledger.balance("losses") - had["losses"] == -sum(one.from_platform for one in made)
    assert ledger.balance("client", owner=order.client_id) == 0
    assert all(charge.refunded <= charge.amount for charge in SandboxCharge.objects.all())
    if order.status == S.CANCELLED and not made:
        assert all(payment.amount == payment.refunded for payment in payments)
