"""What the row witness keeps of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .log import Category


@dataclass(frozen=True)
class Watched:
    """Every column of a model, in one of four words; a model has it as `audited`, and a migration of its app tells the database.

    `kept` is logged as it is, of `personal` only that it changed, of `hidden` only that something hidden did. What is
    `ignored` may change without a word. The primary key names the row and is none of them; `amount` is the column with the
    money.
    """

    category: Category
    kept: str
    personal: str = ""
    hidden: str = ""
    ignored: str = ""
    amount: str | None = None

    def as_told(self, model: str) -> dict[str, Any]:
        """What the database's function takes, and what it says that it was told."""
        return {
            "model": model,
            "category": self.category.value,
            "kept": self.kept.split(),
            "personal": self.personal.split(),
            "secret": self.hidden.split(),
            "amount": self.amount,
        }
