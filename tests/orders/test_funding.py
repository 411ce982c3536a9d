"""Orders whose escrow is on a chain: what people see and may do while it has not confirmed, and where every cent goes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service
from port444.kit.clock import at, now
from port444.kit.errors import WrongState
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions, jobs
from port444.orders.models import CancelCause, Order, OrderStatus
from port444.payments import escrow, ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.escrow import Deal, books
from port444.payments.models import (
    Credit,
    CreditSource,
    EscrowAttempt,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceKind,
    Refund,
)
from tests.confirming import TREASURY, confirm_all, use_chain

from .conftest import ANSWERS, MakeOrder, earnings

pytestmark = pytest.mark.django_db

S, D = OrderStatus, Decimal


@pytest.fixture(autouse=True)
def on_chain(settings: Any) -> None:
    use_chain(settings)


@pytest.fixture
def paid(client_user: User, package: Package) -> Order:
    """Paid, and the chain has not confirmed."""
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    return fresh(order)


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def opening(order: Order) -> str:
    return f"order:{order.pk}:open"


def sign(op_id: str) -> None:
    """As the worker does before it sends anything."""
    operation = EscrowOperation.objects.get(pk=op_id)
    operation.move_to(EscrowStatus.SIGNED)
    EscrowAttempt.objects.create(
        tx_hash=f"0x{uuid7().hex}", operation=operation, chain_id=31337, signer=TREASURY, nonce=0, raw=b"", gas=1, max_fee=1, tip=1
    )


def in_escrow(order: Order) -> Decimal:
    return ledger.balance("escrow", subject=order.pk)


def told(kind: str) -> list[Any]:
    return list(Notification.objects.filter(kind=kind).values_list("user_id", flat=True))


def assert_all_went_back(order: Order) -> None:
    """The whole payment, as one refund with one credit note, and nothing is left anywhere."""
    refund = Refund.objects.get()
    assert (refund.amount, refund.payment.invoice_id) == (order.total, order.invoice_id)
    note = Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE)
    assert (note.subtotal, note.fee) == (order.price, order.client_fee)
    assert (in_escrow(order), ledger.balance("client", owner=order.client_id), ledger.balance("fees")) == (D(0), D(0), D(0))


def test_an_order_begins_when_escrow_has_the_money(paid: Order, client_user: User, builder_user: User, service: Service) -> None:
    assert (paid.status, paid.requirements_until, in_escrow(paid)) == (S.FUNDING, None, D(0))
    assert told("order.placed") == told("order.paid") == []
    with pytest.raises(WrongState):
        actions.answer_requirements(paid.pk, actor=client_user, answers=ANSWERS)
    moment = now() + timedelta(minutes=9)
    with at(moment):
        confirm_all()
    order = fresh(paid)
    assert (order.status, order.requirements_until, in_escrow(order)) == (S.PENDING_REQUIREMENTS, moment + timedelta(days=7), order.price)
    assert (told("order.placed"), told("order.paid")) == ([builder_user.pk], [client_user.pk])
    assert Message.objects.filter(body__contains="went into escrow").count() == 1


def test_without_questions_the_clock_starts_when_escrow_has_the_money(client_user: User, package: Package, service: Service) -> None:
    service.questions = []
    service.save()
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    moment = now() + timedelta(hours=2)
    with at(moment):
        confirm_all()
    order = fresh(order)
    assert (order.status, order.started_at, order.due_at) == (S.IN_PROGRESS, moment, moment + timedelta(days=7))


@pytest.mark.parametrize(("side", "cause"), [("client", CancelCause.CLIENT_WISH), ("builder", CancelCause.BUILDER_WISH)])
def test_cancelled_before_anything_was_sent_the_money_goes_back_at_once(
    paid: Order, client_user: User, builder_user: User, side: str, cause: str
) -> None:
    order = actions.cancel_order(paid.pk, actor=client_user if side == "client" else builder_user)
    assert (order.status, order.cancel_cause) == (S.CANCELLED, cause)
    assert EscrowOperation.objects.get().status == EscrowStatus.CANCELLED
    assert_all_went_back(order)
    assert confirm_all() == 0


def test_cancelled_while_it_is_on_its_way_the_money_comes_back_after_it(paid: Order, client_user: User) -> None:
    sign(opening(paid))
    order = actions.cancel_order(paid.pk, actor=client_user)
    assert order.status == S.CANCELLED
    assert not Refund.objects.exists()
    books.confirm(opening(paid))
    assert (fresh(order).status, in_escrow(order)) == (S.CANCELLED, order.price)
    assert told("order.paid") == []
    confirm_all()
    assert_all_went_back(order)


def test_what_escrow_cannot_take_ends_the_order_and_goes_back(paid: Order, client_user: User, builder_user: User) -> None:
    books.give_up(opening(paid), "The contract said no.")
    order = fresh(paid)
    assert (order.status, order.cancel_cause, order.cancelled_by) == (S.CANCELLED, CancelCause.NOT_FUNDED, None)
    assert_all_went_back(order)
    assert set(told("order.cancelled")) == {client_user.pk, builder_user.pk}
    assert confirm_all() == 0


def test_given_up_after_a_cancellation_everything_goes_back_once(paid: Order, client_user: User) -> None:
    sign(opening(paid))
    actions.cancel_order(paid.pk, actor=client_user)
    EscrowOperation.objects.filter(pk=opening(paid)).update(status=EscrowStatus.MINED)  # and reverted
    books.give_up(opening(paid), "The contract said no.")
    order = fresh(paid)
    assert order.cancel_cause == CancelCause.CLIENT_WISH
    assert_all_went_back(order)


def test_a_whole_order_with_every_confirmation_late(paid: Order, client_user: User, builder_user: User) -> None:
    confirm_all()
    actions.answer_requirements(paid.pk, actor=client_user, answers=ANSWERS)
    actions.deliver(paid.pk, actor=builder_user, note="Done.")
    order = actions.accept_delivery(paid.pk, actor=client_user)
    assert (order.status, earnings(builder_user), in_escrow(order)) == (S.COMPLETED, D(0), order.price)
    assert "as soon as escrow has released it" in Notification.objects.get(kind="order.completed").body
    confirm_all()
    assert (earnings(builder_user), in_escrow(order)) == (order.builder_share, D(0))
    assert ledger.balance("fees") == order.builder_fee + order.client_fee


def test_a_sweep_accepts_while_the_money_is_on_the_chain(paid: Order, client_user: User, builder_user: User) -> None:
    confirm_all()
    actions.answer_requirements(paid.pk, actor=client_user, answers=ANSWERS)
    actions.deliver(paid.pk, actor=builder_user, note="Done.")
    with at(now() + timedelta(days=4)):
        assert jobs.auto_accept() == 1
        confirm_all()
    assert earnings(builder_user) == paid.builder_share


def test_accepted_while_more_money_is_on_its_way_follows_it(paid: Order, client_user: User, builder_user: User) -> None:
    """In escrow's own queue; orders themselves do not end before an amendment is in force."""
    confirm_all()
    deal = Deal("order", paid.pk, client_user.pk, builder_user.pk)
    ledger.post("more", "In", [(ledger.EXTERNAL, D(-50)), (ledger.client(client_user.pk), D(50))])
    escrow.current().amend(deal, D("50.00"), "amendment:1")
    escrow.current().release(deal, D("230.00"), "all")
    with pytest.raises(WrongState):
        books.confirm("all")
    books.confirm("amendment:1")
    books.confirm("all")
    assert earnings(builder_user) == D("207.00")


def test_a_refund_is_split_over_the_payments_of_the_order(paid: Order, client_user: User, builder_user: User, package: Package) -> None:
    """Newest first: what was paid last goes back first, each payment with a credit note of its own."""
    confirm_all()
    second = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert second.invoice_id is not None
    pay_with_test_wallet(second.invoice_id, actor=client_user)
    books.cancel(opening(second))
    Invoice.objects.filter(pk=second.invoice_id).update(deal_id=paid.pk)  # as an amendment's invoice names its order
    deal = Deal("order", paid.pk, client_user.pk, builder_user.pk)
    escrow.current().amend(deal, second.price, "amendment:1")
    escrow.current().refund(deal, D("200.00"), "part", fee=D("12.00"), reason="Agreed")
    escrow.current().refund(deal, D("160.00"), "rest", fee=paid.client_fee * 2 - D("12.00"))
    confirm_all()
    by_invoice = [
        (note.corrects_id == second.invoice_id, note.subtotal, note.fee)
        for note in Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).order_by("opened_at", "pk")
    ]
    assert by_invoice == [(True, D("180.00"), D("9.90")), (False, D("20.00"), D("2.10")), (False, D("160.00"), D("7.80"))]
    assert (ledger.balance("client", owner=client_user.pk), ledger.balance("fees"), in_escrow(paid)) == (D(0), D(0), D(0))
    assert Refund.objects.filter(reason="Agreed").count() == 2


@pytest.mark.parametrize("how", ["taken back", "refunded", "given up", "accepted"])
def test_credits_lent_come_back_however_it_ends(client_user: User, builder_user: User, builder: Builder, package: Package, how: str) -> None:
    credit = issue_credit(client_user, Grant(D("60.00"), CreditSource.CONSULTATION, "a call", builder_id=builder.pk), actor=None)
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.invoice_id is not None
    pay_with_test_wallet(order.invoice_id, actor=client_user)
    assert (order.prepaid, EscrowOperation.objects.get().prepaid) == (D("60.00"), D("60.00"))
    if how == "taken back":
        actions.cancel_order(order.pk, actor=client_user)
    elif how == "given up":
        books.give_up(opening(order), "The contract said no.")
    else:
        confirm_all()
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
        if how == "refunded":
            actions.cancel_order(order.pk, actor=builder_user)
        else:
            actions.deliver(order.pk, actor=builder_user, note="Done.")
            actions.accept_delivery(order.pk, actor=client_user)
        assert EscrowOperation.objects.latest("number").prepaid == D("60.00")
        assert Credit.objects.get(pk=credit.pk).remaining == D(0)
        confirm_all()
    back = how != "accepted"
    assert Credit.objects.get(pk=credit.pk).remaining == (D("60.00") if back else D(0))
    assert list(Refund.objects.values_list("amount", flat=True)) == ([order.total] if back else [])
    assert (ledger.balance("credits"), in_escrow(order), ledger.balance("client", owner=client_user.pk)) == (D(0), D(0), D(0))
    assert earnings(builder_user) == (D(0) if back else order.builder_share)


def test_a_client_who_takes_the_money_back_on_the_chain_ends_the_order(paid: Order, client_user: User, builder_user: User) -> None:
    confirm_all()
    opened = EscrowOperation.objects.get()
    own = EscrowOperation.objects.create(
        op_id="reclaim:0x1:0",
        kind=EscrowKind.REFUND,
        purpose="order",
        subject_id=paid.pk,
        client_id=opened.client_id,
        builder_id=opened.builder_id,
        amount=opened.amount,
        args={"reclaimed": True},
        backend="owner",
    )
    own.refresh_from_db()
    books.apply_confirmed(own)
    order = fresh(paid)
    assert (order.status, order.cancel_cause, order.cancelled_by) == (S.CANCELLED, CancelCause.RECLAIMED, client_user)
    assert told("order.cancelled") == [builder_user.pk]
    assert Refund.objects.get().amount == order.price


@pytest.mark.parametrize("side", ["client", "builder"])
def test_the_pages_say_what_to_expect(paid: Order, client: Client, client_user: User, builder_user: User, side: str) -> None:
    client.force_login(client_user if side == "client" else builder_user)
    page = client.get(reverse("orders:detail", args=[paid.number])).content.decode()
    assert "going into escrow" in page
    assert "a few minutes" in page
    assert "Some of this is on its way" in page
    assert "Cancel the order" in page
    listed = client.get(reverse("orders:list") + f"?as={side}").content.decode()
    assert "going into escrow" in listed
    confirm_all()
    page = client.get(reverse("orders:detail", args=[paid.number])).content.decode()
    assert "Some of this is on its way" not in page


def test_the_builders_day_shows_what_is_coming(paid: Order, client: Client, builder_user: User) -> None:
    client.force_login(builder_user)
    page = client.get(reverse("orders:today")).content.decode()
    assert "The money is going into escrow; nothing to do yet." in page


def test_the_page_looks_again_by_itself_when_escrow_moves(paid: Order, client: Client, client_user: User) -> None:
    client.force_login(client_user)
    url = reverse("orders:live", args=[paid.number])
    first = client.get(url, headers={"HX-Request": "true"})
    assert client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]}).status_code == 304
    confirm_all()
    assert client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]}).status_code == 200


def test_a_builder_is_not_told_of_money_that_is_still_on_its_way(make_order: MakeOrder, paid: Order, client: Client, builder_user: User) -> None:
    confirm_all()
    actions.answer_requirements(paid.pk, actor=paid.client, answers=ANSWERS)
    actions.deliver(paid.pk, actor=builder_user, note="Done.")
    actions.accept_delivery(paid.pk, actor=paid.client)
    client.force_login(builder_user)
    url = reverse("orders:detail", args=[paid.number])
    assert "You are being paid" in client.get(url).content.decode()
    confirm_all()
    assert "You were paid" in client.get(url).content.decode()
