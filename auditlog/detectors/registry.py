"""The detectors that there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from . import (
    account_takeover,
    amendment_abuse,
    disputes,
    fast_withdrawal,
    multi_accounting,
    payment_fraud,
    people,
    self_dealing,
    sign_ins,
    staff_misuse,
)
from .facts import Fact
from .memory import Memory
from .parameters import Parameter, Terms
from .suspicions import Suspicion

Judge = Callable[[Iterable[str], Memory, Terms], list[Suspicion]]
PART = 1_000  # subjects that are judged together where not all is at hand: what they follow from has to be


@dataclass(frozen=True, slots=True)
class Detector:
    """Facts are learnt into the memory (`learn` adds to `touched` the subjects of which something has changed; `keys` are what it reads and
    writes), then the subjects are judged. What people are, own and pay is learnt once for all (`people.learn`): the ids of those of
    whom that changed are `touched` of every detector whose `subjects` is "people"."""

    name: str
    words: str
    incident_type: str
    parameters: tuple[Parameter, ...]
    judge: Judge
    kinds: frozenset[str] = frozenset()
    keys: Callable[[Fact], Iterable[str]] = lambda fact: ()
    learn: Callable[[Fact, Memory, set[str]], None] = lambda fact, memory, touched: None
    subjects: str = "people"  # people, addresses, own
    at_once: bool = False  # judged while a file is read, and once more at its end; the others when all that follows is known


@dataclass
class Touched:
    """Of whom and of what something has changed since the last judgement."""

    people: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    own: dict[str, set[str]] = field(default_factory=dict)

    def of(self, detector: Detector) -> set[str]:
        if detector.subjects == "own":
            return self.own.setdefault(detector.name, set())
        return self.addresses if detector.subjects == "addresses" else self.people

    def update(self, other: Touched) -> None:
        self.people |= other.people
        self.addresses |= other.addresses
        for name, subjects in other.own.items():
            self.own.setdefault(name, set()).update(subjects)

    def clear(self) -> None:
        self.people.clear()
        self.addresses.clear()
        self.own.clear()


DETECTORS: tuple[Detector, ...] = (
    Detector(multi_accounting.NAME, "Linked accounts", "multi_accounting", multi_accounting.PARAMETERS, multi_accounting.judge),
    Detector(
        "shared_address", "Shared addresses", "multi_accounting", multi_accounting.PARAMETERS, multi_accounting.judge_addresses, subjects="addresses"
    ),
    Detector(fast_withdrawal.NAME, "Fast withdrawals", "fast_withdrawal", fast_withdrawal.PARAMETERS, fast_withdrawal.judge, at_once=True),
    Detector(
        self_dealing.NAME,
        "Self-dealing",
        "suspicious_activity",
        self_dealing.PARAMETERS,
        self_dealing.judge,
        self_dealing.KINDS,
        self_dealing.keys,
        self_dealing.learn,
    ),
    Detector(
        amendment_abuse.NAME,
        "Oversized amendments",
        "suspicious_activity",
        amendment_abuse.PARAMETERS,
        amendment_abuse.judge,
        amendment_abuse.KINDS,
        amendment_abuse.keys,
        amendment_abuse.learn,
        subjects="own",
    ),
    Detector(
        disputes.NAME,
        "Refunds and disputes",
        "suspicious_activity",
        disputes.PARAMETERS,
        disputes.judge,
        disputes.KINDS,
        disputes.keys,
        disputes.learn,
        subjects="own",
    ),
    Detector(
        sign_ins.NAME,
        "Bursts of sign-ins",
        "fraud_attempt",
        sign_ins.PARAMETERS,
        sign_ins.judge,
        sign_ins.KINDS,
        sign_ins.keys,
        sign_ins.learn,
        subjects="own",
    ),
    Detector(
        account_takeover.NAME,
        "Taken accounts",
        "fraud_attempt",
        account_takeover.PARAMETERS,
        account_takeover.judge,
        account_takeover.KINDS,
        account_takeover.keys,
        account_takeover.learn,
        subjects="own",
    ),
    Detector(
        staff_misuse.NAME,
        "Misuse by staff",
        "suspicious_activity",
        staff_misuse.PARAMETERS,
        staff_misuse.judge,
        staff_misuse.KINDS,
        staff_misuse.keys,
        staff_misuse.learn,
        subjects="own",
    ),
    Detector(
        payment_fraud.CARD_TESTING,
        "Cards tried out",
        "fraud_attempt",
        payment_fraud.CARD_PARAMETERS,
        payment_fraud.judge_cards,
        payment_fraud.CARD_KINDS,
        payment_fraud.card_keys,
        payment_fraud.learn_card,
        subjects="own",
    ),
    Detector(
        payment_fraud.FAN_IN,
        "Many paid to one address",
        "fraud_attempt",
        payment_fraud.FAN_PARAMETERS,
        payment_fraud.judge_fan,
        payment_fraud.FAN_KINDS,
        payment_fraud.fan_keys,
        payment_fraud.learn_fan,
        subjects="own",
    ),
)


def judged(detectors: Iterable[Detector], touched: Touched, memory: Memory, terms: Mapping[str, Terms]) -> Iterator[tuple[Detector, list[Suspicion]]]:
    """What follows for all that was touched, in parts. Of people all that is said comes before the next are looked at, so that what is at
    hand of them is used for all; and a withdrawal is judged when it is known whom its builder is linked with."""
    detectors = list(detectors)
    of_people = [detector for detector in detectors if detector.subjects == "people"]
    for part in _parts(touched.people, memory) if of_people else ():
        for detector in of_people:
            yield detector, detector.judge(part, memory, terms[detector.name])
        memory.make_room()
    for detector in detectors:
        if detector.subjects != "people":
            for part in _parts(touched.of(detector), memory):
                yield detector, detector.judge(part, memory, terms[detector.name])
                memory.make_room()


def _parts(subjects: Iterable[str], memory: Memory) -> Iterator[list[str]]:
    every = sorted(subjects)
    size = len(every) if memory.is_at_hand else PART
    for start in range(0, len(every), max(1, size)):
        yield every[start : start + size]


def keys(facts: Iterable[Fact], detectors: Iterable[Detector] = DETECTORS) -> set[str]:
    """Everything that has to be at hand to learn these facts."""
    found = set[str]()
    own = [detector for detector in detectors if detector.kinds]
    for fact in facts:
        found.update(people.keys(fact))
        for detector in own:
            if fact.kind in detector.kinds:
                found.update(detector.keys(fact))
    return found


def learn(facts: Iterable[Fact], memory: Memory, touched: Touched, detectors: Iterable[Detector] = DETECTORS) -> None:
    own = [
        (detector, touched.people if detector.subjects == "people" else touched.own.setdefault(detector.name, set()))
        for detector in detectors
        if detector.kinds
    ]
    for fact in facts:
        people.learn(fact, memory, touched.people, touched.addresses)
        for detector, subjects in own:
            if fact.kind in detector.kinds:
                detector.learn(fact, memory, subjects)


def movers(facts: Iterable[Fact]) -> set[str]:
    """Whose money leaves by these facts."""
    return {fact.person for fact in facts if fact.kind == "withdrawal"} - {""}
