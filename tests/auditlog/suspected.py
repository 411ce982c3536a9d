"""What one detector makes of facts: all at once, in any order, and a bit at a time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from auditlog.detectors import over_file
from auditlog.detectors.facts import MONTH, Fact
from auditlog.detectors.memory import Memory
from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS, Detector, Touched, learn
from auditlog.detectors.suspicions import Suspicion

from .happenings import detected

Facts = Iterable[Fact] | Fact


def named(name: str) -> Detector:
    (one,) = [detector for detector in DETECTORS if detector.name == name]
    return one


def suspected(name: str, *facts: Facts) -> list[Suspicion]:
    """What is left at the end of a file, whose facts come by time."""
    return [one for one in detected(*facts) if one.detector == name]


def gist(found: Iterable[Suspicion]) -> set[tuple[str, int, str, tuple[str, ...], int, int]]:
    return {(one.fingerprint, one.confidence, one.severity, tuple(one.people), one.loss, one.second) for one in found}


def in_any_order(name: str, facts: Sequence[Fact]) -> bool:
    """Whether five mixtures of the facts lead to what they lead to in their order."""
    straight = gist(suspected(name, facts))
    for seed in range(5):
        mixed = list(facts)
        random.Random(seed).shuffle(mixed)
        mixed.sort(key=lambda fact: fact.second // MONTH)
        if gist(one for one in over_file.detect(mixed) if one.detector == name) != straight:
            return False
    return bool(straight)


def bit_by_bit(name: str, facts: Sequence[Fact], parts: int) -> list[list[Suspicion]]:
    """What each of so many runs says anew, each reading on from where the one before stopped."""
    one, memory, said = named(name), Memory(), []
    terms, size = Terms(one.parameters), max(1, -(-len(facts) // parts))
    for start in range(0, len(facts), size):
        touched = Touched()
        learn(facts[start : start + size], memory, touched, [one])
        said.append(one.judge(touched.of(one), memory, terms))
    return said
