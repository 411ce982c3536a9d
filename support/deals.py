"""One order as its page in the console shows it: what it is, where its money stands, what happened to it, and what is planned with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from amendments.models import Amendment
from port444.accounts.models import User
from port444.orders.models import Delivery, Dispute, Order, OrderStatus, Revision
from port444.payments import escrow
from port444.payments.models import EscrowOperation, EscrowStatus, Invoice, Payment, Refund

from .models import LIVE, Plan, SupportAction

SHOWN = 50
NOTHING = UUID(int=0)  # stands for the invoice of an order that has none, so that every page asks the same


@dataclass(frozen=True, slots=True)
class Event:
    """One line of what happened. `tone` is "", go, wait or bad."""

    at: datetime
    words: str
    small: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment, with the document that it pays."""

    payment: Payment
    invoice: Invoice
    refunds: Sequence[Refund]


@dataclass(frozen=True, slots=True)
class OrderView:
    order: Order
    place: escrow.Position
    operations: Sequence[EscrowOperation]
    payments: Sequence[Paid]
    plans: Sequence[Plan]
    disputes: Sequence[Dispute]
    amendments: Sequence[Amendment]
    merged_from: Sequence[Order]
    split_into: Sequence[Order]
    story: Sequence[Event]

    @property
    def live_plan(self) -> Plan | None:
        return next((plan for plan in self.plans if plan.status in LIVE), None)

    @property
    def live_dispute(self) -> Dispute | None:
        return next((one for one in self.disputes if one.closed_at is None), None)

    @property
    def why_not(self) -> str:
        """Why nothing can be begun with the order."""
        if self.live_dispute:
            return f"It waits for dispute {self.live_dispute}."
        if self.live_plan:
            return f"Plan {self.live_plan} is waiting already."
        if self.order.merged_into_id:
            return "It goes on as part of another order."
        return ""


def find_order(number: int) -> Order | None:
    rows = Order.objects.with_people().select_related("service", "merged_into", "split_from", "cancelled_by")
    return rows.filter(number=number).first()


def view_of(order: Order, by: User) -> OrderView:
    """With a fixed number of questions; of each thing the newest are shown, and of drafts of plans one's own."""
    place = escrow.current().position(escrow.Deal("order", order.pk, order.client_id, order.builder.user_id))
    moved_here = EscrowOperation.objects.filter(kind="move", target_id=order.pk)
    operations = newest(EscrowOperation.objects.filter(subject_id=order.pk), moved_here, by="number")
    payments = _payments(order)
    refunds = list(Refund.objects.filter(payment__in=[row.pk for row in payments]).order_by("requested_at"))
    sides = (Plan.objects.visible_to(by).filter(**{name: order}).select_related("requester") for name in ("order", "other_order"))
    plans = newest(*sides, by="number")
    disputes = list(Dispute.objects.filter(order=order).order_by("-number")[:SHOWN])
    amendments = list(Amendment.objects.filter(order=order).order_by("-created_at", "-id")[:SHOWN])
    actions = list(SupportAction.objects.filter(order=order).select_related("admin").order_by("-number")[:SHOWN])
    return OrderView(
        order=order,
        place=place,
        operations=operations,
        payments=[Paid(row, row.invoice, [one for one in refunds if one.payment_id == row.pk]) for row in payments],
        plans=plans,
        disputes=disputes,
        amendments=amendments,
        merged_from=list(Order.objects.filter(merged_into=order).order_by("number")[:SHOWN]),
        split_into=list(Order.objects.filter(split_from=order).order_by("number")[:SHOWN]),
        story=_story(order, operations, disputes, amendments, actions),
    )


def newest(*sources: QuerySet[Any], by: str, limit: int = SHOWN) -> list[Any]:
    """The newest rows of all of these. Each is asked for by its own index: what is joined by OR would read whole tables."""
    found = {row.pk: row for rows in sources for row in rows.order_by(f"-{by}", "-pk")[:limit]}
    return sorted(found.values(), key=lambda row: (getattr(row, by), row.pk), reverse=True)[:limit]


def _payments(order: Order) -> list[Payment]:
    """Of the order itself, and of what was added to it."""
    rows = Payment.objects.select_related("invoice")
    return newest(rows.filter(invoice__deal_id=order.pk), rows.filter(invoice=order.invoice_id or NOTHING), by="created_at")


def _story(
    order: Order,
    operations: Sequence[EscrowOperation],
    disputes: Sequence[Dispute],
    amendments: Sequence[Amendment],
    actions: Sequence[SupportAction],
) -> list[Event]:
    """Newest first."""
    found = [Event(order.placed_at, "Placed", order.get_origin_display())]
    if order.paid_at:
        found.append(Event(order.paid_at, "Paid", f"{order.total:,.2f} USDC"))
    if order.started_at:
        found.append(Event(order.started_at, "Work began", f"due {order.due_at:%-d %b %H:%M} UTC" if order.due_at else ""))
    for delivery in Delivery.objects.filter(order=order).order_by("-number")[:SHOWN]:
        found.append(Event(delivery.delivered_at, f"Delivery {delivery.number}", "", "go"))
    for revision in Revision.objects.filter(order=order).order_by("-requested_at")[:SHOWN]:
        found.append(Event(revision.requested_at, "Changes asked for", "", "wait"))
    if order.completed_at:
        found.append(Event(order.completed_at, "Completed", "accepted by the client" if order.accepted_by_client else "by itself", "go"))
    if order.cancelled_at:
        found.append(Event(order.cancelled_at, "Cancelled", order.get_cancel_cause_display(), "bad"))
    if order.expired_at and order.status == OrderStatus.EXPIRED:
        found.append(Event(order.expired_at, "Not paid in time"))
    for row in operations:
        tone = {EscrowStatus.CONFIRMED: "go", EscrowStatus.FAILED: "bad", EscrowStatus.NEEDS_REVIEW: "bad"}.get(EscrowStatus(row.status), "wait")
        words = f"Escrow: {row.get_kind_display().lower()}"
        found.append(Event(row.created_at, words, f"{row.amount:,.2f} USDC, {row.get_status_display().lower()}", tone))
    for dispute in disputes:
        found.append(Event(dispute.opened_at, f"Dispute {dispute} opened", dispute.get_reason_display(), "bad"))
        if dispute.closed_at:
            found.append(Event(dispute.closed_at, f"Dispute {dispute} closed", dispute.get_status_display(), "go"))
    for amendment in amendments:
        found.append(Event(amendment.created_at, amendment.get_amendment_type_display(), amendment.get_status_display()))
    for action in actions:
        found.append(Event(action.created_at, f"{action.get_action_type_display()}", f"by {action.admin.name}", "" if action.success else "bad"))
    return sorted(found, key=lambda event: event.at, reverse=True)
