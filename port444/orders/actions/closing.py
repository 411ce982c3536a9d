"""What the ends of orders share: which rows they lock, how the money in escrow is divided, and how a dispute is closed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.money import ZERO, split, usd
from port444.kit.sentences import Said
from port444.orders.models import Dispute, DisputeStatus, Order
from port444.payments import escrow

from .telling import deal
from .terms import lower_price, start_clock


def lock_with_builder(order_id: UUID) -> Order:
    """The builder's row first, then the order: these actions count for the builder, and a builder is never locked after an order."""
    Builder.objects.lock(Order.objects.values_list("builder_id", flat=True).get(pk=order_id))
    return Order.objects.lock(order_id)


def close_dispute(dispute: Dispute, status: str, *, actor: Any | None, event: Event, order_goes_on: bool, **stamps: Any) -> None:
    """End a live dispute, under lock with its order: escrow is let go, and the order's clock runs again if the order goes on.

    What is asked of escrow is carried out in its order, so that the hold ends after the money has gone where it was ruled to go.
    """
    order, before = dispute.order, dispute.status
    dispute.move_to(status, closed_at=now(), **stamps)
    escrow.current().hold(deal(order), False, f"dispute:{dispute.pk}:end", actor=actor)
    order.disputed_at = None
    order.save(update_fields=["disputed_at"])
    start_clock(order, to_builder=order_goes_on, to_client=order_goes_on)
    record(
        event,
        actor=actor,
        target=dispute,
        amount=dispute.amount,
        before={"status": before},
        after={"status": status, "to_client": dispute.decided_to_client},
        **facts(dispute),
    )


def at_stake(order: Order) -> Decimal:
    """What of an order in work is in escrow and could be divided: its whole price. Raises WrongState while some of it is on its way."""
    place = escrow.current().position(deal(order))
    if place.moving:  # should it come to nothing, there would be more or less to divide than both sides spoke about
        raise WrongState(_("Money of this order is on its way. Wait until it has arrived, usually for minutes."), code="escrow_moving")
    if place.locked <= 0:
        raise WrongState(_("Nothing of this order is in escrow."), code="escrow_empty")
    if place.locked != order.price:  # what was to be moved from it or to it was given up: some of it may be another order's
        raise WrongState(
            _("Escrow holds %(locked)s for a price of %(price)s. Write to support, which puts that right.")
            % {"locked": usd(place.locked), "price": usd(order.price)},
            code="escrow_differs",
        )
    return place.locked


def fee_back(order: Order, to_client: Decimal, amount: Decimal) -> Decimal:
    """What of the service fee goes back with `to_client` out of `amount`."""
    return split(order.client_fee, [to_client, amount - to_client])[0] if order.client_fee else ZERO


def divide(order: Order, amount: Decimal, to_client: Decimal, *, source: UUID, name: str, why: Said, actor: Any | None, ruling: bool = False) -> None:
    """Divide the `amount` in escrow for an order that ends: `to_client` goes back with its part of the service fee, the rest to the builder.

    The price falls by what went back, unless all did. `name` and `source` name what it follows from. Raises Conflict when escrow holds
    another sum.
    """
    backend, of, to_builder = escrow.current(), deal(order), amount - to_client
    if backend.position(of).locked != amount:
        raise Conflict(_("What is in escrow for this order is not what this was about."), code="escrow_changed")
    if to_client:
        back = fee_back(order, to_client, amount)
        done = backend.refund(of, to_client, f"{name}:{source}:refund", fee=back, reason=why, ruling=ruling, actor=actor)
        if to_builder:
            credit = done.prepaid + done.gift
            lower_price(order, source=source, amount=to_client, client_fee=back, credit=credit, prepaid=done.prepaid, actor=actor)
    if to_builder:
        backend.release(of, to_builder, f"{name}:{source}:release", ruling=ruling, actor=actor)


def close_reclaimed(order: Order, amount: Decimal) -> None:
    """The client has taken the money out of escrow alone, after its expiry: there is nothing left to argue about."""
    dispute = Dispute.objects.live().filter(order=order).select_for_update(of=("self",), no_key=True).first()
    if dispute is None:
        return
    dispute.order = order
    words = f"{order.client.first_name} took the money back from escrow after its expiry."
    stamps: dict[str, Any] = {"decided_to_client": min(amount, dispute.amount), "decision": words}
    close_dispute(dispute, DisputeStatus.WITHDRAWN, actor=order.client, event=Event.DISPUTE_WITHDRAWN, order_goes_on=False, **stamps)


def sides(order: Order) -> dict[str, Any]:
    """For the audit log: which order it was, and whose."""
    return {"number": order.number, "client_id": order.client_id, "builder_id": order.builder.user_id}


def pace(order: Order) -> dict[str, Any]:
    """For the audit log: how long the order took from its beginning to its end."""
    if order.started_at is None or order.completed_at is None:
        return {}
    return {"seconds_since_accept": max(0, int((order.completed_at - order.started_at).total_seconds()))}


def facts(dispute: Dispute) -> dict[str, Any]:
    """For the audit log, beside what the event itself says."""
    order = dispute.order
    return {
        "dispute": dispute.number,
        "order": order.pk,
        "number": order.number,
        "by_client": dispute.by_client,
        "client": order.client_id,
        "builder": order.builder.user_id,
    }
