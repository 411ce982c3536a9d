"""From the payment to the change being in force: only what escrow has confirmed changes the order.

Escrow may answer at once, inside the call, or later, from a chain. Nothing here relies on either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from amendments import emails, notices
from amendments.models import Amendment, AmendmentStatus
from amendments.terms import terms_of
from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, NotAllowed, WrongState
from port444.kit.sentences import say
from port444.orders.actions import Change, change_terms, start_clock
from port444.orders.models import LIVE, Order
from port444.payments import escrow
from port444.payments.actions import undo_funding
from port444.payments.escrow import Escrow, Lent
from port444.payments.models import VOID, EscrowOperation, Invoice, Payment

from .telling import answer_pace, deal, facts, fresh, lock, lock_within, post, tell

log = logging.getLogger(__name__)

A = AmendmentStatus


def lock_for_payment(amendment_id: UUID) -> Amendment:
    """The row that payments locks before the invoice."""
    return lock(amendment_id)


def amendment_paid(amendment: Amendment, invoice: Invoice, payment: Payment | None) -> None:
    """The invoice is paid, by a payment or by credits alone: the money goes into escrow. In payments' transaction."""
    amendment.move_to(A.PAID, paid_at=now())
    record(
        Event.AMENDMENT_PAID,
        actor=amendment.order.client,
        target=amendment,
        amount=amendment.additional_amount,
        invoice=invoice.pk,
        payment=payment.pk if payment is not None else None,
        credit=invoice.credit,
        **facts(amendment),
    )
    post(amendment, notices.paid(amendment), notices.PAID)
    _begin(amendment, actor=amendment.order.client)


def begin_without_money(amendment: Amendment, *, actor: Any, **stamps: Any) -> None:
    """Put a change without a price in force: at once, or as soon as escrow knows the later date."""
    if amendment.additional_days:
        _begin(amendment, actor=actor, **stamps)
    else:
        _complete(amendment, actor=actor, **stamps)


def _begin(amendment: Amendment, *, actor: Any | None, **stamps: Any) -> None:
    """Ask escrow. Each try has a key of its own, and there is no second one before the first has come to nothing."""
    attempt = amendment.funding_try + 1
    key = f"amendment:{amendment.pk}:{attempt}"
    amendment.move_to(A.FUNDING, funding=key, funding_try=attempt, funding_failure="", **stamps)
    record(Event.AMENDMENT_FUNDING, actor=actor, target=amendment, amount=amendment.additional_amount, operation=key, **facts(amendment))
    refusal = _ask(lambda backend: _fund(backend, amendment, key, actor))
    if refusal is not None:
        _fail(fresh(amendment), refusal.message)


def _ask(call: Callable[[Escrow], object]) -> DomainError | None:
    """Ask escrow for something that it may refuse on the spot, without undoing what has led here."""
    try:
        with transaction.atomic():
            call(escrow.current())
    except DomainError as refusal:
        return refusal
    return None


def _fund(backend: Escrow, amendment: Amendment, key: str, actor: Any | None) -> EscrowOperation:
    order, invoice = amendment.order, amendment.invoice
    if invoice is None:
        return backend.extend(deal(order), _expiry(backend, order, amendment.additional_days), key, actor=actor)
    lent = Lent(invoice.prepaid, invoice.credit - invoice.prepaid)
    return backend.amend(deal(order), amendment.additional_amount, key, lent=lent, actor=actor)


def _expiry(backend: Escrow, order: Order, days: int) -> datetime:
    """From when the client may take the money back alone, with `days` more than now: always later than said before."""
    last = _last_day(order, days)
    known = backend.position(deal(order)).expiry
    return last if known is None else max(last, known + timedelta(days=max(days, 1)))


def _last_day(order: Order, days: int) -> datetime:
    """The last day on which the order can end by itself, and some to spare."""
    begin = order.due_at or order.requirements_until or now()
    work = 0 if order.due_at else order.delivery_days
    return max(begin, now()) + timedelta(days=work + days + settings.REVIEW_DAYS + settings.ESCROW_GRACE_DAYS)


def escrow_took_it(operation: EscrowOperation) -> None:
    """An operation of an order is confirmed: when it is that of an amendment, the amendment is in force. In escrow's transaction.

    Unless the order is over by then, because the client took their money out of escrow alone: then this money follows.
    """
    amendment = _of(operation)
    if amendment is None or amendment.status not in (A.FUNDING, A.FUNDING_FAILED):
        return
    if amendment.order.status in LIVE:
        _complete(amendment, actor=None)
    else:
        _too_late(amendment)


def escrow_gave_up(operation: EscrowOperation) -> None:
    """An operation of an order will never be confirmed: when it is that of an amendment, a person has to say how it goes on."""
    amendment = _of(operation)
    if amendment is not None and amendment.status == A.FUNDING:
        _fail(amendment, operation.reason)


def _of(operation: EscrowOperation) -> Amendment | None:
    """The amendment whose way into force `operation` is, under lock."""
    found = Amendment.objects.filter(funding=operation.op_id).values_list("pk", "order_id").first()
    if found is None:
        return None
    return lock_within(Order.objects.lock(found[1]), found[0])


def _complete(amendment: Amendment, *, actor: Any | None, **stamps: Any) -> None:
    """Escrow has the money and knows the date, as far as there are any: the order changes."""
    order, invoice, terms = amendment.order, amendment.invoice, terms_of(amendment)
    moment = now()
    before = {"price": order.price, "due_at": order.due_at, "deliverables": order.deliverables, "revisions": order.revisions_allowed}
    start_clock(order, to_builder=not amendment.asks_for_time)
    change = Change(
        source=amendment.pk,
        amount=terms.amount,
        client_fee=amendment.client_fee,
        credit=invoice.credit if invoice is not None else terms.amount * 0,
        prepaid=invoice.prepaid if invoice is not None else terms.amount * 0,
        days=terms.days,
        revisions=terms.revisions,
        deliverables=terms.deliverables,
        note=terms.description or terms.reason,
        reopens=terms.reopens and not _came_first(amendment),
    )
    change_terms(order, change, actor=actor)
    amendment.move_to(A.COMPLETED, completed_at=moment, closed_at=moment, due_after=order.due_at, **stamps)
    record(
        Event.AMENDMENT_COMPLETED,
        actor=actor,
        target=amendment,
        amount=amendment.additional_amount,
        before=before,
        after={"price": order.price, "due_at": order.due_at, "deliverables": order.deliverables, "revisions": order.revisions_allowed},
        operation=amendment.funding,
        original_amount=amendment.price_before,
        **answer_pace(amendment),
        **facts(amendment),
    )
    post(amendment, notices.completed(amendment), notices.COMPLETED)
    for person in (order.client, order.builder.user):
        tell(amendment, person, "amendment.completed", emails.completed(amendment, person))
    if amendment.additional_amount and order.due_at != amendment.due_before:
        _put_off(amendment, actor)


def _came_first(amendment: Amendment) -> bool:
    """Whether the work was handed over while escrow was told of the later date that it was to have."""
    delivered = amendment.order.delivered_at
    return amendment.asks_for_time and delivered is not None and delivered > amendment.created_at


def _too_late(amendment: Amendment) -> None:
    order = amendment.order
    amendment.move_to(A.REFUNDED, closed_at=now())
    start_clock(order, to_builder=False, to_client=False)
    if amendment.additional_amount:
        why = say("The change of order %(number)s came after its end", number=order.number)
        key = f"amendment:{amendment.pk}:back"
        escrow.current().refund(deal(order), amendment.additional_amount, key, fee=amendment.client_fee, reason=why)
    _tell_refunded(amendment, actor=None, due_before=order.due_at)


def _put_off(amendment: Amendment, actor: Any | None) -> None:
    """The money is in escrow already: let it know the later date, too. A refusal leaves the date of before, which has weeks to spare."""
    order, key = amendment.order, f"amendment:{amendment.pk}:date"
    known = escrow.current().position(deal(order)).expiry
    if not amendment.additional_days and known is not None and _last_day(order, 0) <= known:
        return  # the clock stood for a while, which the days to spare are for
    refusal = _ask(lambda backend: backend.extend(deal(order), _expiry(backend, order, 0), key, actor=actor))
    if refusal is not None:
        log.warning("escrow of order %s keeps its expiry: %s", order.number, refusal.message)


def _fail(amendment: Amendment, reason: str) -> None:
    amendment.move_to(A.FUNDING_FAILED, funding_failure=(reason or "Escrow gave no reason.")[:300])
    record(
        Event.AMENDMENT_FUNDING_FAILED,
        actor=None,
        target=amendment,
        amount=amendment.additional_amount,
        operation=amendment.funding,
        reason=amendment.funding_failure,
        **facts(amendment),
    )
    post(amendment, notices.failed(amendment), notices.FAILED)
    for person in (amendment.order.client, amendment.order.builder.user):
        tell(amendment, person, "amendment.failed", emails.failed(amendment, person), str(amendment.funding_try))


@transaction.atomic
def retry_funding(amendment_id: UUID, *, actor: Any) -> Amendment:
    """Ask escrow once more, after it has refused for good; for the client and for staff."""
    amendment = _to_repair(amendment_id, actor)
    if amendment.order.status not in LIVE:
        raise WrongState(_("This order is %(status)s. Take the money back instead.") % {"status": amendment.order.status_words()})
    _begin(amendment, actor=actor)
    return fresh(amendment)


@transaction.atomic
def take_money_back(amendment_id: UUID, *, actor: Any) -> Amendment:
    """Give up a change that escrow has refused: what was paid for it goes back whole. For the client and for staff."""
    amendment = _to_repair(amendment_id, actor)
    invoice, moment = amendment.invoice, now()
    amendment.move_to(A.REFUNDED, closed_at=moment)
    due_before = amendment.order.due_at
    start_clock(amendment.order)
    if invoice is not None:
        operation = EscrowOperation.objects.filter(op_id=amendment.funding).first()
        why = say("The change of order %(number)s did not come into force", number=amendment.order.number)
        undo_funding(operation, invoice, reason=why, actor=actor)
    _tell_refunded(amendment, actor=actor, due_before=due_before)
    return fresh(amendment)


def _tell_refunded(amendment: Amendment, *, actor: Any | None, due_before: datetime | None) -> None:
    record(
        Event.AMENDMENT_REFUNDED,
        actor=actor,
        target=amendment,
        amount=amendment.additional_amount,
        before={"due_at": due_before},
        after={"due_at": amendment.order.due_at},
        invoice=amendment.invoice_id,
        **facts(amendment),
    )
    post(amendment, notices.refunded(amendment), notices.CLOSED)
    for person in (amendment.order.client, amendment.order.builder.user):
        tell(amendment, person, "amendment.refunded", emails.refunded(amendment, person))


def _to_repair(amendment_id: UUID, actor: Any) -> Amendment:
    """Under lock, with nothing of it in escrow and nothing on the way there."""
    amendment = lock(amendment_id)
    if not actor.is_staff and actor.pk != amendment.order.client_id:
        raise NotAllowed(_("Only the client of this order can do that."))
    if amendment.status != A.FUNDING_FAILED:
        raise WrongState(_("This change is %(status)s.") % {"status": amendment.status_words()})
    if EscrowOperation.objects.filter(op_id=amendment.funding).exclude(status__in=VOID).exists():
        raise Conflict(_("Escrow may still take it. Please wait a moment."), code="still_flying")
    return amendment
