"""The detectors over a file of events: no database, nothing written but what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .facts import DAY, Fact
from .memory import Memory
from .parameters import Terms
from .registry import DETECTORS, Detector, Touched, learn
from .suspicions import Suspicion

STEP = 5_000  # facts after which what is judged by the moment is judged
FAR = 150 * DAY  # time after which groups are judged in between: what they follow from is not remembered for ever
SEVERITIES = ("low", "medium", "high", "critical")


def detect(facts: Iterable[Fact], detectors: Iterable[Detector] = DETECTORS, terms: Mapping[str, Terms] | None = None) -> list[Suspicion]:
    """What a file's facts, which come by time, lead to: each case once, as it stood when it was surest."""
    detectors = list(detectors)
    inforce = {one.name: (terms or {}).get(one.name) or Terms(one.parameters) for one in detectors}
    memory, cases = Memory(), dict[str, Suspicion]()
    touched, later = Touched(), Touched()
    looked = None
    for step in _steps(facts):
        learn(step, memory, touched, detectors)
        for detector in detectors:
            subjects = touched.of(detector)
            if detector.at_once:
                _take(detector.judge(subjects, memory, inforce[detector.name]), cases)
            else:
                later.of(detector).update(subjects)
        for detector in detectors:
            touched.of(detector).clear()
        looked = step[-1].second if looked is None else looked
        if step[-1].second - looked >= FAR:
            _judge(detectors, later, memory, inforce, cases)
            looked = step[-1].second
    _judge(detectors, later, memory, inforce, cases)
    return list(cases.values())


def _judge(detectors: list[Detector], touched: Touched, memory: Memory, terms: Mapping[str, Terms], cases: dict[str, Suspicion]) -> None:
    for detector in detectors:
        subjects = {key.removeprefix("who:") for key in memory.notes if key.startswith("who:")} if detector.at_once else touched.of(detector)
        _take(detector.judge(subjects, memory, terms[detector.name]), cases)
    for detector in detectors:
        touched.of(detector).clear()


def _take(found: Iterable[Suspicion], cases: dict[str, Suspicion]) -> None:
    """Put findings among the cases: of one case the surer stands, with the people of the later."""
    for suspicion in found:
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
