"""What a benchmark found: each figure is printed beside what it is held to and, where BENCH_JSON names a file, added to it as a line of JSON.

`./run bench` makes its table of these lines (bench/table.py). A benchmark that measures in processes of its own may report in any of them.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

BOUNDS = {"less": "at most", "more": "at least"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table.

    value   what was measured, in `unit`; None where nothing could be, and then `why` says so
    peer    what it stands beside, and `peer_value` what that came to in the same run
    ratio   of the value and the peer's or, without a peer, of the value and the limit
    limit   of the ratio where there is a peer, else of the value; `better` tells which side of it is the good one
    kept    whether the limit is kept; None without one
    also    what else is worth knowing about it
    """

    name: str
    value: float | None = None
    unit: str = ""
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    limit: float | None = None
    better: str = "less"
    kept: bool | None = None
    size: str = ""
    also: str = ""
    why: str = ""

    def beside(self) -> str:
        """The peer and the limit in words."""
        peer = f"{self.peer}: {number(self.peer_value)}" if self.peer else ""
        limit = f"{BOUNDS[self.better]} {number(self.limit)}{' of it' if self.peer else ''}" if self.limit is not None else ""
        return ", ".join(filter(None, (peer, limit)))


_size = ""
_missed: list[str] = []


def sized(words: str) -> None:
    """With how much the figures that follow are measured: `1,000,000 rows, 5 rounds`."""
    global _size
    _size = words


def figure(
    name: str,
    value: float,
    unit: str = "",
    *,
    limit: float | None = None,
    better: Literal["less", "more"] = "less",
    peer: tuple[str, float] | None = None,
    ratio: float | None = None,
    also: str = "",
) -> bool:
    """Report one figure; gives whether its limit is kept.

    `peer` is the name and the value of what it is compared with, and `limit` is then one of the ratio. `ratio` is given where it is not that of
    the two values, as the median of the ratios of many rounds is not. `also` is what else is worth knowing.
    """
    if ratio is None and (against := peer[1] if peer else limit):
        ratio = value / against
    held = ratio if peer else value
    kept = None if limit is None else held is not None and (held <= limit if better == "less" else held >= limit)
    name_of, value_of = peer or ("", None)
    found = Figure(
        name=name,
        value=finite(value),
        unit=unit,
        peer=name_of,
        peer_value=finite(value_of),
        ratio=finite(ratio),
        limit=limit,
        better=better,
        kept=kept,
        size=_size,
        also=also,
    )
    said = f"  {name:<64} {number(value):>9} {unit:<16} {found.beside()}"
    said += f", ratio {number(ratio)}" if peer else ""
    print("   ".join(filter(None, (said.rstrip(), also, "NOT KEPT" if kept is False else ""))), flush=True)
    if kept is False:
        _missed.append(name)
    _write(found)
    return kept is not False


def absent(name: str, why: str) -> None:
    """Report that something cannot be measured here, and why."""
    print(f"  {name}: not measured: {why}", flush=True)
    _write(Figure(name=name, size=_size, why=f"not measured: {why}"))


def code() -> int:
    """How the process that reported ends: 1 when one of its limits is not kept."""
    return 1 if _missed else 0


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None) -> str:
    """As many digits as say something."""
    if value is None or not math.isfinite(value):
        return "none"
    digits = 0 if value == int(value) or abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f}"


def _write(found: Figure) -> None:
    if path := os.environ.get("BENCH_JSON"):
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(found)) + "\n")
