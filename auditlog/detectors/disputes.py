"""People whose orders end in disputes and refunds far more often than orders do.

An order counts once, whatever happened to it. What was cancelled before work began counts for nobody, and what the builder could not do
does not count against the client.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import sqrt

from .cases import Row, at_stake, drawing, news, severity_of, trim, usdc
from .facts import DAY, Fact, order_of, parties, said, yes
from .links import PARAMETERS as LINK_PARAMETERS
from .links import Link, Web, web_of
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import HIDDEN, who
from .suspicions import Suspicion, settle

NAME = "refunds_and_disputes"
KINDS = frozenset({"dispute_opened", "refund", "order_completed", "order_cancelled"})
PARAMETERS = (
    *LINK_PARAMETERS,
    Parameter("alert_at", 60, 40, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 80, 50, 100, "From which confidence on new payouts wait."),
    Parameter("show_at", 40, 0, 100, "From which confidence on it is a weak signal; below it is nothing."),
    Parameter("window_days", 90, 7, 180, "Days that are looked back."),
    Parameter("least_orders", 5, 3, 50, "Orders from which on a rate says something."),
    Parameter("least_rate", 0.1, 0.01, 0.9, "Rate that is too much, as far as the orders prove it (Wilson's lower bound)."),
    Parameter("rate_points", 300, 50, 1000, "Points for a rate of one."),
    Parameter("most_rate_points", 95, 10, 100, "At most for the rate."),
    Parameter("week_orders", 3, 2, 20, "Orders gone wrong within a week that are too many."),
    Parameter("week_points", 20, 0, 100, "Points for that."),
    Parameter("week_points_alone", 40, 0, 100, "Points for that when there are too few orders for a rate."),
    Parameter("linked_points", 10, 0, 50, "Points for being linked with somebody of whom the same is true."),
    Parameter("others_fault", 3, 2, 50, "Orders that went wrong with others from which on it is the other side's doing."),
    Parameter("shared_people", 12, 2, 40, "People who share a card or a device from which on it is not looked at as one."),
)
KEPT = 200  # orders that are remembered of one person
AT, MICRO, DISPUTED, REFUNDED, DONE, CALM, OTHER = range(7)  # what stands in the row of an order
NOT_THE_CLIENTS = frozenset({"builder_wish", "late", "away", "not_funded", "merged", "undone"})
NOBODYS = frozenset({"not_funded", "merged", "undone"})


def ends(person: str) -> str:
    return f"ends:{person}"


def sides(fact: Fact) -> list[tuple[str, bool]]:
    """Who is concerned, and whether as the client."""
    client, builder = parties(fact)
    client = client if fact.kind != "refund" else said(fact.meta, "payer", "client_id", "client") or client
    if fact.kind == "dispute_opened" and not said(fact.meta, "client_id", "client") and client and not builder:
        builder = said(fact.meta, "against", "other", "other_side")
    return [(side, is_client) for side, is_client in ((client, True), (builder, False)) if side]


def keys(fact: Fact) -> Iterable[str]:
    return (ends(side) for side, _ in sides(fact))


def learn(fact: Fact, memory: Memory, touched: set[str]) -> None:
    if fact.kind == "refund" and (fact.meta.get("settled") is False or said(fact.meta, "purpose") == "consultation"):
        return  # what was paid twice or too late, and calls that were cancelled in time
    order = order_of(fact) or f"{fact.kind}:{fact.target or fact.event}"
    both = sides(fact)
    for side, is_client in both:
        orders = memory.change(ends(side), fact.second)
        row = orders.setdefault(order, [0, 0, 0, 0, 0, 0, ""])
        if len(row) > OTHER:
            row[OTHER] = next((other for other, _ in both if other != side), row[OTHER])
        row[AT] = max(row[AT], fact.second)
        row[MICRO] = max(row[MICRO], fact.micro)
        if fact.kind == "dispute_opened":
            row[DISPUTED] = 1
        elif fact.kind == "refund":
            row[REFUNDED] = 1
            if yes(fact.meta.get("before_work")):
                row[CALM] = 1
        elif fact.kind == "order_completed":
            row[DONE] = 1
        elif _is_calm(fact, is_client):
            row[CALM] = 1
        trim(orders, KEPT, lambda one: int(one[AT]))
        touched.add(side)


def _is_calm(fact: Fact, is_client: bool) -> bool:
    cause = said(fact.meta, "cause")
    return yes(fact.meta.get("before_work")) or cause in NOBODYS or (is_client and cause in NOT_THE_CLIENTS)


def is_bad(row: Sequence[int]) -> bool:
    return bool(row[DISPUTED] or (row[REFUNDED] and not row[CALM]))


def wilson(bad: int, of: int) -> float:
    """What the rate is at least, at 95 %."""
    if not of:
        return 0.0
    z, rate = 1.96, bad / of
    return max(0.0, (rate + z * z / (2 * of) - z * sqrt(rate * (1 - rate) / of + z * z / (4 * of * of))) / (1 + z * z / of))


def judge(people: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    people = sorted(set(people))
    memory.fetch(name for person in people for name in (who(person), ends(person)))
    people = [person for person in people if sum(map(is_bad, memory[ends(person)].values())) >= 2]
    values = sorted({key for person in people for kind in ("card", "device") for key in memory[who(person)].get(kind, ())})
    memory.fetch(values)
    groups = {key: sorted(memory[key]) for key in values if 2 <= len(memory[key]) <= terms["shared_people"] and HIDDEN not in memory[key]}
    memory.fetch(name for group in groups.values() for person in group for name in (who(person), ends(person)))
    web = web_of(memory, terms)
    web.load(people)
    found = []
    for person in people:
        found.append(_assess(person, [person], web, memory, terms))
    for key, group in groups.items():
        if sum(1 for person in group if any(map(is_bad, memory[ends(person)].values()))) >= 2:
            found.append(_assess(key, group, web, memory, terms))
    return news([one for one in found if one is not None], memory)


def _orders(people: Sequence[str], memory: Memory, terms: Terms) -> Notes:
    """Orders of these people in the days that are looked back from the newest that went wrong."""
    every = {order: row for person in people for order, row in memory[ends(person)].items()}
    newest = max((row[AT] for row in every.values() if is_bad(row)), default=0)
    since = newest - terms["window_days"] * DAY
    recent = {order: row for order, row in every.items() if since < row[AT] and (is_bad(row) or row[DONE])}
    return {order: row for order, row in recent.items() if not is_bad(row) or not _is_others_doing(people, row, memory, terms)}


def _is_others_doing(people: Sequence[str], row: Row, memory: Memory, terms: Terms) -> bool:
    """Whether the other side's orders go wrong with everybody, and most of them: then this one says nothing about who had to do with it."""
    other = row[OTHER] if len(row) > OTHER else ""
    if not other or other in people:
        return False
    memory.fetch([ends(other)])
    theirs = [one for one in memory[ends(other)].values() if is_bad(one) or one[DONE]]
    elsewhere = [one for one in theirs if is_bad(one) and (one[OTHER] if len(one) > OTHER else "") not in people]
    return len(elsewhere) >= terms["others_fault"] and 3 * len(elsewhere) >= len(theirs)


def _worst_week(moments: list[int]) -> int:
    moments.sort()
    return max((sum(1 for other in moments if first <= other < first + 7 * DAY) for first in moments), default=0)


def _assess(name: str, people: Sequence[str], web: Web, memory: Memory, terms: Terms) -> tuple[Suspicion, int] | None:
    orders = _orders(people, memory, terms)
    bad = {order: row for order, row in orders.items() if is_bad(row)}
    low = wilson(len(bad), len(orders)) if len(orders) >= terms["least_orders"] else 0.0
    parts: list[tuple[float, str, str]] = []
    if low > terms["least_rate"]:
        words = f"{len(bad)} of {len(orders)} orders ended in a dispute or a refund, which proves at least {100 * low:.0f} %"
        parts.append((min(terms["most_rate_points"], terms["rate_points"] * low), words, ""))
    week = _worst_week([row[AT] for row in bad.values()])
    if week >= terms["week_orders"]:
        points = terms["week_points" if parts else "week_points_alone"]
        parts.append((points, f"{week} of them within one week", ", ".join(sorted(bad)[:5])))
    if not parts:
        return None
    linked: list[Link] = []
    if len(people) == 1:
        linked = [link for other, link in sorted(web.linked(people[0]).items()) if _is_disputed(other, memory, terms)]
        if linked:
            parts.append(
                (terms["linked_points"], "Linked with somebody of whom the same is true", ", ".join(link.other(people[0]) for link in linked))
            )
    confidence, reasons = settle(parts)
    if confidence < terms["show_at"]:
        return None
    newest = max(row[AT] for row in bad.values())
    standing = sum(row[MICRO] for row in bad.values() if row[DISPUTED] and not row[REFUNDED] and not row[DONE])
    loss = standing + sum(at_stake(memory[who(person)]) for person in people)
    kind, _, value = name.partition(":")
    shared = kind in ("card", "device") and len(people) > 1
    subject = f"orders of people with one {kind}" if shared else "orders of one person"
    return (
        Suspicion(
            fingerprint=f"dispute:{name}:{datetime.fromtimestamp(newest, UTC):%Y%m}"[:200],
            incident_type="suspicious_activity",
            severity=severity_of(loss, alerts=confidence >= terms["alert_at"]),
            confidence=confidence,
            description=f"{len(bad)} of {len(orders)} {subject} ended in a dispute or a refund; {usdc(standing)} are disputed.",
            detector=NAME,
            pattern="refund_velocity",
            people=list(people),
            reasons=reasons,
            evidence={
                **drawing(linked, [*people, *(link.other(people[0]) for link in linked)]),
                "orders": sorted(([row[AT], row[MICRO], order] for order, row in bad.items()), key=str)[-50:],
            },
            devices=[value] if shared and kind == "device" else [],
            loss=loss,
            holds=confidence >= terms["hold_at"],
            second=newest,
        ),
        len(bad),
    )


def _is_disputed(person: str, memory: Memory, terms: Terms) -> bool:
    memory.fetch([ends(person)])
    orders = _orders([person], memory, terms)
    bad = sum(map(is_bad, orders.values()))
    return len(orders) >= terms["least_orders"] and wilson(bad, len(orders)) > terms["least_rate"]
