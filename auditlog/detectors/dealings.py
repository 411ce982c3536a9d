"""Who dealt with whom, order by order: what a client bought of each builder, how fast it was done and what they said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cases import trim
from .facts import Fact, order_of, parties
from .memory import Memory, Notes

KINDS = frozenset({"order_completed", "escrow_release", "review"})
BUILDERS, ORDERS = 40, 12  # that are remembered of one client, and of one client with one builder
AT, MICRO, SECONDS, STARS, DONE = range(5)  # what stands in the row of an order


def deals(client: str) -> str:
    return f"deals:{client}"


def keys(fact: Fact) -> Iterable[str]:
    client, builder = parties(fact)
    if client and builder:
        yield deals(client)


def learn(fact: Fact, memory: Memory) -> tuple[str, str]:
    """Remember it; gives client and builder, empty when the fact does not name them."""
    client, builder = parties(fact)
    if not client or not builder or client == builder:
        return "", ""
    builders = memory.change(deals(client), fact.second)
    orders: Notes = builders.setdefault(builder, {})
    row = orders.setdefault(order_of(fact) or f"@{fact.event}", [0, 0, None, None, 0])
    row[AT] = max(row[AT], fact.second)
    row[MICRO] = max(row[MICRO], fact.micro)
    if fact.kind == "review":
        row[STARS] = whole(fact.meta.get("stars"))
    elif fact.kind == "order_completed":
        row[DONE] = 1
        row[SECONDS] = whole(fact.meta.get("seconds_since_accept"))
    trim(orders, ORDERS, lambda order: int(order[AT]))
    trim(builders, BUILDERS, lambda rows: max(int(order[AT]) for order in rows.values()))
    return client, builder


def done_before(builders: Notes, second: int) -> Iterator[tuple[str, str]]:
    """Builder and order of what was completed before."""
    for builder, orders in builders.items():
        for order, row in orders.items():
            if row[DONE] and row[AT] < second:
                yield builder, order


def whole(value: object) -> int | None:
    """A number as it may stand in anybody's file."""
    try:
        return int(float(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) and value != "" else None
    except (ValueError, OverflowError):
        return None
