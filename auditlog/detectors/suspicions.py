"""What a detector concludes, before it is an incident: ids are words here, as they are in anybody's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """One reason: how many of the hundred points it gave or took, and why in words."""

    points: int
    text: str
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The same fingerprint is the same case. `merges` are fingerprints of cases that turned out to be this one."""

    fingerprint: str
    incident_type: str
    severity: str  # low never alerts
    confidence: int
    description: str
    detector: str
    pattern: str
    people: Sequence[str]
    reasons: Sequence[Point]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    withdrawal_id: str | None = None
    addresses: Sequence[str] = ()
    devices: Sequence[str] = ()
    loss: int = 0  # what can still leave, in millionths
    holds: bool = False  # payouts of these people should wait
    second: int = 0  # of the newest fact it follows from
    merges: Sequence[str] = ()
    group: str = ""  # shown together in the queue


def settle(parts: Sequence[tuple[float, str, str]]) -> tuple[int, list[Point]]:
    """Confidence and its reasons. Points are whole numbers that sum up to it; what lies beyond 0 or 100 is a reason, too."""
    total = sum(points for points, _, _ in parts)
    confidence = max(0, min(100, round(total)))
    rows = (
        [*parts, (confidence - total, "No more than a hundred points" if total > 100 else "No fewer than none", "")]
        if not -0.5 <= total < 100.5
        else list(parts)
    )
    whole = [round(points) for points, _, _ in rows]
    by_rest = sorted(range(len(rows)), key=lambda n: (rows[n][0] - whole[n], n))
    off = confidence - sum(whole)
    for n in by_rest[::-1][:off] if off > 0 else by_rest[:-off]:
        whole[n] += 1 if off > 0 else -1
    return confidence, [Point(points, text, fact) for points, (_, text, fact) in zip(whole, rows, strict=True) if points]
