"""A memory that puts what does not fit into a file, which goes away by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from .bounded import ENCODE, Bounded
from .memory import Memory, Notes

PAGES_KB = 16_000  # of the file that are held in memory
MAKE = "CREATE TABLE notes (key BLOB PRIMARY KEY, data TEXT NOT NULL)"
PUT = "INSERT INTO notes VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data"
GET = "SELECT data FROM notes WHERE key = ?"


class Spilled(Bounded):
    """All of it is at hand until there is too much; from then on as much as there is room for, and the rest in the file."""

    WHOLE = 80_000_000  # bytes, as JSON, of all that is at hand

    def __init__(self) -> None:
        super().__init__()
        self.is_at_hand = True
        self._file = sqlite3.connect("", isolation_level=None)  # a file without a name
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{PAGES_KB}"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.execute(MAKE)

    def fetch(self, keys: Iterable[str]) -> None:
        if not self.is_at_hand:
            super().fetch(keys)

    def __getitem__(self, key: str) -> Notes:
        if self.is_at_hand:
            return self.notes.get(key) or {}
        return super().__getitem__(key)

    def change(self, key: str, second: int = 0) -> Notes:
        if self.is_at_hand and key not in self.notes:
            self.notes[key] = {}
        return super().change(key, second)

    def make_room(self) -> None:
        if not self.is_at_hand:
            super().make_room()
            return
        Memory.make_room(self)
        if self._is_full(self.WHOLE):
            self.is_at_hand = False
            self._let_go(self.notes)

    def load(self, keys: list[str]) -> Mapping[str, str]:
        rows = ((key, self._file.execute(GET, (_stored(key),)).fetchone()) for key in keys)
        return {key: row[0] for key, row in rows if row is not None}

    def save(self, notes: Mapping[str, Notes], seconds: Mapping[str, int]) -> None:
        self._file.execute("BEGIN")
        self._file.executemany(PUT, ((_stored(key), ENCODE(note)) for key, note in notes.items()))
        self._file.execute("COMMIT")


def _stored(key: str) -> bytes:
    """A file of anybody's may have halves of characters in its words."""
    return key.encode(errors="surrogatepass")
