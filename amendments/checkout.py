"""How the checkout speaks of an amendment, and what of its price credits may pay."""

from __future__ import annotations

from django.urls import reverse

from port444.kit.money import BPS, fee, usd
from port444.orders.models import Order
from port444.payments.credits import Wish
from port444.payments.handlers import Description, Promise, Step
from port444.payments.models import Invoice

from .models import Amendment
from .notices import gist


def describe(invoice: Invoice) -> Description:
    amendment = Amendment.objects.with_people().get(pk=invoice.subject_id)
    order = amendment.order
    name = order.builder.user.first_name
    return Description(
        title=f"{amendment.get_amendment_type_display()}: {order.title}",
        kind=f"Change of order {order.number}",
        heading="Pay into escrow",
        lede=f"The order changes when escrow has the money. {name} gets it when you accept the work.",
        thing="change",
        held="This change waits for you",
        paid_note=f"The price of the order is then {usd(amendment.price_after)}.",
        back_url=reverse("orders:detail", args=[order.number]),
        back_text=f"Order {order.number}",
        steps=(
            Step("Escrow takes the money", "Until then the order stays as it is."),
            Step("The change is in force", f"{gist(amendment)[:1].upper()}{gist(amendment)[1:]}."),
        ),
        promises=(
            Promise("shield-check", "Nobody can take the money out before you accept."),
            Promise("undo-2", "When escrow does not take it, all of it comes back, service fee included."),
        ),
    )


def credit_wish(order: Order, amendment: Amendment) -> Wish:
    """What credits may pay of a change: of those from calls no more than the builder earns with it."""
    amount = amendment.additional_amount
    earns = fee(amount, BPS - order.builder_fee_bps)
    return Wish(builder_id=order.builder_id, category_id=order.service.category_id, most=amount, most_prepaid=earns)
