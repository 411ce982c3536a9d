"""How the checkout speaks of an amendment, and what of its price credits may pay."""

from __future__ import annotations

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

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
        kind=_("Change of order %(number)s") % {"number": order.number},
        heading=_("Pay into escrow"),
        lede=_("The order changes when escrow has the money. %(name)s gets it when you accept the work.") % {"name": name},
        thing=pgettext("what is paid for", "change"),
        held=_("This change waits for you"),
        paid_note=_("The price of the order is then %(price)s.") % {"price": usd(amendment.price_after)},
        back_url=reverse("orders:detail", args=[order.number]),
        back_text=_("Order %(number)s") % {"number": order.number},
        steps=(
            Step(_("Escrow takes the money"), _("Until then the order stays as it is.")),
            Step(_("The change is in force"), f"{capfirst(str(gist(amendment)))}."),
        ),
        promises=(
            Promise("shield-check", _("Nobody can take the money out before you accept.")),
            Promise("undo-2", _("When escrow does not take it, all of it comes back, service fee included.")),
        ),
    )


def credit_wish(order: Order, amendment: Amendment) -> Wish:
    """What credits may pay of a change: of those from calls no more than the builder earns with it."""
    amount = amendment.additional_amount
    earns = fee(amount, BPS - order.builder_fee_bps)
    return Wish(builder_id=order.builder_id, category_id=order.service.category_id, most=amount, most_prepaid=earns)
