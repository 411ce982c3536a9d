"""Template words that every page uses."""

from __future__ import annotations

from decimal import Decimal

from django import template

from port444.kit import money

register = template.Library()


@register.filter
def usd(amount: Decimal) -> str:
    """An amount as people read it, e.g. $1,234.50."""
    return money.usd(amount)
