"""People whose orders go wrong far too often, and those whose orders ended before they began."""

from __future__ import annotations

from typing import Any

from auditlog.detectors import disputes
from auditlog.detectors.disputes import wilson
from auditlog.detectors.facts import Fact
from auditlog.detectors.suspicions import Suspicion

from .happenings import BEGIN, happened, lives
from .suspected import bit_by_bit, in_any_order, suspected
from .test_detect_self_dealing import order


def disputed(day: float, name: str, *, client: str = "c", builder: str = "b", amount: float = 100) -> Fact:
    return happened(day, "dispute_opened", client, target=f"d-{name}", amount=amount, order_id=name, client_id=client, builder_id=builder)


def refunded(day: float, name: str, *, client: str = "c", builder: str = "b", amount: float = 100, **meta: Any) -> Fact:
    facts: dict[str, Any] = {"payer": client, "builder_id": builder, "order": name, **meta}
    return happened(day, "refund", "", target=f"r-{name}", target_type="refund", amount=amount, actor_type="system", **facts)


def cancelled(day: float, name: str, *, client: str = "c", builder: str = "b", before_work: bool = False, cause: str = "client_wish") -> Fact:
    facts: dict[str, Any] = {"client_id": client, "builder_id": builder, "before_work": before_work, "cause": cause}
    return happened(day, "order_cancelled", client, target=name, target_type="order", **facts)


def about(person: str, *facts: list[Fact] | Fact) -> list[Suspicion]:
    return [one for one in suspected(disputes.NAME, *facts) if person in one.people]


def done(count: int, *, client: str = "c", since: float = 1) -> list[Fact]:
    return [fact for n in range(count) for fact in order(client, f"b{n}", since + n, 100)]


def test_wilson_asks_for_proof() -> None:
    assert wilson(1, 1) < 0.21 < wilson(5, 10) < wilson(50, 100) < 0.5
    assert wilson(0, 10) == 0 == wilson(0, 0)


def test_half_of_somebodys_orders_disputed_is_found() -> None:
    wrong = [disputed(20 + 9 * n, f"w{n}", builder=f"z{n}") for n in range(5)]
    (one,) = about("c", done(5, since=20), wrong)
    assert one.fingerprint == f"dispute:c:{BEGIN:%Y}04"
    assert (one.severity, one.confidence) == ("medium", 71)
    assert "5 of 10 orders" in one.reasons[0].text
    assert one.loss == 500_000_000, "what is disputed"
    (other,) = about("c", done(5, since=20), wrong[::-1])
    assert (other.fingerprint, other.confidence) == (one.fingerprint, one.confidence)


def test_a_dispute_and_its_refund_are_one_order() -> None:
    wrong = [fact for n in range(2) for fact in (disputed(20 + 9 * n, f"w{n}"), refunded(21 + 9 * n, f"w{n}"))]
    assert about("c", done(6), wrong) == []


def test_two_wrong_orders_of_many_are_nothing() -> None:
    assert about("c", done(20), [disputed(30 + 9 * n, f"w{n}") for n in range(2)]) == []


def test_what_was_cancelled_before_work_began_counts_for_nobody() -> None:
    calm = [fact for n in range(6) for fact in (cancelled(5 + n / 2, f"w{n}", before_work=True), refunded(5.1 + n / 2, f"w{n}"))]
    assert about("c", done(3), calm) == []
    assert about("b", done(3), calm) == []
    hard = [fact for n in range(6) for fact in (cancelled(5 + n / 2, f"w{n}"), refunded(5.1 + n / 2, f"w{n}"))]
    assert [one.severity != "low" for one in about("c", done(3), hard)] == [True]
    assert about("c", done(3), hard[::-1]) != []


def test_what_the_builder_could_not_do_counts_against_the_builder_alone() -> None:
    late = [fact for n in range(6) for fact in (cancelled(5 + n / 2, f"w{n}", cause="late"), refunded(5.1 + n / 2, f"w{n}"))]
    assert about("c", done(3), late) == []
    assert [one.people for one in about("b", done(3), late)] == [["b"]]


def test_calls_and_what_was_paid_twice_do_not_count() -> None:
    calls = [refunded(5 + n / 2, f"w{n}", purpose="consultation") for n in range(6)]
    twice = [refunded(5 + n / 2, f"v{n}", settled=False) for n in range(6)]
    assert about("c", done(3), calls, twice) == []


def test_three_within_a_week_are_a_weak_signal_without_more_orders() -> None:
    (one,) = about("c", [disputed(5 + n, f"w{n}", builder=f"z{n}") for n in range(3)])
    assert (one.severity, one.confidence) == ("low", 40)
    assert about("c", [disputed(5 + 9 * n, f"w{n}", builder=f"z{n}") for n in range(3)]) == []


def test_several_accounts_with_one_card_are_looked_at_as_one() -> None:
    cards = [fact for n in range(3) for fact in [*lives(f"c{n}", device=f"d{n}"), happened(1, "payment_method_added", f"c{n}", card_fingerprint="k")]]
    wrong = [disputed(20 + 9 * n, f"w{n}", client=f"c{n % 3}", builder=f"z{n}") for n in range(6)]
    (one,) = [found for found in about("c0", cards, wrong) if len(found.people) == 3]
    assert one.fingerprint.startswith("dispute:card:k:")
    assert one.people == ["c0", "c1", "c2"]


def test_the_order_of_facts_does_not_matter() -> None:
    wrong = [fact for n in range(5) for fact in (disputed(20 + 9 * n, f"w{n}", builder=f"z{n}"), refunded(22 + 9 * n, f"w{n}", builder=f"z{n}"))]
    calm = [fact for n in range(4) for fact in (cancelled(5 + n, f"v{n}", before_work=True), refunded(5.1 + n, f"v{n}"))]
    assert in_any_order(disputes.NAME, [*done(5, since=20), *wrong, *calm])


def test_a_further_dispute_is_another_hit_of_the_same_month() -> None:
    facts = [*done(5, since=10), *(disputed(30 + n, f"w{n}", builder=f"z{n}") for n in range(6))]
    said = [one.fingerprint for run in bit_by_bit(disputes.NAME, facts, len(facts)) for one in run if one.people == ["c"]]
    assert len(said) > 1
    assert len(set(said)) == 1


def test_a_builder_is_not_told_of_what_their_clients_do_to_everybody() -> None:
    wrong = [disputed(20 + 5 * n, f"w{n}", client=f"c{n}", builder="b") for n in range(6)]
    elsewhere = [disputed(21 + 5 * n, f"e{n}{m}", client=f"c{n}", builder=f"z{n}{m}") for n in range(6) for m in range(3)]
    assert len(about("b", wrong)) == 1
    assert about("b", wrong, elsewhere) == []
    assert len(about("b", wrong, [one for one in elsewhere if not one.target.endswith("2")])) == 1, "two more each prove nothing"
