"""Builders as search engines and shared links show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from port444.builders.models import Builder
from port444.builders.pictures import portrait
from port444.kit.cards import Card
from port444.kit.publicity import Public, address, crumbs


def person_of(builder: Builder) -> dict[str, Any]:
    """A builder in the words of schema.org."""
    return {"@type": "Person", "name": builder.user.name, "url": address("builders:detail", builder.slug)}


def public_builder(builder: Builder) -> Public:
    url, card = address("builders:detail", builder.slug), address("builders:card", builder.slug)
    person: dict[str, Any] = {**person_of(builder), "description": builder.headline, "image": card}
    if builder.skills:
        person["knowsAbout"] = builder.skills
    if builder.languages:
        person["knowsLanguage"] = builder.languages
    if builder.city:
        person["homeLocation"] = {"@type": "Place", "name": builder.city}
    page = {"@type": "ProfilePage", "url": url, "dateCreated": f"{builder.created_at:%Y-%m-%d}", "mainEntity": person}
    way = crumbs(front(), (builder.user.name, url))
    return Public(
        title=f"{builder.user.name}, {builder.headline}",
        description=builder.headline,
        url=url,
        card=card,
        kind="profile",
        facts=(page, way),
    )


def card_of(builder: Builder) -> Card:
    """The picture of a builder for shared links, in English for all."""
    photo, fact = builder.photo.name or "", stars(builder.rating, builder.rating_count)
    return Card(title=builder.user.name, line=builder.headline, fact=fact, photo=photo, drawing="" if photo else portrait(builder.slug))


def stars(rating: Decimal | None, count: int) -> str:
    """E.g. "4.9 of 5 from 127 reviews"; empty before the first."""
    return f"{rating} of 5 from {count} review{'s' if count > 1 else ''}" if count else ""


def front() -> tuple[str, str]:
    """The first step of the way to every page."""
    return _("Find a builder"), address("catalog:search")
