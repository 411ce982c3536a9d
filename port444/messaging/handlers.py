"""What apps above show beside a conversation: they register here, since this app does not know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from .models import Conversation


@dataclass(frozen=True, slots=True)
class Chip:
    """A small mark in the inbox, e.g. "Order 1042, due Sat 5 Dec". `kind` is that of the tag: tint, ok, bad, quiet or none.

    What is over says so with `past`, and gives way to what is still ahead.
    """

    text: str
    kind: str = "tint"
    icon: str = ""
    past: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One line beside a conversation, e.g. "Order 1042", "In work", with a link."""

    label: str
    value: str
    href: str = ""


Chips = Callable[[Sequence[UUID], Any], Mapping[UUID, Chip]]
Facts = Callable[[Conversation, Any], Sequence[Fact]]
_chips: list[Chips] = []
_facts: list[Facts] = []


def register_chips(chips: Chips) -> None:
    """`chips(conversation_ids, user)` gives at most one chip for each conversation, in a constant number of queries."""
    if chips not in _chips:
        _chips.append(chips)


def register_facts(facts: Facts) -> None:
    """`facts(conversation, user)` gives the lines that are shown beside the thread."""
    if facts not in _facts:
        _facts.append(facts)


def chips_of(conversation_ids: Sequence[UUID], user: Any) -> dict[UUID, Chip]:
    """One chip for each conversation that has one; the app registered first goes first, but for what is over."""
    found: dict[UUID, Chip] = {}
    for chips in _chips:
        for key, chip in chips(conversation_ids, user).items():
            if key not in found or (found[key].past and not chip.past):
                found[key] = chip
    return found


def facts_of(conversation: Conversation, user: Any) -> list[Fact]:
    return [fact for facts in _facts for fact in facts(conversation, user)]
