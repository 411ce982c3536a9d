"""Small orders that grow many times over, and orders that just grow."""

from __future__ import annotations

from typing import Any

from auditlog.detectors import amendment_abuse
from auditlog.detectors.facts import Fact
from auditlog.detectors.suspicions import Suspicion

from .happenings import happened, lives
from .suspected import in_any_order, suspected
from .test_detect_self_dealing import order


def grows(day: float, amount: float, *, before: float = 50, seconds: int = 60, name: str = "o1", number: int = 1, **more: Any) -> Fact:
    sides: dict[str, Any] = {"client_id": "c", "builder_id": "b"}
    facts: dict[str, Any] = {"order_id": name, "original_amount": before, "seconds_to_answer": seconds}
    return happened(day, "amendment_completed", "c", target=f"a-{name}-{number}", target_type="amendment", amount=amount, **sides, **facts, **more)


def found(*facts: list[Fact] | Fact) -> list[Suspicion]:
    return suspected(amendment_abuse.NAME, *facts)


def people(since: float = 0) -> list[Fact]:
    return [*lives("c", since=since, device="d1"), *lives("b", since=since, device="d2")]


def test_a_new_client_who_adds_five_times_the_price_at_once() -> None:
    card = happened(4, "payment_method_added", "c", card_fingerprint="k1")
    (one,) = found(people(), card, grows(5, 250))
    assert (one.fingerprint, one.confidence, one.severity, one.loss) == ("amendment:o1", 85, "medium", 250_000_000)
    assert sum(reason.points for reason in one.reasons) == 85
    assert one.holds
    assert one.people == ["b", "c"]


def test_parts_of_a_day_are_added_up_and_those_of_a_month_are_not() -> None:
    parts = [grows(5 + n / 10, 80, before=50 + 80 * n, number=n) for n in range(3)]
    (one,) = found(people(), parts)
    assert one.reasons[0].text.startswith("4.8 times the first price")
    assert found(people(), [grows(5 + 9 * n, 80, before=50 + 80 * n, number=n) for n in range(3)]) == []


def test_a_repeat_is_the_same_case() -> None:
    (one,) = found(people(), grows(5, 250), grows(5.1, 250, before=300, number=2))
    assert len(one.evidence["amendments"]) == 2


def test_what_just_grows_is_nothing() -> None:
    assert found(people(), grows(5, 100)) == [], "twice as much"
    assert found(people(), grows(5, 149)) == []
    assert len(found(people(), grows(5, 150))) == 1, "three times as much"


def test_a_client_with_clean_orders_may_add_what_they_like() -> None:
    before = [fact for n in range(3) for fact in order("c", f"b{n}", 1 + n, 40)]
    assert found(people(), before, grows(9, 400)) == []
    assert found(people(), before[:2], grows(9, 400)) != []


def test_an_old_client_who_knows_the_builder_is_nothing() -> None:
    old = people(since=-200)
    assert found(old, order("c", "b", 2, 40), grows(9, 400, seconds=600)) == []
    assert [one.severity for one in found(old, grows(9, 400, seconds=600))] == [], "the first order between two, and nothing else"


def test_what_staff_put_in_force_was_looked_at() -> None:
    facts: dict[str, Any] = {"order_id": "o1", "original_amount": 50, "seconds_to_answer": 60, "client_id": "c", "builder_id": "b"}
    by_staff = happened(5, "amendment_completed", "staff", target="a1", target_type="amendment", amount=250, actor_type="admin", **facts)
    assert found(people(), by_staff) == []


def test_without_the_first_price_nothing_is_known() -> None:
    alone = happened(5, "amendment_completed", "c", target="a1", amount=900, order_id="o1", client_id="c", builder_id="b")
    assert found(people(), alone) == []


def test_what_was_paid_out_after_the_order_ended_is_no_loss() -> None:
    facts = [*people(), grows(5, 250), *order("c", "b", 6, 300, name="o1")]
    (one,) = found(facts, happened(7, "withdrawal", "b", target="w", target_type="withdrawal", amount=200))
    assert one.loss == 70_000_000


def test_the_order_of_facts_does_not_matter() -> None:
    card = happened(4, "payment_method_added", "c", card_fingerprint="k1")
    assert in_any_order(amendment_abuse.NAME, [*people(), card, grows(5, 150), grows(5.1, 250, before=200, number=2), *order("c", "z", 2, 50)])
