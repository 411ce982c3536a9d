"""A made-up marketplace, read at once, mixed up, and in parts: what is concluded follows from what happened, not from how it was read."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from auditlog.detectors import over_file
from auditlog.detectors.facts import Fact, kind_of, network
from auditlog.detectors.memory import Memory
from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS, Touched, learn
from auditlog.detectors.suspicions import Suspicion
from bench.worlds import misdeeds, terms
from bench.worlds.making import FIRST_DAY
from bench.worlds.trade import Row

SMALL = replace(terms.PLAIN, accounts=(150, 150), rings=(6, 6), thieves=(3, 3), agencies=(1, 1), partners=(1, 1))
Told = set[tuple[str, tuple[str, ...]]]


def facts_of(rows: Iterable[Row]) -> list[Fact]:
    facts = []
    for number, row in enumerate(rows):
        at, kind = FIRST_DAY + timedelta(seconds=round(row.at, 3)), kind_of(row.event)
        amount, ip = Decimal(row.amount) if row.amount else None, (network(row.ip) or "") if row.ip else ""
        who = (row.actor, row.actor_type, row.target, row.target_type)
        facts.append(Fact(at, int(at.timestamp()), kind, *who, ip, row.device, amount, row.meta, str(number)))
    return facts


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(misdeeds.TUNING, "tiny", misdeeds.Deeds(base=SMALL, planted=(3, 3), alike=(3, 3), agents=(2, 2)))
        made, _ = misdeeds.make("tiny", 5)
    return facts_of(made.rows)


def told(found: Iterable[Suspicion]) -> Told:
    """Who is told of, and what for. The name of a group is left out: it is that of the first who was known. Whether cards are told as one
    person's or as those of one browser depends on who had been seen in it by then."""
    rows = Told()
    for one in found:
        if one.severity == "low":
            continue
        if one.pattern == "card_testing":
            rows |= {(one.pattern, (person,)) for person in one.people}
        else:
            rows.add((one.pattern, tuple(sorted(one.people)) if one.pattern == "linked_accounts" else (one.fingerprint,)))
    return rows


def by_parts(facts: Sequence[Fact], size: int) -> Told:
    """As runs over the log do it: each reads on, and judges what was touched."""
    memory, found = Memory(), Told()
    for start in range(0, len(facts), size):
        touched = Touched()
        learn(facts[start : start + size], memory, touched)
        for one in DETECTORS:
            found |= told(one.judge(touched.of(one), memory, Terms(one.parameters)))
    return found


def test_every_kind_is_in_it(facts: list[Fact]) -> None:
    patterns = {pattern for pattern, _ in told(over_file.detect(facts))}
    assert patterns >= {
        "linked_accounts",
        "fresh_earnings",
        "self_dealing",
        "oversized_amendments",
        "refund_velocity",
        "card_testing",
        "payout_fan_in",
    }
    assert patterns & {"many_accounts_one_address", "one_account", "one_browser"}
    assert patterns & {"takeover_and_withdrawal", "impossible_travel"}
    assert patterns & {"viewings", "same_person", "credits", "near_limit", "own_credit", "dismissed"}


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_in_one_part_does_not_matter(facts: list[Fact], seed: int) -> None:
    mixed = list(facts)
    random.Random(seed).shuffle(mixed)
    assert by_parts(mixed, len(mixed)) == by_parts(facts, len(facts))


@pytest.mark.parametrize("parts", [2, 7, 12])
def test_reading_in_parts_tells_just_what_was_so_by_then(facts: list[Fact], parts: int) -> None:
    """What is told in parts is what somebody would be told who read everything at once at each of these moments: no more, and no less."""
    size = -(-len(facts) // parts)
    at_once = [by_parts(facts[:end], end) for end in range(size, len(facts) + size, size)]
    assert by_parts(facts, size) == Told().union(*at_once)
    assert len(at_once[-1]) > 40
