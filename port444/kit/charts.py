"""Charts as coordinates, which templates draw as SVG: no script, no inline style, and the same figures as a table beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, GROUND = 56, 632, 12, 168
MOST_LABELS = 8
STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    label: str
    value: Decimal
    middle: str
    is_labelled: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart of 640 by 200: bars from left to right, and lines across with what they stand for."""

    bars: list[Bar]
    lines: list[tuple[str, Decimal]]

    @property
    def is_empty(self) -> bool:
        return not any(bar.value for bar in self.bars)


def bars(values: Sequence[tuple[str, Decimal | int]]) -> Bars:
    """Bars for (label, value) from left to right, none negative; the axis ends at a round number not below the highest."""
    top = round_up(max((Decimal(value) for _, value in values), default=Decimal(0)))
    step = Decimal(RIGHT - LEFT) / max(1, len(values))
    every = -(-len(values) // MOST_LABELS)
    drawn = []
    for number, (label, value) in enumerate(values):
        height = (GROUND - TOP) * Decimal(value) / top
        if value and height < 2:
            height = Decimal(2)  # there was something
        x, gap = LEFT + step * number, min(step / 4, Decimal(6))
        labelled = (len(values) - 1 - number) % every == 0  # the last one always
        drawn.append(
            Bar(
                _short(x + gap / 2),
                _short(GROUND - height),
                _short(step - gap),
                _short(height),
                label,
                Decimal(value),
                _short(x + step / 2),
                labelled,
            )
        )
    lines = [(_short(GROUND - Decimal(GROUND - TOP) * part / 2), top * part / 2) for part in (1, 2)]
    return Bars(drawn, lines)


def round_up(amount: Decimal) -> Decimal:
    """The next of 1, 2, 2.5, 5, 10 times a power of ten, at least 4, so that half of it can be written beside a line."""
    if amount <= 4:
        return Decimal(4)
    power = Decimal(10) ** (amount.adjusted())
    return next(step * power for step in STEPS if step * power >= amount)


def share(part: int, whole: int) -> str:
    """'12%', '<1%', or nothing of nothing."""
    if not whole:
        return ""
    percent = 100 * part / whole
    return "<1%" if 0 < percent < 1 else f"{percent:.0f}%"


def _short(length: Decimal) -> str:
    return str(length.quantize(Decimal("0.1")))
