"""The detectors over a file of events: no database, nothing written but what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .bounded import unswept
from .facts import DAY, Fact
from .memory import Memory
from .parameters import Terms
from .registry import DETECTORS, Detector, Touched, judged, keys, learn, movers
from .spilled import Spilled
from .suspicions import Suspicion

STEP = 5_000  # facts after which what is judged by the moment is judged
FAR = 150 * DAY  # time after which groups are judged in between: what they follow from is not remembered for ever
SEVERITIES = ("low", "medium", "high", "critical")


@unswept()
def detect(facts: Iterable[Fact], detectors: Iterable[Detector] = DETECTORS, terms: Mapping[str, Terms] | None = None) -> list[Suspicion]:
    """What a file's facts, which come by time, lead to: each case once, as it stood when it was surest."""
    detectors = list(detectors)
    inforce = {one.name: (terms or {}).get(one.name) or Terms(one.parameters) for one in detectors}
    at_once = [one for one in detectors if one.at_once]
    memory, cases = Spilled(), dict[str, Suspicion]()
    touched, later, moved = Touched(), Touched(), set[str]()
    looked = None
    for step in _steps(facts):
        if not memory.is_at_hand:
            memory.fetch(keys(step, detectors))
        learn(step, memory, touched, detectors)
        _take(judged(at_once, touched, memory, inforce), cases)
        later.update(touched)
        moved |= movers(step)
        touched.clear()
        memory.make_room()
        looked = step[-1].second if looked is None else looked
        if step[-1].second - looked >= FAR:
            _judge(detectors, later, moved, memory, inforce, cases)
            looked = step[-1].second
    _judge(detectors, later, moved, memory, inforce, cases)
    return list(cases.values())


def _judge(
    detectors: list[Detector], touched: Touched, moved: set[str], memory: Memory, terms: Mapping[str, Terms], cases: dict[str, Suspicion]
) -> None:
    """All that was touched; and once more whose money left, because of others more is known by now."""
    _take(judged([one for one in detectors if not one.at_once], touched, memory, terms), cases)
    _take(judged([one for one in detectors if one.at_once], Touched(people=moved), memory, terms), cases)
    touched.clear()


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


def _steps(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    step: list[Fact] = []
    for fact in facts:
        step.append(fact)
        if len(step) == STEP:
            yield step
            step = []
    if step:
        yield step


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
