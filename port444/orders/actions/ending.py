"""How an order ends: accepted, accepted by itself, cancelled."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.builders import actions as builders
from port444.catalog import actions as catalog
from port444.kit.clock import now
from port444.kit.errors import Invalid, WrongState
from port444.kit.sentences import Said, say
from port444.orders import emails, handlers, notices
from port444.orders.models import WORKING, CancelCause, Order, OrderStatus, family
from port444.payments import escrow
from port444.payments.actions import repay, undo_funding, void_invoice
from port444.payments.escrow import books
from port444.payments.models import EscrowOperation, EscrowStatus

from .closing import close_reclaimed, lock_with_builder, pace, sides
from .offers import reopen_offer
from .telling import deal, post, tell

S = OrderStatus


@transaction.atomic
def accept_delivery(order_id: UUID, *, actor: Any) -> Order:
    """The client is content: the builder is paid out of escrow."""
    order = lock_with_builder(order_id)
    order.require_client(actor)
    _complete(order, actor)
    return order


@transaction.atomic
def auto_accept(order_id: UUID) -> Order:
    """Accept a delivery that nobody objected to in time; for the sweep."""
    order = lock_with_builder(order_id)
    waits = order.clock_stopped_at is not None
    if waits or order.disputed_at is not None or order.status != S.DELIVERED or order.auto_accept_at is None or order.auto_accept_at > now():
        raise WrongState(_("This order is not waiting for acceptance any more."))
    _complete(order, None)
    return order


def _end(order: Order, status: str, actor: Any | None) -> None:
    """Close what is open around an order that is about to end; nothing is closed for one that cannot."""
    if order.can_move_to(status):
        handlers.ending(order, actor)


def _complete(order: Order, actor: Any | None) -> None:
    order.require_undisputed()
    if order.status in WORKING:  # only a dispute completes what was not delivered
        raise WrongState(_("This order is %(status)s and cannot become completed.") % {"status": order.status_words()})
    _end(order, S.COMPLETED, actor)
    order.move_to(S.COMPLETED, completed_at=now(), accepted_by_client=actor is not None)
    release = escrow.current().release(deal(order), order.price, f"order:{order.pk}:release", actor=actor)
    builders.count_completed(order.builder_id, on_time=order.came_by_its_date)
    record(Event.ORDER_COMPLETED, actor=actor, target=order, amount=order.price, by_itself=actor is None, **sides(order), **pace(order))
    post(order, notices.completed(order), notices.COMPLETED)
    tell(order, order.builder.user, "order.completed", emails.completed_to_builder(order, paid=release.status == EscrowStatus.CONFIRMED), "completed")
    if actor is None:
        tell(order, order.client, "order.completed", emails.completed_to_client(order), "completed")


@transaction.atomic
def cancel_order(order_id: UUID, *, actor: Any, reason: str = "") -> Order:
    """End the order; whatever was paid goes back whole, service fee included. Who may do it depends on the state."""
    order = Order.objects.lock(order_id)
    if not order.is_builder(actor):
        order.require_client(actor)
    order.require_undisputed()
    cause = order.may_cancel(actor, now())
    if cause is None:
        raise WrongState(_why_not(order, actor))
    reason = reason.strip()
    if len(reason) > 300:
        raise Invalid(_("A reason has at most 300 characters."), code="reason_long")
    _cancel(order, cause, actor, reason)
    return order


def _why_not(order: Order, actor: Any) -> str:
    if order.status == S.DELIVERED:
        return _("A delivery is waiting for an answer: it can be accepted or sent back for changes, not cancelled.")
    if order.status in (S.IN_PROGRESS, S.IN_REVISION):
        return _("%(builder)s is working on it. You can cancel when the delivery is late.") % {"builder": order.builder.user.first_name}
    return _("This order is %(status)s and cannot be cancelled any more.") % {"status": order.status_words()}


@transaction.atomic
def cancel_unanswered(order_id: UUID) -> Order:
    """End an order whose questions were never answered; for the sweep. It counts against nobody."""
    order = Order.objects.lock(order_id)
    if order.status != S.PENDING_REQUIREMENTS or order.requirements_until is None or order.requirements_until > now():
        raise WrongState(_("This order is not waiting for answers any more."))
    _cancel(order, CancelCause.NO_REQUIREMENTS, None, "")
    return order


def order_unfunded(operation: EscrowOperation) -> None:
    """Escrow could not take the money: the order ends, and everything goes back. In escrow's transaction."""
    order = Order.objects.lock(operation.subject_id)
    if order.status == S.FUNDING:
        _cancel(order, CancelCause.NOT_FUNDED, None, "")


def order_repaid(operation: EscrowOperation) -> None:
    """Escrow has given money back: it goes on to where it was paid from. When the client took it themselves, the order is over."""
    repay(operation)
    if not operation.args.get("reclaimed"):
        return
    order = Order.objects.lock(operation.subject_id)
    if order.can_move_to(S.CANCELLED):
        with suppress(WrongState):  # what is open around it and paid ends when escrow has answered
            handlers.ending(order, order.client)
        forget_sales(order)
        close_reclaimed(order, operation.amount)
        over(order, CancelCause.RECLAIMED, order.client, "")


def _cancel(order: Order, cause: CancelCause, actor: Any | None, reason: str) -> None:
    _end(order, S.CANCELLED, actor)
    waiting = order.status == S.FUNDING
    if order.paid_at is not None:
        forget_sales(order)
        if waiting:
            cancel_before_escrow(order, actor)
        else:
            _give_back(order, actor)
    elif order.invoice_id is not None:
        void_invoice(order.invoice_id, actor=actor)
    over(order, cause, actor, reason)


def forget_sales(order: Order) -> None:
    """What was sold with it came to nothing; of a merged order that is what was sold with its parts."""
    for one in family(order):
        catalog.forget_sale(one)


def cancel_before_escrow(order: Order, actor: Any | None) -> None:
    """Everything goes back without escrow, when nothing was sent there yet; else what comes back follows it."""
    if order.invoice is not None:
        try:
            unsent = books.cancel(f"order:{order.pk}:open")
        except WrongState:
            pass  # it is on its way
        else:
            undo_funding(unsent, order.invoice, reason=_why(order), actor=actor)
            return
    _give_back(order, actor)


def _give_back(order: Order, actor: Any | None) -> None:
    """Everything out of escrow."""
    escrow.current().refund(deal(order), order.price, f"order:{order.pk}:refund", fee=order.client_fee, reason=_why(order), actor=actor)


def _why(order: Order) -> Said:
    return say("Order %(number)s was cancelled", number=order.number)


def over(order: Order, cause: CancelCause, actor: Any | None, reason: str) -> None:
    order.move_to(S.CANCELLED, cancelled_at=now(), cancelled_by=actor, cancel_cause=cause, cancel_reason=reason)
    record(Event.ORDER_CANCELLED, actor=actor, target=order, cause=cause, reason=reason, before_work=order.started_at is None, **sides(order))
    post(order, notices.cancelled(order), notices.CANCELLED)
    if order.paid_at is None:
        reopen_offer(order, actor=actor)
    for person in (order.client, order.builder.user):
        if actor is None or person.pk != actor.pk:
            tell(order, person, "order.cancelled", emails.cancelled_to(order, person), "cancelled")
