"""Coordinates of charts."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from port444.kit.charts import GROUND, LEFT, RIGHT, TOP, bars, round_up, share


@given(st.lists(st.integers(0, 10**11).map(lambda cents: Decimal(cents) / 100), max_size=40))
def test_every_bar_stands_inside_the_frame(values: list[Decimal]) -> None:
    chart = bars([(str(number), value) for number, value in enumerate(values)])
    for bar, value in zip(chart.bars, values, strict=True):
        x, y, width, height = (Decimal(length) for length in (bar.x, bar.y, bar.width, bar.height))
        assert x >= LEFT
        assert x + width <= RIGHT + 1
        assert TOP - 1 <= y <= GROUND
        assert abs(y + height - GROUND) <= Decimal("0.2"), "it stands on the ground"
        assert (height > 0) == (value > 0), "what is there can be seen"
    labelled = [bar.is_labelled for bar in chart.bars]
    assert sum(labelled) <= 8
    assert not labelled or labelled[-1]


@given(st.integers(0, 10**14).map(lambda cents: Decimal(cents) / 100))
def test_the_axis_ends_at_a_round_number(amount: Decimal) -> None:
    top = round_up(amount)
    assert top >= amount
    assert top <= max(Decimal(4), amount * Decimal("2.5"))
    assert sum(map(bool, top.normalize().as_tuple().digits)) <= 2


def test_a_share() -> None:
    assert [share(1, 0), share(0, 5), share(1, 500), share(1, 3), share(3, 3)] == ["", "0%", "<1%", "33%", "100%"]
