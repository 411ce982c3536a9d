"""Giving back a part of an order's money: while it runs out of escrow, and after its end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from auditlog.models import AuditLog, IncidentLog
from port444.accounts.models import User
from port444.kit.errors import Conflict, Invalid, WrongState
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.models import Order, OrderStatus
from port444.payments import escrow, ledger, providers
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet, send_refund
from port444.payments.escrow import books
from port444.payments.models import Basis, Compensation, Credit, CreditSource, EscrowOperation, InvoiceKind, Refund, SandboxCharge
from port444.payments.providers import Unavailable
from tests.confirming import confirm_all, use_chain

from .conftest import ANSWERS, MakeOrder, earnings

S = OrderStatus
D = Decimal


def lower(order: Order, amount: str, staff: User, key: str = "k1") -> EscrowOperation:
    return actions.reduce_order(order.pk, D(amount), key=key, reason="Less was done than agreed", actor=staff)


def give(order: Order, amount: str, staff: User, basis: Basis = Basis.SCOPE, key: str = "k1") -> Compensation:
    return actions.compensate_order(order.pk, D(amount), basis, key=key, reason="Less was done than agreed.", actor=staff)


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def sent(order: Order) -> Decimal:
    """What the wallet got back."""
    for refund in Refund.objects.filter(payment__invoice__deal_id=order.pk):
        send_refund(refund.pk)
    return sum((charge.refunded for charge in SandboxCharge.objects.all()), D(0))


def test_a_lower_price_gives_back_its_part_of_everything(make_order: MakeOrder, staff: User, builder_user: User, client_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    whole, fee = order.price, order.client_fee
    operation = lower(order, "60.00", staff)
    after = fresh(order)
    assert (after.status, after.price, after.client_fee) == (S.IN_PROGRESS, whole - 60, fee - fee * 60 / whole)
    assert escrow.current().position(actions.telling.deal(after)).locked == after.price
    refund = Refund.objects.get()
    assert refund.amount == 60 + fee - after.client_fee
    note = refund.credit_note
    assert note is not None
    assert (note.kind, note.subtotal, note.fee, note.total) == (InvoiceKind.CREDIT_NOTE, D("60.00"), fee - after.client_fee, refund.amount)
    assert sent(order) == refund.amount
    assert lower(order, "60.00", staff) == operation, "once for a key"
    assert fresh(order).price == after.price
    told = set(Notification.objects.filter(kind="order.refunded").values_list("user_id", flat=True))
    assert told == {client_user.pk, builder_user.pk}
    assert Message.objects.filter(body__contains="lowered the price").exists()
    assert AuditLog.objects.filter(event_type="order.terms_changed", actor_id=staff.pk).exists()


def test_the_order_goes_on_with_the_lower_price(make_order: MakeOrder, staff: User, builder_user: User, client_user: User) -> None:
    order = make_order(S.DELIVERED)
    lower(order, "60.00", staff)
    actions.accept_delivery(order.pk, actor=client_user)
    after = fresh(order)
    assert (after.status, earnings(builder_user)) == (S.COMPLETED, after.builder_share)
    assert after.builder_share == D("120.00") - after.builder_fee


def test_what_is_left_of_a_lowered_order_comes_back_when_it_is_cancelled(make_order: MakeOrder, staff: User, client_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    paid = order.total
    lower(order, "33.33", staff)
    actions.cancel_order(order.pk, actor=client_user)
    assert sent(order) == paid
    assert ledger.balance("escrow", subject=order.pk) == 0


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.FUNDING, S.COMPLETED, S.CANCELLED, S.EXPIRED])
def test_only_the_price_of_what_runs_is_lowered(make_order: MakeOrder, staff: User, status: str, nothing_happens: Callable[..., Any]) -> None:
    order = make_order(status)
    with nothing_happens(order), pytest.raises(WrongState):
        lower(order, "10.00", staff)


@pytest.mark.parametrize("amount", ["180.00", "180.01", "500.00"])
def test_never_the_whole_price(make_order: MakeOrder, staff: User, amount: str, nothing_happens: Callable[..., Any]) -> None:
    order = make_order(S.IN_PROGRESS)
    with nothing_happens(order), pytest.raises(Conflict, match="whole price"):
        lower(order, amount, staff)
    with nothing_happens(order), pytest.raises(Invalid):
        lower(order, "0.00", staff)


def test_a_refund_that_escrow_gives_up_leaves_the_price_as_it_was(
    client_user: User, builder_user: User, package: Any, staff: User, settings: Any
) -> None:
    use_chain(settings)
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    confirm_all()
    actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    operation = lower(order, "60.00", staff)
    assert fresh(order).price == 120
    books.give_up(operation.pk, "The contract said no.")
    after = fresh(order)
    assert (after.price, after.client_fee) == (order.price, order.client_fee)
    assert Notification.objects.filter(kind="order.refunded", dedupe_key__contains="failed").count() == 2
    assert IncidentLog.objects.filter(fingerprint=f"escrow-failed:{operation.number}").exists()
    actions.deliver(order.pk, actor=builder_user, note="Done.")
    actions.accept_delivery(order.pk, actor=client_user)
    confirm_all()
    assert (earnings(builder_user), Refund.objects.count()) == (order.builder_share, 0)


def test_the_wallet_is_asked_once_however_often_it_does_not_answer(make_order: MakeOrder, staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of a call without an answer is asked under the same key, and nothing is sent a second time."""
    order = make_order(S.IN_PROGRESS)
    lower(order, "60.00", staff)
    refund = Refund.objects.get()
    provider = providers.named("sandbox")
    done = type(provider).refund

    def no_answer(self: Any, row: Refund) -> str:
        done(self, row)
        raise Unavailable("The line went dead.")

    monkeypatch.setattr(type(provider), "refund", no_answer)
    for _ in range(3):
        assert send_refund(refund.pk).status == "requested"
    monkeypatch.setattr(type(provider), "refund", done)
    assert send_refund(refund.pk).status == "completed"
    assert [charge.refunded for charge in SandboxCharge.objects.all()] == [refund.amount]


def test_the_platform_lets_the_client_off_its_fee(make_order: MakeOrder, staff: User, client_user: User, nothing_happens: Callable[..., Any]) -> None:
    order = make_order(S.IN_PROGRESS)
    paid, fee = order.total, order.client_fee
    with nothing_happens(order), pytest.raises(Conflict, match="service fee"):
        actions.waive_fee(order.pk, fee + D("0.01"), key="w", reason="Late", actor=staff)
    actions.waive_fee(order.pk, D("2.00"), key="w", reason="Late", actor=staff)
    actions.waive_fee(order.pk, D("2.00"), key="w", reason="Late", actor=staff)
    after = fresh(order)
    assert (after.price, after.client_fee) == (order.price, fee - 2)
    assert sent(order) == 2
    lower(order, "60.00", staff)
    actions.deliver(order.pk, actor=order.builder.user, note="Done.")
    actions.accept_delivery(order.pk, actor=client_user)
    assert sent(order) == paid - fresh(order).total


# After the end


def test_after_the_release_the_builder_gives_it_back(make_order: MakeOrder, staff: User, builder_user: User, client_user: User) -> None:
    order = make_order(S.COMPLETED)
    had, fees = earnings(builder_user), ledger.balance("fees")
    made = give(order, "60.00", staff)
    platform = D("60.00") * order.builder_fee_bps / 10000
    assert (made.amount, made.builder_fee, made.from_platform) == (D("60.00"), platform, D(0))
    assert earnings(builder_user) == had - made.from_builder == had - 60 + platform
    assert ledger.balance("fees") == fees - platform - made.fee
    assert made.fee == order.client_fee / 3
    assert sent(order) == 60 + made.fee
    assert fresh(order).price == order.price, "an order that is over stays what it was"
    assert give(order, "60.00", staff) == made, "once for a key"
    assert Notification.objects.filter(user=builder_user, kind="order.refunded", title__contains="taken from your balance").exists()


def test_all_of_it_in_parts_is_just_all_of_it(make_order: MakeOrder, staff: User, builder_user: User) -> None:
    order = make_order(S.COMPLETED)
    for key, amount in enumerate(("59.99", "0.01", "33.34", "86.66")):
        give(order, amount, staff, key=str(key))
    assert sent(order) == order.total
    assert (earnings(builder_user), ledger.balance("fees")) == (D(0), D(0))
    with pytest.raises(Conflict):
        give(order, "0.01", staff, key="more")
    with pytest.raises(Conflict):
        give(order, "0.01", staff, Basis.GOODWILL, key="more")


def test_what_the_builder_has_not_the_platform_bears(make_order: MakeOrder, staff: User, builder_user: User) -> None:
    order = make_order(S.COMPLETED)
    moves = [(ledger.earnings(builder_user.pk), D("-150.00")), (ledger.EXTERNAL, D("150.00"))]
    ledger.post("spent", "Withdrawn", moves)
    left = earnings(builder_user)
    made = give(order, "60.00", staff)
    assert (made.from_builder, earnings(builder_user)) == (left, D(0))
    assert made.from_platform == 60 - made.builder_fee - left > 0
    assert ledger.balance("losses") == -made.from_platform


def test_goodwill_is_the_platforms(make_order: MakeOrder, staff: User, builder_user: User) -> None:
    order = make_order(S.COMPLETED)
    had = earnings(builder_user)
    made = give(order, "40.00", staff, Basis.GOODWILL)
    assert (made.from_platform, made.from_builder, earnings(builder_user), ledger.balance("losses")) == (D("40.00"), D(0), had, D("-40.00"))
    assert sent(order) == 40
    with pytest.raises(Conflict, match="has not gone back"):
        give(order, str(order.total - D("39.99")), staff, Basis.GOODWILL, key="k2")
    give(order, str(order.total - 40), staff, Basis.GOODWILL, key="k2")
    assert sent(order) == order.total


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.IN_PROGRESS, S.DELIVERED, S.CANCELLED, S.EXPIRED])
@pytest.mark.parametrize("basis", list(Basis))
def test_what_is_not_released_is_not_given_back_twice(
    make_order: MakeOrder, staff: User, status: str, basis: Basis, nothing_happens: Callable[..., Any]
) -> None:
    order = make_order(status)
    with nothing_happens(order), pytest.raises((WrongState, Conflict)):
        give(order, "10.00", staff, basis)


def test_credits_go_back_as_credits(client_user: User, builder_user: User, package: Any, staff: User) -> None:
    credit = issue_credit(client_user, Grant(D("30.00"), CreditSource.PROMO, "Welcome"), actor=None)
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.credit == 30
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    lower(order, "60.00", staff)
    after = fresh(order)
    assert (after.credit, Credit.objects.get(pk=credit.pk).remaining) == (D("20.00"), D("10.00"))
    assert sent(order) == 50 + order.client_fee - after.client_fee
    actions.deliver(order.pk, actor=builder_user, note="Done.")
    actions.accept_delivery(order.pk, actor=client_user)
    made = give(after, "60.00", staff)
    assert (made.gift, Credit.objects.get(pk=credit.pk).remaining) == (D("10.00"), D("20.00"))
    give(after, "60.00", staff, key="k2")
    assert Credit.objects.get(pk=credit.pk).remaining == 30
    assert sent(order) == order.total
    assert earnings(builder_user) == 0
