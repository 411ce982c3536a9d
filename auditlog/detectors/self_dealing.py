"""A client and a builder who are one person, or one crew: the orders between them buy reviews, or money for stolen cards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import median
from typing import Any

from .cases import at_stake, drawing, news, severity_of, shared_words, usdc
from .dealings import AT, KINDS, MICRO, SECONDS, STARS, deals, keys
from .dealings import learn as learn_dealing
from .facts import Fact
from .fast_withdrawal import is_quick
from .links import PARAMETERS as LINK_PARAMETERS
from .links import TRADES, Link, Share, Web, traded_with, web_of
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import LOG, VALUES, who
from .suspicions import Suspicion, settle

__all__ = ["KINDS", "NAME", "PARAMETERS", "judge", "keys", "learn"]

NAME = "self_dealing"
PARAMETERS = (
    *LINK_PARAMETERS,
    Parameter("alert_at", 65, 40, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 80, 50, 100, "From which confidence on payouts of the builder wait."),
    Parameter("show_at", 40, 0, 100, "From which confidence on it is a weak signal; below it is nothing."),
    Parameter("link_points", 60, 0, 100, "Points for two who are surely linked."),
    Parameter("wallet_link", 0.93, 0, 1, "How surely two are one when the client pays from the wallet to which the builder is paid."),
    Parameter("fast_points", 10, 0, 50, "Points for an order that was complete soon after it began."),
    Parameter("fast_minutes", 60, 1, 1440, "Within how many minutes that is soon."),
    Parameter("review_points", 10, 0, 50, "Points for a review of five stars between the two."),
    Parameter("volume_points", 10, 0, 50, "Points when the client paid more than half of what the builder earned."),
    Parameter("group_points", 25, 0, 60, "Points when both belong to one group of linked accounts that was told."),
    Parameter("only_points", 10, 0, 50, "Points for a client who bought from this builder more than once, and never from anybody else."),
    Parameter("quick_points", 10, 0, 50, "Points when most of it was paid and released within a day."),
    Parameter("taken_points", 15, 0, 50, "Points when the builder took it out at once, and that was told."),
    Parameter("amount_points", 10, 0, 50, "Points for an order far beyond what the builder usually gets from others."),
    Parameter("amount_times", 3, 1.5, 20, "How many times the usual that is."),
)
FAST = 70  # how sure a fast withdrawal has to be for it to be held against who paid
NEIGHBOURS = frozenset({"ip", "opening", "trade"})  # what people of one home or cafe have in common; says nothing by itself
OTHERS = 5  # orders of others from which on something is usual


def learn(fact: Fact, memory: Memory, touched: set[str]) -> None:
    touched.update(side for side in learn_dealing(fact, memory) if side)


def judge(people: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    """Suspicions about these people, those with whom they dealt, and the groups to which they belong."""
    people = set(people)
    memory.fetch([LOG, *(who(person) for person in people)])
    names = {name for person in people if (name := memory[who(person)].get("group"))}
    memory.fetch(f"group:{name}" for name in names)
    for name in names:
        people.update(memory[f"group:{name}"].get("people", ()))
    web = web_of(memory, terms)
    pairs = sorted(_pairs(people, web, memory))
    memory.fetch(name for client, builder in pairs for name in (who(client), who(builder), deals(client)))
    found = []
    for client, builder in pairs:
        suspicion = _assess(client, builder, web, memory, terms)
        if suspicion is not None:
            found.append((suspicion, len(memory[deals(client)].get(builder, ()))))
    return news(found, memory)


def _pairs(people: set[str], web: Web, memory: Memory) -> set[tuple[str, str]]:
    """Client and builder of those who dealt with each other and have some value, their group or the time of their opening in common."""
    memory.fetch(name for person in people for name in (who(person), deals(person)))
    people = {person for person in people if _deals(person, memory)}
    notes = {person: memory[who(person)] for person in people}
    dealt = {person: traded_with(one) | memory[deals(person)].keys() for person, one in notes.items()}
    values = {person: [key for kind in VALUES for own in one.get(kind, ()) for key in (own, _twin(own)) if key] for person, one in notes.items()}
    memory.fetch(key for keys_of in values.values() for key in keys_of)
    memory.fetch(f"group:{one['group']}" for one in notes.values() if one.get("group"))
    web.ups(set().union(*map(traded_with, notes.values())))
    found = set[tuple[str, str]]()
    for person, one in notes.items():
        others = (holders.keys() for key in values[person] if (holders := memory[key]) and (len(holders) > 1 or person not in holders))
        close = dealt[person].intersection(set[str]().union(*others)) | web.circled(person)
        if one.get("group"):
            close |= dealt[person].intersection(memory[f"group:{one['group']}"].get("people", ()))
        found.update((other, person) for other in {**one.get("earned_by", {}), **one.get("paid_by", {})} if other in close)
        bought = {**one.get("paid_to", {}), **one.get("earned_to", {}), **memory[deals(person)]}
        found.update((person, other) for other in bought if other in close)
    return found


def _deals(person: str, memory: Memory) -> bool:
    notes = memory[who(person)]
    return any(notes.get(name) for name in TRADES) or bool(memory[deals(person)])


def _twin(key: str) -> str:
    """The same wallet on the other side of a deal: paid from, and paid to."""
    for kind, other in (("card:", "payout:"), ("payout:", "card:")):
        if key.startswith(kind):
            return other + key.removeprefix(kind)
    return ""


def _link(client: str, builder: str, web: Web, memory: Memory, terms: Terms) -> Link:
    link = web.pair(client, builder)
    to = {key.partition(":")[2] for key in memory[who(builder)].get("payout", ())}
    wallets = sorted(to & {key.partition(":")[2] for key in memory[who(client)].get("card", ())})
    if not wallets:
        return link
    weight = terms["wallet_link"]
    return replace(link, weight=1 - (1 - link.weight) * (1 - weight), shares=(Share("payout", wallets[0], weight, 2), *link.shares))


def _assess(client: str, builder: str, web: Web, memory: Memory, terms: Terms) -> Suspicion | None:
    payer, seller = memory[who(client)], memory[who(builder)]
    orders: Notes = memory[deals(client)].get(builder, {})
    dealt = max((seller.get(name, {}).get(client, 0) for name in ("earned_by", "paid_by")), default=0)
    if not orders and not dealt:
        return None
    if payer.get("agency") or seller.get("agency"):  # who registered as one may work for its own clients
        return None
    link = _link(client, builder, web, memory, terms)
    group = _group(payer, seller, memory)
    sure = 1 - (1 - link.weight) * (1 - group.get("confidence", 0) / 100)
    if sure < terms["link_at"] or (not group and all(share.kind in NEIGHBOURS for share in link.shares)):
        return None
    wallet = link.shares and link.shares[0].kind == "payout" and link.shares[0].value in {key.partition(":")[2] for key in payer.get("card", ())}
    shown = [share for share in link.shares if share.kind in VALUES]
    words = (
        "The client pays from the wallet to which the builder is paid"
        if wallet
        else f"Client and builder share {shared_words(shown)}"
        if shown
        else "They were opened at about the same time and deal with each other, and with hardly anybody else"
    )
    parts = [(terms["link_points"] * link.weight, words, ", ".join(share.value for share in shown)[:200])]
    if group:
        number = len(group["people"])
        parts.append((terms["link_points"] * (sure - link.weight) + terms["group_points"], f"Both are of a group of {number} linked accounts", ""))
    fast = [name for name, row in orders.items() if row[SECONDS] is not None and row[SECONDS] < 60 * terms["fast_minutes"]]
    if fast:
        parts.append((terms["fast_points"], f"Complete within {terms['fast_minutes']:.0f} minutes of its beginning", ", ".join(sorted(fast)[:5])))
    praised = [name for name, row in orders.items() if row[STARS] == 5]
    if praised:
        parts.append((terms["review_points"], "Five stars were given between the two", ", ".join(sorted(praised)[:5])))
    name = "earned" if seller.get("earned") else "paid"
    part = seller.get(f"{name}_by", {}).get(client, 0) / seller[name] if seller.get(name) else 0
    if part > 0.5:
        parts.append((terms["volume_points"], f"{100 * part:.0f} % of what the builder earned came from this client", usdc(dealt)))
    bought = payer.get("paid_to") or payer.get("earned_to") or {}
    if builder in bought and len(bought) == 1 and bought[builder][0] > 1:
        parts.append((terms["only_points"], f"The client bought {bought[builder][0]} times, and never from anybody else", ""))
    came = [earning for earning in seller.get("earnings", ()) if earning[2] == client]
    if came and 2 * sum(earning[1] for earning in came if is_quick(seller, earning)) > sum(earning[1] for earning in came):
        parts.append((terms["quick_points"], "Most of it was paid and released within a day", ""))
    if _taken(seller, came):
        parts.append((terms["taken_points"], "The builder took the money out as soon as it came", ""))
    largest, usual = _largest(client, orders, seller)
    if usual and largest > terms["amount_times"] * usual:
        parts.append((terms["amount_points"], f"{largest / usual:.0f} times what others usually pay the builder", usdc(largest)))
    confidence, reasons = settle(parts)
    if confidence < terms["show_at"]:
        return None
    alerts = confidence >= terms["alert_at"]
    loss = min(at_stake(seller), max(dealt, sum(row[MICRO] for row in orders.values())))
    return Suspicion(
        fingerprint=f"self_dealing:{client}:{builder}",
        incident_type="suspicious_activity",
        severity=severity_of(loss, alerts=alerts, least="high" if payer.get("card") else "medium"),
        confidence=confidence,
        description=f"Client and builder of {max(1, len(orders))} {'order' if len(orders) < 2 else 'orders'} look like one person's accounts.",
        detector=NAME,
        pattern="self_dealing",
        people=[builder, client],
        reasons=reasons,
        evidence={**drawing([link], [builder, client]), "orders": sorted(([row[AT], row[MICRO], order] for order, row in orders.items()), key=str)},
        addresses=[share.value for share in link.shares if share.kind == "ip"],
        devices=[share.value for share in link.shares if share.kind == "device"],
        loss=loss,
        holds=confidence >= terms["hold_at"],
        second=max([row[AT] for row in orders.values()], default=seller.get("last", 0)),
    )


def _group(payer: Notes, seller: Notes, memory: Memory) -> Notes:
    """The group of linked accounts to which both belong, when somebody was told of it."""
    name = payer.get("group")
    group = memory[f"group:{name}"] if name and name == seller.get("group") else {}
    return group if group.get("told") else {}


def _taken(seller: Notes, came: list[list[Any]]) -> bool:
    """Whether a withdrawal of this money was told as a fast one."""
    told = seller.get("told", {})
    return any(told.get(row[3], 0) >= FAST and any(row[0] - 3600 < earning[0] <= row[0] for earning in came) for row in seller.get("withdrawals", ()))


def _largest(client: str, orders: Notes, seller: Notes) -> tuple[int, float]:
    """The largest order between the two, and what others usually pay."""
    earnings = seller.get("earnings", ())
    others = [row[1] for row in earnings if row[2] != client]
    mine = [row[MICRO] for row in orders.values()] + [row[1] for row in earnings if row[2] == client]
    return max(mine, default=0), median(others) if len(others) >= OTHERS else 0
