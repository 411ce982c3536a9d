"""The detectors over a file of events: no database, nothing written but what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import batched, groupby
from typing import Any

from .bounded import unswept
from .facts import MONTH, Fact
from .parameters import Terms
from .registry import DETECTORS, Detector, Look
from .spilled import Spilled
from .suspicions import Suspicion

STEP = 5_000  # facts that are learnt together
FAR = 5  # months after which it is worked out who is linked with whom: what that follows from is not remembered for ever
SEVERITIES = ("low", "medium", "high", "critical")


@unswept()
def detect(facts: Iterable[Fact], detectors: Iterable[Detector] = DETECTORS, terms: Mapping[str, Terms] | None = None) -> list[Suspicion]:
    """What a file's facts lead to: each case once, as it stood when it was surest. All facts of a month come before those of the next."""
    detectors = list(detectors)
    cases = dict[str, Suspicion]()
    inforce = {one.name: (terms or {}).get(one.name) or Terms(one.parameters) for one in detectors}
    look = Look(detectors, Spilled(), inforce)
    known, looked = 0, None
    for month, some in groupby(facts, key=lambda fact: fact.second // MONTH):
        if looked is not None and month - looked >= FAR:
            _take(look.end(), cases)
            known, looked = 0, None
        for step in batched(some, STEP):
            _take(look.learn(step), cases)
            known += len(step)
        if looked is None and known >= STEP:  # the few that come from long before the others say little by themselves
            looked = month
    _take(look.end(), cases)
    return list(cases.values())


def _take(found: Iterable[tuple[Detector, list[Suspicion]]], cases: dict[str, Suspicion]) -> None:
    """Put findings among the cases: of one case the surer stands, with the people of the later."""
    for suspicion in (one for _, part in found for one in part):
        for other in suspicion.merges:
            cases.pop(other, None)
        before = cases.get(suspicion.fingerprint)
        if before is None:
            cases[suspicion.fingerprint] = suspicion
            continue
        surer = suspicion if suspicion.confidence >= before.confidence else before
        worst = max(suspicion.severity, before.severity, key=SEVERITIES.index)
        cases[suspicion.fingerprint] = replace(suspicion, confidence=surer.confidence, reasons=surer.reasons, severity=worst)


def counted(facts: Iterable[Fact], progress: Callable[[int], object]) -> Iterator[Fact]:
    """The facts, with word of every thousandth."""
    for number, fact in enumerate(facts, 1):
        if not number % 1000:
            progress(1000)
        yield fact


def line(suspicion: Suspicion) -> dict[str, Any]:
    """What stands in the file of findings."""
    return {
        "incident_type": suspicion.incident_type,
        "user_ids": list(suspicion.people),
        "withdrawal_id": suspicion.withdrawal_id,
        "severity": suspicion.severity,
        "confidence": suspicion.confidence,
        "reasons": [{"points": reason.points, "text": reason.text, "fact": reason.fact} for reason in suspicion.reasons],
        "fingerprint": suspicion.fingerprint,
        "pattern": suspicion.pattern,
        "description": suspicion.description,
        "potential_loss": f"{suspicion.loss / 1_000_000:.2f}",
    }
