"""The stated rule: so many accounts at one public address within some days. It is right about one time in fifty, so it is a weak signal of its
own, a row an address, that alerts nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .facts import DAY
from .links import WORDS
from .memory import Memory, Span, spread
from .multi_accounting import NAME
from .parameters import Terms
from .people import HIDDEN
from .suspicions import Suspicion, settle


def judge(subjects: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    """The stated rule, for the addresses at which somebody was seen, each with the day from which on that is new."""
    least, window = int(terms["shared_accounts"]), int(terms["shared_days"])
    since = {key: int(day) - window for key, _, day in (subject.rpartition(" ") for subject in sorted(subjects))}
    memory.fetch(since)
    # Who was there last before nobody new could meet them adds to nothing that was not looked at by then.
    met = {key: {person: span for person, span in memory[key].items() if person and span[1] >= day} for key, day in since.items()}
    met = {key: spans for key, spans in met.items() if len(spans) >= least}
    memory.fetch(f"told:{key}" for key in met)
    found = []
    for key, spans in met.items():
        told = memory[f"told:{key}"].get("accounts", 0)
        people, day = most_within(spans, window) if len(spans) > told else ([], 0)
        if len(people) < least or len(people) <= told:
            continue
        memory.change(f"told:{key}", day * DAY)["accounts"] = len(people)
        holders = memory[key]
        more = HIDDEN in holders
        address = key.removeprefix("ip:")
        confidence, reasons = settle(
            [
                (45, f"{len(people)}{' or more' if more else ''} accounts were seen at {address} within {window} days", address),
                (max(-40, -4 * (len(people) - 3)), "The more people an address has, the less it says of any of them", ""),
            ]
        )
        found.append(
            Suspicion(
                fingerprint=f"shared_ip:{address}",
                incident_type="multi_accounting",
                severity="low",
                confidence=confidence,
                description=f"{len(people)}{' or more' if more else ''} accounts at one public address within {window} days.",
                detector=NAME,
                pattern="shared_address",
                people=sorted(people),
                reasons=reasons,
                evidence={"people": sorted(people)[:50], "values": [{"kind": "ip", "value": address, "fanout": len(holders), "label": WORDS["ip"]}]},
                addresses=[address],
                second=(day + window) * DAY,
            )
        )
    return found


def most_within(spans: Mapping[str, Sequence[int]], window: int) -> tuple[list[str], int]:
    """The most people who were seen within so many days of each other, and the first day of these.

    All days are looked at together: bit n of a number stands for the day n days before the last, and how many people were there in the days from
    it on is added up for all bits at once, in `planes` of which the first has the ones of each sum, the next the twos, and so on.
    """
    last = max(span[1] for span in spans.values())
    days = {person: Span.back(span) << last - span[1] for person, span in spans.items()}
    near = {person: spread(bits, window) for person, bits in days.items()}
    planes: list[int] = []
    for carry in near.values():
        for n, plane in enumerate(planes):
            planes[n], carry = plane ^ carry, plane & carry
        if carry:
            planes.append(carry)
    most = -1
    for plane in reversed(planes):
        most = most & plane or most
    place = most.bit_length() - 1
    people = sorted(person for person, bits in near.items() if bits >> place & 1)
    seen = max((days[person] & (2 << place) - 1).bit_length() for person in people) - 1
    return people, last - seen
