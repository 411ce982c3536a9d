"""What apps above show beside a conversation: they register here, since this app does not know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from .models import Attachment, Conversation, Subject


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


@dataclass(frozen=True, slots=True)
class Card:
    """How a message about something is shown in its place, e.g. an offer with its buttons: a template with `context`, the request and
    its user."""

    template: str
    context: Mapping[str, Any]


class Place(StrEnum):
    """Where a panel stands: under the last message, beside the thread, or among the tools of the composer (no form there: it is one)."""

    FEED = "feed"
    SIDE = "side"
    COMPOSER = "composer"


@dataclass(frozen=True, slots=True)
class Panel:
    """Something that stands in a fixed place of a conversation, for one of its two people."""

    place: Place
    template: str
    context: Mapping[str, Any]


Companions = Callable[[Attachment], "Sequence[UUID] | None"]
Chips = Callable[[Sequence[UUID], Any], Mapping[UUID, Chip]]
Facts = Callable[[Conversation, Any], Sequence[Fact]]
Cards = Callable[[Sequence[UUID], Conversation, Any, datetime], Mapping[UUID, Card]]
Panels = Callable[[Conversation, Any, datetime], Sequence[Panel]]
_chips: list[Chips] = []
_facts: list[Facts] = []
_cards: dict[str, Cards] = {}
_panels: list[Panels] = []
_companions: list[Companions] = []


def register_chips(chips: Chips) -> None:
    """`chips(conversation_ids, user)` gives at most one chip for each conversation, in a constant number of queries."""
    if chips not in _chips:
        _chips.append(chips)


def register_facts(facts: Facts) -> None:
    """`facts(conversation, user)` gives the lines that are shown beside the thread."""
    if facts not in _facts:
        _facts.append(facts)


def register_cards(subject_type: str, cards: Cards) -> None:
    """Messages about a `subject_type` are shown as `cards(subject_ids, conversation, viewer, moment)`, made in a constant number of
    queries. A subject that it leaves out is an ordinary line.

    An open page shows cards anew with the next message: whatever changes one posts a notice.
    """
    _cards[subject_type] = cards


def register_panels(panels: Panels) -> None:
    """`panels(conversation, viewer, moment)` gives what stands beside the messages; asked anew with the next message, as cards are."""
    if panels not in _panels:
        _panels.append(panels)


def register_companions(companions: Companions) -> None:
    """`companions(attachment)` gives the ids of the files that lie together with it, in their order and itself among them; None when this
    app knows nothing of it. Nothing that the other side has not got yet is among them."""
    if companions not in _companions:
        _companions.append(companions)


def companions_of(attachment: Attachment) -> list[UUID]:
    """The files beside which a file is looked at: those of the same delivery or answers, else of the same message."""
    for companions in _companions:
        if (found := companions(attachment)) is not None:
            return list(found)
    if attachment.message_id is None:
        return [attachment.pk]
    return list(Attachment.objects.filter(message=attachment.message_id).order_by("id").values_list("pk", flat=True))


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


def cards_of(subjects: Iterable[Subject], conversation: Conversation, viewer: Any, moment: datetime) -> dict[Subject, Card]:
    """The cards of those `subjects` that have one."""
    found: dict[Subject, Card] = {}
    wanted = list(dict.fromkeys(subjects))
    for kind, cards in _cards.items():
        ids = [pk for subject_type, pk in wanted if subject_type == kind]
        if ids:
            found.update({(kind, pk): card for pk, card in cards(ids, conversation, viewer, moment).items()})
    return found


def panels_of(conversation: Conversation, viewer: Any, moment: datetime) -> list[Panel]:
    return [panel for panels in _panels for panel in panels(conversation, viewer, moment)]
