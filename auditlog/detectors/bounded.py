"""A memory of which only a part is at hand: what was used lately. The rest lies somewhere else, and what was changed goes there first."""

from __future__ import annotations

import gc
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from .memory import Memory, Notes

ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
ENTRY = 150  # bytes that a note costs beside what stands in it, in the same measure
SAMPLE = 200  # notes by which the size of all is guessed
FEW = 1000  # notes up to which their size is not looked at
PART = 10_000  # notes that go away together


@contextmanager
def unswept() -> Iterator[None]:
    """Notes never hold themselves: looking through hundreds of thousands of them for what does takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Bounded(Memory, ABC):
    """Notes that were used lately are at hand, in two halves: when the newer half has as much as there is room for, what is left in the older
    one goes away, and the newer takes its place; so nothing has to be counted when a note is used.

    A note that was handed out is good until the next `make_room`.
    """

    is_at_hand = False
    ROOM = 20_000_000  # bytes in either half, as JSON; as dictionaries about five times as much

    def __init__(self) -> None:
        super().__init__()
        self._older: dict[str, Notes] = {}
        self._enough = float(FEW)  # notes from which on their size is looked at

    @abstractmethod
    def load(self, keys: list[str]) -> Mapping[str, str]:
        """What lies elsewhere under these keys, as JSON."""

    @abstractmethod
    def save(self, notes: Mapping[str, Notes], seconds: Mapping[str, int]) -> None:
        """Put these there, each with the newest second of the facts that changed it."""

    def fetch(self, keys: Iterable[str]) -> None:
        notes, older = self.notes, self._older
        missing = set[str]()
        for key in keys:
            if key in notes:
                continue
            if key in older:
                notes[key] = older.pop(key)
            else:
                missing.add(key)
        if missing:
            texts = self.load(sorted(missing))
            notes.update((key, {}) for key in missing - texts.keys())
            # As one document: that is read much quicker than each by itself, and words that come in many are one word in memory.
            notes.update(zip(texts, json.loads(f"[{','.join(texts.values())}]"), strict=True))

    def __getitem__(self, key: str) -> Notes:
        found = self.notes.get(key)
        if found is None:
            self.fetch((key,))
            found = self.notes[key]
        return found

    def change(self, key: str, second: int = 0) -> Notes:
        found = self.notes.get(key)
        if found is None:
            self.fetch((key,))
            found = self.notes[key]
        if second >= self.changed.get(key, -1):
            self.changed[key] = second
        return found

    def write(self) -> int:
        """Put away all that was changed; it stays at hand."""
        keys = sorted(self.changed)
        for start in range(0, len(keys), PART):
            self._put_away(keys[start : start + PART])
        return len(keys)

    def _put_away(self, keys: Iterable[str]) -> None:
        seconds = {key: self.changed.pop(key) for key in keys}
        if seconds:
            self.save({key: self.notes[key] if key in self.notes else self._older[key] for key in seconds}, seconds)

    def make_room(self) -> None:
        """Let go what was not used for long, if there is too much of it. Not while somebody holds a note."""
        super().make_room()
        if self._is_full(self.ROOM):
            self._let_go(self._older)
            self._older, self.notes = self.notes, {}

    def _is_full(self, room: int) -> bool:
        """Whether the newer half has that much. Asked of few notes only when there are many more than the last time."""
        if len(self.notes) < self._enough:
            return False
        size = self._size()
        self._enough = len(self.notes) * min(1.5, room / size) + 1 if size < room else FEW
        return size >= room

    def _let_go(self, notes: dict[str, Notes]) -> None:
        changed = sorted(self.changed.keys() & notes.keys())
        for start in range(0, len(changed), PART):
            self._put_away(changed[start : start + PART])
        notes.clear()

    def _size(self) -> int:
        """About how many bytes the newer half would have, by some of it."""
        count = len(self.notes)
        some = [len(ENCODE(one)) for one in islice(self.notes.values(), 0, None, count // SAMPLE + 1)]
        return int(count * (ENTRY + sum(some) / max(1, len(some))))

    def forget_all(self) -> None:
        """Let go of everything at hand, also of what was changed: it did not come to be."""
        for notes in (self.notes, self._older, self.changed, self.derived):
            notes.clear()
