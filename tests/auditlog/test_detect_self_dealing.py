"""A client and a builder who look like one person, and those who only look like it."""

from __future__ import annotations

from typing import Any

import pytest

from auditlog.detectors import self_dealing
from auditlog.detectors.facts import Fact
from auditlog.detectors.suspicions import Suspicion

from .happenings import detected, happened, lives
from .suspected import bit_by_bit, in_any_order, suspected

HOUR = 1 / 24


def order(client: str, builder: str, day: float, amount: float, *, seconds: int = 86_400, stars: int = 0, name: str = "") -> list[Fact]:
    """Bought, done and paid; with a review if there are stars."""
    name = name or f"o-{client}-{builder}-{day}"
    sides: dict[str, Any] = {"client_id": client, "builder_id": builder}
    facts = [
        happened(day - seconds / 86_400, "order_paid", client, target=name, target_type="order", amount=amount, builder_id=builder),
        happened(day, "order_completed", client, target=name, target_type="order", amount=amount, seconds_since_accept=seconds, **sides),
        happened(day, "escrow_release", client, target=builder, target_type="user", amount=amount * 0.9, order_id=name, client_id=client),
    ]
    return facts + ([happened(day + HOUR, "review", client, target=name, target_type="order", stars=stars, **sides)] if stars else [])


def found(*facts: list[Fact]) -> list[Suspicion]:
    return suspected(self_dealing.NAME, *facts)


def two(device: str = "d1", other: str = "d1", **meta: Any) -> list[Fact]:
    """A builder and a client who sign in from these browsers for weeks."""
    days = range(1, 20)
    return [*lives("b", days=days, ip="81.2.3.4", device=device, **meta), *lives("c", days=days, ip="81.9.9.9", device=other, **meta)]


def others(count: int = 8, amount: float = 50) -> list[Fact]:
    """Clients from elsewhere, who make what is usual."""
    return [fact for n in range(count) for fact in order(f"x{n}", "b", 21 + n / 10, amount)]


def test_one_browser_on_both_sides_is_found() -> None:
    (one,) = found(two(), order("c", "b", 20, 300, seconds=600, stars=5))
    assert (one.fingerprint, one.people, one.severity, one.holds) == ("self_dealing:c:b", ["b", "c"], "medium", True)
    texts = " / ".join(reason.text for reason in one.reasons)
    for words in ("share a device", "within 60 minutes", "Five stars", "100 % of what the builder earned"):
        assert words in texts
    assert sum(reason.points for reason in one.reasons) == one.confidence >= 80
    assert one.loss == 270_000_000, "all that was earned can still leave"
    assert [pair["weight"] >= 0.9 for pair in one.evidence["pairs"]] == [True]


def test_other_browsers_are_not_found() -> None:
    assert found(two(other="d2"), order("c", "b", 20, 300, seconds=600, stars=5)) == []


def test_one_address_alone_is_a_household_or_a_cafe() -> None:
    days = range(1, 20)
    home = [*lives("b", days=days, ip="81.2.3.4", device="d1"), *lives("c", days=days, ip="81.2.3.4", device="d2")]
    assert found(home, order("c", "b", 20, 300, seconds=600, stars=5)) == [], "whatever else speaks against them"


def test_an_agency_may_work_for_its_own_clients() -> None:
    facts = [order("c", "b", 20, 300, seconds=600, stars=5)]
    assert found(two(registered_agency="acme"), *facts) == []
    assert found(two(registered_agency=""), *facts) != []


def test_a_browser_shared_without_any_deal_is_nothing_here() -> None:
    assert found(two(), order("x", "b", 20, 300)) == []


def test_the_wallet_that_pays_is_the_wallet_that_is_paid() -> None:
    wallet = [happened(2, "payout_address_added", "b", address_hash="w1"), happened(3, "payment_method_added", "c", wallet_hash="w1")]
    (one,) = found(two(other="d2"), others(), wallet, order("c", "b", 20, 300))
    assert one.reasons[0].text == "The client pays from the wallet to which the builder is paid"
    apart = [happened(2, "payout_address_added", "b", address_hash="w1"), happened(3, "payment_method_added", "c", wallet_hash="w2")]
    assert found(two(other="d2"), others(), apart, order("c", "b", 20, 300)) == []


def test_an_amount_far_beyond_the_usual_is_a_reason() -> None:
    plain, large = (found(two(), others(), order("c", "b", 20, amount))[0] for amount in (60, 600))
    assert not any("usually pay" in reason.text for reason in plain.reasons)
    assert any("times what others usually pay" in reason.text for reason in large.reasons)


def test_what_has_left_is_no_loss_any_more() -> None:
    gone = [happened(21, "withdrawal", "b", target="w1", target_type="withdrawal", amount=200)]
    (one,) = found(two(), order("c", "b", 20, 300), gone)
    assert one.loss == 70_000_000


def test_the_order_of_facts_does_not_matter() -> None:
    assert in_any_order(self_dealing.NAME, [*two(), *others(), *order("c", "b", 20, 300, seconds=600, stars=5)])


def test_a_later_order_is_another_hit_of_the_same_case() -> None:
    facts = [*two(), *order("c", "b", 20, 300), *order("c", "b", 22, 300)]
    said = [one.fingerprint for run in bit_by_bit(self_dealing.NAME, facts, len(facts)) for one in run]
    assert set(said) == {"self_dealing:c:b"}
    assert len(said) >= 2, "once for each order, and when it becomes surer"
    assert bit_by_bit(self_dealing.NAME, [*facts, happened(30, "sign_in", "b", device="d1")], len(facts) + 1)[-1] == [], "nothing new, nothing said"


def test_a_link_that_comes_after_the_deal_is_found_then() -> None:
    late = [happened(30, "payout_address_added", "b", address_hash="w"), happened(31, "payout_address_added", "c", address_hash="w")]
    facts = [*two(other="d2"), *order("c", "b", 20, 300)]
    assert found(facts) == []
    assert [one.people for run in bit_by_bit(self_dealing.NAME, [*facts, *late], len(facts) + 2) for one in run] == [["b", "c"]]


def wallets(*people: str, value: str = "w") -> list[Fact]:
    return [happened(2, "payout_address_added", person, address_hash=value) for person in people]


def trio() -> list[Fact]:
    """Three who are one person: two share a wallet, two a browser, and the first and the last nothing."""
    days = range(1, 20)
    b, m, c = (lives(who, days=days, ip=f"81.2.{n}.4", device=device) for n, (who, device) in enumerate((("b", "d1"), ("m", "d2"), ("c", "d2"))))
    return [*b, *m, *c, *wallets("b", "m")]


def in_files(*orders: list[Fact]) -> list[Fact]:
    """What a file tells of orders: paid and released, and nothing of when they were done or what was said of them."""
    return [fact for some in orders for fact in some if fact.kind in ("order_paid", "escrow_release")]


def test_two_of_one_group_who_deal_are_found_though_they_share_nothing() -> None:
    """Also in a file, where nobody says how fast it was done or what was said of it."""
    bought = in_files(order("c", "b", 20, 300), order("c", "b", 22, 300))
    (one,) = found_in(trio(), bought)
    assert (one.people, one.severity) == (["b", "c"], "high"), "540 USDC can still leave"
    ((points, words),) = [(reason.points, reason.text) for reason in one.reasons if reason.text.startswith("Both are")]
    assert words == "Both are of a group of 3 linked accounts"
    group = next(group for group in detected(trio(), bought) if group.pattern == "linked_accounts")
    assert points == pytest.approx(25 + 60 * group.confidence / 100, abs=1), "for the group, and for how sure it is that they are one"
    apart = [fact for fact in trio() if fact.kind != "payout_address_added"]
    assert found_in(apart, bought) == [], "without the group nothing is known of the two"


def found_in(*facts: list[Fact]) -> list[Suspicion]:
    """Told by all detectors together: self-dealing reads what they say of groups and withdrawals."""
    return [one for one in detected(*facts) if one.pattern == "self_dealing" and one.severity != "low"]


def test_a_circle_of_two_is_told_when_the_money_is_taken_out_at_once() -> None:
    others = [happened(n / 4, "sign_up", f"x{n}", identity_verified=False) for n in range(360)]
    two = [*lives("b", since=40, ip="9.1.1.1", device="d1"), *lives("c", since=40.5, ip="9.2.1.1", device="d2")]
    bought = [fact for n in range(4) for fact in in_files(order("c", "b", 43 + n, 300, seconds=20_000))]
    out = [happened(43 + n + 0.02, "withdrawal", "b", target=f"w{n}", target_type="withdrawal", amount=270) for n in range(4)]
    assert [one.people for one in found_in(others, two, bought, out)] == [["b", "c"]]
    assert found_in(others, two, bought) == [], "regular clients are no crime"
