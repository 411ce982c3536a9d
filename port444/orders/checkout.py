"""How the checkout speaks of an order, and what of its price credits may pay."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

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
        Step(
            ngettext("You answer %(n)s question", "You answer %(n)s questions", asks) % {"n": asks},
            _("%(name)s’s clock starts when you have sent the answers.") % {"name": name},
        )
        if asks
        else Step(_("%(name)s starts") % {"name": name}, _("The clock starts when the payment has come in."))
    )
    revisions = ngettext("%(n)s revision included.", "%(n)s revisions included.", order.revisions_allowed) % {"n": order.revisions_allowed}
    offer = Offer.objects.filter(order=order).first() if order.is_custom else None
    return Description(
        title=order.title,
        kind=order.bought_as,
        heading=_("Pay into escrow"),
        lede=_lowered(offer, name) + _("The money waits in escrow. %(name)s gets it when you accept the work.") % {"name": name},
        thing=pgettext("what is paid for", "order"),
        held=_("This price is held"),
        paid_note=_credited(order)
        + _("%(name)s is paid when you accept, or %(days)s after the delivery if you say nothing.")
        % {"name": name, "days": days_words(settings.REVIEW_DAYS)},
        back_url=reverse("orders:detail", args=[order.number]),
        back_text=_("Order %(number)s") % {"number": order.number},
        steps=(
            first,
            Step(_("%(name)s delivers") % {"name": name}, _("Within %(days)s.") % {"days": days_words(order.delivery_days)}),
            Step(
                _("You review"),
                _("%(days)s to accept or to ask for changes. %(revisions)s") % {"days": days_words(settings.REVIEW_DAYS), "revisions": revisions},
            ),
        ),
        promises=(
            *_kept(offer, invoice, order.client.time_zone),
            Promise("shield-check", _("Nobody can take the money out before you accept.")),
            Promise(
                "undo-2", _("All of it comes back, service fee included, if the order is cancelled before the work begins or the delivery is late.")
            ),
        ),
    )


def _lowered(offer: Offer | None, name: str) -> str:
    """The price that the client would pay without the offer."""
    return (
        _("%(name)s offers this for %(price)s instead of %(list_price)s. ")
        % {"name": name, "price": usd(offer.price), "list_price": usd(offer.list_price)}
        if offer is not None and offer.list_price
        else ""
    )


def _kept(offer: Offer | None, invoice: Invoice, zone: str) -> list[Promise]:
    """What becomes of an offer whose order is not paid in time."""
    if offer is None or invoice.expires_at is None or invoice.expires_at >= offer.expires_at:
        return []
    return [Promise("handshake", _("If you do not pay in time, the offer stands again until %(until)s.") % {"until": short(offer.expires_at, zone)})]


def _credited(order: Order) -> str:
    """Where the part that a credit pays comes from."""
    return _("%(credit)s of the price is paid with your credit. ") % {"credit": usd(order.credit)} if order.credit else ""


def credit_wish(package: Package, builder_id: UUID) -> Wish:
    """What credits may pay of a package."""
    return wish_for(package.price, package.service.category_id, builder_id)


def wish_for(price: Decimal, category_id: UUID, builder_id: UUID) -> Wish:
    """What credits may pay of `price`: of those from calls no more than the builder earns with it."""
    return Wish(builder_id=builder_id, category_id=category_id, most=price, most_prepaid=fee(price, BPS - settings.BUILDER_FEE_BPS))
