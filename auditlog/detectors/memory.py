"""What detectors remember: small dictionaries under words, fetched many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Notes = dict[str, Any]


class Memory:
    """All of it in one dictionary, as a run over a file has it. What lies in the database is fetched by a subclass (`fetch`, and
    writing back what `changed` names)."""

    is_at_hand = True  # all of it, without being fetched

    def __init__(self) -> None:
        self.notes: dict[str, Notes] = {}
        self.changed: dict[str, int] = {}  # key -> the newest second of the facts that changed it
        self.derived: dict[Any, Any] = {}  # what was worked out of notes, until more is learnt

    def fetch(self, keys: Iterable[str]) -> None:
        """Have these at hand: one question for many keys. Without it, reading a key would find nothing there."""

    def __getitem__(self, key: str) -> Notes:
        """What is remembered, for reading; empty when nothing is."""
        return self.notes.get(key) or {}

    def change(self, key: str, second: int = 0) -> Notes:
        """What is remembered, for changing."""
        found = self.notes.get(key)
        if found is None:
            found = self.notes[key] = {}
        if second >= self.changed.get(key, -1):
            self.changed[key] = second
        return found

    def forget_changes(self) -> None:
        self.changed.clear()

    def make_room(self) -> None:
        """Let go what is not used, where not all can be at hand. Not while somebody holds a note."""
        self.derived.clear()


class Days:
    """Sets of days as `[first, bits]`: small, and the same whatever the order in which days are added."""

    KEPT = 180  # days before the newest

    @staticmethod
    def add(days: list[int], day: int) -> bool:
        """Put a day in; says whether it is new there."""
        first, bits = days
        if day >= first:
            bit = 1 << (day - first)
            if bits & bit:
                return False
            bits |= bit
        else:
            if first + bits.bit_length() - 1 - day > Days.KEPT:
                return False
            bits, first = bits << (first - day) | 1, day
        beyond = bits.bit_length() - 1 - Days.KEPT
        if beyond > 0:  # the oldest go, up to the first day that is left
            bits, first = bits >> beyond, first + beyond
            gap = (bits & -bits).bit_length() - 1
            bits, first = bits >> gap, first + gap
        days[0], days[1] = first, bits
        return True

    @staticmethod
    def last(days: list[int]) -> int:
        return int(days[0] + days[1].bit_length() - 1)

    @staticmethod
    def near(mine: list[int], others: list[int], reach: int) -> bool:
        """Whether a day of the one lies within `reach` days of a day of the other."""
        (first, bits), (other, others_bits) = mine, others
        low = min(first, other)
        wide, done = bits << (first - low + reach), 0
        while done < reach:  # spread to both sides: upwards by doubling, after having moved the other side down
            step = min(done + 1, reach - done)
            wide |= wide << step | wide >> step
            done += step
        return bool(wide & others_bits << (other - low + reach))


class Span:
    """The first and the last day on which a value was somebody's, `[first, last]`; of an address all days as well, `[first, last, bits]`, the last
    day being the lowest bit. The same whatever the order in which days are added."""

    WHOLE = (1 << Days.KEPT + 1) - 1

    @staticmethod
    def add(span: list[int], day: int) -> None:
        first, last = span[:2]
        if len(span) > 2:
            if day > last:
                span[2] = (span[2] << day - last | 1) & Span.WHOLE
            elif last - day <= Days.KEPT:
                span[2] |= 1 << last - day
        span[0], span[1] = min(first, day), max(last, day)

    @staticmethod
    def back(span: Sequence[int]) -> int:
        """Its days, counted back from the last."""
        first, last, *bits = span
        return bits[0] if bits else 1 | 1 << min(last - first, Days.KEPT)


def spread(bits: int, reach: int) -> int:
    """Bits and the `reach` above each."""
    done = 0
    while done < reach:
        step = min(done + 1, reach - done)
        bits |= bits << step
        done += step
    return bits
