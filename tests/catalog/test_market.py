"""The numbers of a comparison, against values worked out by hand and against Python's own quartiles."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from port444.builders.models import Builder
from port444.catalog.market import BARS, Ask, Comparison, Source, Verdict, compare, count_bars
from port444.catalog.models import Category, PricePoint, Tier
from port444.catalog.queries import check_prices

Crowd = Callable[..., list[Builder]]
PACK = {"tier": "basic", "name": "One", "price": Decimal("60.00"), "delivery_days": 2, "revisions": 1, "deliverables": []}


def ask(category: Category, builder: Builder, price: str | None = None, level: str = "new") -> Ask:
    return Ask(category.pk, "basic", level, builder.pk, Decimal(price) if price else None)


def told(comparison: Comparison) -> tuple[str, ...]:
    cell = comparison.cell
    assert cell is not None
    return tuple(f"{value.normalize():f}" for value in (cell.least, cell.p25, cell.median, cell.p75, cell.most))


# Type 7 of Hyndman and Fan: h = (n - 1)p, between the values at floor(h) and floor(h) + 1. Percentile rank: below plus half of equal.
# prices of the cell, the five numbers, and pairs of a price and its percentile rank
TABLE: dict[str, tuple[list[str], tuple[str, ...], dict[str, int]]] = {
    "one value": (["50"], ("50", "50", "50", "50", "50"), {"49.99": 0, "50": 50, "50.01": 100}),
    "two": (["10", "20"], ("10", "12.5", "15", "17.5", "20"), {"10": 25, "15": 50, "20": 75}),
    "an even count": (["40", "10", "30", "20"], ("10", "17.5", "25", "32.5", "40"), {"5": 0, "10": 13, "25": 50, "40": 88}),
    "an odd count": (["10", "20", "30", "40", "50"], ("10", "20", "30", "40", "50"), {"30": 50, "35": 60, "60": 100}),
    "six": (["1", "2", "3", "4", "5", "6"], ("1", "2.25", "3.5", "4.75", "6"), {"2": 25, "3.5": 50}),
    "ties": (["20", "20", "20", "40"], ("20", "20", "20", "25", "40"), {"19": 0, "20": 38, "30": 75, "40": 88}),
    "all the same": (["30"] * 6, ("30", "30", "30", "30", "30"), {"29": 0, "30": 50, "31": 100}),
    "an outlier": (["10", "20", "30", "40", "10000"], ("10", "20", "30", "40", "10000"), {"41": 80, "10000": 90}),
    "cents": (["10.01", "10.02"], ("10.01", "10.0125", "10.015", "10.0175", "10.02"), {"10.01": 25}),
}


@pytest.mark.parametrize("name", TABLE)
def test_quartiles_and_rank_agree_with_the_table(name: str, crowd: Crowd, category: Category, builder: Builder, settings: Any) -> None:
    settings.MARKET_LEAST_BUILDERS = 1
    prices, five, ranks = TABLE[name]
    crowd(prices)
    found = compare([ask(category, builder, price) for price in ranks])
    assert {told(comparison) for comparison in found} == {five}
    assert {price: comparison.cell.percentile for price, comparison in zip(ranks, found, strict=True) if comparison.cell} == ranks


def test_an_empty_cell_compares_with_nothing(category: Category, builder: Builder, settings: Any) -> None:
    settings.MARKET_LEAST_BUILDERS = 1
    (found,) = compare([ask(category, builder, "50")])
    assert (found.cell, found.sold_by) == (None, 0)
    assert count_bars([found]) == [[]]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices=st.lists(st.decimals("0.01", "9999.99", places=2), min_size=2, max_size=15), price=st.decimals("0.01", "9999.99", places=2))
def test_quartiles_are_those_of_the_standard_library(
    prices: list[Decimal], price: Decimal, crowd_once: Callable[[Sequence[Decimal]], None], category: Category, builder: Builder
) -> None:
    """`statistics.quantiles(method="inclusive")` is type 7."""
    crowd_once(prices)
    (found,) = compare([ask(category, builder, str(price))])
    assert found.cell is not None
    expected = [Fraction(value) for value in statistics.quantiles([Fraction(one) for one in prices], n=4, method="inclusive")]
    assert [Fraction(found.cell.p25), Fraction(found.cell.median), Fraction(found.cell.p75)] == expected
    below, equal = sum(one < price for one in prices), sum(one == price for one in prices)
    rank = Fraction(100 * (2 * below + equal), 2 * len(prices))
    assert abs(found.cell.percentile - rank) <= Fraction(1, 2)
    assert sum(count_bars([found])[0]) == len(prices)


@pytest.fixture
def crowd_once(category: Category, crowd: Crowd, settings: Any) -> Callable[[Sequence[Decimal]], None]:
    """Fills the cell anew, with the same builders."""
    settings.MARKET_LEAST_BUILDERS = 1
    builders = crowd(["1"] * 15)

    def fill(prices: Sequence[Decimal]) -> None:
        PricePoint.objects.all().delete()
        cell = {"category": category, "tier": "basic", "level": "new", "sales": 0, "due_at": builders[0].created_at}
        PricePoint.objects.bulk_create(PricePoint(builder=one, price=price, **cell) for one, price in zip(builders, prices, strict=False))

    return fill


def test_nineteen_builders_are_too_few_and_twenty_are_enough(crowd: Crowd, category: Category, builder: Builder) -> None:
    crowd([str(n) for n in range(1, 20)])
    (found,) = compare([ask(category, builder, "50")])
    assert (found.cell, found.sold_by) == (None, 19)
    crowd(["20"])
    (found,) = compare([ask(category, builder, "50")])
    assert found.cell is not None
    assert (found.cell.count, found.cell.source) == (20, Source.LEVEL)


def test_ones_own_price_does_not_count(crowd: Crowd, category: Category, builder: Builder) -> None:
    others = crowd([str(n) for n in range(1, 21)])
    own = {"category": category, "tier": "basic", "level": "new", "due_at": builder.created_at}
    PricePoint.objects.create(builder=builder, price=Decimal(900), **own)
    (mine, theirs) = compare([ask(category, builder, "900"), ask(category, others[0], "900")])
    assert mine.cell is not None
    assert theirs.cell is not None
    assert (mine.cell.count, mine.cell.most, mine.cell.equal) == (20, Decimal(20), 0)
    assert (theirs.cell.count, theirs.cell.most, theirs.cell.least) == (20, Decimal(900), Decimal(2))  # without their own 1


def test_the_level_first_then_all_then_what_is_asked(
    crowd: Crowd, category: Category, builder: Builder, make_service: Callable[..., Any], settings: Any
) -> None:
    settings.MARKET_LEAST_BUILDERS = 3
    crowd(["10", "20"], level="top")
    crowd(["30"], level="new")
    (found,) = compare([ask(category, builder, "15", "top")])
    assert found.cell is not None
    assert (found.cell.source, found.cell.count) == (Source.TIER, 3)
    crowd(["40"], level="top")
    (found,) = compare([ask(category, builder, "15", "top")])
    assert found.cell is not None
    assert (found.cell.source, found.cell.most) == (Source.LEVEL, Decimal(40))
    PricePoint.objects.filter(price__gte=30).delete()
    (found,) = compare([ask(category, builder, "15", "top")])
    assert (found.cell, found.sold_by) == (None, 2)
    sellers = crowd([None] * 3)
    for number, seller in enumerate(sellers):
        make_service(f"Service {number}", by=seller)  # each asks 60
    make_service("Another", by=sellers[0], packages=[{**PACK, "price": Decimal("80.00")}])  # whose voice is 70 now
    make_service("Own", by=builder)
    make_service("A draft", by=crowd([None])[0], publish=False)
    (found,) = compare([ask(category, builder, "65", "top")])
    assert found.cell is not None
    assert (found.cell.source, found.cell.count, found.cell.least, found.cell.most) == (Source.ASKED, 3, Decimal(60), Decimal(70))
    assert (found.cell.below, found.sold_by) == (2, 2)


def test_a_cell_that_one_builder_fills_is_not_shown(crowd: Crowd, category: Category, builder: Builder) -> None:
    crowd([str(n) for n in range(1, 21)])
    PricePoint.objects.update(sales=1)
    PricePoint.objects.filter(price=7).update(sales=7)  # of 26
    (found,) = compare([ask(category, builder, "50")])
    assert (found.cell, found.sold_by) == (None, 20)
    PricePoint.objects.filter(price=7).update(sales=6)  # of 25
    assert compare([ask(category, builder, "50")])[0].cell is not None


@pytest.mark.parametrize(
    ("price", "verdict", "is_far"),
    [("1", "low", True), ("5.74", "low", False), ("5.75", "mid", False), ("15.25", "mid", False), ("15.26", "high", False), ("21", "high", True)],
)
def test_both_sides_are_judged_alike(price: str, verdict: str, is_far: bool, crowd: Crowd, category: Category, builder: Builder) -> None:
    crowd([str(n) for n in range(1, 21)])  # quartiles 5.75 and 15.25
    (found,) = compare([ask(category, builder, price)])
    assert found.cell is not None
    assert (found.cell.verdict(Decimal(price)), found.cell.is_far) == (Verdict(verdict), is_far)
    assert found.cell.suggestion == Decimal("5.75")


def test_any_number_is_compared_in_a_query_a_source(crowd: Crowd, category: Category, builder: Builder, django_assert_num_queries: Any) -> None:
    crowd([str(n) for n in range(1, 21)])
    enough, none = ask(category, builder, "3"), Ask(category.pk, "premium", "new", builder.pk)
    for asks, queries in (([enough], 1), ([enough] * 30, 1), ([none], 3), ([enough, none] * 30, 3)):
        with django_assert_num_queries(queries):
            found = compare(asks)
        assert [comparison.cell is not None for comparison in found] == [one is enough for one in asks]


def test_bars_count_every_voice_and_outliers_stand_at_the_ends(crowd: Crowd, category: Category, builder: Builder) -> None:
    crowd([*(str(n) for n in range(1, 21)), "5000"])
    found = compare([ask(category, builder, "3")])
    (bars,) = count_bars(found)
    assert (len(bars), sum(bars)) == (BARS, 21)
    assert bars[-1] >= 1
    cell = found[0].cell
    assert cell is not None
    assert cell.ends == (Decimal(1), Decimal(31))  # quartiles 6 and 16: the fence is 16 + 1.5 * 10


def test_questions_about_the_prices_of_one_service() -> None:
    basic, standard, premium = Tier
    typed = {basic: Decimal(35), standard: Decimal(30), premium: Decimal(64)}
    found = check_prices(typed, set(Tier), {premium: Decimal(640), basic: Decimal("3.50")})
    assert found == {
        basic: ["It was $3.50. Is there a zero too many?"],
        standard: ["Standard costs less than Basic ($35.00). Swap them, or raise it?"],
        premium: ["It was $640.00. Is a zero missing?"],
    }
    assert check_prices(typed, {basic, premium}, {premium: Decimal("639.99")}) == {basic: [], standard: [], premium: []}
    assert check_prices({**typed, standard: None}, set(Tier), {}) == {basic: [], standard: [], premium: []}
