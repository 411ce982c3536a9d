"""What the ends of orders and of disputes share: which rows they lock, and how a dispute is closed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from auditlog.actions import record
from auditlog.events import Event
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.orders.models import Dispute, DisputeStatus, Order
from port444.payments import escrow

from .telling import deal
from .terms import start_clock


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
