"""How a price compares with what others are paid.

A cell is a size in a category, with or without the level of the builder. In it every builder has one voice, the median of what they
were paid, so that a busy one does not set the market; the builder who asks has none. Of a cell only its size, nine prices and two
counts leave the database, however large it is.

Definitions. Quartiles: linear interpolation between the order statistics x[0..n-1] at (n - 1)p, which is type 7 of Hyndman and Fan,
"Sample Quantiles in Statistical Packages", The American Statistician 50 (1996), 361-365; also QUARTILE.INC of spreadsheets and
`statistics.quantiles(method="inclusive")`. Percentile rank: the share of voices below a price plus half of those equal to it, which is
(CF - F / 2) / N of the textbooks (`scipy.stats.percentileofscore(kind="mean")`). Both are exact decimals and rounded only to be shown
or stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from port444.kit import readonly
from port444.kit.money import CENT

BARS = 12
FAR = 5  # percent at either end, from where the words are stronger
JUMP = 10  # times the last price: a zero may be missing, or be one too many
WHOLE_FROM = Decimal(10)  # from here on a suggested price is in whole dollars


class Source(models.TextChoices):
    """Where the voices of a cell come from, in the order in which they are asked."""

    LEVEL = "level", _("paid to builders of this level")
    TIER = "tier", _("paid to all builders")
    ASKED = "asked", _("asked in live services")


PAID = (Source.LEVEL, Source.TIER)


class Verdict(models.TextChoices):
    LOW = "low", _("Consider raising it")
    USUAL = "mid", _("In the usual range")
    HIGH = "high", _("Premium pricing")


@dataclass(frozen=True, slots=True)
class Ask:
    """A price to compare, of a builder who does not count in the market; without a price the market alone is of interest."""

    category_id: UUID
    tier: str
    level: str
    builder_id: UUID
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says about a price. The quartiles are exact; `below` and `equal` count voices against the price."""

    source: Source
    count: int
    least: Decimal
    p25: Decimal
    median: Decimal
    p75: Decimal
    most: Decimal
    below: int
    equal: int

    @property
    def percentile(self) -> int:
        """The percentile rank of the price, a whole number from 0 to 100, half rounded up."""
        return int((Decimal(50 * (2 * self.below + self.equal)) / self.count).quantize(Decimal(1), ROUND_HALF_UP))

    @property
    def percent_below(self) -> int:
        """How many of a hundred voices are below the price, rounded down so that it is never too much to claim."""
        return 100 * self.below // self.count

    @property
    def percent_above(self) -> int:
        return 100 * (self.count - self.below - self.equal) // self.count

    def verdict(self, price: Decimal) -> Verdict:
        if price < self.p25:
            return Verdict.LOW
        return Verdict.HIGH if price > self.p75 else Verdict.USUAL

    @property
    def is_far(self) -> bool:
        """Whether the price is beyond the outermost voices on either side."""
        rank = Decimal(50 * (2 * self.below + self.equal)) / self.count
        return rank < FAR or rank > 100 - FAR

    @property
    def suggestion(self) -> Decimal:
        """The lowest round price that is not below the usual range."""
        return self.p25.quantize(Decimal(1) if self.p25 >= WHOLE_FROM else CENT, ROUND_CEILING).quantize(CENT)

    @property
    def ends(self) -> tuple[Decimal, Decimal]:
        """Where a drawing begins and ends: at the least and the most, or at the fences of Tukey where a voice is beyond them."""
        reach = (self.p75 - self.p25) * 3 / 2
        if reach == 0:
            low, high = self.least, self.most
        else:
            low, high = max(self.least, self.p25 - reach), min(self.most, self.p75 + reach)
        return (low, high) if low < high else (low * 9 / 10, high * 11 / 10)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first cell with enough voices; None while no cell has. `sold_by` is how many others were paid for this size at all."""

    ask: Ask
    cell: Cell | None
    sold_by: int


VOICES = """
  SELECT p.price, p.sales FROM catalog_pricepoint p
   WHERE ask.source = 'level' AND p.category_id = ask.category_id AND p.tier = ask.tier AND p.level = ask.level
     AND p.builder_id <> ask.builder_id AND p.price IS NOT NULL
  UNION ALL
  SELECT p.price, p.sales FROM catalog_pricepoint p
   WHERE ask.source = 'tier' AND p.category_id = ask.category_id AND p.tier = ask.tier
     AND p.builder_id <> ask.builder_id AND p.price IS NOT NULL
  UNION ALL
  SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY k.price) + percentile_disc(0.5) WITHIN GROUP (ORDER BY k.price DESC)) / 2, 0
    FROM catalog_service s
    JOIN catalog_package k ON k.service_id = s.id AND k.tier = ask.tier AND k.is_offered
    JOIN builders_builder b ON b.id = s.builder_id
    JOIN accounts_user u ON u.id = b.user_id AND u.is_active AND u.suspended_at IS NULL
   WHERE ask.source = 'asked' AND s.category_id = ask.category_id AND s.status = 'published' AND s.builder_id <> ask.builder_id
   GROUP BY s.builder_id
"""

ASKS = """
WITH ask AS (
  SELECT * FROM unnest(%s::int[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[])
      AS ask (i, source, category_id, tier, level, builder_id, price, low, high)
)
"""

# The order statistics at and after (n - 1)/4, (n - 1)2/4 and (n - 1)3/4, in whole numbers. One builder with more than a quarter of the
# sales in a cell could be read out of it.
CELLS = """ASKS
SELECT ask.i, cell.* FROM ask CROSS JOIN LATERAL (
  SELECT count(*) AS n, min(price), max(price),
         min(price) FILTER (WHERE k = (n - 1) / 4), min(price) FILTER (WHERE k = (n - 1) / 4 + 1),
         min(price) FILTER (WHERE k = (n - 1) * 2 / 4), min(price) FILTER (WHERE k = (n - 1) * 2 / 4 + 1),
         min(price) FILTER (WHERE k = (n - 1) * 3 / 4), min(price) FILTER (WHERE k = (n - 1) * 3 / 4 + 1),
         count(*) FILTER (WHERE price < ask.price), count(*) FILTER (WHERE price = ask.price),
         coalesce(max(sales) * 4 > sum(sales), false)
    FROM (
      SELECT voice.price, voice.sales, row_number() OVER (ORDER BY voice.price) - 1 AS k, count(*) OVER () AS n FROM (VOICES) AS voice
    ) AS ranked
) AS cell
""".replace("ASKS", ASKS).replace("VOICES", VOICES)

BINS = (
    """ASKS
SELECT ask.i, bar.place, count(*) FROM ask CROSS JOIN LATERAL (
  SELECT least(greatest(width_bucket(voice.price, ask.low, ask.high, BARS), 1), BARS) AS place FROM (VOICES) AS voice
) AS bar GROUP BY ask.i, bar.place
""".replace("ASKS", ASKS)
    .replace("VOICES", VOICES)
    .replace("BARS", str(BARS))
)


def _rows(statement: str, asks: Sequence[tuple[Ask, Source, Decimal | None, Decimal | None]]) -> list[tuple[Any, ...]]:
    columns: list[list[Any]] = [
        list(range(len(asks))),
        [source.value for _, source, _, _ in asks],
        [ask.category_id for ask, *_ in asks],
        [ask.tier for ask, *_ in asks],
        [ask.level for ask, *_ in asks],
        [ask.builder_id for ask, *_ in asks],
        [ask.price for ask, *_ in asks],
        [low for _, _, low, _ in asks],
        [high for _, _, _, high in asks],
    ]
    with connections[readonly.alias()].cursor() as cursor:
        cursor.execute(statement, columns)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def between(low: Decimal, high: Decimal | None, quarters: int) -> Decimal:
    """The value `quarters` fourths of the way from `low` to `high`, exactly."""
    return low if high is None or not quarters else low + (high - low) * quarters / 4


def _cells(asks: Sequence[tuple[Ask, Source]]) -> list[tuple[int, Cell | None]]:
    """For each how many voices there are, and the cell if they are enough; one query."""
    found: list[tuple[int, Cell | None]] = [(0, None)] * len(asks)
    for i, n, least, most, a, a1, b, b1, c, c1, below, equal, is_one_sided in _rows(CELLS, [(ask, source, None, None) for ask, source in asks]):
        cell = None
        if n >= settings.MARKET_LEAST_BUILDERS and not is_one_sided:
            p25, p50, p75 = (between(low, high, (n - 1) * q % 4) for q, low, high in ((1, a, a1), (2, b, b1), (3, c, c1)))
            cell = Cell(asks[i][1], n, least, p25, p50, p75, most, below, equal)
        found[i] = (n, cell)
    return found


def compare(asks: Sequence[Ask], sources: Sequence[Source] = tuple(Source)) -> list[Comparison]:
    """Compare each with the first of `sources` that has enough voices. One query for a source, however many are asked."""
    found: list[Comparison] = [Comparison(ask, None, 0) for ask in asks]
    for source in sources:
        wanted = [i for i, comparison in enumerate(found) if comparison.cell is None]
        if wanted:
            for i, (count, cell) in zip(wanted, _cells([(asks[i], source) for i in wanted]), strict=True):
                found[i] = Comparison(asks[i], cell, count if source == Source.TIER else found[i].sold_by)
    return found


def count_bars(comparisons: Sequence[Comparison]) -> list[list[int]]:
    """How many voices lie in each of the twelve equal steps between the ends of each comparison's cell; one query."""
    shown = [(i, comparison.ask, comparison.cell) for i, comparison in enumerate(comparisons) if comparison.cell is not None]
    bars = [[0] * BARS if comparison.cell else [] for comparison in comparisons]
    if shown:
        for i, place, count in _rows(BINS, [(ask, cell.source, *cell.ends) for _, ask, cell in shown]):
            bars[shown[i][0]][place - 1] = count
    return bars
