"""What goes back to the client of an order while it goes on, and after its end. Who may ask for it is the caller's to check."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.errors import Conflict, WrongState
from port444.kit.money import ZERO, parse, positive, usd
from port444.kit.sentences import Said
from port444.orders import emails, notices
from port444.orders.models import LIVE, CancelCause, Order, OrderStatus
from port444.payments import escrow
from port444.payments.actions import compensate, send_parts
from port444.payments.escrow import books
from port444.payments.models import Basis, Compensation, EscrowOperation, Refund
from port444.payments.refunding import Back, after_release, of_the_fee, out_of_escrow, out_of_goodwill

from .telling import deal, post, tell
from .terms import lower_price

S = OrderStatus
OVER = (S.COMPLETED, S.CANCELLED)
GOES_ON = (CancelCause.MERGED, CancelCause.UNDONE)
LOWERED = "lowered"  # in the key of the operation, so that a failed one is known
RESTORED = "restored"  # in the args of one that failed and left the price as it was


def lock_for_refund(order_id: UUID) -> Order:
    """The builder, their account, whose balance may be taken from, the order with all that share its payments, and those payments."""
    builder = Order.objects.values_list("builder_id", "builder__user_id").get(pk=order_id)
    Builder.objects.lock(builder[0])
    User.objects.lock(builder[1])
    order = Order.objects.lock_all(books.sources(order_id))[order_id]
    books.lock_payments(order_id)
    return order


def plan_reduction(order: Order, amount: Decimal) -> Back:
    """What `reduce_order` would give back. Raises DomainErrors for what cannot be done."""
    amount = positive(amount)
    _require_live(order)
    if amount >= order.price:
        raise Conflict(
            _("%(price)s is the whole price. To give all of it back, the order is cancelled.") % {"price": usd(order.price)}, code="whole_price"
        )
    if not escrow.current().position(deal(order)).settled:
        raise WrongState(_("Money of this order is on its way into escrow or out of it. Try again when it has arrived."), code="escrow_moving")
    return out_of_escrow(deal(order), order.price, order.client_fee, amount)


def plan_waive_fee(order: Order, amount: Decimal) -> Back:
    """What `waive_fee` would give back. Raises DomainErrors for what cannot be done."""
    amount = positive(amount)
    _require_live(order)
    if amount > order.client_fee:
        raise Conflict(
            _("While an order runs the platform can let the client off its service fee, %(fee)s. For more, lower the price or give a credit.")
            % {"fee": usd(order.client_fee)},
            code="fee_exceeds",
        )
    return of_the_fee(deal(order), amount)


def plan_compensation(order: Order, amount: Decimal, basis: Basis) -> Back:
    """What `compensate_order` would give back. Raises DomainErrors for what cannot be done."""
    amount = positive(amount)
    if order.status not in OVER or order.paid_at is None:
        raise WrongState(_("This order is %(status)s. Its money is not with the builder yet.") % {"status": order.status_words()}, code="not_over")
    if order.cancel_cause in GOES_ON:
        raise WrongState(_("This order goes on as another one, and its money with it. Refund that one."), code="goes_on")
    of, most = deal(order), fee_left(order)
    return after_release(of, most, amount) if basis == Basis.SCOPE else out_of_goodwill(of, most, amount)


def fee_left(order: Order) -> Decimal:
    """What of the service fee an order that is over may still give back. All that was cancelled has given it back already, but for what the
    client took out of escrow alone and what both divided; what is left of shared payments is then another order's."""
    kept = order.status == S.COMPLETED or order.cancel_cause in (CancelCause.RECLAIMED, CancelCause.AGREED)
    return order.client_fee if kept else ZERO


def _require_live(order: Order) -> None:
    if order.disputed_at is not None:
        raise WrongState(_("This order is in dispute. Its money is divided by the decision of the dispute."), code="disputed")
    if order.status not in LIVE:
        raise WrongState(
            _("This order is %(status)s. Only the price of an order that runs can be lowered.") % {"status": order.status_words()}, code="not_running"
        )


@transaction.atomic
def reduce_order(order_id: UUID, amount: Decimal, *, key: str, reason: str, actor: Any) -> EscrowOperation:
    """Less is to be done for less: `amount` of the price goes back out of escrow with its part of the service fee, and the order goes on.

    `key` names who wants it; asking again gives the operation that is there.
    """
    order = lock_for_refund(order_id)
    op_id = f"order:{order.pk}:{LOWERED}:{key}"
    known = EscrowOperation.objects.filter(op_id=op_id).first()
    if known is not None:
        return known
    back = plan_reduction(order, amount)
    operation = escrow.current().refund(deal(order), back.amount, op_id, fee=back.fee, reason=reason, actor=actor)
    credit, prepaid = operation.prepaid + operation.gift, operation.prepaid
    lower_price(order, source=order.pk, amount=back.amount, client_fee=back.fee, credit=credit, prepaid=prepaid, actor=actor)
    _say(order, notices.lowered(order, back.amount, back.money), key, lambda reader: emails.lowered(order, back.amount, back.money, reader))
    return operation


def reduction_failed(operation: EscrowOperation) -> bool:
    """Escrow will never carry out a refund of an order: when it was to lower a price, the price is again what it was. Whether it was.

    In escrow's transaction. A person has to look either way.
    """
    books.open_incident_of(operation, operation.reason)
    if f":{LOWERED}:" not in operation.op_id:
        return False
    order = Order.objects.lock(operation.subject_id)
    if order.status not in LIVE:
        return False
    operation.args[RESTORED] = True
    operation.save(update_fields=["args"])
    credit, prepaid = operation.prepaid + operation.gift, operation.prepaid
    lower_price(
        order, source=order.pk, amount=-operation.amount, client_fee=-parse(operation.args["fee"]), credit=-credit, prepaid=-prepaid, actor=None
    )
    _say(order, notices.not_lowered(order), operation.op_id.rpartition(":")[2] + ":failed", lambda reader: emails.not_lowered(order, reader))
    return True


@transaction.atomic
def waive_fee(order_id: UUID, amount: Decimal, *, key: str, reason: str, actor: Any) -> list[Refund]:
    """The platform lets the client off `amount` of the service fee; price and escrow stay as they are. Once for a `key`."""
    order = lock_for_refund(order_id)
    known = list(Refund.objects.filter(dedupe_key__startswith=f"waive:{key}:"))
    if known:
        return known
    back = plan_waive_fee(order, amount)
    lower_price(order, source=order.pk, amount=ZERO, client_fee=back.fee, credit=ZERO, prepaid=ZERO, actor=actor)
    sent = send_parts(back, key=f"waive:{key}", reason=reason, actor=actor)
    _say(order, notices.given_back(order, back.money), key, lambda reader: emails.given_back(order, back.money, reader))
    return sent


@transaction.atomic
def compensate_order(order_id: UUID, amount: Decimal, basis: Basis, *, key: str, reason: str, actor: Any) -> Compensation:
    """Give back money of an order that is over; the order stays what it was. Once for a `key`.

    For too little work the builder gives back what their balance holds of it, and the platform bears the rest; goodwill is the platform's.
    """
    order = lock_for_refund(order_id)
    known = Compensation.objects.filter(key=key).first()
    if known is not None:
        return known
    back = plan_compensation(order, amount, basis)
    made, __ = compensate(deal(order), back, basis, key=key, reason=reason, actor=actor)
    record(Event.ORDER_COMPENSATED, actor=actor, target=order, amount=back.amount + back.fee, number=order.number, basis=basis, compensation=made.pk)
    _say(order, notices.given_back(order, back.amount + back.fee), key, lambda reader: emails.given_back(order, back.amount + back.fee, reader))
    if back.from_builder:
        tell(order, order.builder.user, "order.refunded", emails.taken_from_builder(order, back.from_builder, reason), f"refunded:{key}")
    return made


def _say(order: Order, line: Said, key: str, words: Callable[[Any], emails.Words]) -> None:
    post(order, line, notices.REFUNDED)
    tell(order, order.client, "order.refunded", words(order.client), f"refunded:{key}")
    if order.status in LIVE:
        tell(order, order.builder.user, "order.refunded", words(order.builder.user), f"refunded:{key}")
