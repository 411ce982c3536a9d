"""How many of the incidents are right, and how much of what was there they found.

An incident about several accounts is right when at least two thirds of its members, and two of them at the least, are one operator's. A ring (three
accounts or more) is found when one right incident holds at least half of its accounts. A withdrawal is right when its money was stolen, or went round
through another account of the same operator; recall counts stolen money alone that left within the hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .truth import Operator, Truth


@dataclass(frozen=True)
class Found:
    """One incident, as far as it is judged."""

    members: frozenset[str]
    confidence: int = 100


@dataclass
class Groups:
    """Figures about incidents of several accounts, which can be added up over worlds."""

    worlds: int = 0
    incidents: int = 0
    right: int = 0
    rings: int = 0
    rings_found: int = 0
    sharing: int = 0
    sharing_found: int = 0
    flagged: int = 0
    flagged_right: int = 0
    accounts: int = 0  # of rings
    biggest: int = 0
    twice: int = 0  # right incidents about an operator of whom there was one already
    by_sharing: dict[str, tuple[int, int]] = field(default_factory=dict)  # found, all

    def __add__(self, other: Groups) -> Groups:
        summed = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        both = {name: _both(self.by_sharing, other.by_sharing, name) for name in {*self.by_sharing, *other.by_sharing}}
        return Groups(**summed, biggest=max(self.biggest, other.biggest), by_sharing=both)

    @property
    def precision(self) -> float:
        return share(self.right, self.incidents)

    @property
    def recall(self) -> float:
        return share(self.rings_found, self.rings)

    @property
    def sharing_recall(self) -> float:
        return share(self.sharing_found, self.sharing)


SUMS = ("worlds", "incidents", "right", "rings", "rings_found", "sharing", "sharing_found", "flagged", "flagged_right", "accounts", "twice")


@dataclass
class Singles:
    """Figures about incidents of one thing, a withdrawal or a pair."""

    incidents: int = 0
    different: int = 0
    right: int = 0
    wanted: int = 0
    found: int = 0

    def __add__(self, other: Singles) -> Singles:
        return Singles(*(getattr(self, name) + getattr(other, name) for name in ("incidents", "different", "right", "wanted", "found")))

    @property
    def precision(self) -> float:
        return share(self.right, self.incidents)

    @property
    def recall(self) -> float:
        return share(self.found, self.wanted)


def share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _both(one: dict[str, tuple[int, int]], other: dict[str, tuple[int, int]], name: str) -> tuple[int, int]:
    (a, b), (c, d) = one.get(name, (0, 0)), other.get(name, (0, 0))
    return a + c, b + d


def judge_groups(found: list[Found], truth: Truth) -> Groups:
    operators = [*truth.rings, *truth.pairs]
    owner = {member: n for n, operator in enumerate(operators) for member in operator.members}
    right: dict[int, list[Found]] = {}
    for incident in found:
        if (who := owner_of(incident.members, owner)) is not None:
            right.setdefault(who, []).append(incident)
    rings = list(truth.rings)
    caught = {n for n, ring in enumerate(rings) if any(_half(incident, ring) for incident in right.get(n, ()))}
    everybody = frozenset[str]().union(*(incident.members for incident in found))
    accounts = {member for ring in rings for member in ring.members}
    kinds = {ring.sharing for ring in rings}
    return Groups(
        worlds=1,
        incidents=len(found),
        right=sum(len(incidents) for incidents in right.values()),
        rings=len(rings),
        rings_found=len(caught),
        sharing=sum(ring.shares for ring in rings),
        sharing_found=sum(ring.shares for n, ring in enumerate(rings) if n in caught),
        flagged=len(everybody),
        flagged_right=len(everybody & accounts),
        accounts=len(accounts),
        biggest=max((len(incident.members) for incident in found), default=0),
        twice=sum(len(incidents) - 1 for incidents in right.values()),
        by_sharing={kind: (sum(rings[n].sharing == kind for n in caught), sum(ring.sharing == kind for ring in rings)) for kind in kinds},
    )


def _half(incident: Found, ring: Operator) -> bool:
    return 2 * len(incident.members & set(ring.members)) >= len(ring.members)


def owner_of(members: frozenset[str], owner: dict[str, int]) -> int | None:
    """Whose accounts at least two thirds of these are, and no fewer than two."""
    count: dict[int, int] = {}
    for member in members:
        if member in owner:
            count[owner[member]] = count.get(owner[member], 0) + 1
    who = max(count, key=lambda n: count[n], default=None)
    return who if who is not None and count[who] >= 2 and 3 * count[who] >= 2 * len(members) else None


def judge_withdrawals(flagged: list[str], truth: Truth) -> Singles:
    good = {*truth.fast_stolen, *truth.slow_stolen, *truth.own}
    return Singles(
        incidents=len(flagged),
        different=len(set(flagged)),
        right=sum(key in good for key in flagged),
        wanted=len(truth.fast_stolen),
        found=len(set(flagged) & set(truth.fast_stolen)),
    )


def judge_pairs(flagged: list[frozenset[str]], dealt: Iterable[tuple[str, str]]) -> Singles:
    """Client and builder who were flagged for buying from themselves."""
    good = {frozenset(pair) for pair in dealt}
    return Singles(len(flagged), len(set(flagged)), sum(pair in good for pair in flagged), len(good), len(good & set(flagged)))


def judge_cases(flagged: list[frozenset[str]], planted: list[frozenset[str]]) -> Singles:
    """Incidents of one kind: right when most of the people of one are of one thing that was done."""
    whose = [next((n for n, case in enumerate(planted) if 2 * len(people & case) >= len(people) > 0), None) for people in flagged]
    return Singles(
        incidents=len(flagged),
        different=len(set(flagged)),
        right=sum(n is not None for n in whose),
        wanted=len(planted),
        found=len({n for n in whose if n is not None}),
    )
