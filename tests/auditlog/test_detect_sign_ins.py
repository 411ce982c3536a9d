"""Passwords that are tried, and people who mistype theirs."""

from __future__ import annotations

from typing import Any

from auditlog.detectors import sign_ins
from auditlog.detectors.facts import Fact
from auditlog.detectors.suspicions import Suspicion

from .happenings import happened, lives
from .suspected import bit_by_bit, in_any_order, suspected

MINUTE = 1 / 1440
ATTACKER = "185.7.7.7"


def fails(day: float, account: str, *, ip: str = ATTACKER, **meta: Any) -> Fact:
    return happened(day, "sign_in_failed", "", target=account, target_type="user", ip=ip, **meta)


def found(*facts: list[Fact] | Fact) -> list[Suspicion]:
    return suspected(sign_ins.NAME, *facts)


def stuffing(count: int = 30, *, day: float = 20, minutes: float = 10) -> list[Fact]:
    return [fails(day + n * minutes * MINUTE / count, f"u{n}") for n in range(count)]


def test_many_accounts_from_one_address_are_found() -> None:
    (one,) = found(stuffing())
    assert one.fingerprint.startswith(f"burst:ip:{ATTACKER}:")
    assert (one.pattern, one.severity, len(one.people), one.addresses) == ("many_accounts_one_address", "medium", 30, [ATTACKER])
    assert sum(reason.points for reason in one.reasons) == one.confidence == 64


def test_who_got_in_makes_it_worse() -> None:
    victim = lives("u3", since=0, ip="81.2.3.4", device="d3")
    (one,) = found(victim, stuffing(50), happened(20.01, "sign_in", "u3", ip=ATTACKER, device="strange"))
    assert one.severity == "high"
    assert "1 of them were signed in from there on that day" in [reason.text for reason in one.reasons]


def test_an_attack_over_the_half_hour_is_one_case() -> None:
    near = stuffing(60, day=20 + 20 * MINUTE, minutes=25)
    assert len(found(near)) == 1
    said = [one.fingerprint for run in bit_by_bit(sign_ins.NAME, near, 10) for one in run]
    assert len(set(said)) == 1 < len(said), "found again as it grows, and the same"


def test_an_office_that_mistypes_over_the_day_is_nothing() -> None:
    assert found([fails(20 + n / 40, f"u{n}") for n in range(30)]) == []


def test_a_gateway_where_many_sign_in_is_a_weak_signal_at_most() -> None:
    crowd = [happened(20 + n / 200, "sign_in", f"p{n}", ip=ATTACKER, device=f"d{n}") for n in range(150)]
    assert {one.severity for one in found(crowd, stuffing())} <= {"low"}


def test_typed_addresses_of_nobody_count_as_accounts() -> None:
    unknown = [happened(20 + n * MINUTE / 3, "sign_in_failed", "", ip=ATTACKER, email=f"Nobody{n}@x.example") for n in range(30)]
    (one,) = found(unknown)
    assert one.people == []
    again = [happened(20 + n * MINUTE / 3, "sign_in_failed", "", ip=ATTACKER, email="Nobody@x.example") for n in range(30)]
    assert found(again) == [], "one account that does not exist"


def test_one_account_that_is_tried_again_and_again() -> None:
    facts = [fails(20 + n * MINUTE / 3, "u1", ip=f"185.7.{n}.1") for n in range(20)]
    (one,) = found(facts)
    assert (one.pattern, one.people, one.confidence) == ("one_account", ["u1"], 70)
    assert found(facts[:9]) == []


def test_who_forgot_a_password_and_comes_in_from_home_is_a_weak_signal_at_most() -> None:
    facts = [*lives("u1", ip="81.2.3.4", device="d1"), *(fails(20 + n * MINUTE / 3, "u1", ip="81.2.3.4") for n in range(12))]
    assert {one.severity for one in found(facts, happened(20.01, "sign_in", "u1", ip="81.2.3.4", device="d1"))} == {"low"}
    strange = [*lives("u1", ip="81.2.3.4", device="d1"), *(fails(20 + n * MINUTE / 3, "u1") for n in range(12))]
    assert {one.severity for one in found(strange, happened(20.01, "sign_in", "u1", ip=ATTACKER, device="d9"))} == {"medium"}


def test_old_accounts_that_turn_up_in_one_new_browser() -> None:
    old = [fact for n in range(6) for fact in lives(f"u{n}", ip=f"81.2.{n}.4", device=f"d{n}")]
    taken = [happened(20 + n * MINUTE, "sign_in", f"u{n}", ip=ATTACKER, device="thief") for n in range(6)]
    (one,) = found(old, taken)
    assert (one.pattern, one.severity, one.devices, len(one.people)) == ("one_browser", "medium", ["thief"], 6)
    new = [fact for n in range(6) for fact in lives(f"v{n}", since=20 + n * MINUTE, days=[0.01], device="kiosk")]
    assert found(new) == [], "accounts that were opened there"


def test_the_order_of_facts_does_not_matter() -> None:
    old = [fact for n in range(6) for fact in lives(f"u{n}", ip=f"81.2.{n}.4", device=f"d{n}")]
    taken = [happened(20 + n * MINUTE, "sign_in", f"u{n}", ip=ATTACKER, device="thief") for n in range(6)]
    assert in_any_order(sign_ins.NAME, [*old, *stuffing(), *taken, *(fails(25 + n * MINUTE / 2, "u1") for n in range(12))])


def test_who_was_there_on_a_day_before_has_mistyped() -> None:
    """Everybody in an office fails at once, because something of theirs is broken."""
    office = [happened(19, "sign_in", f"u{n}", ip=ATTACKER, device=f"d{n}") for n in range(30)]
    assert found(office, stuffing()) == []
    assert len(found(office[:5], stuffing())) == 1, "25 strangers are enough"
    assert found(office[:6], stuffing()) == []


def test_a_forgotten_password_at_home_is_a_weak_signal_at_most() -> None:
    at_home = [fails(20 + n / 3 * MINUTE, "u", ip="81.2.3.4", device="d") for n in range(14)]
    known = lives("u", since=1, days=range(1, 10), ip="81.2.3.4", device="d")
    assert {one.severity for one in found(known, at_home, happened(20.01, "sign_in", "u", ip="81.2.3.4", device="d"))} <= {"low"}
    strange = [fact._replace(device="other", ip=ATTACKER) for fact in at_home]
    assert [one.severity for one in found(known, strange, happened(20.01, "sign_in", "u", ip=ATTACKER, device="other"))] == ["medium"]
