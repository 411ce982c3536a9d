"""What a completed call can become."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from consultations.models import Consultation, ConsultationStatus
from port444.catalog.models import Package, ServiceStatus
from port444.kit.money import ZERO
from port444.orders.checkout import credit_wish
from port444.orders.models import Order
from port444.payments import credits
from port444.payments.models import Credit

MOST_OFFERS = 12


@dataclass(frozen=True, slots=True)
class Offer:
    """A package, what credits pay of it, and what is left of its price."""

    package: Package
    credit: Decimal

    @property
    def left(self) -> Decimal:
        return Decimal(self.package.price - self.credit)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of the credit of a call, and what its client can order with it."""

    credit: Credit
    order: Order | None
    offers: list[Offer]
    usable: bool


def conversion_of(call: Consultation, user: Any, moment: datetime) -> Conversion | None:
    """None before the call is complete. Only the client is offered packages."""
    if call.status != ConsultationStatus.COMPLETED:
        return None
    credit = Credit.objects.filter(source_invoice=call.invoice_id).first()
    if credit is None:
        return None
    usable = credit.remaining > 0 and not credit.is_expired(moment)
    offers: list[Offer] = []
    if usable and user.pk == call.client_id and call.builder.takes_orders and not call.builder.user.is_suspended:
        own = list(Credit.objects.usable(user.pk, builder_id=call.builder_id, category_id=None, moment=moment))
        packages = Package.objects.filter(service__builder=call.builder_id, service__status=ServiceStatus.PUBLISHED, is_offered=True)
        for package in packages.select_related("service").order_by("-service__order_count", "service", "price")[:MOST_OFFERS]:
            parts = credits.plan(own, credit_wish(package, call.builder_id))
            offers.append(Offer(package, sum((part for _, part in parts), ZERO)))
    order = Order.objects.filter(pk=call.converted_order_id).first() if call.converted_order_id else None
    return Conversion(credit, order, offers, usable)
