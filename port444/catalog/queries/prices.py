"""What the editor of a service says about its prices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from port444.builders.models import Builder
from port444.catalog.market import JUMP, Ask, Cell, Comparison, Verdict, compare, count_bars
from port444.catalog.models import Category, Tier
from port444.catalog.pictures import Histogram, histogram
from port444.kit import money

Typed = Mapping[Tier, Decimal | None]


@dataclass(frozen=True, slots=True)
class Hint:
    """What stands under the price of one size: questions about the price itself, and how it compares. It never blocks."""

    tier: Tier
    price: Decimal | None
    checks: list[str]
    comparison: Comparison | None = None
    picture: Histogram | None = None

    @property
    def cell(self) -> Cell | None:
        return self.comparison.cell if self.comparison else None

    @property
    def verdict(self) -> Verdict | None:
        return self.cell.verdict(self.price) if self.cell and self.price is not None else None

    @property
    def standing(self) -> str:
        """Where the price stands among the others, in words."""
        cell, verdict = self.cell, self.verdict
        if cell is None or verdict is None:
            return ""
        if cell.below == 0:
            return _("below all of them") if cell.equal == 0 else _("the lowest of them")
        if verdict == Verdict.LOW:
            return _("below %(percent)s%% of them") % {"percent": cell.percent_above}
        if cell.below == cell.count:
            return _("above all of them")
        return _("above %(percent)s%% of them") % {"percent": cell.percent_below}

    @property
    def kept(self) -> Decimal | None:
        """What the builder receives of the price."""
        return self.price - money.fee(self.price, settings.BUILDER_FEE_BPS) if self.price is not None else None


def price_hints(builder: Builder, category: Category | None, typed: Typed, checks: Mapping[Tier, list[str]], *, compared: bool = True) -> list[Hint]:
    """A hint for each size; at most four queries."""
    if category is None or not compared:
        return [Hint(tier, price, checks[tier]) for tier, price in typed.items()]
    asks = [Ask(category.pk, tier.value, builder.level, builder.pk, price) for tier, price in typed.items()]
    comparisons = compare(asks)
    hints = []
    for (tier, price), comparison, bars in zip(typed.items(), comparisons, count_bars(comparisons), strict=True):
        picture = histogram(comparison.cell, bars, price) if comparison.cell else None
        hints.append(Hint(tier, price, checks[tier], comparison, picture))
    return hints


def check_prices(typed: Typed, offered: Collection[Tier], saved: Typed) -> dict[Tier, list[str]]:
    """Questions about the prices of one service by themselves, for each size: a larger one that costs less, a zero that is missing."""
    found: dict[Tier, list[str]] = {tier: [] for tier in typed}
    smaller: Tier | None = None
    for tier, price in typed.items():
        if price is None:
            continue
        before = saved.get(tier)
        if before is not None and price * JUMP <= before:
            found[tier].append(_("It was %(price)s. Is a zero missing?") % {"price": money.usd(before)})
        elif before is not None and price >= before * JUMP:
            found[tier].append(_("It was %(price)s. Is there a zero too many?") % {"price": money.usd(before)})
        if tier not in offered:
            continue
        least = typed[smaller] if smaller else None
        if smaller and least is not None and price < least:
            facts = {"larger": tier.label, "smaller": smaller.label, "price": money.usd(least)}
            found[tier].append(_("%(larger)s costs less than %(smaller)s (%(price)s). Swap them, or raise it?") % facts)
        smaller = tier
    return found
