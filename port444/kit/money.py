"""Money: exact decimals with two places, in USDC.

No float ever touches an amount. The database keeps numeric(14,2); on chain the same amounts are integers of six decimals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from .errors import Invalid
from .language import number

CURRENCY = "USDC"
CENT = Decimal("0.01")
ZERO = Decimal("0.00")
MOST = Decimal("999999999999.99")
BPS = 10_000
PLAIN = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


def amount_field(**options: Any) -> models.DecimalField[Any, Any]:
    """A column for an amount: numeric(14,2)."""
    return models.DecimalField(max_digits=14, decimal_places=2, **options)


def parse(text: str | int | Decimal) -> Decimal:
    """The amount that `text` names, with two places. Text is the digits 0 to 9 and one dot, with blanks around it at most.

    Raises Invalid for floats, signs, exponents, underscores, digits of other scripts or a third decimal.
    """
    if isinstance(text, float | bool):
        raise Invalid(_("An amount is written as text, not as a floating point number."), code="amount_float")
    if isinstance(text, str) and not PLAIN.fullmatch(text.strip()):  # Decimal reads far more than people mean
        raise Invalid(_("Write the amount as a number, for example 25.00."), code="amount_format")
    amount = Decimal(text.strip() if isinstance(text, str) else text)
    if not amount.is_finite() or amount < 0 or amount > MOST:
        raise Invalid(_("The amount is out of range."), code="amount_range")
    if amount != amount.quantize(CENT, ROUND_DOWN):
        raise Invalid(_("Amounts have at most two decimals."), code="amount_places")
    return amount.quantize(CENT)


def positive(amount: Decimal) -> Decimal:
    """`amount` if it is more than zero and has at most two places; raises Invalid otherwise."""
    amount = parse(amount)
    if amount <= 0:
        raise Invalid(_("The amount must be more than zero."), code="amount_zero")
    return amount


def fee(amount: Decimal, bps: int) -> Decimal:
    """The share of `amount` that `bps` hundredths of a percent make, rounded down to the cent."""
    return (amount * bps / BPS).quantize(CENT, ROUND_DOWN)


def split(amount: Decimal, weights: Sequence[int | Decimal]) -> list[Decimal]:
    """`amount` in shares by `weights` that add up to it exactly (largest remainder; ties to the first)."""
    total = sum(weights)
    if not weights or total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all zero")
    cents = int(amount / CENT)
    exact = [cents * Decimal(weight) / Decimal(total) for weight in weights]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: exact[i] - shares[i], reverse=True)
    for i in by_remainder[: cents - sum(shares)]:
        shares[i] += 1
    return [share * CENT for share in shares]


def usd(amount: Decimal, places: int = 2) -> str:
    """An amount as people read it, e.g. "$1,234.50", in German "1.234,50 $" (one USDC is one dollar)."""
    sign = "-" if amount < 0 else ""
    return sign + pgettext("an amount of money", "$%(number)s") % {"number": number(abs(amount), places)}
