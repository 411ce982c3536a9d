"""The search: which services fit, and in which order.

A service's place is how well it fits times its quality. Fit is 100 for all words in the title, 75 where tags, category or builder's name
have to help, 60 for a synonym in the title, 50 where the text has to help, 30 for a synonym there; quality is a number from 400 to 1000
beside the service (docs/finding.md).

A page is exact without rating everything that fits: of those that fit at least so well, the best by quality hold the best by both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db import connections, models, transaction
from django.db.models import Case, F, Q, Value, When

from port444.catalog.models import Category, Listing, Service
from port444.kit import readonly
from port444.kit.clock import now

from .cursors import Cursor, Sort, Way
from .words import Reading, any_of, put_right, read

PAGE = 20
COUNTED = 200  # beyond this the count says "200+"
FREE_FOR = timedelta(days=7)

TITLE, HEAD, MEANT_IN_TITLE, TEXT, MEANT = 100, 75, 60, 50, 30
MOST_QUALITY = 1000
KEYS = {Sort.CHEAP: "from_price", Sort.DEAR: "-from_price", Sort.ORDERED: "-order_count", Sort.NEW: "-published_at"}

Listings = models.QuerySet[Listing]


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for; every part may be absent. `literal` takes the words as they stand, whatever they find."""

    words: str = ""
    category: Category | None = None
    lowest: Decimal | None = None
    highest: Decimal | None = None
    days: int | None = None
    level: str = ""
    rating: Decimal | None = None
    calls: bool = False
    free: bool = False
    language: str = ""
    sort: Sort = Sort.BEST
    literal: bool = False

    @property
    def is_front(self) -> bool:
        """Nothing was asked for."""
        return self == Search(sort=self.sort, literal=self.literal)


def asked(search: Search) -> dict[str, str]:
    """The fields of the form that a search sets."""
    values = {
        "q": search.words,
        "category": search.category.slug if search.category else "",
        "lowest": plain(search.lowest),
        "highest": plain(search.highest),
        "days": str(search.days or ""),
        "level": search.level,
        "rating": str(search.rating or ""),
        "calls": "on" if search.calls else "",
        "free": "on" if search.free else "",
        "language": search.language,
        "sort": search.sort.value if search.sort != Sort.BEST else "",
        "literal": "on" if search.literal else "",
    }
    return {name: value for name, value in values.items() if value}


def plain(amount: Decimal | None) -> str:
    return "" if amount is None else str(amount).removesuffix(".00")


@dataclass(frozen=True, slots=True)
class Found:
    """One page of an answer. `corrected` are the words that were looked for in place of those said; `near` says that nothing has all the
    words and these come close. `by_category` counts a short answer to a search in all categories."""

    services: list[Service]
    after: str
    count: int
    builders: int
    way: Way
    corrected: str = ""
    by_category: dict[UUID, int] = field(default_factory=dict)

    @property
    def near(self) -> bool:
        return self.way == Way.NEAR

    @property
    def is_many(self) -> bool:
        return self.count > COUNTED


@dataclass(frozen=True, slots=True)
class Reach:
    """How a search takes its words, and the first of what that finds: all of it while it is short."""

    way: Way
    words: str
    reading: Reading | None
    rows: list[tuple[UUID, UUID, UUID, UUID]]  # service, builder, category, section


def find_services(search: Search, cursor: Cursor | None = None) -> Found:
    """The services that fit, one page of them, in the order that was asked for."""
    moment = now()
    with by_index():
        reach = _reach(search, moment, cursor.way if cursor else None)
        some = [row[0] for row in reach.rows] if len(reach.rows) <= COUNTED else None
        places = _places(search, reach, some, cursor, moment)
    after = ""
    if len(places) > PAGE:
        places.pop()
        pk, key = places[-1]
        after = Cursor(search.sort, reach.way, key, pk).write()
    short = Counter(pk for row in reach.rows for pk in set(row[2:])) if some is not None and search.category is None else {}
    return Found(
        services=by_id([pk for pk, _ in places]),
        after=after,
        count=len(reach.rows),
        builders=len({row[1] for row in reach.rows}),
        way=reach.way,
        corrected=reach.words if reach.way == Way.CORRECTED else "",
        by_category=dict(short),
    )


def loosen(search: Search) -> list[tuple[str, Search, int]]:
    """For an empty answer: each filter that was set, the search without it, and how many services that finds."""
    without = {
        "category": replace(search, category=None),
        "price": replace(search, lowest=None, highest=None),
        "days": replace(search, days=None),
        "level": replace(search, level=""),
        "rating": replace(search, rating=None),
        "calls": replace(search, calls=False),
        "free": replace(search, free=False),
        "language": replace(search, language=""),
        "words": replace(search, words=""),
    }
    moment = now()
    looser = [(name, other) for name, other in without.items() if other != search]
    with by_index():
        counts = [len(_reach(other, moment, None).rows) for _, other in looser]
    return [(name, other, count) for (name, other), count in zip(looser, counts, strict=True) if count]


def best_of(search: Search, most: int) -> list[Service]:
    """The best of what fits a search without words."""
    rows = _filtered(search, now()).order_by("-quality", "-service")
    return by_id(list(rows.values_list("pk", flat=True)[:most]))


def by_id(ids: Sequence[UUID]) -> list[Service]:
    """The services as cards show them, in the order of `ids`."""
    services = Service.objects.select_related("builder__user").defer("description", "questions").in_bulk(ids)
    return [services[pk] for pk in ids if pk in services]


def listed_since(search: Search, since: datetime, until: datetime) -> Listings:
    """What came for sale after `since`, up to `until`, and fits the search as it is written."""
    reading = read(search.words) if search.words else None
    return _matching(search, reading, now()).filter(published_at__gt=since, published_at__lte=until).order_by("-published_at", "-service")


# Which fit


@contextmanager
def by_index() -> Iterator[None]:
    """Inside, the database reads by indexes alone: it thinks that looking through the words of a row costs nothing, and would read them all."""
    with transaction.atomic(using=readonly.alias()):
        with connections[readonly.alias()].cursor() as cursor:
            cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        yield


class Ready(SearchQuery):
    """A query as the database writes it, compared as it is."""

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # as Django calls it
        sql, values = compiler.compile(self.source_expressions[0])
        return f"{sql}::tsquery", list(values)


def _reach(search: Search, moment: datetime, way: Way | None) -> Reach:
    """The words as they stand; put right when nothing on the whole market has them so; any of them when that does not help. A page that
    goes on says which way it came."""
    if not search.words:
        return Reach(Way.SAID, "", None, _first(search, None, moment))
    said = read(search.words)
    if way in (None, Way.SAID):
        rows = _first(search, said, moment)
        if rows or way or search.literal or _is_written(said):
            return Reach(Way.SAID, search.words, said, rows)
    words = put_right(search.words)
    if words and way in (None, Way.CORRECTED):
        reading = read(words)
        rows = _first(search, reading, moment)
        if rows or way or _is_written(reading):
            return Reach(Way.CORRECTED, words, reading, rows)
    of_any = any_of(words or search.words)
    rows = _first(search, of_any, moment) if of_any else []
    return Reach(Way.NEAR, search.words, of_any, rows) if rows else Reach(Way.SAID, search.words, said, rows)


def _first(search: Search, reading: Reading | None, moment: datetime) -> list[tuple[UUID, UUID, UUID, UUID]]:
    rows = _matching(search, reading, moment).order_by()
    return list(rows.values_list("service_id", "builder_id", "category_id", "section_id")[: COUNTED + 1])


def _is_written(reading: Reading) -> bool:
    """Whether any listing has these words, whatever the filters say."""
    return Listing.objects.filter(all_words=Ready(reading.wide)).exists()


def _matching(search: Search, reading: Reading | None, moment: datetime) -> Listings:
    rows = _filtered(search, moment)
    return rows.filter(all_words=Ready(reading.wide)) if reading else rows


def _filtered(search: Search, moment: datetime) -> Listings:
    until = moment + FREE_FOR if search.free else moment
    here = Q(away_from__isnull=True) | Q(away_from__gt=until) | Q(away_until__lte=moment)
    wanted: dict[str, Any] = {
        ("category" if search.category and search.category.parent_id else "section"): search.category,
        "from_price__gte": search.lowest,
        "from_price__lte": search.highest,
        "least_days__lte": search.days,
        "level": search.level,
        "rating_tenths__gte": int(search.rating * 10) if search.rating else None,
        "takes_calls": search.calls,
        "languages__contains": [search.language] if search.language else None,
    }
    return Listing.objects.filter(here, **{name: value for name, value in wanted.items() if value not in (None, "", False)})


# In which order


def _places(search: Search, reach: Reach, some: list[UUID] | None, cursor: Cursor | None, moment: datetime) -> list[tuple[UUID, Any]]:
    """The ids of one page and of one row more, with their keys."""
    rows = Listing.objects.filter(pk__in=some) if some is not None else _matching(search, reach.reading, moment)
    if search.sort != Sort.BEST:
        name = KEYS[search.sort]
        return _ordered(rows, F(name.lstrip("-")), cursor, descending=name.startswith("-"))
    if reach.reading is None:
        return _ordered(rows, F("quality"), cursor)
    key = _fit(reach.reading) * F("quality")
    if some is None:
        rows = Listing.objects.filter(pk__in=_best(_filtered(search, moment), reach.reading, key, cursor))
    return _ordered(rows, key, cursor)


def _ordered(rows: Listings, key: Any, cursor: Cursor | None, *, descending: bool = True) -> list[tuple[UUID, Any]]:
    ordered = rows.annotate(key=key)
    if cursor:
        ordered = ordered.filter(_behind(cursor, "lt" if descending else "gt"))
    sign = "-" if descending else ""
    return list(ordered.order_by(f"{sign}key", f"{sign}service").values_list("service_id", "key")[: PAGE + 1])


def _behind(cursor: Cursor, side: str) -> Q:
    # The first half alone bounds the index; the second settles ties.
    return Q(**{f"key__{side}e": cursor.key}) & (Q(**{f"key__{side}": cursor.key}) | Q(**{f"service__{side}": cursor.pk}))


def _steps(reading: Reading) -> list[tuple[int, dict[str, Any]]]:
    """From those that fit best to all, each with the weight of its least."""
    literal, wide = Ready(reading.literal), Ready(reading.wide)
    steps: list[tuple[int, dict[str, Any]]] = [(TITLE, {"title_words": literal}), (HEAD, {"head_words": literal}), (TEXT, {"all_words": literal})]
    if reading.wide == reading.literal:
        return steps
    return [*steps[:2], (MEANT_IN_TITLE, {"title_words": wide}), steps[2], (MEANT, {"all_words": wide})]


def _fit(reading: Reading) -> Case:
    steps = _steps(reading)
    return Case(*(When(**fits, then=Value(weight)) for weight, fits in steps[:-1]), default=Value(steps[-1][0]), output_field=models.IntegerField())


def _best(rows: Listings, reading: Reading, key: Any, cursor: Cursor | None) -> list[UUID]:
    """Among whom the best are: of each kind of fit the best by quality. Nobody below those, of that weight, can be on the page, and nobody
    of a kind whose best would stand below a whole page."""
    least: dict[UUID, int] = {}  # what a key is at least
    for weight, fits in _steps(reading):
        if len(least) > PAGE and sorted(least.values())[-PAGE - 1] > weight * MOST_QUALITY:
            break
        kind = rows.filter(**fits)
        if "!" in reading.wide:  # what is left out must stand nowhere
            kind = kind.filter(all_words=Ready(reading.wide))
        if cursor:
            kind = kind.filter(quality__lte=cursor.key // weight).annotate(key=key).filter(_behind(cursor, "lt"))
        for pk, quality in kind.order_by("-quality", "-service").values_list("service_id", "quality")[: PAGE + 1]:
            least[pk] = max(least.get(pk, 0), weight * quality)
    return list(least)
