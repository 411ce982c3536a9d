"""A small order that grows many times over within a day, by a client who is new: money is put through it that has no work behind it."""

from __future__ import annotations

from collections.abc import Iterable

from . import dealings
from .cases import at_stake, drawing, insert, news, severity_of, shared_words, usdc
from .dealings import done_before, whole
from .facts import DAY, MICRO, Fact, order_of, parties
from .links import PARAMETERS as LINK_PARAMETERS
from .links import Web, web_of
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import opened, who
from .suspicions import Suspicion, settle

NAME = "amendment_abuse"
KINDS = frozenset({"amendment_completed", "order_completed"})
PARAMETERS = (
    *LINK_PARAMETERS,
    Parameter("alert_at", 60, 40, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 80, 50, 100, "From which confidence on payouts of the builder wait."),
    Parameter("show_at", 40, 0, 100, "From which confidence on it is a weak signal; below it is nothing."),
    Parameter("window_hours", 24, 1, 168, "Within how many hours amendments of one order are added up."),
    Parameter("least_ratio", 3, 1, 50, "How many times the first price is added at least."),
    Parameter("large_added", 2000, 0, 1_000_000, "What is looked at however large the order was, in USDC."),
    Parameter("full_ratio", 5, 1, 50, "How many times the first price gives all points."),
    Parameter("ratio_points", 25, 0, 100, "Points for how much was added."),
    Parameter("young_points", 25, 0, 50, "Points for a client who came lately."),
    Parameter("young_days", 30, 1, 365, "Within how many days that is lately."),
    Parameter("card_points", 20, 0, 50, "Points for a way to pay that the client uses since lately."),
    Parameter("card_days", 7, 1, 90, "Within how many days that is lately."),
    Parameter("linked_points", 15, 0, 50, "Points for a client who is linked with the builder."),
    Parameter("quick_points", 15, 0, 50, "Points for an answer that came at once."),
    Parameter("quick_minutes", 5, 1, 120, "Within how many minutes that is at once."),
    Parameter("clean_orders", 3, 1, 50, "Completed orders that make a client trusted."),
)
KEPT = 20  # amendments that are remembered of one order


def grown(order: str) -> str:
    return f"grown:{order}"


def keys(fact: Fact) -> Iterable[str]:
    yield from dealings.keys(fact)
    if fact.kind == "amendment_completed":
        yield grown(order_of(fact))


def learn(fact: Fact, memory: Memory, touched: set[str]) -> None:
    if fact.kind == "order_completed":
        dealings.learn(fact, memory)
        return
    order, (client, builder) = order_of(fact), parties(fact)
    if not order or not client or not fact.micro or fact.actor_type == "admin":  # what staff put in force was looked at
        return
    notes = memory.change(grown(order), fact.second)
    notes["client"], notes["builder"] = client, builder
    first = _micro(fact.meta.get("original_amount"))
    if first is not None:
        notes["first"] = min(first, notes.get("first", first))
    answered = whole(fact.meta.get("seconds_to_answer"))
    insert(notes.setdefault("rows", []), [fact.second, fact.micro, answered if answered is not None else -1, fact.target or fact.event], KEPT)
    touched.add(order)


def _micro(value: object) -> int | None:
    try:
        return round(float(value) * MICRO) if isinstance(value, int | float | str) and value != "" else None
    except (ValueError, OverflowError):
        return None


def judge(orders: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    orders = sorted(set(orders))
    memory.fetch(grown(order) for order in orders)
    cases = [(order, memory[grown(order)]) for order in orders]
    people = {side for _, notes in cases for side in (notes["client"], notes["builder"]) if side}
    memory.fetch(name for person in people for name in (who(person), dealings.deals(person)))
    web = web_of(memory, terms)
    web.load(sorted(people))
    found = []
    for order, notes in cases:
        suspicion = _assess(order, notes, web, memory, terms)
        if suspicion is not None:
            found.append((suspicion, len(notes["rows"])))
    return news(found, memory)


def _most(notes: Notes, window: int) -> list[list[int]]:
    """The amendments within one window that added the most."""
    rows = notes["rows"]
    starts = ([row for row in rows if first[0] <= row[0] < first[0] + window] for first in rows)
    return max(starts, key=lambda part: (sum(row[1] for row in part), -part[0][0]))


def _assess(order: str, notes: Notes, web: Web, memory: Memory, terms: Terms) -> Suspicion | None:
    first, client, builder = notes.get("first"), notes["client"], notes["builder"]
    if not first:
        return None
    rows = _most(notes, int(terms["window_hours"] * 3600))
    added, moment = sum(row[1] for row in rows), rows[0][0]
    ratio = added / first
    if ratio < terms["least_ratio"] and added <= terms["large_added"] * MICRO:
        return None
    before = [pair for pair in done_before(memory[dealings.deals(client)], moment) if pair[1] != order]
    if len(before) >= terms["clean_orders"]:
        return None
    payer = memory[who(client)]
    up = opened(payer, memory)
    days = None if up is None else max(0, (moment - up) // DAY)
    is_young = days is not None and days < terms["young_days"]
    cards = [span[0] for span in payer.get("card", {}).values()]
    fresh = [day for day in cards if moment // DAY - terms["card_days"] < day <= rows[-1][0] // DAY]
    if not is_young and not fresh and any(other == builder for other, _ in before):
        return None
    window = f"{terms['window_hours']:.0f} hours"
    parts = [
        (terms["ratio_points"] * min(1, ratio / terms["full_ratio"]), f"{ratio:.1f} times the first price was added within {window}", usdc(added))
    ]
    if is_young:
        parts.append((terms["young_points"], f"The client's account was {days} days old", client))
    if fresh:
        parts.append((terms["card_points"], f"The client pays in a way that is less than {terms['card_days']:.0f} days old", ""))
    link = web.pair(client, builder) if builder else None
    linked = link is not None and link.weight >= terms["link_at"]
    if link is not None and linked:
        parts.append((terms["linked_points"], f"Client and builder share {shared_words(link.shares)}", ""))
    if any(0 <= row[2] < 60 * terms["quick_minutes"] for row in rows):
        parts.append((terms["quick_points"], f"The other side said yes within {terms['quick_minutes']:.0f} minutes", ""))
    confidence, reasons = settle(parts)
    if confidence < terms["show_at"]:
        return None
    ended = any(order in orders and orders[order][dealings.DONE] for orders in memory[dealings.deals(client)].values())
    loss = min(added, at_stake(memory[who(builder)])) if ended else added
    people = [builder, client] if builder else [client]
    return Suspicion(
        fingerprint=f"amendment:{order}",
        incident_type="suspicious_activity",
        severity=severity_of(loss, alerts=confidence >= terms["alert_at"]),
        confidence=confidence,
        description=f"{usdc(added)} were added to an order of {usdc(first)} within {window}.",
        detector=NAME,
        pattern="oversized_amendments",
        people=people,
        reasons=reasons,
        evidence={**drawing([link] if link is not None and linked else [], people), "order": order, "amendments": rows},
        loss=loss,
        holds=confidence >= terms["hold_at"],
        second=rows[-1][0],
    )
