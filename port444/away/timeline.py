"""Two weeks or more as a drawing: when the builder is away, and how the work lies around it. Pure arithmetic, in the builder's zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .terms import ONE_DAY, Plan, midnight

COLUMNS = 14
WIDTH = 700
COLUMN = WIDTH // COLUMNS
LANE, TOP, BAR = 40, 14, 26
MOST_LANES = 8
CHAR = 7.2  # about the width of a letter of the drawing


@dataclass(frozen=True, slots=True)
class Bar:
    """Work from its beginning to a date, and from there what is added or taken away."""

    name: str
    begins_at: datetime
    due_at: datetime
    then_at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Dot:
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Column:
    """The day at the head of a column."""

    day: date
    away: bool

    @property
    def number(self) -> int:
        return self.day.day


@dataclass(frozen=True, slots=True)
class Rect:
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Text:
    x: int
    y: int
    words: str
    dark: bool
    end: bool = False  # written towards the left


@dataclass(frozen=True, slots=True)
class Drawing:
    columns: list[Column]
    days_each: int
    away: Rect
    height: int
    bars: list[Rect]
    added: list[Rect]
    dots: list[tuple[int, int]]
    texts: list[Text]
    left_out: int

    @property
    def first(self) -> date:
        return self.columns[0].day


def draw(first: date, plan: Plan, zone: str, bars: Sequence[Bar], dots: Sequence[Dot]) -> Drawing:
    """From the Monday on or before `first`; a column is one day, or more where two weeks do not hold the days away.
    What lies further on ends at the edge."""
    monday = first - timedelta(days=first.weekday())
    origin = midnight(monday, zone)
    total = max(COLUMNS, (plan.last_on - monday).days + 4)
    each = -(-total // COLUMNS)
    per_second = COLUMN / (86_400 * each)

    def at(moment: datetime) -> int:
        return max(0, min(WIDTH, round((moment - origin).total_seconds() * per_second)))

    columns = [_column(monday + timedelta(days=each * number), each, plan) for number in range(COLUMNS)]
    begin, end = at(midnight(plan.first_on, zone)), at(midnight(plan.last_on + ONE_DAY, zone))
    work, added, texts = [], [], []
    shown = list(bars)[:MOST_LANES]
    for lane, bar in enumerate(shown):
        y = TOP + LANE * lane
        x, due, then = at(bar.begins_at), at(bar.due_at), at(bar.then_at)
        work.append(Rect(x + 2, y, max(4, due - x - 2)))
        if then > due:
            added.append(Rect(due, y, max(4, then - due)))
        texts += _words(bar, x, due, then, y + 17)
    points = [(at(dot.at), TOP + LANE * (len(shown) + lane) + 13) for lane, dot in enumerate(list(dots)[:MOST_LANES])]
    for (x, y), dot in zip(points, dots, strict=False):
        texts.append(_beside(x, y + 4, dot.name, 18))
    lanes = len(shown) + len(points)
    left_out = len(bars) + len(dots) - lanes
    return Drawing(columns, each, Rect(begin + 2, 0, max(4, end - begin - 4)), TOP + LANE * lanes, work, added, points, texts, left_out)


def _column(day: date, each: int, plan: Plan) -> Column:
    return Column(day, day <= plan.last_on and day + timedelta(days=each - 1) >= plan.first_on)


def _words(bar: Bar, x: int, due: int, then: int, y: int) -> list[Text]:
    """The name inside the bar and the change inside what is added, as far as there is room; else beside them."""
    name, words = len(bar.name) * CHAR, len(bar.words) * CHAR
    name_fits, words_fit = name + 20 < due - x, words + 16 < then - due
    found = [Text(x + 16, y, bar.name, dark=False)] if name_fits else []
    if bar.words and words_fit:
        found.append(Text(due + 12, y, bar.words, dark=True))
    elif bar.words and name_fits and then + 8 + words > WIDTH:
        if name + words + 48 < due - x:  # at the end of the bar itself: there is no room behind it
            found.append(Text(due - 12, y, bar.words, dark=False, end=True))
        return found
    rest = ", ".join(said for said, fits in ((bar.name, name_fits), (bar.words, words_fit)) if said and not fits)
    if rest:
        found.append(_beside(then, y, rest, 8, before=x))
    return found


def _beside(x: int, y: int, words: str, gap: int, before: int | None = None) -> Text:
    if x + gap + len(words) * CHAR <= WIDTH:
        return Text(x + gap, y, words, dark=True)
    return Text((x if before is None else before) - gap, y, words, dark=True, end=True)
