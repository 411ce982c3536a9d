"""The catalog's pages as search engines and shared links show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from port444.builders.publicity import front, person_of, stars
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.catalog.pictures import cover
from port444.kit.cards import Card
from port444.kit.money import CURRENCY, usd
from port444.kit.publicity import Public, address, crumbs

SITE = {
    "@type": "WebSite",
    "name": "port444",
    "url": settings.SITE_URL,
    "potentialAction": {"@type": "SearchAction", "target": f"{settings.SITE_URL}/?q={{words}}", "query-input": "required name=words"},
}


def public_service(service: Service, packages: Sequence[Package]) -> Public:
    """A service with the packages that are on offer, cheapest first; listed while it is published."""
    builder, url = service.builder, address("catalog:service", service.slug)
    card = address("catalog:card", service.slug)
    product: dict[str, Any] = {
        "@type": ["Product", "Service"],
        "name": service.title,
        "description": service.summary,
        "url": url,
        "image": card,
        "provider": person_of(builder),
    }
    if packages:
        product["offers"] = {
            "@type": "AggregateOffer",
            "priceCurrency": CURRENCY,
            "lowPrice": str(packages[0].price),
            "highPrice": str(packages[-1].price),
            "offerCount": len(packages),
            "offers": [{"@type": "Offer", "name": one.name, "price": str(one.price), "priceCurrency": CURRENCY} for one in packages],
        }
    if service.rating_count:
        product["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": str(service.rating),
            "reviewCount": service.rating_count,
        }
    return Public(
        title=_("%(title)s, by %(name)s") % {"title": service.title, "name": builder.user.name},
        description=service.summary,
        url=url,
        card=card,
        kind="product",
        facts=(product, crumbs(front(), *_above(service.category)[1:], (service.title, url))),
        listed=service.status == ServiceStatus.PUBLISHED,
    )


def card_of(service: Service) -> Card:
    """The picture of a service for shared links; in English for all."""
    with override("en"):
        price = usd(service.from_price).removesuffix(".00") if service.from_price is not None else ""
    facts = [f"From {price}" if price else "", stars(service.rating, service.rating_count)]
    return Card(
        title=service.title,
        line=f"By {service.builder.user.name}",
        fact=", ".join(fact for fact in facts if fact),
        drawing=cover(service.slug),
        wide=True,
    )


def public_category(category: Category) -> Public:
    return Public(
        title=_("%(category)s: builders and prices") % {"category": category.name},
        description=category.description,
        url=address("catalog:category", category.slug),
        facts=(crumbs(front(), *_above(category)),),
    )


def public_categories() -> Public:
    url = address("catalog:categories")
    words = _("Everything that builders offer here, in fixed packages.")
    return Public(title=_("Categories"), description=words, url=url, facts=(crumbs(front(), (_("Categories"), url)),))


def _above(category: Category) -> list[tuple[str, str]]:
    """The way to a category, itself included."""
    way = [category.parent, category] if category.parent else [category]
    return [(_("Categories"), address("catalog:categories")), *((one.name, address("catalog:category", one.slug)) for one in way)]
