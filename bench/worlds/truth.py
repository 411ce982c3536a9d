"""What truly was so in a world."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Operator:
    """Who is behind several accounts."""

    sharing: str
    purpose: str
    members: list[str]
    shares: bool


@dataclass(frozen=True)
class Truth:
    """What a detector ought to find, and how many there are who did nothing."""

    world: str
    people: int
    events: int
    rings: list[Operator]  # three accounts or more
    pairs: list[Operator]
    fast_stolen: list[str]  # withdrawals of stolen money within the hour after it came
    slow_stolen: list[str]
    own: list[str]  # of money that went round through another account of the same operator
    fast_honest: list[str]
    dealt: list[tuple[str, str]] = field(default_factory=list)  # (client, builder) who bought from themselves
