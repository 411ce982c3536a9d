"""The detectors that there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    shared_address,
    sign_ins,
    staff_misuse,
)
from .facts import Fact
from .memory import Memory
from .parameters import Parameter, Terms
from .suspicions import Suspicion

Judge = Callable[[Iterable[str], Memory, Terms], list[Suspicion]]
FEW = 10  # facts about one person after which what has room for little is judged: a dozen sign-ins are remembered
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
    subjects: str = "people"  # people, addresses (each with a day), own
    at_once: bool = False  # judged with each step: it remembers less than may come in a chunk. Of people once more when all is known


@dataclass
class Touched:
    """Of whom and of what something has changed since the last judgement."""

    people: set[str] = field(default_factory=set)
    addresses: dict[str, int] = field(default_factory=dict)  # with the first day on which something is new there
    own: dict[str, set[str]] = field(default_factory=dict)

    def of(self, detector: Detector) -> Iterable[str]:
        if detector.subjects == "own":
            return self.own.get(detector.name, ())
        return [f"{key} {day}" for key, day in self.addresses.items()] if detector.subjects == "addresses" else self.people

    def update(self, other: Touched) -> None:
        self.people |= other.people
        for key, day in other.addresses.items():
            self.addresses[key] = min(day, self.addresses.get(key, day))
        for name, subjects in other.own.items():
            self.own.setdefault(name, set()).update(subjects)


DETECTORS: tuple[Detector, ...] = (
    Detector(multi_accounting.NAME, "Linked accounts", "multi_accounting", multi_accounting.PARAMETERS, multi_accounting.judge),
    Detector("shared_address", "Shared addresses", "multi_accounting", multi_accounting.PARAMETERS, shared_address.judge, subjects="addresses"),
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
        at_once=True,
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
    memory.derived.clear()
    for fact in facts:
        people.learn(fact, memory, touched.people, touched.addresses)
        for detector, subjects in own:
            if fact.kind in detector.kinds:
                detector.learn(fact, memory, subjects)


Found = Iterator[tuple[Detector, list[Suspicion]]]


class Look:
    """What detectors conclude from facts as they learn them."""

    def __init__(self, detectors: Iterable[Detector], memory: Memory, terms: Mapping[str, Terms]) -> None:
        self.detectors, self.memory, self.terms = list(detectors), memory, terms
        self._later = Touched()

    def learn(self, facts: Sequence[Fact]) -> Found:
        """Learn a step of facts. What is remembered in short lists is judged in between, so that none of it is lost: it follows from what one
        person did, and what is not known yet of others makes nobody more suspicious."""
        if not self.memory.is_at_hand:
            self.memory.fetch(keys(facts, self.detectors))
        at_once = [one for one in self.detectors if one.at_once]
        for part in _few_of_each(facts):
            touched = Touched()
            learn(part, self.memory, touched, self.detectors)
            movers = {fact.person for fact in part if fact.kind == "withdrawal"} - {""}
            yield from self._judged(at_once, Touched(people=movers, own=touched.own))
            self._later.update(touched)
        self.memory.make_room()

    def end(self) -> Found:
        """What follows when all is known, of what was learnt since the last time."""
        later, self._later = self._later, Touched()
        yield from self._judged([one for one in self.detectors if not (one.at_once and one.subjects == "own")], later)

    def _judged(self, detectors: list[Detector], touched: Touched) -> Found:
        """What follows for all that was touched, in parts. Of people all that is said comes before the next are looked at, so that what is at
        hand of them is used for all; and a withdrawal is judged when it is known whom its builder is linked with."""
        memory, terms = self.memory, self.terms
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


def _few_of_each(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    """The same facts in parts, in each of which nobody has more than a few."""
    part, counts = list[Fact](), Counter[str]()
    for fact in facts:
        part.append(fact)
        counts[fact.doer] += 1
        if counts[fact.doer] == FEW:
            yield part
            part, counts = [], Counter()
    if part:
        yield part
