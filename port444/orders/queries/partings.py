"""Reads of proposals to end an order: what a division comes to for each side, and what the pages of the order say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from port444.kit.money import fee
from port444.orders import helm
from port444.orders.handlers import Addition
from port444.orders.helm import Helm
from port444.orders.models import DISPUTABLE, Order, OrderStatus, Parting, PartingStatus
from port444.payments.escrow import Deal
from port444.payments.refunding import out_of_escrow


@dataclass(frozen=True, slots=True)
class Shares:
    """What a division of `amount` comes to for both, to the cent, fees and credits counted."""

    amount: Decimal
    to_client: Decimal  # of the price
    fee_back: Decimal  # of the service fee, in proportion
    credit_back: Decimal  # of both, what comes back as credits
    client_gets: Decimal  # and as money
    to_builder: Decimal
    builder_fee: Decimal
    prepaid: Decimal  # of that, what the builder had for a call already
    builder_gets: Decimal


def shares_of(order: Order, to_client: Decimal) -> Shares:
    """Of an order in work whose whole price is in escrow; a handful of queries. Raises DomainErrors for what cannot be done."""
    back = out_of_escrow(Deal("order", order.pk, order.client_id, order.builder.user_id), order.price, order.client_fee, to_client)
    rest = order.price - to_client
    charged, prepaid = fee(rest, order.builder_fee_bps), order.prepaid - back.credits.prepaid
    return Shares(order.price, to_client, back.fee, back.as_credit, back.money, rest, charged, prepaid, rest - charged - prepaid)


def may_part(order: Order) -> bool:
    return order.status in DISPUTABLE and order.disputed_at is None


def open_parting(order: Order) -> Parting | None:
    found = Parting.objects.open().filter(order=order).select_related("proposed_by").first()
    if found is not None:
        found.order = order
    return found


class OnOrders:
    """What the pages of orders show of them."""

    def mark(self, order: Order) -> str:
        """An order that cannot be ended so has none that waits."""
        if not may_part(order):
            return ""
        return str(Parting.objects.open().filter(order=order).values_list("pk", flat=True).first() or "")

    def show(self, order: Order, viewer: Any, moment: datetime) -> Addition:
        if order.status == OrderStatus.CANCELLED and order.cancel_cause == "agreed":
            agreed = Parting.objects.filter(order=order, status=PartingStatus.ACCEPTED).first()
            return Addition(context={"agreed": agreed}, desk="orders/partings/_agreed.html") if agreed is not None else Addition()
        parting = open_parting(order) if may_part(order) else None
        if parting is None:
            return Addition()
        mine = parting.proposed_by_id == viewer.pk
        context = {
            "parting": parting,
            "mine": mine,
            "shares": shares_of(order, parting.to_client) if parting.amount == order.price else None,
            "left": helm.span_words((parting.expires_at - moment).total_seconds()),
        }
        return Addition(helm=None if mine else helm.steer_parting(parting, viewer), desk="orders/partings/_desk.html", context=context)

    def waiting(self, user: Any) -> QuerySet[Parting, Any]:
        return Parting.objects.visible_to(user).open().exclude(proposed_by=user).values_list("order_id", flat=True)

    def helms(self, orders: Iterable[Order], viewer: Any, moment: datetime) -> dict[UUID, Helm]:
        rows = Parting.objects.open().filter(order__in=list(orders)).exclude(proposed_by=viewer).with_people()
        return {row.order_id: helm.steer_parting(row, viewer) for row in rows}
