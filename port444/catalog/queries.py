"""Search, the pages that show several services, and what the editor says about prices."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db import connections, models, transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Cast, Ln, Upper

from port444.builders.models import Builder
from port444.kit import money, readonly

from .market import JUMP, Ask, Cell, Comparison, Verdict, compare, count_bars
from .models import Category, Service, ServiceQuerySet, Tier
from .pictures import Histogram, histogram

PAGE = 20
COUNTED = 200  # beyond this the count says "200+"
ALIKE = "0.27"  # of a word's trigrams: two swapped letters in a word of six leave two of seven; used only when nothing fits exactly
MOST_INTEGER = 2**31 - 1


class Sort(models.TextChoices):
    BEST = "best", "Best match"
    CHEAP = "cheap", "Price, low first"
    DEAR = "dear", "Price, high first"
    ORDERED = "ordered", "Most ordered"
    NEW = "new", "Newest"


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for; every part may be absent."""

    words: str = ""
    category: Category | None = None
    lowest: Decimal | None = None
    highest: Decimal | None = None
    days: int | None = None
    calls: bool = False
    language: str = ""
    sort: Sort = Sort.BEST

    @property
    def is_front(self) -> bool:
        """Nothing was asked for."""
        return self == Search(sort=self.sort)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of an answer. `near` says that nothing has all the words and these come close."""

    services: list[Service]
    after: str
    count: int
    builders: int
    near: bool

    @property
    def is_many(self) -> bool:
        return self.count > COUNTED


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the last row's key in the order, and its id."""

    sort: Sort
    near: bool
    key: Any
    pk: UUID

    def write(self) -> str:
        key = self.key.isoformat() if isinstance(self.key, datetime) else str(self.key)
        return base64.urlsafe_b64encode(f"{self.sort}|{int(self.near)}|{key}|{self.pk.hex}".encode()).decode().rstrip("=")


def read_cursor(text: str, sort: Sort) -> Cursor | None:
    """The cursor in `text`, or None when it is broken or belongs to another order."""
    try:
        words = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        name, near, key, pk = words.split("|")
        if name != sort or near not in ("0", "1") or len(text) > 200 or not re.fullmatch(r"[0-9a-f]{32}", pk):
            return None
        return Cursor(sort, near == "1", READ[sort](key), UUID(pk))
    except (ValueError, UnicodeError, binascii.Error, InvalidOperation, OverflowError):
        return None


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or abs(int(text)) > MOST_INTEGER:
        raise ValueError(text)
    return int(text)


def _price(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,12}\.[0-9]{2}", text):
        raise ValueError(text)
    return Decimal(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 2000 < moment.year < 3000:
        raise ValueError(text)
    return moment


READ: dict[Sort, Callable[[str], Any]] = {
    Sort.BEST: _integer,
    Sort.CHEAP: _price,
    Sort.DEAR: _price,
    Sort.ORDERED: _integer,
    Sort.NEW: _moment,
}
KEYS = {Sort.CHEAP: "from_price", Sort.DEAR: "-from_price", Sort.ORDERED: "-order_count", Sort.NEW: "-published_at"}


def find_services(search: Search, cursor: Cursor | None = None) -> Found:
    """The services that fit, one page of them, in the order that was asked for."""
    # The threshold of likeness is a setting of the transaction, so the reads share one.
    with transaction.atomic(using=readonly.alias()):
        near = bool(search.words) and (cursor.near if cursor else not _exact(_listed(), search.words).exists())
        if near:
            _set_likeness()
        matches = _matching(search, near)
        counted = matches.order_by()[: COUNTED + 1].aggregate(services=Count("pk"), builders=Count("builder_id", distinct=True))
        rows = list(_page(matches, search, near, cursor)[: PAGE + 1])
    after = ""
    if len(rows) > PAGE:
        rows.pop()
        last = rows[-1]
        after = Cursor(search.sort, near, last.key, last.pk).write()  # type: ignore[attr-defined]  # annotated by _page
    return Found(rows, after, counted["services"], counted["builders"], near)


def loosen(search: Search) -> list[tuple[str, Search, int]]:
    """For an empty answer: each filter that was set, the search without it, and how many services that finds."""
    without = {
        "category": replace(search, category=None),
        "price": replace(search, lowest=None, highest=None),
        "days": replace(search, days=None),
        "calls": replace(search, calls=False),
        "language": replace(search, language=""),
        "words": replace(search, words=""),
    }
    looser = [(name, other) for name, other in without.items() if other != search]
    with transaction.atomic(using=readonly.alias()):
        _set_likeness()
        counts = [_matching(other, near=bool(other.words))[: COUNTED + 1].count() for _, other in looser]
    return [(name, other, count) for (name, other), count in zip(looser, counts, strict=True) if count]


def _listed() -> ServiceQuerySet:
    return Service.objects.all().listed()


def _set_likeness() -> None:
    with connections[readonly.alias()].cursor() as database:
        database.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", [ALIKE])


def _query(words: str) -> SearchQuery:
    return SearchQuery(words, config="english", search_type="websearch")


def _any_word(words: str) -> list[str]:
    """The plain words; a search that leaves out or quotes says what it means and is never widened."""
    if re.search(r'"|(^|\s)-\S', words):
        return []
    return re.findall(r"\w+", words)[:8]


def _exact(services: ServiceQuerySet, words: str) -> ServiceQuerySet:
    return services.filter(search=_query(words))


def _near(services: ServiceQuerySet, words: str) -> ServiceQuerySet:
    """Any of the words, or a title that looks like one of them."""
    plain = _any_word(words)
    if not plain:
        return services.none()
    alike = Q(search=_query(" or ".join(plain)))
    for word in plain:
        if len(word) > 2:
            alike |= Q(title_upper__trigram_word_similar=word.upper())
    return services.alias(title_upper=Upper("title")).filter(alike)


def _matching(search: Search, near: bool) -> ServiceQuerySet:
    services = _listed()
    if search.words:
        services = (_near if near else _exact)(services, search.words)
    if search.category:
        services = services.filter(category=search.category)
    if search.lowest is not None:
        services = services.filter(from_price__gte=search.lowest)
    if search.highest is not None:
        services = services.filter(from_price__lte=search.highest)
    if search.days is not None:
        services = services.filter(least_days__lte=search.days)
    if search.calls:
        services = services.filter(builder__consultation_enabled=True)
    if search.language:
        services = services.filter(builder__languages__contains=[search.language])
    return services


def _score(words: str, near: bool) -> Cast:
    """How well a service fits, as a whole number so that a page can continue exactly after it."""
    plain = _any_word(words)
    query = _query(" or ".join(plain) if near and plain else words)
    often = Ln(Cast(F("order_count"), models.FloatField()) + 1)
    score = (SearchRank(F("search"), query) * 1_000_000.0) + (often * 20_000.0)
    if near:  # comparing letters costs more than all the rest, and says nothing more where the words fit
        score += TrigramWordSimilarity(words.upper(), Upper("title")) * 300_000.0
    return Cast(score, models.IntegerField())


def _page(services: ServiceQuerySet, search: Search, near: bool, cursor: Cursor | None) -> models.QuerySet[Service]:
    if search.sort == Sort.BEST:
        key: Any = _score(search.words, near) if search.words else F("order_count")
        ordered, descending = services.annotate(key=key), True
    else:
        field = KEYS[search.sort]
        ordered, descending = services.annotate(key=F(field.lstrip("-"))), field.startswith("-")
    if cursor:
        side = "lt" if descending else "gt"
        # The first half alone bounds the index; the second settles ties.
        ordered = ordered.filter(Q(**{f"key__{side}e": cursor.key}) & (Q(**{f"key__{side}": cursor.key}) | Q(**{f"pk__{side}": cursor.pk})))
    sign = "-" if descending else ""
    return ordered.select_related("builder__user").defer("description", "questions", "search").order_by(f"{sign}key", f"{sign}pk")


# Prices

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
            return "below all of them" if cell.equal == 0 else "the lowest of them"
        if verdict == Verdict.LOW:
            return f"below {cell.percent_above}% of them"
        return "above all of them" if cell.below == cell.count else f"above {cell.percent_below}% of them"

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
            found[tier].append(f"It was {money.usd(before)}. Is a zero missing?")
        elif before is not None and price >= before * JUMP:
            found[tier].append(f"It was {money.usd(before)}. Is there a zero too many?")
        if tier not in offered:
            continue
        least = typed[smaller] if smaller else None
        if smaller and least is not None and price < least:
            found[tier].append(f"{tier.label} costs less than {smaller.label} ({money.usd(least)}). Swap them, or raise it?")
        smaller = tier
    return found
