"""The table of docs/escrow.md is what `./run bench gas` prints."""

from __future__ import annotations

import re
from pathlib import Path

from bench.gas import measure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "escrow.md"
ZERO_BYTES = 100  # an address or a moment with a zero byte more is cheaper by 12


def test_the_page_says_what_is_measured() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]*) \|$", PAGE.read_text(), re.M)
    written = {name: (int(first.replace(",", "")), int(again.replace(",", "") or 0)) for name, first, again in rows}
    measured = measure()
    assert written.keys() == measured.keys()
    assert {
        name: figures for name, figures in measured.items() if any(abs(a - b) > ZERO_BYTES for a, b in zip(figures, written[name], strict=True))
    } == {}
