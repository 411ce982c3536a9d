"""Cards that are tried out, money of many that goes to one place, and people who mistype a card."""

from __future__ import annotations

from typing import Any

from auditlog.detectors.facts import Fact
from auditlog.detectors.payment_fraud import CARD_TESTING, FAN_IN
from auditlog.detectors.suspicions import Suspicion

from .happenings import happened, lives
from .suspected import bit_by_bit, in_any_order, suspected

MINUTE = 1 / 1440


def declined(day: float, payer: str = "c", **meta: Any) -> Fact:
    return happened(day, "payment_failed", "", actor_type="system", target=f"pay-{payer}-{day}", target_type="payment", amount=5, payer=payer, **meta)


def tried(*facts: list[Fact] | Fact) -> list[Suspicion]:
    return suspected(CARD_TESTING, *facts)


def gathered(*facts: list[Fact] | Fact) -> list[Suspicion]:
    return suspected(FAN_IN, *facts)


def test_many_cards_refused_within_an_hour() -> None:
    (one,) = tried([declined(20 + n * MINUTE, card_fingerprint=f"k{n}") for n in range(6)])
    assert one.fingerprint.startswith("cardtest:c:")
    assert (one.people, one.severity) == (["c"], "high")
    assert sum(reason.points for reason in one.reasons) == one.confidence == 98


def test_a_refused_card_tried_again_and_again_is_a_weak_signal() -> None:
    again = [declined(20 + n * MINUTE, card_fingerprint="k") for n in range(6)]
    assert [one.severity for one in tried(again)] == ["low"]
    assert tried(again[:4]) == []
    assert tried([declined(20 + n / 10, card_fingerprint=f"k{n}") for n in range(6)]) == [], "over the day"


def test_cards_that_were_taken_count_as_well() -> None:
    taken = [happened(20 + n * MINUTE, "payment_method_added", "c", card_fingerprint=f"k{n}") for n in range(4)]
    (one,) = tried(taken)
    assert one.reasons[0].text == "4 different cards were used within 60 minutes"


def test_several_accounts_from_one_browser_are_looked_at_as_one() -> None:
    people = [fact for n in range(3) for fact in lives(f"c{n}", device="d")]
    facts = [declined(20 + n * MINUTE, f"c{n % 3}", card_fingerprint=f"k{n % 4}") for n in range(9)]
    (one,) = [found for found in tried(people, facts) if len(found.people) == 3]
    assert (one.devices, one.severity) == (["d"], "high")
    apart = [fact for n in range(3) for fact in lives(f"c{n}", device=f"d{n}")]
    assert all(len(found.people) == 1 for found in tried(apart, facts))


def test_found_again_is_the_same_case() -> None:
    facts = [declined(20 + n * MINUTE, card_fingerprint=f"k{n}") for n in range(12)]
    said = [one.fingerprint for run in bit_by_bit(CARD_TESTING, facts, 12) for one in run]
    assert len(set(said)) == 1 < len(said)


def test_the_order_of_refusals_does_not_matter() -> None:
    people = [fact for n in range(3) for fact in lives(f"c{n}", device="d")]
    assert in_any_order(CARD_TESTING, [*people, *(declined(20 + n * MINUTE, f"c{n % 3}", card_fingerprint=f"k{n % 4}") for n in range(9))])


def paid_to(day: float, person: str, value: str = "w") -> Fact:
    return happened(day, "payout_address_added", person, address_hash=value)


def test_many_new_accounts_at_one_address() -> None:
    (one,) = gathered([paid_to(20 + n, f"b{n}") for n in range(5)])
    assert (one.fingerprint, one.confidence, one.severity, len(one.people)) == ("fan_in:w", 75, "medium", 5)
    assert [len(found.people) for found in gathered([paid_to(20 + n, f"b{n}") for n in range(3)])] == [3]
    assert [found.severity for found in gathered([paid_to(20 + n, f"b{n}") for n in range(3)])] == ["low"]


def test_what_came_together_over_the_years_is_nothing() -> None:
    assert gathered([paid_to(40 * n, f"b{n}") for n in range(5)]) == []


def test_an_agency_is_paid_for_its_people() -> None:
    members = [fact for n in range(5) for fact in lives(f"b{n}", registered_agency="acme")]
    assert gathered(members, [paid_to(20 + n, f"b{n}") for n in range(5)]) == []


def test_the_address_of_a_suspended_account_is_not_used_again_unseen() -> None:
    out = happened(10, "suspended", "staff", actor_type="admin", target="b0", target_type="user")
    (one,) = gathered(paid_to(1, "b0"), out, paid_to(20, "b1"))
    assert (one.people, one.confidence, one.holds, one.pattern, one.severity) == (["b1", "b0"], 90, True, "suspended_address", "high")
    assert gathered(paid_to(1, "b0"), out, paid_to(20, "b1", "other")) == []
    back = happened(15, "reinstated", "staff", actor_type="admin", target="b0", target_type="user")
    assert gathered(paid_to(1, "b0"), out, back, paid_to(20, "b1")) == []
    assert gathered(paid_to(1, "b0"), paid_to(5, "b1"), out) == [], "whoever was there before is looked at by links"


def test_the_order_of_addresses_does_not_matter() -> None:
    out = happened(10, "suspended", "staff", actor_type="admin", target="b0", target_type="user")
    assert in_any_order(FAN_IN, [paid_to(1, "b0"), out, *(paid_to(20 + n, f"b{n}") for n in range(1, 5))])


def test_a_card_of_ones_own_that_is_refused_is_not_tried_out() -> None:
    facts = [declined(20 + n * MINUTE, card_fingerprint=f"k{n % 3}") for n in range(6)]
    assert [one.severity for one in tried(facts)] == ["high"]
    own = [happened(2 + 2 * n, "payment_method_added", "c", card_fingerprint=f"k{n}") for n in range(3)]
    assert [one.severity for one in tried(own, facts)] == ["low"]


def test_a_burst_behind_several_addresses_is_one_case() -> None:
    people = [fact for n in range(3) for fact in lives(f"c{n}", device="d", ip="81.2.3.4")]
    facts = [declined(20 + n * MINUTE, f"c{n % 3}", card_fingerprint=f"k{n}") for n in range(15)]
    (one,) = tried(people, facts)
    assert one.fingerprint.startswith("cardtest:device:d")


def test_the_address_of_an_exchange_is_given_at_all_times() -> None:
    at_once = [paid_to(100 + n, f"b{n}") for n in range(5)]
    exchange = [paid_to(15 * n, f"x{n}") for n in range(6)]
    assert [one.severity for one in gathered(at_once)] == ["medium"]
    assert {one.severity for one in gathered(exchange, at_once) if "b0" in one.people} == {"low"}
    out = happened(120, "suspended", "staff", actor_type="admin", target="x0", target_type="user")
    assert {one.severity for one in gathered(exchange, out, paid_to(130, "y"))} == {"low"}
    assert {one.severity for one in gathered(exchange[:1], out, paid_to(130, "y"))} == {"high"}
