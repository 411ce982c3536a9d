"""Saved searches: what they ask for, and what they have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from port444.catalog.models import Category, SavedSearch, Service
from port444.kit.clock import now

from .cursors import Sort
from .finding import COUNTED, Search, listed_since


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved search with how many services came since its owner last looked; more than 200 are not counted."""

    row: SavedSearch
    search: Search
    news: int


def saved_by(user: Any) -> list[Saved]:
    """The saved searches of a person, newest first; at most two queries for each of at most twenty."""
    rows = list(SavedSearch.objects.filter(user=user).order_by("-created_at", "-pk"))
    moment = now()
    searches = searches_of(rows)
    return [
        Saved(row, search, len(listed_since(search, row.seen_at, moment).values_list("pk")[: COUNTED + 1]))
        for row, search in zip(rows, searches, strict=True)
    ]


def matches_of(row: SavedSearch, since: datetime, until: datetime, most: int) -> list[Service]:
    """What came for sale between two moments and fits; not what the searcher sells."""
    (search,) = searches_of([row])
    found = listed_since(search, since, until).exclude(builder__user=row.user_id)
    return [
        listing.service for listing in found.select_related("service").defer("service__description", "title_words", "head_words", "all_words")[:most]
    ]


def searches_of(rows: Sequence[SavedSearch]) -> list[Search]:
    """What saved searches ask for. A category that is gone is no filter any more."""
    slugs = {slug for row in rows if (slug := row.asked.get("category"))}
    categories = {category.slug: category for category in Category.objects.filter(slug__in=slugs)} if slugs else {}
    return [_read(row.asked, categories) for row in rows]


def _read(asked: Mapping[str, str], categories: Mapping[str, Category]) -> Search:
    """The fields of the form were checked before they were saved."""

    def amount(name: str) -> Decimal | None:
        return Decimal(asked[name]) if name in asked else None

    return Search(
        words=asked.get("q", ""),
        category=categories.get(asked.get("category", "")),
        lowest=amount("lowest"),
        highest=amount("highest"),
        days=int(asked["days"]) if "days" in asked else None,
        level=asked.get("level", ""),
        rating=amount("rating"),
        calls="calls" in asked,
        free="free" in asked,
        language=asked.get("language", ""),
        sort=Sort(asked.get("sort", Sort.BEST)),
        literal="literal" in asked,
    )
