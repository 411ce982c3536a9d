"""Orders that support puts together and apart: what becomes of each thing, and where every cent is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, WrongState
from port444.kit.ids import uuid7
from port444.kit.money import usd
from port444.messaging.actions import send_message
from port444.notifications.models import Notification
from port444.orders import actions, jobs
from port444.orders.actions import Share
from port444.orders.actions.joining import title_of
from port444.orders.actions.telling import deal
from port444.orders.models import CancelCause, Nudge, Order, OrderStatus, Origin
from port444.payments import escrow, ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.escrow import books
from port444.payments.models import CreditSource, EscrowKind, EscrowOperation, Invoice, InvoiceKind, Payment, Refund
from tests.confirming import confirm_all, use_chain

from .conftest import ANSWERS, MakeOrder, earnings

pytestmark = pytest.mark.django_db

S, D = OrderStatus, Decimal


def fresh(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def in_escrow(order: Order) -> Decimal:
    return ledger.balance("escrow", subject=order.pk)


@pytest.fixture
def two(make_order: MakeOrder) -> tuple[Order, Order]:
    return make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)


@pytest.fixture
def merged(two: tuple[Order, Order], staff: User) -> tuple[Order, dict[str, Any]]:
    return actions.merge_orders(two[0].pk, two[1].pk, actor=staff)


def test_two_orders_go_on_as_one(two: tuple[Order, Order], staff: User) -> None:
    first, second = two
    Order.objects.filter(pk=second.pk).update(due_at=second.due_at + timedelta(days=2), delivery_days=9)  # type: ignore[operator]
    made, manifest = actions.merge_orders(first.pk, second.pk, actor=staff)
    made, first, second = fresh(made), fresh(first), fresh(second)
    assert (made.status, made.origin, made.invoice_id) == (S.IN_PROGRESS, Origin.MERGE, None)
    assert made.title.startswith("Merged: Make five slow")
    assert (made.price, made.client_fee, made.credit) == (first.price + second.price, first.client_fee + second.client_fee, D(0))
    assert (made.due_at, made.delivery_days) == (second.due_at, 9)
    assert (made.revisions_allowed, made.deliverables) == (4, [*first.deliverables, *second.deliverables])
    assert [row.label for row in made.requirements.all()] == [row.label for one in (first, second) for row in one.requirements.all()]
    assert [row.answer for row in made.requirements.all()][:2] == [ANSWERS[1], ANSWERS[2]]
    for part in (first, second):
        assert (part.status, part.cancel_cause, part.merged_into, in_escrow(part)) == (S.CANCELLED, CancelCause.MERGED, made, D(0))
    assert in_escrow(made) == D("360.00")
    assert escrow.current().position(deal(made)).locked == made.price
    assert not Refund.objects.exists()
    assert set(Notification.objects.filter(kind="order.merged").values_list("user_id", flat=True)) == {made.client_id, made.builder.user_id}
    assert not Notification.objects.filter(kind="order.cancelled").exists()
    assert AuditLog.objects.get(event_type="order.merged").target_id == made.pk
    assert manifest["made"] == str(made.pk)


def test_titles_of_merged_orders_have_room() -> None:
    long = Order(title="x" * 90)
    assert len(title_of(long, long)) <= 90
    assert title_of(Order(title="Merged: A + B"), Order(title="C")) == "Merged: A + B + C"


def test_a_merged_order_is_delivered_and_paid(merged: tuple[Order, Any], client_user: User, builder_user: User) -> None:
    made, _ = merged
    actions.deliver(made.pk, actor=builder_user, note="Both are done.")
    actions.accept_delivery(made.pk, actor=client_user)
    made = fresh(made)
    assert (made.status, in_escrow(made), earnings(builder_user)) == (S.COMPLETED, D(0), made.builder_share)
    actions.leave_review(made.pk, actor=client_user, stars=5)


def test_a_merged_order_is_accepted_by_itself(merged: tuple[Order, Any], builder_user: User) -> None:
    made, _ = merged
    actions.deliver(made.pk, actor=builder_user, note="Both are done.")
    with at(now() + timedelta(days=30)):
        jobs.auto_accept()
    assert (fresh(made).status, earnings(builder_user)) == (S.COMPLETED, made.builder_share)


def test_a_cancelled_merged_order_goes_back_to_both_payments(merged: tuple[Order, Any], two: tuple[Order, Order], builder_user: User) -> None:
    made, _ = merged
    actions.cancel_order(made.pk, actor=builder_user)
    back = {refund.payment.invoice_id: refund.amount for refund in Refund.objects.select_related("payment")}
    assert back == {one.invoice_id: one.total for one in two}
    notes = Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE)
    assert sum(note.fee for note in notes) == made.client_fee
    assert ledger.balance("fees") == D(0)


def test_credits_come_back_out_of_a_merged_order(make_order: MakeOrder, client_user: User, builder_user: User, staff: User) -> None:
    credit = issue_credit(client_user, Grant(D("50.01"), CreditSource.ADMIN, "a test"), actor=staff)
    first, second = make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)
    assert (first.credit, second.credit) == (D("50.01"), D("0.00"))
    made, manifest = actions.merge_orders(first.pk, second.pk, actor=staff)
    assert made.credit == D("50.01")
    actions.undo_joining(manifest, actor=staff)
    lent = [escrow.current().position(deal(one)).lent for one in (first, second, made)]
    assert lent == [D("50.01"), D(0), D(0)]
    again, _ = actions.merge_orders(first.pk, second.pk, actor=staff)
    actions.cancel_order(again.pk, actor=builder_user)
    credit.refresh_from_db()
    assert credit.remaining == D("50.01")
    assert {refund.payment.invoice_id: refund.amount for refund in Refund.objects.all()} == {one.invoice_id: one.total for one in (first, second)}


def test_orders_that_wait_for_answers_wait_together(make_order: MakeOrder, client_user: User, staff: User) -> None:
    first, second = make_order(S.PENDING_REQUIREMENTS), make_order(S.PENDING_REQUIREMENTS)
    made, _ = actions.merge_orders(first.pk, second.pk, actor=staff)
    assert (made.status, made.requirements_until) == (S.PENDING_REQUIREMENTS, second.requirements_until)
    assert Nudge.objects.filter(order=made, status="planned").count() == 2
    actions.answer_requirements(made.pk, actor=client_user, answers={**ANSWERS, 4: ANSWERS[1], 5: ANSWERS[2]})
    assert fresh(made).status == S.IN_PROGRESS


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.FUNDING, S.DELIVERED, S.COMPLETED, S.CANCELLED, S.EXPIRED])
def test_what_is_not_in_work_is_not_merged(make_order: MakeOrder, nothing_happens: Any, staff: User, status: str) -> None:
    first, second = make_order(S.IN_PROGRESS), make_order(status)
    with nothing_happens(second), pytest.raises(WrongState, match=f"Order {second.number} is"):
        actions.merge_orders(first.pk, second.pk, actor=staff)
    with nothing_happens(second), pytest.raises(WrongState, match=f"Order {second.number} is"):
        actions.split_order(second.pk, Share("Part", D("50.00"), (0,)), actor=staff)


def test_an_order_in_work_is_not_merged_with_one_that_waits(make_order: MakeOrder, nothing_happens: Any, staff: User) -> None:
    first, second = make_order(S.IN_PROGRESS), make_order(S.PENDING_REQUIREMENTS)
    with nothing_happens(), pytest.raises(WrongState, match="waits for answers"):
        actions.merge_orders(first.pk, second.pk, actor=staff)


def test_orders_of_other_people_are_not_merged(
    make_order: MakeOrder, nothing_happens: Any, staff: User, make_user: Callable[..., User], package: Package
) -> None:
    first, second = make_order(S.IN_PROGRESS), make_order(S.IN_PROGRESS)
    Order.objects.filter(pk=second.pk).update(client=make_user("Other Client"))
    with nothing_happens(), pytest.raises(WrongState, match="same client"):
        actions.merge_orders(first.pk, second.pk, actor=staff)
    with nothing_happens(), pytest.raises(WrongState, match="with itself"):
        actions.merge_orders(first.pk, first.pk, actor=staff)


@pytest.mark.parametrize("field", ["disputed_at", "clock_stopped_at"])
def test_what_is_open_between_the_two_stands_against_it(two: tuple[Order, Order], nothing_happens: Any, staff: User, field: str) -> None:
    Order.objects.filter(pk=two[1].pk).update(**{field: now()})
    with nothing_happens(), pytest.raises(WrongState):
        actions.merge_orders(two[0].pk, two[1].pk, actor=staff)
    with nothing_happens(), pytest.raises(WrongState):
        actions.split_order(two[1].pk, Share("Part", D("50.00"), (0,)), actor=staff)


def test_money_on_hold_or_elsewhere_stands_against_it(two: tuple[Order, Order], nothing_happens: Any, staff: User) -> None:
    escrow.current().hold(deal(two[0]), True, "held")
    with nothing_happens(), pytest.raises(WrongState, match="on hold"):
        actions.merge_orders(two[0].pk, two[1].pk, actor=staff)
    escrow.current().hold(deal(two[0]), False, "free")
    EscrowOperation.objects.filter(subject_id=two[1].pk, kind=EscrowKind.OPEN).update(backend="web3")
    with nothing_happens(), pytest.raises(WrongState, match="different places"):
        actions.merge_orders(two[0].pk, two[1].pk, actor=staff)


def test_a_merge_is_undone(two: tuple[Order, Order], merged: tuple[Order, Any], staff: User, client_user: User, builder_user: User) -> None:
    made, manifest = merged
    parts = actions.undo_joining(manifest, actor=staff)
    assert [part.pk for part in parts] == [one.pk for one in two]
    for part, before in zip(map(fresh, parts), two, strict=True):
        assert (part.status, part.merged_into_id, part.cancelled_at, part.cancel_cause) == (before.status, None, None, "")
        assert (part.price, part.client_fee, part.due_at, in_escrow(part)) == (before.price, before.client_fee, before.due_at, before.price)
    made = fresh(made)
    assert (made.status, made.cancel_cause, in_escrow(made)) == (S.CANCELLED, CancelCause.UNDONE, D(0))
    actions.deliver(parts[0].pk, actor=builder_user, note="The first.")
    actions.accept_delivery(parts[0].pk, actor=client_user)
    actions.cancel_order(parts[1].pk, actor=builder_user)
    assert (earnings(builder_user), Refund.objects.get().payment.invoice_id) == (two[0].builder_share, two[1].invoice_id)
    with pytest.raises(WrongState):
        actions.undo_joining(manifest, actor=staff)


def test_a_cancelled_order_does_not_come_back_by_itself(merged: tuple[Order, Any], two: tuple[Order, Order], builder_user: User) -> None:
    part = fresh(two[0])
    assert not part.can_move_to(S.IN_PROGRESS)
    with pytest.raises(WrongState):
        actions.deliver(part.pk, actor=builder_user, note="The first.")


def test_what_was_delivered_since_is_not_undone(
    merged: tuple[Order, Any], nothing_happens: Any, staff: User, client_user: User, builder_user: User
) -> None:
    made, manifest = merged
    actions.deliver(made.pk, actor=builder_user, note="Both.")
    with nothing_happens(made), pytest.raises(WrongState, match="is delivered"):
        actions.undo_joining(manifest, actor=staff)
    actions.request_revision(made.pk, actor=client_user, note="More.")
    with nothing_happens(made), pytest.raises(WrongState, match="was delivered"):
        actions.undo_joining(manifest, actor=staff)


def test_other_terms_since_are_not_undone(merged: tuple[Order, Any], nothing_happens: Any, staff: User) -> None:
    made, manifest = merged
    Order.objects.filter(pk=made.pk).update(deliverables=["Something else"])
    with nothing_happens(made), pytest.raises(WrongState, match="other terms"):
        actions.undo_joining(manifest, actor=staff)


def test_answers_that_were_saved_meanwhile_are_kept(make_order: MakeOrder, client_user: User, staff: User) -> None:
    first, second = make_order(S.PENDING_REQUIREMENTS), make_order(S.PENDING_REQUIREMENTS)
    made, manifest = actions.merge_orders(first.pk, second.pk, actor=staff)
    actions.save_answers(made.pk, actor=client_user, answers={4: "Written on the merged order"})
    actions.undo_joining(manifest, actor=staff)
    assert second.requirements.get(position=1).answer == "Written on the merged order"
    assert fresh(second).status == S.PENDING_REQUIREMENTS


def test_a_part_becomes_an_order(make_order: MakeOrder, staff: User, client_user: User, builder_user: User) -> None:
    before = make_order(S.IN_PROGRESS)
    made, _ = actions.split_order(before.pk, Share("  The report  ", D("59.99"), (1,), revisions=1), actor=staff)
    made, order = fresh(made), fresh(before)
    assert (made.title, made.deliverables, made.split_from, made.origin) == ("The report", ["A report"], order, Origin.SPLIT)
    assert (made.price, order.price) == (D("59.99"), before.price - D("59.99"))
    assert made.client_fee + order.client_fee == before.client_fee
    assert (made.revisions_allowed, order.revisions_allowed, order.deliverables) == (1, 1, ["Five pages"])
    assert (in_escrow(made), in_escrow(order), made.due_at) == (made.price, order.price, before.due_at)
    assert Notification.objects.filter(kind="order.split").count() == 2
    actions.deliver(made.pk, actor=builder_user, note="The report.")
    actions.accept_delivery(made.pk, actor=client_user)
    actions.cancel_order(order.pk, actor=builder_user)
    refund = Refund.objects.get()
    assert (refund.amount, earnings(builder_user)) == (order.total, made.builder_share)
    assert ledger.balance("client", owner=client_user.pk) == D(0)


@pytest.mark.parametrize(
    "share",
    [
        Share("Part", D("180.00"), (0,)),
        Share("Part", D("0.50"), (0,)),
        Share("Part", D("179.50"), (0,)),
        Share("", D("50.00"), (0,)),
        Share("Part", D("50.00"), (0, 1)),
        Share("Part", D("50.00"), ()),
        Share("Part", D("50.00"), (7,)),
        Share("Part", D("50.00"), (0, 0)),
        Share("Part", D("50.00"), (0,), revisions=3),
    ],
)
def test_shares_that_leave_nothing_or_too_much(make_order: MakeOrder, nothing_happens: Any, staff: User, share: Share) -> None:
    order = make_order(S.IN_PROGRESS)
    with nothing_happens(order), pytest.raises(WrongState):
        actions.split_order(order.pk, share, actor=staff)


def test_a_split_is_undone(make_order: MakeOrder, staff: User, client_user: User) -> None:
    issue_credit(client_user, Grant(D("33.33"), CreditSource.ADMIN, "a test"), actor=staff)
    before = make_order(S.IN_PROGRESS)
    made, manifest = actions.split_order(before.pk, Share("Part", D("77.77"), (0,), revisions=2), actor=staff)
    assert made.credit + fresh(before).credit == D("33.33")
    actions.undo_joining(manifest, actor=staff)
    order = fresh(before)
    for name in ("status", "price", "client_fee", "credit", "prepaid", "deliverables", "revisions_allowed", "due_at"):
        assert getattr(order, name) == getattr(before, name), name
    assert (fresh(made).status, fresh(made).cancel_cause, in_escrow(order), in_escrow(made)) == (S.CANCELLED, CancelCause.UNDONE, order.price, D(0))
    assert escrow.current().position(deal(order)).lent == D("33.33")


def test_both_halves_of_a_split_go_back_to_one_payment(make_order: MakeOrder, staff: User, builder_user: User) -> None:
    before = make_order(S.IN_PROGRESS)
    made, _ = actions.split_order(before.pk, Share("Part", D("60.01"), (0,)), actor=staff)
    actions.cancel_order(made.pk, actor=builder_user)
    actions.cancel_order(before.pk, actor=builder_user)
    payment = Payment.objects.get()
    assert {refund.payment_id for refund in Refund.objects.all()} == {payment.pk}
    assert sum(refund.amount for refund in Refund.objects.all()) == payment.amount
    assert ledger.balance("fees") == D(0)


def test_the_old_address_leads_to_the_merged_order(client: Client, two: tuple[Order, Order], merged: tuple[Order, Any], client_user: User) -> None:
    made, _ = merged
    client.force_login(client_user)
    answer = client.get(reverse("orders:detail", args=[two[0].number]))
    assert (answer.status_code, answer["Location"]) == (302, reverse("orders:detail", args=[made.number]))
    page = client.get(answer["Location"]).content.decode()
    assert f"Order {two[0].number} was merged into order {made.number}." in page
    for one in two:
        assert reverse("payments:invoice", args=[one.invoice_id]) in page
    assert usd(made.price) in page
    assert client.get(reverse("orders:list")).status_code == 200
    assert client.get(reverse("orders:live", args=[two[0].number]), headers={"HX-Request": "true"}).status_code == 200


def test_what_was_said_about_the_parts_is_read_on_the_whole(
    client: Client, two: tuple[Order, Order], staff: User, client_user: User, builder_user: User
) -> None:

    send_message(two[0].conversation_id, actor=builder_user, body="About the first.", client_key=uuid7(), subject=("order", two[0].pk))
    made, _ = actions.merge_orders(two[0].pk, two[1].pk, actor=staff)
    client.force_login(client_user)
    page = client.get(reverse("orders:detail", args=[made.number])).content.decode()
    assert "About the first." in page
    assert "Support merged orders" in page


def test_a_split_off_order_shows_its_page(client: Client, make_order: MakeOrder, staff: User, client_user: User, builder_user: User) -> None:
    before = make_order(S.IN_PROGRESS)
    made, manifest = actions.split_order(before.pk, Share("Part", D("60.01"), (0,)), actor=staff)
    for user in (client_user, builder_user):
        client.force_login(user)
        assert client.get(reverse("orders:detail", args=[made.number])).status_code == 200
        assert client.get(reverse("orders:detail", args=[before.number])).status_code == 200
    actions.undo_joining(manifest, actor=staff)
    assert client.get(reverse("orders:detail", args=[made.number]))["Location"] == reverse("orders:detail", args=[before.number])


@pytest.fixture
def on_chain(settings: Any) -> None:
    use_chain(settings)


def test_on_a_chain_the_money_follows(on_chain: None, client_user: User, builder_user: User, package: Package, staff: User, builder: Builder) -> None:

    parts = []
    for _ in range(2):
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
        pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
        parts.append(order)
    confirm_all()
    for order in parts:
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    confirm_all()
    made, manifest = actions.merge_orders(parts[0].pk, parts[1].pk, actor=staff)
    assert in_escrow(made) == D(0)
    with pytest.raises(WrongState, match="on its way"):
        actions.undo_joining(manifest, actor=staff)
    with pytest.raises(WrongState, match="on its way"):
        actions.split_order(made.pk, Share("Part", D("50.00"), (0,)), actor=staff)
    confirm_all()
    assert (in_escrow(made), in_escrow(parts[0])) == (D("360.00"), D(0))
    actions.undo_joining(manifest, actor=staff)
    confirm_all()
    assert [in_escrow(one) for one in (made, *parts)] == [D(0), D("180.00"), D("180.00")]


def test_what_did_not_move_on_the_chain_is_undone_without_it(on_chain: None, client_user: User, package: Package, staff: User) -> None:

    parts = []
    for _ in range(2):
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
        pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
        parts.append(order)
    confirm_all()
    made, manifest = actions.merge_orders(parts[0].pk, parts[1].pk, actor=staff)
    books.give_up(f"order:{made.pk}:open", "The contract does not answer.")
    confirm_all()
    assert [in_escrow(one) for one in (made, *parts)] == [D(0), D("180.00"), D("180.00")]
    with pytest.raises(Conflict):
        actions.cancel_order(made.pk, actor=client_user)
    actions.undo_joining(manifest, actor=staff)
    assert {fresh(one).status for one in parts} == {S.PENDING_REQUIREMENTS}
