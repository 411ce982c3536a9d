"""What a custom offer may contain, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from port444.catalog.models import Package
from port444.kit.errors import Invalid
from port444.kit.money import positive, usd

from .models import Offer

MOST_PRICE = Decimal("1000000.00")
LONGEST_TITLE, LONGEST_SCOPE, LONGEST_DELIVERABLE = 90, 2000, 120
MOST_DELIVERABLES, MOST_DAYS, MOST_REVISIONS = 12, 90, 20
# How long an offer may stand, in hours.
HOURS = (24, settings.OFFER_HOURS, 3 * 24, 7 * 24, 14 * 24, settings.OFFER_DAYS_AT_MOST * 24)


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """What one side puts to the other. `package` is the one whose terms it began from, None for an offer that is free of any;
    `hours` is how long it stands."""

    service: UUID
    title: str
    scope: str
    price: Decimal
    days: int
    revisions: int = 1
    deliverables: tuple[str, ...] = ()
    package: UUID | None = None
    asks_questions: bool = True
    hours: int = settings.OFFER_HOURS


def terms_of(offer: Offer) -> OfferTerms:
    """What `offer` says."""
    return OfferTerms(
        service=offer.service_id,
        title=offer.title,
        scope=offer.scope,
        price=offer.price,
        days=offer.delivery_days,
        revisions=offer.revisions,
        deliverables=tuple(offer.deliverables),
        package=offer.package_id,
        asks_questions=offer.asks_questions,
        hours=round((offer.expires_at - offer.created_at) / timedelta(hours=1)),
    )


def terms_of_package(package: Package, price: Decimal | None = None) -> OfferTerms:
    """What `package` is, as an offer at its own price or at `price`. Its service comes along."""
    return OfferTerms(
        service=package.service_id,
        title=package.name[:LONGEST_TITLE],
        scope=package.service.summary or package.service.title,
        price=package.price if price is None else price,
        days=package.delivery_days,
        revisions=package.revisions,
        deliverables=tuple(package.deliverables),
        package=package.pk,
        asks_questions=bool(package.service.questions),
    )


def checked(terms: OfferTerms) -> OfferTerms:
    """`terms` without blanks around its texts. Raises Invalid when they are no offer."""
    terms = replace(
        terms,
        title=" ".join(terms.title.split()),
        scope=terms.scope.replace("\r\n", "\n").strip(),
        price=positive(terms.price),
        deliverables=tuple(one.strip() for one in terms.deliverables if one.strip()),
    )
    _check_texts(terms)
    if terms.price > MOST_PRICE:
        raise Invalid(_("An offer is at most %(most)s.") % {"most": usd(MOST_PRICE)}, code="price_range")
    if not 1 <= terms.days <= MOST_DAYS:
        raise Invalid(_("The work takes 1 to %(most)s days.") % {"most": MOST_DAYS}, code="days_range")
    if not 0 <= terms.revisions <= MOST_REVISIONS:
        raise Invalid(_("An offer has at most %(most)s revisions.") % {"most": MOST_REVISIONS}, code="revisions_range")
    if not min(HOURS) <= terms.hours <= max(HOURS):
        raise Invalid(
            _("An offer stands for %(hours)s hours to %(days)s days.") % {"hours": min(HOURS), "days": max(HOURS) // 24}, code="hours_range"
        )
    return terms


def _check_texts(terms: OfferTerms) -> None:
    if not terms.title:
        raise Invalid(_("Give the offer a name."), code="title_missing")
    if len(terms.title) > LONGEST_TITLE:
        raise Invalid(_("The name has at most %(most)s characters.") % {"most": LONGEST_TITLE}, code="title_long")
    if not terms.scope:
        raise Invalid(_("Say what you do for that price."), code="scope_missing")
    if len(terms.scope) > LONGEST_SCOPE:
        raise Invalid(_("The text has at most %(most)s characters.") % {"most": LONGEST_SCOPE}, code="scope_long")
    if len(terms.deliverables) > MOST_DELIVERABLES:
        raise Invalid(_("At most %(most)s things can be listed.") % {"most": MOST_DELIVERABLES}, code="deliverables_many")
    if any(len(one) > LONGEST_DELIVERABLE for one in terms.deliverables):
        raise Invalid(_("Each thing has at most %(most)s characters.") % {"most": LONGEST_DELIVERABLE}, code="deliverable_long")
    if any("\x00" in text for text in (terms.title, terms.scope, *terms.deliverables)):
        raise Invalid(_("The text has a character that cannot be stored."), code="text_null")
