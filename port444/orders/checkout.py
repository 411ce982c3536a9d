"""How the checkout speaks of an order, and what of its price credits may pay."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from port444.catalog.models import Package
from port444.kit.moments import short
from port444.kit.money import BPS, fee, usd
from port444.payments.credits import Wish
from port444.payments.handlers import Description, Promise, Step
from port444.payments.models import Invoice

from .helm import days_words
from .models import Offer, Order


def describe(invoice: Invoice) -> Description:
    order = Order.objects.with_people().get(pk=invoice.subject_id)
    name = order.builder.user.first_name
    asks = order.requirements.count()
    first = (
        Step(f"You answer {asks} question{'' if asks == 1 else 's'}", f"{name}’s clock starts when you have sent the answers.")
        if asks
        else Step(f"{name} starts", "The clock starts when the payment has come in.")
    )
    revisions = f"{order.revisions_allowed} revision{'' if order.revisions_allowed == 1 else 's'} included."
    offer = Offer.objects.filter(order=order).first() if order.is_custom else None
    return Description(
        title=order.title,
        kind=order.bought_as,
        heading="Pay into escrow",
        lede=_lowered(offer, name) + f"The money waits in escrow. {name} gets it when you accept the work.",
        thing="order",
        held="This price is held",
        paid_note=_credited(order) + f"{name} is paid when you accept, or {days_words(settings.REVIEW_DAYS)} after the delivery if you say nothing.",
        back_url=reverse("orders:detail", args=[order.number]),
        back_text=f"Order {order.number}",
        steps=(
            first,
            Step(f"{name} delivers", f"Within {days_words(order.delivery_days)}."),
            Step("You review", f"{days_words(settings.REVIEW_DAYS)} to accept or to ask for changes. {revisions}"),
        ),
        promises=(
            *_kept(offer, invoice, order.client.time_zone),
            Promise("shield-check", "Nobody can take the money out before you accept."),
            Promise(
                "undo-2", "All of it comes back, service fee included, if the order is cancelled before the work begins or the delivery is late."
            ),
        ),
    )


def _lowered(offer: Offer | None, name: str) -> str:
    """The price that the client would pay without the offer."""
    return f"{name} offers this for {usd(offer.price)} instead of {usd(offer.list_price)}. " if offer is not None and offer.list_price else ""


def _kept(offer: Offer | None, invoice: Invoice, zone: str) -> list[Promise]:
    """What becomes of an offer whose order is not paid in time."""
    if offer is None or invoice.expires_at is None or invoice.expires_at >= offer.expires_at:
        return []
    return [Promise("handshake", f"If you do not pay in time, the offer stands again until {short(offer.expires_at, zone)}.")]


def _credited(order: Order) -> str:
    """Where the part that a credit pays comes from."""
    return f"{usd(order.credit)} of the price is paid with your credit. " if order.credit else ""


def credit_wish(package: Package, builder_id: UUID) -> Wish:
    """What credits may pay of a package."""
    return wish_for(package.price, package.service.category_id, builder_id)


def wish_for(price: Decimal, category_id: UUID, builder_id: UUID) -> Wish:
    """What credits may pay of `price`: of those from calls no more than the builder earns with it."""
    return Wish(builder_id=builder_id, category_id=category_id, most=price, most_prepaid=fee(price, BPS - settings.BUILDER_FEE_BPS))
