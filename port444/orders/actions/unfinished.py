"""What escrow gave up of an order, asked for again; and the end that support can give to any order that runs. Called by plans of support.

On a chain an operation may come to nothing after the order has gone on: a release or a refund that was given up, a move between two
orders, the end of a hold. Then money lies where nobody can reach it. What is missing to an order lies with those from which it was to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.kit.errors import Conflict, WrongState
from port444.kit.money import ZERO, parse, usd
from port444.kit.sentences import say
from port444.orders import handlers
from port444.orders.models import RUNNING, CancelCause, Order, OrderStatus
from port444.payments import escrow
from port444.payments.escrow import Lent, books, place_of
from port444.payments.escrow.standing import Standing
from port444.payments.models import VOID, EscrowKind, EscrowOperation
from port444.payments.refunding import Back, split_back

from .ending import cancel_before_escrow, forget_sales, over
from .refunding import GOES_ON, LOWERED, OVER, RESTORED, lock_for_refund
from .telling import deal

K, S = EscrowKind, OrderStatus
AGAIN = ":again:"  # in the key of what is asked in the place of what was given up


@dataclass(frozen=True, slots=True)
class Again:
    """One thing to ask for again: `first` is what was given up, `amount` what of it is asked now, out of the escrow of `source`; of a refund
    with `fee` of the service fee."""

    first: EscrowOperation
    source: Order
    amount: Decimal
    fee: Decimal = ZERO


Part = tuple[Order, Decimal, Decimal]  # out of whose escrow, of the price, of the service fee


class _Purse:
    """What can be taken out of escrow for an order: what it holds itself, and then what was to be moved to it and is still elsewhere.
    Counts down as it is planned with."""

    def __init__(self, order: Order) -> None:
        self.order, self.rows = order, {order.pk: order}
        moves = EscrowOperation.objects.filter(kind=K.MOVE, target_id=order.pk, status__in=VOID).order_by("number")
        elsewhere = list(dict.fromkeys(moves.values_list("subject_id", flat=True)))
        self.rows |= {row.pk: row for row in Order.objects.with_people().filter(pk__in=elsewhere)}
        self.places = {pk: escrow.current().position(deal(self.rows[pk])) for pk in (order.pk, *elsewhere)}
        self.free = {pk: max(ZERO, place.locked - self._needs(self.rows[pk])) for pk, place in self.places.items()}

    def _needs(self, row: Order) -> Decimal:
        return row.price if row.pk != self.order.pk and row.status in RUNNING else ZERO

    @property
    def moving(self) -> bool:
        return any(place.moving for place in self.places.values())

    def take(self, amount: Decimal, fee: Decimal = ZERO) -> list[Part]:
        """Out of which escrows `amount` comes; nothing when they do not hold it. `fee` goes with what it was paid with."""
        if sum(self.free.values()) < amount:
            return []
        found = []
        for pk, there in self.free.items():
            part = min(there, amount)
            if part:
                found.append((self.rows[pk], part))
                self.free[pk] -= part
                amount -= part
        fees = {row.pk: row.client_fee if row.merged_into_id == self.order.pk else ZERO for row, _ in found}
        parts = []
        for row, part in found:
            rest = fee if row is found[-1][0] else max(ZERO, fee - sum(fees.values()))
            of_fee = min(fee, fees.pop(row.pk) or rest)
            parts.append((row, part, of_fee))
            fee -= of_fee
        return parts

    def move(self, source_id: UUID, amount: Decimal) -> bool:
        """Have it come from there after all; False when it cannot."""
        if self.free.get(source_id, ZERO) < amount or place_of(source_id) != place_of(self.order.pk):
            return False
        self.free[source_id] -= amount
        self.free[self.order.pk] += amount
        return True


def plan_again(order: Order) -> list[Again]:
    """What `ask_again` would ask for, in the order in which it was asked first. Nothing while money of the order is on its way."""
    purse, found = _Purse(order), []
    if purse.moving:
        return []
    for first, left in _given_up(order):
        if first.kind == K.HOLD:
            if purse.places[order.pk].held and order.disputed_at is None:
                found.append(Again(first, order, ZERO))
        elif first.kind == K.MOVE:
            assert first.subject_id in purse.rows
            if order.cancel_cause not in GOES_ON and purse.move(first.subject_id, left):
                found.append(Again(first, purse.rows[first.subject_id], left))
        elif _stands(first, order):
            fee = parse(first.args.get("fee", "0")) if left == first.amount else ZERO  # it went with the first part
            found += [Again(first, *part) for part in purse.take(left, fee)]
    return found


def _stands(first: EscrowOperation, order: Order) -> bool:
    """Whether what was given up is still to be done."""
    if first.kind == K.RELEASE:
        return bool(order.status == S.COMPLETED)
    return RESTORED not in first.args and (order.status in OVER or f":{LOWERED}:" in first.op_id) and order.cancel_cause not in GOES_ON


def _given_up(order: Order) -> list[tuple[EscrowOperation, Decimal]]:
    """What came to nothing, and how much of it was not asked for again."""
    mine, named = f"order:{order.pk}:", Q(op_id__startswith="order:")  # it may have been asked of another's escrow, or another's of this one
    out = EscrowOperation.objects.filter(Q(op_id__startswith=mine) | (Q(subject_id=order.pk) & ~named), kind__in=[K.RELEASE, K.REFUND])
    into = EscrowOperation.objects.filter(target_id=order.pk, kind=K.MOVE)
    ends = EscrowOperation.objects.filter(subject_id=order.pk, kind=K.HOLD, args__on=False)
    firsts = [one for rows in (out, into, ends) for one in rows.filter(status__in=VOID).exclude(op_id__contains=AGAIN)]
    found = []
    for first in sorted(firsts, key=lambda one: one.number):
        again = [one for one in _asked_again(first) if one.status not in VOID]
        left = first.amount - sum((one.amount for one in again), ZERO)
        if left if first.amount else not again:
            found.append((first, left))
    return found


def _asked_again(first: EscrowOperation) -> list[EscrowOperation]:
    return list(EscrowOperation.objects.filter(op_id__startswith=f"{first.op_id}{AGAIN}"))


@transaction.atomic
def ask_again(order_id: UUID, *, actor: Any) -> list[EscrowOperation]:
    """Ask escrow once more for all that it gave up of an order and that is still to be done."""
    order = lock_for_refund(order_id)
    asked = [_ask(one, order, actor) for one in plan_again(order)]
    if asked:
        whole = sum((one.amount for one in asked), ZERO)
        record(Event.REST_SENT, actor=actor, target=order, amount=whole, number=order.number, operations=[one.op_id for one in asked])
    return asked


def _ask(one: Again, order: Order, actor: Any) -> EscrowOperation:
    backend, before = escrow.current(), _asked_again(one.first)
    of, key = deal(one.source), f"{one.first.op_id}{AGAIN}{len(before) + 1}"
    ruling = backend.position(of).held
    if one.first.kind == K.HOLD:
        return backend.hold(of, False, key, actor=actor)
    if one.first.kind == K.MOVE:
        whole = one.amount == one.first.amount  # then the order counts on just these credits
        lent = Lent(one.first.prepaid, one.first.gift) if whole else None
        return backend.move(of, deal(order), one.amount, key, lent=lent, ruling=ruling, actor=actor)
    if one.first.kind == K.RELEASE:
        return backend.release(of, one.amount, key, ruling=ruling, actor=actor)
    return backend.refund(of, one.amount, key, fee=one.fee, reason=one.first.why, ruling=ruling, actor=actor)


# Ending an order from outside


def plan_cancel(order: Order) -> tuple[Back, Sequence[Part]]:
    """What `cancel_by_support` would give back, and out of which escrows. Raises DomainErrors for what cannot be done."""
    if order.disputed_at is not None:
        raise WrongState(_("This order is in dispute. Its money is divided by the decision of the dispute."), code="disputed")
    if order.status not in RUNNING:
        raise WrongState(_("This order is %(status)s. Only what runs can be cancelled.") % {"status": order.status_words()}, code="not_running")
    if order.status == S.FUNDING:
        parts: list[Part] = []
        lent = Lent(order.prepaid, order.credit - order.prepaid)
        payments = split_back(books.sources(order.pk), order.price - order.credit, order.client_fee)
    else:
        purse = _Purse(order)
        if purse.moving:
            raise WrongState(_("Money of this order is on its way into escrow or out of it. Try again when it has arrived."), code="escrow_moving")
        parts = purse.take(order.price, order.client_fee)
        if not parts:
            raise Conflict(
                _("Escrow holds less than the price of %(price)s, and nobody knows where the rest is.") % {"price": usd(order.price)},
                code="escrow_short",
            )
        lent, payments = _out_of(parts)
    return Back(order.price, order.client_fee, lent, tuple(payments), from_escrow=order.price), parts


def _out_of(parts: Sequence[Part]) -> tuple[Lent, list[Any]]:
    """What of it is credit, and which payments give back the rest; escrows that share payments take from them together."""
    lent, together = Lent(), dict[frozenset[Any], tuple[list[Any], Decimal, Decimal]]()
    for source, part, fee in parts:
        standing = Standing.of(source.pk)
        share = standing.share(K.REFUND, part, source.builder_fee_bps)
        lent = Lent(lent.prepaid + share.prepaid, lent.gift + share.gift)
        deals = books.sources(source.pk)
        __, cash, fees = together.get(frozenset(deals), (deals, ZERO, ZERO))
        together[frozenset(deals)] = (deals, cash + part - share.prepaid - share.gift, fees + fee)
    return lent, [payment for deals, cash, fees in together.values() for payment in split_back(deals, cash, fees)]


@transaction.atomic
def cancel_by_support(order_id: UUID, *, reason: str, actor: Any) -> Order:
    """End an order that runs, whatever it waits for: everything in escrow goes back to the client, with the service fee.

    Quiet when that is done. Raises WrongState while money of it, or of a change, is on its way.
    """
    order = lock_for_refund(order_id)
    if order.cancel_cause == CancelCause.SUPPORT:
        return order
    __, parts = plan_cancel(order)
    handlers.ending(order, actor)
    forget_sales(order)
    if order.status == S.FUNDING:
        cancel_before_escrow(order, actor)
    for number, (source, part, fee) in enumerate(parts, 1):
        key = f"order:{order.pk}:ended:{number}"
        escrow.current().refund(deal(source), part, key, fee=fee, reason=say("Order %(number)s was cancelled", number=order.number), actor=actor)
    over(order, CancelCause.SUPPORT, actor, reason)
    return order
