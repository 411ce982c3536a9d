"""Accounts that somebody else has taken, and people who travel or buy a new computer."""

from __future__ import annotations

from typing import Any

from auditlog.detectors import account_takeover
from auditlog.detectors.facts import Fact
from auditlog.detectors.suspicions import Suspicion

from .happenings import BEGIN, happened, lives, withdraws
from .suspected import bit_by_bit, in_any_order, suspected

HOME, FAR = "81.2.3.4", "185.7.7.7"
HOUR = 1 / 24


def found(*facts: list[Fact] | Fact) -> list[Suspicion]:
    return suspected(account_takeover.NAME, *facts)


def settled(days: float = 20) -> list[Fact]:
    """A builder who has been signing in from home in one browser, and has earned something."""
    earned = happened(days - 1, "escrow_release", "c", target="b", target_type="user", amount=500, order_id="o1")
    return [*lives("b", days=range(1, int(days)), ip=HOME, device="mine", fingerprint="firefox"), earned]


def strange(day: float, kind: str, **meta: Any) -> Fact:
    return happened(day, kind, "b", ip=FAR, device="strange", **meta)


def takeover(day: float = 20, *, amount: float = 450) -> list[Fact]:
    return [
        strange(day, "sign_in", fingerprint="chrome"),
        strange(day + HOUR, "password_changed"),
        strange(day + 2 * HOUR, "payout_address_added", address_hash="thief"),
        withdraws("b", day + 3 * HOUR, amount, "w1", balance_before="500.00"),
    ]


def test_a_changed_account_whose_money_leaves_from_a_strange_browser() -> None:
    (one,) = found(settled(), takeover())
    assert one.fingerprint.startswith("ato:b:")
    assert (one.withdrawal_id, one.severity, one.holds, one.people) == ("w1", "high", True, ["b"])
    assert sum(reason.points for reason in one.reasons) == one.confidence == 100
    assert {reason.points for reason in one.reasons} >= {30, 25, 20, 15, 10}
    assert one.loss == 500_000_000


def test_the_same_changes_in_the_persons_own_browser_are_nothing() -> None:
    own = [
        happened(20, "sign_in", "b", ip=FAR, device="mine"),
        happened(20.1, "password_changed", "b", ip=FAR, device="mine"),
        happened(20.2, "payout_address_added", "b", ip=FAR, device="mine", address_hash="new"),
        happened(20.3, "withdrawal", "b", ip=FAR, device="mine", target="w1", amount=450, balance_before=500),
    ]
    assert found(settled(), own) == [], "the same cookie travels: the same browser"


def test_a_new_computer_without_any_change_is_nothing() -> None:
    assert found(settled(), strange(20, "sign_in"), withdraws("b", 20.1, 450, "w1", balance_before=500)) == []


def test_a_new_computer_and_a_new_password_at_home_is_no_alert() -> None:
    facts = [
        happened(20, "sign_in", "b", ip=HOME, device="new"),
        happened(20.1, "password_changed", "b", ip=HOME, device="new"),
        happened(20.2, "withdrawal", "b", ip=HOME, device="new", target="w1", amount=450, balance_before=500),
    ]
    assert [one.severity for one in found(settled(), facts)] == ["low"]


def test_everything_is_new_about_a_new_account() -> None:
    assert found(settled(4), takeover(4)) == []


def test_after_a_week_with_the_browser_it_is_known() -> None:
    waits = [strange(20, "sign_in"), strange(27, "sign_in"), strange(27.1, "password_changed"), withdraws("b", 27.2, 450, "w1")]
    assert found(settled(), waits) == []


def test_a_withdrawal_that_was_cancelled_takes_nothing() -> None:
    ended = happened(20.5, "withdrawal_ended", "b", target="w1", user="b")
    assert found(settled(), takeover(), ended) == []


def test_an_added_address_of_mail_changes_nothing_yet() -> None:
    added, made_first = (strange(20 + HOUR, "email_changed", change=change) for change in ("added", "made first"))
    rest = [strange(20, "sign_in"), withdraws("b", 20.2, 450, "w1", balance_before=500)]
    assert found(settled(), rest, added) == []
    assert len(found(settled(), rest, made_first)) == 1


def test_two_countries_within_an_hour_in_a_strange_browser() -> None:
    here = happened(20, "sign_in", "b", ip=HOME, device="mine", country="PT", fingerprint="firefox")
    there = happened(20 + HOUR / 2, "sign_in", "b", ip=FAR, device="strange", country="BR", fingerprint="chrome")
    (one,) = found(settled(), here, there)
    assert (one.pattern, one.confidence, one.severity) == ("impossible_travel", 80, "medium")
    assert one.fingerprint == f"travel:b:{int(BEGIN.timestamp()) // 86_400 + 20}"


def test_a_new_account_travels_freely() -> None:
    here = happened(4, "sign_in", "b", ip=HOME, device="mine", country="PT", fingerprint="firefox")
    there = happened(4 + HOUR / 2, "sign_in", "b", ip=FAR, device="strange", country="BR", fingerprint="chrome")
    assert found(settled(4), here, there) == []


def test_a_vpn_in_ones_own_browser_travels_freely() -> None:
    here = happened(20, "sign_in", "b", ip=HOME, device="mine", country="PT")
    there = happened(20 + HOUR / 2, "sign_in", "b", ip=FAR, device="mine", country="BR")
    assert found(settled(), here, there) == []


def test_a_new_telephone_on_the_way_is_no_alert() -> None:
    here = happened(20, "sign_in", "b", ip=HOME, device="mine", fingerprint="firefox")
    there = happened(20 + HOUR / 2, "sign_in", "b", ip=FAR, device="phone", fingerprint="safari")
    assert {one.severity for one in found(settled(), here, there)} == {"low"}


def test_the_order_of_facts_does_not_matter() -> None:
    assert in_any_order(account_takeover.NAME, [*settled(), *takeover()])


def test_found_again_is_the_same_case() -> None:
    facts = [*settled(), *takeover(), withdraws("b", 20 + 4 * HOUR, 20, "w2", balance_before=50)]
    said = [one.fingerprint for run in bit_by_bit(account_takeover.NAME, facts, len(facts)) for one in run]
    assert len(set(said)) == 1
