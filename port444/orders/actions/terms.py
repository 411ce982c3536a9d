"""What an agreed change does to an order: its price, its date, what is delivered; and the clock that stands while it is talked about.

Inside the caller's transaction, with the order locked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import DomainError
from port444.kit.money import ZERO
from port444.orders.models import Order, OrderStatus, Revision
from port444.payments import escrow

from .telling import deal

log = logging.getLogger(__name__)

S = OrderStatus
NO_TIME = timedelta(0)
SPARE = timedelta(days=settings.ESCROW_GRACE_DAYS)


@dataclass(frozen=True, slots=True)
class Change:
    """What two people have agreed on. `source` names the agreement; `reopens` says that there is work to do again.

    `credit` is what of the amount credits have paid, `prepaid` what of that the builder had for a call already.
    """

    source: UUID
    amount: Decimal = ZERO
    client_fee: Decimal = ZERO
    credit: Decimal = ZERO
    prepaid: Decimal = ZERO
    days: int = 0
    revisions: int = 0
    deliverables: Sequence[str] = ()
    note: str = ""
    reopens: bool = False


def stop_clock(order: Order) -> None:
    """Let the time of the order stand from now on; quiet when it stands already."""
    if order.clock_stopped_at is None:
        order.clock_stopped_at = now()
        order.save(update_fields=["clock_stopped_at"])


def start_clock(order: Order, *, to_builder: bool = True, to_client: bool = True) -> None:
    """Let the time run again. The builder's due date and the client's time to review move on by as long as it stood, for whoever
    gets that time. While the client owes answers it goes on standing."""
    if order.clock_stopped_at is None or order.asks_more:
        return
    moment = now()
    if to_builder:
        order.read_away()
        order.due_at = order.due_resumed(moment)
    if to_client:
        order.auto_accept_at = _later(order.auto_accept_at, order.stood(moment, order.delivered_at))
    order.clock_stopped_at = None
    order.save(update_fields=["clock_stopped_at", "due_at", "auto_accept_at"])
    if to_builder:
        prolong_escrow(order, actor=None)


def prolong_escrow(order: Order, *, actor: Any | None) -> None:
    """Keep the moment from which the client can take the money back alone far from where the order can end by itself.

    Days away put a due date off by up to a year. There are weeks to spare, so escrow is asked only when half of them are used up. A
    refusal leaves the moment of before.
    """
    if order.due_at is None:
        return
    of = deal(order)
    known, last = escrow.current().position(of).expiry, order.due_at + timedelta(days=settings.REVIEW_DAYS)
    if known is None or last + SPARE / 2 <= known:
        return
    try:
        with transaction.atomic():
            escrow.current().extend(of, last + SPARE, f"order:{order.pk}:last:{int(last.timestamp())}", actor=actor)
    except DomainError as refusal:
        log.warning("escrow of order %s keeps its expiry: %s", order.number, refusal.message)


def _later(at: datetime | None, span: timedelta) -> datetime | None:
    return None if at is None else at + span


def change_terms(order: Order, change: Change, *, actor: Any | None = None) -> None:
    """Put `change` in force. Its money is in escrow already.

    A delivered order goes back to work where the change asks for work: an extra revision is that revision, anything else the order
    in progress. An order that has ended keeps its state and its date.
    """
    moment = now()
    before = _terms(order)
    order.read_away()
    again = change.reopens and order.status == S.DELIVERED
    due_at = order.due_after(change.days, moment, reopens=change.reopens)
    values: dict[str, Any] = {
        "price": order.price + change.amount,
        "client_fee": order.client_fee + change.client_fee,
        "credit": order.credit + change.credit,
        "prepaid": order.prepaid + change.prepaid,
        "delivery_days": order.delivery_days + change.days,
        "revisions_allowed": order.revisions_allowed + change.revisions,
        "deliverables": [*order.deliverables, *change.deliverables],
        "due_at": due_at,
    }
    if again and change.revisions:
        Revision.objects.create(order=order, delivery=order.deliveries.latest("number"), note=change.note, requested_at=moment)
        order.move_to(S.IN_REVISION, **values | {"revisions_used": order.revisions_used + 1, "auto_accept_at": None})
    elif again:
        order.move_to(S.IN_PROGRESS, **values | {"auto_accept_at": None})
    else:
        for name, value in values.items():
            setattr(order, name, value)
        order.save(update_fields=list(values))
    record(
        Event.ORDER_TERMS_CHANGED,
        actor=actor,
        target=order,
        amount=change.amount,
        before=before,
        after=_terms(order),
        number=order.number,
        by=change.source,
    )
    prolong_escrow(order, actor=actor)


def lower_price(order: Order, *, source: UUID, amount: Decimal, client_fee: Decimal, credit: Decimal, prepaid: Decimal, actor: Any | None) -> None:
    """Take off the price what went back to the client, with the fee that went along and what credits had paid of it. In the caller's
    transaction, with the order locked; `source` names what it follows from."""
    before = _terms(order)
    values = {
        "price": order.price - amount,
        "client_fee": order.client_fee - client_fee,
        "credit": order.credit - credit,
        "prepaid": order.prepaid - prepaid,
    }
    for name, value in values.items():
        setattr(order, name, value)
    order.save(update_fields=list(values))
    facts: dict[str, Any] = {"number": order.number, "by": source}
    record(Event.ORDER_TERMS_CHANGED, actor=actor, target=order, amount=amount, before=before, after=_terms(order), **facts)


def _terms(order: Order) -> dict[str, Any]:
    """For the audit log."""
    return {
        "status": order.status,
        "price": order.price,
        "client_fee": order.client_fee,
        "credit": order.credit,
        "due_at": order.due_at,
        "delivery_days": order.delivery_days,
        "revisions_allowed": order.revisions_allowed,
        "deliverables": order.deliverables,
    }
