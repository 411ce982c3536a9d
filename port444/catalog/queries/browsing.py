"""Categories as pages and as choices, and what completes the words in the search box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from port444.builders.models import Builder
from port444.catalog.market import Ask, Cell, Source, compare
from port444.catalog.models import Category, Service, Tier

from .finding import Search, best_of
from .words import SHORTEST, complete

BEST = 12
MOST_SUGGESTED = 8
NOBODY = UUID(int=0)  # in whose place nobody's price is left out of the market


@dataclass(frozen=True, slots=True)
class Part:
    """A category with those below it; `count` is how many found services are in it, None when that was not counted."""

    category: Category
    parts: list[Part]
    count: int | None

    @property
    def name(self) -> str:
        return self.category.name if self.count is None else f"{self.category.name} ({self.count})"


def parts_of(categories: Sequence[Category], counts: Mapping[UUID, int]) -> list[Part]:
    """The categories as a tree of two levels, in their order; with `counts` those without any say 0."""

    def below(parent: UUID | None) -> list[Part]:
        return [Part(one, below(one.pk), counts.get(one.pk, 0) if counts else None) for one in categories if one.parent_id == parent]

    return below(None)


def services_in(category: Category) -> list[Service]:
    """The best services of a category and its parts."""
    return best_of(Search(category=category), BEST)


def market_of(category: Category) -> list[tuple[Tier, Cell]]:
    """What is paid in a category for each size, or asked while too few were paid; sizes with too few of both are left out."""
    asks = [Ask(category.pk, tier.value, "", NOBODY) for tier in Tier]
    found = compare(asks, (Source.TIER, Source.ASKED))
    return [(tier, one.cell) for tier, one in zip(Tier, found, strict=True) if one.cell is not None]


def suggest(words: str) -> list[str]:
    """What somebody who typed `words` may mean: the last word completed, categories, and builders by name."""
    before, _, last = words.rpartition(" ")
    if len(last) < SHORTEST:
        return []
    completed = [f"{before} {word}".strip() for word in complete(last.lower())[:MOST_SUGGESTED]]
    categories = list(Category.objects.filter(name__icontains=words).values_list("name", flat=True)[:3])
    people = Builder.objects.visible().filter(user__name__istartswith=words, services__listing__isnull=False)
    names = list(people.order_by("user__name").values_list("user__name", flat=True).distinct()[:3])
    return list(dict.fromkeys([*completed[: MOST_SUGGESTED - len(categories) - len(names)], *categories, *names]))
