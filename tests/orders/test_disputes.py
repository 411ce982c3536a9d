"""Disputes: opened, answered, settled, withdrawn, brought before support, decided; and what stands still meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions, jobs
from port444.orders.models import CancelCause, Dispute, DisputeReason, DisputeStatus, Evidence, Order, OrderStatus
from port444.payments import escrow, handlers, ledger
from port444.payments.models import EscrowOperation, Invoice, Refund
from tests.confirming import confirm_all, use_chain

from .conftest import ANSWERS, MakeOrder, earnings

S, D = OrderStatus, DisputeStatus
NOTHING = Decimal(0)
CLAIM = "Two of the five pages are as slow as before."
ANSWER = "All five are fast here; the timings are in the report."
Open = Callable[..., Dispute]


def dollars(text: str) -> Decimal:
    return Decimal(text)


def again(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def where(order: Order) -> escrow.Position:
    return escrow.current().position(escrow.Deal("order", order.pk, order.client_id, order.builder.user_id))


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    return make_order(S.DELIVERED)


@pytest.fixture
def dispute(order: Order, client_user: User) -> Dispute:
    return open_by(order, client_user, "120.00")


def open_by(order: Order, actor: User, to_client: str, **more: Any) -> Dispute:
    by_client = actor.pk == order.client_id
    reason = DisputeReason.NOT_AS_AGREED if by_client else DisputeReason.UNFAIR_CHANGES
    said: dict[str, Any] = {"client_key": uuid7(), "reason": reason, "claim": CLAIM, "to_client": Decimal(to_client)} | more
    return actions.open_dispute(order.pk, actor=actor, **said)


def answer(dispute: Dispute, actor: User, offer: str) -> Dispute:
    return actions.answer_dispute(dispute.pk, actor=actor, answer=ANSWER, offer=Decimal(offer))


def told(kind: str) -> set[str]:
    return {row.user.first_name for row in Notification.objects.filter(kind=kind).select_related("user")}


# Opening


@pytest.mark.parametrize("status", [S.IN_PROGRESS, S.IN_REVISION, S.DELIVERED])
@pytest.mark.parametrize("side", ["client", "builder"])
def test_either_side_opens_one_while_there_is_work(make_order: MakeOrder, client_user: User, builder_user: User, status: str, side: str) -> None:
    order, moment = make_order(status), now()
    actor = client_user if side == "client" else builder_user
    with at(moment):
        dispute = open_by(order, actor, "60.00", uploads=[SimpleUploadedFile("a.txt", b"slow")])
    order.refresh_from_db()
    assert (order.status, order.disputed_at, order.clock_stopped_at) == (status, moment, moment)
    assert (dispute.status, dispute.amount, dispute.by_client, str(dispute)) == (D.OPEN, dollars("180.00"), side == "client", f"D-{dispute.number}")
    assert dispute.answer_until == moment + timedelta(hours=48)
    assert where(order).held
    assert EscrowOperation.objects.filter(op_id=f"dispute:{dispute.pk}:hold").exists()
    assert dispute.evidence.get().files.get().name == "a.txt"
    assert told("dispute.opened") == {order.other(actor).first_name}
    assert AuditLog.objects.filter(event_type="dispute.opened", target_id=dispute.pk).exists()
    assert Message.objects.filter(subject_id=order.pk, body__contains=f"opened dispute {dispute}").exists()


def test_pressing_twice_opens_one(order: Order, client_user: User) -> None:
    key = uuid7()
    first = open_by(order, client_user, "10.00", client_key=key)
    assert open_by(order, client_user, "10.00", client_key=key) == first
    assert Dispute.objects.count() == 1


def test_one_at_a_time_and_three_at_most(order: Order, client_user: User, builder_user: User) -> None:
    for actor in (client_user, builder_user, client_user):
        dispute = open_by(order, actor, "10.00")
        for other in (client_user, builder_user):
            with pytest.raises(Conflict, match="in dispute already"):
                open_by(order, other, "20.00")
        actions.withdraw_dispute(dispute.pk, actor=actor)
    with pytest.raises(TooMany):
        open_by(order, client_user, "10.00")


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.FUNDING, S.PENDING_REQUIREMENTS, S.COMPLETED, S.CANCELLED, S.EXPIRED])
def test_not_without_work(make_order: MakeOrder, client_user: User, nothing_happens: Any, status: str) -> None:
    order = make_order(status)
    with nothing_happens(order), pytest.raises(WrongState):
        open_by(order, client_user, "10.00")
    assert not Dispute.objects.exists()


def test_who_and_what_is_refused(order: Order, client_user: User, stranger: User, staff: User, nothing_happens: Any) -> None:
    bad: list[tuple[User, dict[str, Any]]] = [
        (stranger, {}),
        (staff, {}),
        (client_user, {"claim": "  "}),
        (client_user, {"claim": "x" * 5001}),
        (client_user, {"reason": DisputeReason.UNFAIR_CHANGES}),
        (client_user, {"to_client": Decimal("180.01")}),
        (client_user, {"to_client": Decimal("-1")}),
        (client_user, {"uploads": [SimpleUploadedFile("evil.exe", b"MZ")]}),
    ]
    for actor, more in bad:
        said: dict[str, Any] = {"client_key": uuid7(), "reason": DisputeReason.NOT_AS_AGREED, "claim": CLAIM, "to_client": Decimal(10)} | more
        with nothing_happens(order), pytest.raises((Invalid, NotAllowed)):
            actions.open_dispute(order.pk, actor=actor, **said)
    client_user.suspended_at = now()
    with nothing_happens(order), pytest.raises(NotAllowed):
        open_by(order, client_user, "10.00")


# What stands still


def test_nothing_moves_meanwhile(dispute: Dispute, order: Order, client_user: User, builder_user: User) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: actions.accept_delivery(order.pk, actor=client_user),
        lambda: actions.cancel_order(order.pk, actor=client_user),
        lambda: actions.cancel_order(order.pk, actor=builder_user),
        lambda: actions.deliver(order.pk, actor=builder_user, note="Again."),
        lambda: actions.request_revision(order.pk, actor=client_user, note="Again."),
        lambda: amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=Terms(AmendmentType.TOP_UP, "More.", amount=Decimal(20))),
    ]
    for call in calls:
        with pytest.raises(WrongState) as refused:
            call()
        assert refused.value.code == "disputed"
    with at(now() + timedelta(days=30)):
        assert jobs.auto_accept() == 0
        with pytest.raises(WrongState):
            actions.auto_accept(order.pk)
    assert (again(order).status, where(order).locked) == (S.DELIVERED, dollars("180.00"))


def test_what_is_late_is_not_cancelled_meanwhile(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    assert order.due_at is not None
    with at(order.due_at + timedelta(days=1)):
        assert again(order).may_cancel(client_user, now()) == CancelCause.LATE
        open_by(order, builder_user, "0.00")
        assert again(order).may_cancel(client_user, now()) is None


def test_an_open_change_is_closed_and_its_time_given_back(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order, moment = make_order(S.IN_PROGRESS), now()
    with at(moment):
        change = amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=Terms(AmendmentType.TOP_UP, "More.", amount=Decimal(20)))
    with at(moment + timedelta(hours=5)):
        open_by(order, client_user, "10.00")
    change.refresh_from_db()
    assert (change.status, change.answer) == (AmendmentStatus.EXPIRED, "A dispute was opened")
    assert order.due_at is not None
    assert again(order).due_at == order.due_at + timedelta(hours=5)
    assert again(order).clock_stopped_at == moment + timedelta(hours=5)


def test_a_change_whose_money_is_on_its_way_comes_first(make_order: MakeOrder, client_user: User, builder_user: User, nothing_happens: Any) -> None:
    order = make_order(S.IN_PROGRESS)
    change = amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=Terms(AmendmentType.TOP_UP, "More.", amount=Decimal(20)))
    amendments.approve(change.pk, actor=client_user)
    for status in (AmendmentStatus.FUNDING, AmendmentStatus.FUNDING_FAILED):
        Amendment.objects.update(status=status, funding=f"x:{status}", paid_at=now())
        with nothing_happens(order), pytest.raises(WrongState) as refused:
            open_by(again(order), client_user, "10.00")
        assert refused.value.code == "amendment_funding"


# Between the two


def test_withdrawn_the_order_goes_on_where_it_stood(order: Order, client_user: User, builder_user: User) -> None:
    moment = now()
    with at(moment):
        dispute = open_by(order, client_user, "10.00")
    with at(moment + timedelta(hours=30)):
        with pytest.raises(NotAllowed):
            actions.withdraw_dispute(dispute.pk, actor=builder_user)
        actions.withdraw_dispute(dispute.pk, actor=client_user)
    found = again(order)
    assert (found.status, found.disputed_at, found.clock_stopped_at) == (S.DELIVERED, None, None)
    assert order.auto_accept_at is not None
    assert found.auto_accept_at == order.auto_accept_at + timedelta(hours=30)
    assert not where(order).held
    assert told("dispute.withdrawn") == {"Anaya"}
    actions.accept_delivery(order.pk, actor=client_user)
    assert again(order).status == S.COMPLETED


def test_an_answer_and_the_claimant_takes_the_offer(dispute: Dispute, order: Order, client_user: User, builder_user: User, builder: Builder) -> None:
    answer(dispute, builder_user, "60.00")
    dispute.refresh_from_db()
    assert (dispute.status, dispute.offer) == (D.ANSWERED, dollars("60.00"))
    assert dispute.answered_at is not None
    assert dispute.settle_until == dispute.answered_at + timedelta(hours=72)
    with pytest.raises(Conflict) as refused:
        actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("50.00"))
    assert refused.value.code == "figure_changed"
    actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("60.00"))
    dispute.refresh_from_db()
    found = again(order)
    assert (dispute.status, dispute.decided_to_client) == (D.SETTLED, dollars("60.00"))
    assert (found.status, found.price, found.disputed_at, found.clock_stopped_at) == (S.COMPLETED, dollars("120.00"), None, None)
    # 5.5% of 180.00 is 9.90; a third of it goes back.
    assert (order.client_fee, found.client_fee) == (dollars("9.90"), dollars("6.60"))
    assert Refund.objects.get().amount == dollars("63.30")
    note = Invoice.objects.get(corrects__isnull=False)
    assert (note.subtotal, note.fee) == (dollars("60.00"), dollars("3.30"))
    assert earnings(builder_user) == found.builder_share == dollars("108.00")
    place = where(order)
    assert (place.locked, place.released, place.refunded, place.held) == (NOTHING, dollars("120.00"), dollars("60.00"), False)
    builder.refresh_from_db()
    assert builder.completed_count == 1
    assert told("dispute.settled") == {"Jonas", "Anaya"}
    review = actions.leave_review(order.pk, actor=client_user, stars=3)
    assert review.stars == 3


def test_the_other_side_accepts_the_claim(dispute: Dispute, order: Order, builder_user: User, client_user: User) -> None:
    with pytest.raises(WrongState, match="no offer"):
        actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("120.00"))
    actions.settle_dispute(dispute.pk, actor=builder_user, seen=dollars("120.00"))
    assert (again(order).status, again(order).price) == (S.COMPLETED, dollars("60.00"))
    assert earnings(builder_user) == dollars("54.00")


def test_all_back_is_a_cancelled_order(order: Order, client_user: User, builder_user: User, builder: Builder) -> None:
    dispute = open_by(order, client_user, "180.00")
    actions.settle_dispute(dispute.pk, actor=builder_user, seen=dollars("180.00"))
    found = again(order)
    assert (found.status, found.cancel_cause, found.cancelled_by, found.price) == (S.CANCELLED, CancelCause.DISPUTE, None, dollars("180.00"))
    assert Refund.objects.get().amount == dollars("189.90")
    assert earnings(builder_user) == 0
    builder.refresh_from_db()
    assert builder.completed_count == 0


def test_nothing_back_is_a_completed_order(order: Order, client_user: User, builder_user: User) -> None:
    dispute = open_by(order, builder_user, "0.00")
    actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("0.00"))
    found = again(order)
    assert (found.status, found.price, found.client_fee, found.accepted_by_client) == (S.COMPLETED, order.price, order.client_fee, False)
    assert earnings(builder_user) == found.builder_share
    assert not Refund.objects.exists()


def test_work_that_was_never_delivered_is_completed_by_a_dispute_alone(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    with pytest.raises(WrongState, match="cannot become completed"):
        actions.accept_delivery(order.pk, actor=client_user)
    dispute = open_by(order, builder_user, "90.00")
    actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("90.00"))
    assert again(order).status == S.COMPLETED


def test_figures_meet(dispute: Dispute, order: Order, client_user: User, builder_user: User) -> None:
    with pytest.raises(WrongState):
        actions.change_figure(dispute.pk, actor=builder_user, to_client=dollars("30.00"))
    answer(dispute, builder_user, "30.00")
    for actor, figure, code in [
        (client_user, "20.00", "figure_past"),
        (builder_user, "130.00", "figure_past"),
        (client_user, "120.00", "same_figure"),
    ]:
        with pytest.raises(Invalid) as refused:
            actions.change_figure(dispute.pk, actor=actor, to_client=Decimal(figure))
        assert refused.value.code == code
    actions.change_figure(dispute.pk, actor=client_user, to_client=dollars("80.00"))
    with pytest.raises(Conflict):
        actions.settle_dispute(dispute.pk, actor=builder_user, seen=dollars("120.00"))
    actions.change_figure(dispute.pk, actor=builder_user, to_client=dollars("80.00"))
    dispute.refresh_from_db()
    assert (dispute.status, dispute.decided_to_client, again(order).price) == (D.SETTLED, dollars("80.00"), dollars("100.00"))


def test_who_answers_and_how_often(dispute: Dispute, client_user: User, builder_user: User, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        answer(dispute, client_user, "10.00")
    with pytest.raises(NotAllowed):
        answer(dispute, stranger, "10.00")
    with pytest.raises(Invalid):
        answer(dispute, builder_user, "180.01")
    with pytest.raises(Invalid) as refused:
        answer(dispute, builder_user, "120.01")
    assert refused.value.code == "figure_past"
    answer(dispute, builder_user, "10.00")
    with pytest.raises(WrongState):
        answer(dispute, builder_user, "20.00")
    for call in (actions.withdraw_dispute, actions.escalate_dispute):
        with pytest.raises(NotAllowed):
            call(dispute.pk, actor=stranger)
    with pytest.raises(NotAllowed):
        actions.settle_dispute(dispute.pk, actor=stranger, seen=dollars("10.00"))


def test_evidence_stays_as_it_was_written(dispute: Dispute, builder_user: User, stranger: User) -> None:
    piece = actions.add_evidence(dispute.pk, actor=builder_user, text="The timings.", uploads=[SimpleUploadedFile("t.txt", b"210 ms")])
    assert (piece.text, piece.files.get().name) == ("The timings.", "t.txt")
    assert told("dispute.evidence") == {"Jonas"}
    for text, actor, error in [(" ", builder_user, Invalid), ("x", stranger, NotAllowed), ("x" * 5001, builder_user, Invalid)]:
        with pytest.raises(error):
            actions.add_evidence(dispute.pk, actor=actor, text=text)
    with pytest.raises(Exception, match=r"append-only|permission"), transaction.atomic():
        Evidence.objects.filter(pk=piece.pk).update(text="Other words")
    for number in range(19):
        actions.add_evidence(dispute.pk, actor=builder_user, text=f"More {number}.")
    with pytest.raises(TooMany):
        actions.add_evidence(dispute.pk, actor=builder_user, text="Still more.")


# Support


def test_it_goes_to_support_by_itself(dispute: Dispute, client_user: User, builder_user: User) -> None:
    with pytest.raises(WrongState):
        actions.escalate_dispute(dispute.pk, actor=client_user)
    with at(dispute.answer_until - timedelta(seconds=1)):
        assert jobs.escalate_disputes() == 0
    with at(dispute.answer_until + timedelta(seconds=1)):
        assert jobs.escalate_disputes() == 1
        assert jobs.escalate_disputes() == 0
    dispute.refresh_from_db()
    assert dispute.status == D.ESCALATED
    assert told("dispute.escalated") == {"Jonas", "Anaya"}
    # The late answer is read by support, and the two may still agree.
    answer(dispute, builder_user, "100.00")
    dispute.refresh_from_db()
    assert (dispute.status, dispute.offer) == (D.ESCALATED, dollars("100.00"))
    actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("100.00"))
    dispute.refresh_from_db()
    assert dispute.status == D.SETTLED


def test_an_answered_one_goes_to_support_after_three_days(dispute: Dispute, builder_user: User, client_user: User) -> None:
    answer(dispute, builder_user, "10.00")
    with at(now() + timedelta(hours=71)):
        assert jobs.escalate_disputes() == 0
    with at(now() + timedelta(hours=73)):
        assert jobs.escalate_disputes() == 1


def test_support_decides_what_is_with_support(dispute: Dispute, order: Order, client_user: User, builder_user: User, staff: User) -> None:
    answer(dispute, builder_user, "10.00")

    def decide(to_client: str, actor: User = staff, words: str = "Three of five pages are done.") -> Dispute:
        return actions.decide_dispute(dispute.pk, actor=actor, to_client=Decimal(to_client), decision=words)

    with pytest.raises(WrongState):
        decide("72.00")
    actions.escalate_dispute(dispute.pk, actor=client_user)
    refused: list[Callable[[], Dispute]] = [lambda: decide("180.01"), lambda: decide("72.00", words=" "), lambda: decide("72.00", actor=client_user)]
    for bad in refused:
        with pytest.raises((Invalid, NotAllowed)):
            bad()
    assert again(order).status == S.DELIVERED
    decide("72.00")
    dispute.refresh_from_db()
    assert (dispute.status, dispute.decided_by, dispute.decided_to_client) == (D.DECIDED, staff, dollars("72.00"))
    assert (again(order).status, earnings(builder_user)) == (S.COMPLETED, dollars("97.20"))
    assert told("dispute.decided") == {"Jonas", "Anaya"}
    late: list[Callable[[], object]] = [
        lambda: decide("0.00"),
        lambda: actions.withdraw_dispute(dispute.pk, actor=client_user),
        lambda: actions.settle_dispute(dispute.pk, actor=client_user, seen=dollars("10.00")),
        lambda: actions.add_evidence(dispute.pk, actor=client_user, text="But!"),
    ]
    for call in late:
        with pytest.raises(WrongState):
            call()


def test_support_asks_both(dispute: Dispute, staff: User, client_user: User) -> None:
    actions.ask_sides(dispute.pk, actor=staff, text="Which two pages?")
    assert told("dispute.evidence") == {"Jonas", "Anaya"}
    with pytest.raises(NotAllowed):
        actions.ask_sides(dispute.pk, actor=client_user, text="Me too")


# On a chain, where escrow answers later


def test_on_a_chain_the_ruling_follows_in_its_order(make_order: MakeOrder, client_user: User, builder_user: User, settings: Any) -> None:
    use_chain(settings)
    order = make_order(S.FUNDING)
    confirm_all()
    actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    dispute = open_by(again(order), client_user, "60.00")
    assert where(order).held
    actions.settle_dispute(dispute.pk, actor=builder_user, seen=dollars("60.00"))
    assert (again(order).status, earnings(builder_user), Refund.objects.count()) == (S.COMPLETED.value, NOTHING, 0), "nothing is booked yet"
    asked = EscrowOperation.objects.filter(subject_id=order.pk).order_by("number").values_list("kind", flat=True)
    assert list(asked) == ["open", "hold", "refund", "release", "hold"]
    confirm_all()
    assert (earnings(builder_user), Refund.objects.get().amount) == (dollars("108.00"), dollars("63.30"))
    place = where(order)
    assert (place.locked, place.held, place.settled) == (NOTHING, False, True)


def test_money_that_the_client_took_back_alone_ends_it(dispute: Dispute, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the expiry a client may take the money out of the contract, in dispute or not: it is over then."""
    deal = escrow.Deal("order", order.pk, order.client_id, order.builder.user_id)
    with monkeypatch.context() as patch:
        patch.setitem(handlers._on_escrow, ("order", "refund"), lambda operation: None)
        operation = escrow.current().refund(deal, order.price, "taken", ruling=True, reason="Taken back")
    operation.args["reclaimed"] = True
    actions.order_repaid(operation)
    dispute.refresh_from_db()
    assert (dispute.status, dispute.decided_to_client) == (D.WITHDRAWN, dollars("180.00"))
    assert (again(order).status, again(order).cancel_cause, again(order).disputed_at) == (S.CANCELLED, CancelCause.RECLAIMED, None)


def test_the_database_keeps_figures(dispute: Dispute) -> None:
    for change in (
        "to_client = 180.01",
        "offer = -1",
        "status = 'settled', closed_at = now()",
        "status = 'decided', closed_at = now(), decided_to_client = 1",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE orders_dispute SET {change} WHERE id = %s", [dispute.pk])
    assert ledger.balance("earnings", dispute.order.builder.user_id) == 0
