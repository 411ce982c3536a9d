"""What the catalog draws: covers of services, from the slug (hills, water and a sun in the colours of the portraits), and where a price
lies among others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from port444.builders.pictures import PALETTES

from .market import BARS, Cell

EDITION = "1"  # part of the ETag; raise it when the drawing changes


def cover(slug: str) -> str:
    """A calm landscape for `slug`, as SVG; attributes only, so it needs no style policy."""
    seed = hashlib.sha256(slug.encode()).digest()
    ground, sun, dark = PALETTES[seed[0] % len(PALETTES)]
    x, y, r = 60 + seed[1] % 200, 40 + seed[2] % 40, 26 + seed[3] % 22
    a, b, c, d = (70 + seed[i] % 50 for i in range(4, 8))
    hills = (
        f'<path d="M0 {a}q80 -{30 + seed[8] % 30} 160 0t160 0V180H0z" fill="{dark}" fill-opacity=".35"/>'
        f'<path d="M0 {b + 30}q70 -{20 + seed[9] % 40} 150 0t170 {c - d}V180H0z" fill="{dark}" fill-opacity=".6"/>'
        f'<path d="M0 150q40 -10 80 0t80 0t80 0t80 0V180H0z" fill="{dark}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180" width="640" height="360"><rect width="320" height="180" fill="{ground}"/>'
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="{sun}"/>{hills}</svg>'
    )


# The frame of a histogram: its axis from left to right, the ground of the bars and the highest of them. Labels of two prices need room.
LEFT, RIGHT, GROUND, TALLEST, ROOM = Decimal(6), Decimal(314), Decimal(84), Decimal(54), 46


@dataclass(frozen=True, slots=True)
class Label:
    """A price under the axis."""

    x: str
    anchor: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Histogram:
    """Coordinates of a drawing of 320 by 104: bars as (x, y, height, whether in the usual range)."""

    bars: list[tuple[str, str, str, bool]]
    band: tuple[str, str]
    median: str
    labels: list[Label]
    own: str
    own_label: Label | None


def histogram(cell: Cell, bars: Sequence[int], price: Decimal | None) -> Histogram:
    """Where the prices of a cell lie, and among them `price`; what is beyond the ends stands at the ends."""
    low, high = cell.ends
    step = (RIGHT - LEFT) / BARS

    def across(amount: Decimal) -> Decimal:
        return min(RIGHT, max(LEFT, LEFT + (RIGHT - LEFT) * (amount - low) / (high - low)))

    tallest, drawn = max(bars) or 1, []
    for i, count in enumerate(bars):
        height = max(TALLEST * count / tallest, Decimal(2)) if count else Decimal(0)
        middle = low + (high - low) * (2 * i + 1) / (2 * BARS)
        drawn.append((_short(LEFT + step * i + Decimal("1.5")), _short(GROUND - height), _short(height), cell.p25 <= middle <= cell.p75))
    start, end = across(cell.p25), across(cell.p75)
    if cell.p25 == cell.p75:
        labels = [Label(_short(start), "middle", cell.p25)]
    else:
        close = end - start < ROOM
        labels = [Label(_short(start), "end" if close else "middle", cell.p25), Label(_short(end), "start" if close else "middle", cell.p75)]
    own = own_label = None
    if price is not None:
        own = across(price)
        is_right = own > 220
        own_label = Label(_short(own - 12 if is_right else own + 12), "end" if is_right else "start", price)
    return Histogram(
        drawn,
        (_short(start), _short(max(end - start, Decimal(2)))),
        _short(across(cell.median)),
        labels,
        _short(own) if own is not None else "",
        own_label,
    )


def _short(length: Decimal) -> str:
    return str(length.quantize(Decimal("0.1")))
