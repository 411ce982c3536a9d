"""What pages of other apps show of favourites."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django import template
from django.template.context import Context

from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.favourites import queries

register = template.Library()


@register.simple_tag(takes_context=True)
def saved_among(context: Context, services: Iterable[Service] | Service) -> frozenset[UUID]:
    """The ids of those services that the reader has saved; one query for all of them."""
    return queries.saved_among(context.get("user"), [services] if isinstance(services, Service) else services)


@register.simple_tag(takes_context=True)
def is_saved(context: Context, builder: Builder) -> bool:
    return queries.is_saved(context.get("user"), builder)


@register.filter
def among(pk: UUID, saved: frozenset[UUID]) -> bool:
    return pk in saved
