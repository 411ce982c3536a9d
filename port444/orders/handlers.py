"""What the apps above do when an order ends, and what they show on its pages: they register here, from their `apps.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from .helm import Helm
from .models import Order

BeforeEnd = Callable[[Order, Any | None], None]

_before_end: list[BeforeEnd] = []


def before_end(call: BeforeEnd) -> None:
    """Call `call(order, actor)` before an order is completed or cancelled, in its transaction and under its lock.

    It closes what is still open around the order, or raises WrongState when the order cannot end just now.
    """
    _before_end.append(call)


def ending(order: Order, actor: Any | None) -> None:
    """Tell whoever registered that the order ends."""
    for call in _before_end:
        call(order, actor)


_before_dispute: list[BeforeEnd] = []


def before_dispute(call: BeforeEnd) -> None:
    """Call `call(order, actor)` before a dispute about an order is opened, in its transaction and under its lock.

    It closes what the two were still talking about, or raises WrongState when money of it is on its way.
    """
    _before_dispute.append(call)


def disputing(order: Order, actor: Any | None) -> None:
    """Tell whoever registered that a dispute begins."""
    for call in _before_dispute:
        call(order, actor)


_before_delivery: list[BeforeEnd] = []


def before_delivery(call: BeforeEnd) -> None:
    """Call `call(order, actor)` before work is handed over, in its transaction and under its lock: what has become idle is closed."""
    _before_delivery.append(call)


def delivering(order: Order, actor: Any | None) -> None:
    """Tell whoever registered that work is handed over."""
    for call in _before_delivery:
        call(order, actor)


@dataclass(frozen=True, slots=True)
class Addition:
    """What one app above shows on the page of an order, to one reader.

    `helm` replaces the order's own first line. The other names are templates: `acts` at the top of the page, `chip` beside the
    filters of the feed, `desk` above what the order itself asks for, `spent` for a client whose revisions are used up, `money`
    under the sums, `clock` on the ticket. Each is included with the whole context of the page and this addition as `more`.
    """

    helm: Helm | None = None
    acts: str = ""
    chip: str = ""
    desk: str = ""
    spent: str = ""
    money: str = ""
    clock: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for somebody: what to do, what it is about, until when (None: no date), and where."""

    title: str
    text: str
    href: str
    until: datetime | None
    icon_name: str = "package"
    zone: str = ""  # of the other side, when `until` is read on both clocks
    late: bool = False


Needs = Callable[..., Sequence[Need]]

_needs: list[Needs] = []


def add_needs(call: Needs) -> None:
    """`call(user, moment, as_builder=)` gives what waits for one side of a person beside orders, bounded, in a fixed number of queries."""
    _needs.append(call)


def needs(user: Any, moment: datetime, *, as_builder: bool) -> list[Need]:
    return [need for call in _needs for need in call(user, moment, as_builder=as_builder)]


class Part(Protocol):
    """What an app above adds to the pages of orders."""

    def mark(self, order: Order) -> str:
        """Changes whenever what may be done about the order in this app changes; one small query."""

    def show(self, order: Order, viewer: Any, moment: datetime) -> Addition:
        """What the page of the order shows besides."""

    def waiting(self, user: Any) -> Any:
        """A queryset of the ids of orders in which something waits for `user`."""

    def helms(self, orders: Iterable[Order], viewer: Any, moment: datetime) -> Mapping[UUID, Helm]:
        """For lists: the first lines that replace the orders' own."""


_parts: list[Part] = []


def add_part(part: Part) -> None:
    """Show `part` on the pages of orders."""
    _parts.append(part)


def marks(order: Order) -> str:
    return ".".join(part.mark(order) for part in _parts)


def additions(order: Order, viewer: Any, moment: datetime) -> list[Addition]:
    return [part.show(order, viewer, moment) for part in _parts]


def waiting(user: Any) -> list[Any]:
    """For each part the ids of orders in which it waits for `user`."""
    return [part.waiting(user) for part in _parts]


def helms(orders: Iterable[Order], viewer: Any, moment: datetime) -> dict[UUID, Helm]:
    found: dict[UUID, Helm] = {}
    listed = list(orders)
    for part in _parts:
        found |= part.helms(listed, viewer, moment)
    return found
