"""One person, or one crew, behind several accounts: groups of accounts that are linked by what they share."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from math import log
from typing import Any

from .facts import DAY
from .groups import components
from .links import DERIVED, WORDS, Link, Share, Web, web_of
from .links import PARAMETERS as LINK_PARAMETERS
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import LOG, VALUES, opened, usual, who
from .suspicions import Suspicion, settle

NAME = "multi_accounting"
PARAMETERS = (
    *LINK_PARAMETERS,
    Parameter("alert_at", 55, 30, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 80, 50, 100, "From which confidence on payouts of young accounts wait."),
    Parameter("members", 3, 2, 10, "Accounts that a group has at least; two are enough when they share a payout address and a device."),
    Parameter(
        "pair_points", 15, 0, 50, "Points taken off for two who share a payout address or a device only, though they were never seen at one address."
    ),
    Parameter("pair_at", 0.85, 0.5, 1, "How strongly they have to be linked."),
    Parameter("most_members", 12, 3, 60, "Beyond which a group is taken apart where its links are weakest."),
    Parameter("link_points", 55, 0, 100, "Points for how strongly the accounts are linked."),
    Parameter("young_points", 30, 0, 100, "Points for accounts that were opened at about the same time."),
    Parameter("young_days", 30, 1, 365, "Within how many days that is."),
    Parameter("unknown_points", 9, 0, 50, "Points when nobody knows when they were opened, because the log begins later."),
    Parameter("dealt_points", 15, 0, 100, "Points for what the builders among them earned from the others."),
    Parameter("size_points", 3, 0, 20, "Points for each account beyond three."),
    Parameter("most_size_points", 15, 0, 60, "At most for all of them."),
    Parameter("papers_part", 0.4, 0, 1, "Part of the points that is taken off when all have verified identities of their own."),
    Parameter("burst_points", 10, 0, 50, "Points for three accounts opened within a day."),
    Parameter("old_points", 20, 0, 50, "Points taken off when all were linked half a year after they were opened."),
    Parameter("bad_points", 10, 0, 50, "Points for an account that was found out before."),
    Parameter("shared_accounts", 3, 2, 20, "Accounts at one public address that make a weak signal."),
    Parameter("shared_days", 7, 1, 30, "Within how many days."),
)


def judge(people: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    """Suspicions about the groups around these people, of which something has changed."""
    people = set(people)
    memory.fetch([LOG, *(who(person) for person in people)])
    # Who was in a group with them before: it may have come apart.
    known = {memory[who(person)].get("group") for person in people} - {None}
    memory.fetch(f"group:{name}" for name in known)
    for name in known:
        people.update(memory[f"group:{name}"].get("people", ()))
    web = web_of(memory, terms)
    found = []
    groups = list(components(web, people, int(terms["most_members"])))
    taken = set[str]()
    for group in sorted(groups, key=lambda one: (-len(one), min(one))):
        name, merged = _name(group, memory, taken)
        taken.add(name)
        suspicion = _assess(sorted(group), name, web, memory, terms)
        if suspicion is None or not _changed(group, name, suspicion, memory, terms):
            continue
        found.append(_with_merges(suspicion, merged))
    return found


def _with_merges(suspicion: Suspicion, merged: Iterable[str]) -> Suspicion:
    facts: dict[str, Any] = {name: getattr(suspicion, name) for name in Suspicion.__slots__}
    return Suspicion(**{**facts, "merges": [f"multi_account:{name}" for name in sorted(merged)]})


def _name(group: set[str], memory: Memory, taken: set[str]) -> tuple[str, set[str]]:
    """What the group is called: as most of it was called before, and of two names the smaller; and which names are the same group now."""
    before: dict[str, int] = {}
    for person in group:
        name = memory[who(person)].get("group")
        if name is not None and name not in taken:
            before[name] = before.get(name, 0) + 1
    if not before:
        return sha256(min(group).encode()).hexdigest()[:16], set()
    memory.fetch(f"group:{name}" for name in before)
    # A name stays with the larger part of those who had it.
    own = {name for name, count in before.items() if 2 * count >= len(memory[f"group:{name}"].get("people", ()))}
    if not own:
        return sha256(("part " + min(group)).encode()).hexdigest()[:16], set()
    name = min(own)
    return name, own - {name}


def _changed(group: set[str], name: str, suspicion: Suspicion, memory: Memory, terms: Terms) -> bool:
    """Whether this is worth saying (again): others in the group, a higher confidence, or another day. Remembers it."""
    told = memory[f"group:{name}"]
    members = sorted(group)
    fresh = (
        told.get("people") != members
        or suspicion.confidence > told.get("confidence", -1)
        or suspicion.second - told.get("second", 0) >= DAY
        or suspicion.loss > 2 * told.get("loss", 0)
    )
    if fresh:
        notes = memory.change(f"group:{name}", suspicion.second)
        notes |= {"people": members, "second": suspicion.second, "loss": suspicion.loss}
        notes["confidence"] = max(suspicion.confidence, notes.get("confidence", 0))
        notes["told"] = suspicion.severity != "low"
    for person in members:
        if memory[who(person)].get("group") != name:
            memory.change(who(person))["group"] = name
    return fresh


def _assess(group: list[str], name: str, web: Web, memory: Memory, terms: Terms) -> Suspicion | None:
    links = [link for n, one in enumerate(group) for other, link in web.linked(one).items() if other in group[n + 1 :]]
    kinds = {share.kind for link in links for share in link.shares}
    if len(group) < terms["members"] and not ({"payout", "device"} <= kinds or _is_odd_pair(group, web, terms)):
        return None
    best = [max((link.weight for link in links if person in (link.a, link.b)), default=0.0) for person in group]
    notes = {person: memory[who(person)] for person in group}
    linked_since = {person: min(link.since for link in links if person in (link.a, link.b)) for person in group}
    ages = {person: _age(notes[person], linked_since[person], memory) for person in group}
    young = _opened_together(group, notes, memory, int(terms["young_days"] * DAY))
    young_part = _beyond_chance(young, group, notes, memory, terms)
    parts = _link_parts(links, terms["link_points"] * sum(best) / len(best), len(group))
    if young_part:
        words = f"{len(young)} of the {len(group)} accounts were opened within {terms['young_days']:.0f} days of each other"
        parts.append((terms["young_points"] * young_part, words, ""))
    # Of who was there before the log begins nobody knows either whether they registered as an agency.
    dark = sum(opened(one, memory) is None for one in notes.values()) / len(group)
    excused = dark * _paid_together(links)
    if dark > excused and len(group) >= terms["members"]:
        words = "Some of them were there before the log begins: that they were opened together can be neither shown nor ruled out"
        parts.append((terms["unknown_points"] * (dark - excused), words, ""))
    dealt, volume = _dealt(group, notes)
    if dealt:
        words = f"{100 * dealt:.0f} % of what the builders among them earned came from the others"
        parts.append((terms["dealt_points"] * min(1, 2 * dealt), words, f"{volume / 1e6:,.2f} USDC"))
    if len(group) < terms["members"] and not {"payout", "device"} <= kinds:
        parts.append((-terms["pair_points"], "Two who share one thing may have their reasons", ""))
    if len(group) > 3:
        points = min(terms["size_points"] * (len(group) - 3), terms["most_size_points"]) * (1 - excused)
        parts.append((points, f"{len(group)} accounts are more than share things by chance", ""))
    if any(notes[person].get("bad") for person in group):
        parts.append((terms["bad_points"], "One of them was found out before", ""))
    if _burst([notes[person]["up"] for person in group if "up" in notes[person]]):
        parts.append((terms["burst_points"], "Three or more of them were opened within 24 hours", ""))
    if all(age > 180 for age in ages.values()):
        parts.append((-terms["old_points"] * (1 - young_part), "All had been there for half a year before they were linked", ""))
    papers = _own_papers(notes)
    if papers > 1:  # one may be the operator's own
        off = -terms["papers_part"] * (papers - 1) / (len(group) - 1) * min(100, sum(points for points, _, _ in parts))
        parts.append((off, f"{_count(papers, 'of them has a verified identity', 'of them have verified identities')} of their own", ""))
    confidence, reasons = settle(parts)
    loss = sum(_at_stake(one) for one in notes.values())
    alerts = confidence >= terms["alert_at"]
    severity = "low" if not alerts else "critical" if loss > 5_000_000_000 else "high" if loss > 500_000_000 or dealt > 0.3 else "medium"
    shared = sorted({(share.kind, share.value, share.fanout) for link in links for share in link.shares if share.kind not in DERIVED})
    return Suspicion(
        fingerprint=f"multi_account:{name}",
        incident_type="multi_accounting",
        severity=severity,
        confidence=confidence,
        description=f"{len(group)} accounts look like one person's: they share {_listed(kinds)}.",
        detector=NAME,
        pattern="linked_accounts",
        people=group,
        reasons=reasons,
        evidence=_evidence(group, links, web, young),
        addresses=[value for kind, value, _ in shared if kind == "ip"],
        devices=[value for kind, value, _ in shared if kind == "device"],
        loss=loss,
        holds=confidence >= terms["hold_at"],
        second=max(one.get("last", 0) for one in notes.values()),
    )


def _is_odd_pair(group: list[str], web: Web, terms: Terms) -> bool:
    """Two who are paid together, or use one device, and were never seen at one address: families and partners are."""
    if len(group) != 2:
        return False
    link = web.pair(group[0], group[1])
    return link.weight >= terms["pair_at"] and link.shares[0].kind in ("payout", "device") and not web.together(*group)


def _opened_together(group: list[str], notes: dict[str, Notes], memory: Memory, window: int) -> list[str]:
    """The most of them who were opened within so many seconds of each other; crews open accounts in batches, families and firms do not."""
    known = sorted((up, person) for person in group if (up := opened(notes[person], memory)) is not None)
    best: list[str] = []
    for n, (start, _) in enumerate(known):
        within = [person for up, person in known[n:] if up - start <= window]
        best = within if len(within) > len(best) else best
    return best if len(best) > 1 else []


def _beyond_chance(young: list[str], group: list[str], notes: dict[str, Notes], memory: Memory, terms: Terms) -> float:
    """How much of a group was opened together, beyond what would be so of anybody: some have always come in the same weeks."""
    if not young:
        return 0.0
    chance = min(0.9, usual(memory, int(notes[young[0]].get("up", 0)), terms["young_days"]))
    part: float = max(0.0, ((len(young) - 1) / (len(group) - 1) - chance) / (1 - chance))
    beyond: float = part**1.5 * (1 - 0.5 * chance)
    return beyond


def _age(notes: Notes, since: int, memory: Memory) -> int:
    """Days between the opening of an account and its first link, at least: of who was there before the log nothing else is known."""
    up = opened(notes, memory)
    if up is not None:
        return max(0, since - up // DAY)
    days = memory[LOG].get("days")
    return max(0, since - (min(map(int, days)) if days else memory[LOG].get("first", 0) // DAY))


def _link_parts(links: list[Link], points: float, size: int) -> list[tuple[float, str, str]]:
    """The points of the links, by what they come from."""
    added: dict[str, float] = {}
    values: dict[str, set[str]] = {}
    people: dict[str, set[str]] = {}
    for link in links:
        for share in link.shares:
            added[share.kind] = added.get(share.kind, 0) + strength(share)
            values.setdefault(share.kind, set()).add(share.value)
            people.setdefault(share.kind, set()).update((link.a, link.b))
    total = sum(added.values()) or 1
    parts = []
    for kind in sorted(added, key=lambda name: (-added[name], name)):
        number, word = len(values[kind]), WORDS[kind]
        if kind == "opening":
            text = f"{len(people[kind])} of the {size} accounts were opened at one address at about the same time"
        elif kind == "circle":
            text = f"{len(people[kind])} of the {size} deal with each other, were opened at about the same time, and deal with hardly anybody else"
        elif kind == "trade":
            text = f"{len(people[kind])} of the {size} trade with each other and with hardly anybody else"
        else:
            plural = word + ("es" if word.endswith("s") else "s")
            text = f"{len(people[kind])} of the {size} accounts share {f'one {word}' if number == 1 else f'{number} {plural}'}"
        fact = ", ".join(sorted(values[kind])[:5]) if kind not in DERIVED else ""
        parts.append((points * added[kind] / total, text, fact))
    return parts


def _paid_together(links: list[Link]) -> float:
    """Which part of the links comes from nothing but being paid to one address, and from where it is."""
    added = {True: 0.0, False: 0.0}
    for link in links:
        for share in link.shares:
            added[share.kind in ("payout", "ip")] += strength(share)
    return added[True] / (sum(added.values()) or 1)


def _dealt(group: list[str], notes: dict[str, Notes]) -> tuple[float, int]:
    """Which part of what the builders of a group earned was paid by others of it, and how much that is."""
    inside = outside = 0
    for person in group:
        one = notes[person]
        name = "earned" if one.get("earned") else "paid"
        payers = one.get(f"{name}_by", {})
        inside += sum(payers.get(other, 0) for other in group if other != person)
        outside += one.get(name, 0)
    return (min(1.0, inside / outside), inside) if outside else (0.0, 0)


def _burst(moments: list[int]) -> bool:
    moments.sort()
    return any(last - first <= DAY for first, last in zip(moments, moments[2:], strict=False))


def _own_papers(notes: dict[str, Notes]) -> int:
    """How many have a verified identity that nobody else of the group has. Where only a flag says so, it is taken for their own."""
    papers = [one["papers"] for one in notes.values() if one.get("papers")]
    return sum(1 for one in papers if one == "yes" or papers.count(one) == 1)


def _at_stake(notes: Notes) -> int:
    """What somebody has earned and not taken out yet, as far as the log knows."""
    ended = notes.get("ended", {})
    back = sum(row[1] for row in notes.get("withdrawals", ()) if row[3] in ended)
    return int(max(0, notes.get("earned", 0) - notes.get("withdrawn", 0) + back))


def _evidence(group: list[str], links: list[Link], web: Web, young: list[str]) -> dict[str, Any]:
    """For the drawing."""
    values = {(share.kind, share.value): share.fanout for link in links for share in link.shares if share.kind not in DERIVED}
    edges: dict[tuple[str, str, str], float] = {}
    for link in links:
        for share in link.shares:
            for person in (link.a, link.b):
                key = (person, share.kind, share.value)
                edges[key] = max(edges.get(key, 0), share.weight)
    pairs = sorted(links, key=lambda link: (-link.weight, link.a, link.b))[:50]
    return {
        "people": group,
        "young": young,
        "values": [
            {"kind": kind, "value": value, "fanout": fanout, "label": WORDS[kind], "too_common": False}
            for (kind, value), fanout in sorted(values.items())[:50]
        ],
        "edges": [
            {"person": person, "kind": kind, "value": value, "weight": round(weight, 3)}
            for (person, kind, value), weight in sorted(edges.items())[:200]
            if kind not in DERIVED
        ],
        "pairs": [
            {
                "a": link.a,
                "b": link.b,
                "weight": round(link.weight, 3),
                "shares": [{"kind": share.kind, "value": share.value, "weight": round(share.weight, 3)} for share in link.shares],
            }
            for link in pairs
        ],
    }


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _listed(kinds: set[str]) -> str:
    words = [WORDS[kind] for kind in VALUES if kind in kinds]
    if not words:
        return "a circle in which they deal with each other"
    words = ["an " + word if word[0] in "aeiou" else "a " + word for word in words]
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def strength(share: Share) -> float:
    """What a value adds to a link, so that parts of it can be told: these sum up, where weights do not."""
    return -log(max(1e-9, 1 - min(share.weight, 1 - 1e-9)))
