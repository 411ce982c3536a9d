"""Money that leaves as soon as it came."""

from __future__ import annotations

import pytest

from auditlog.detectors.facts import Fact

from .happenings import alerts, detected, happened, lives, ordered, pays, withdraws

HOUR = 1 / 24


def money(found: object) -> list[tuple[str | None, str]]:
    return [(one.withdrawal_id, one.severity) for one in found if one.incident_type == "fast_withdrawal"]  # type: ignore[attr-defined]


def stranger(*, since: float = 0, day: float = 3, minutes: float = 20, amount: float = 400) -> list[Fact]:
    """A builder and a client who came lately; what the one pays, the other takes out."""
    people = [*lives("b", since=since, days=(1,)), *lives("c", since=since, days=(1,))]
    return [*people, *pays("c", "b", day, amount), withdraws("b", day + minutes / 1440, amount, "w1")]


def test_fresh_money_of_new_people_is_told() -> None:
    (found,) = alerts(detected(stranger()), "fast_withdrawal")
    assert (found.withdrawal_id, found.people, found.loss) == ("w1", ["b"], 400_000_000)
    assert 70 <= found.confidence < 80  # told, and not held: nothing links the two
    assert sum(reason.points for reason in found.reasons) == found.confidence


@pytest.mark.parametrize("minutes", [61, 600])
def test_money_that_stayed_an_hour_is_not_fresh(minutes: float) -> None:
    assert money(detected(stranger(minutes=minutes))) == []


def test_old_money_is_not_fresh() -> None:
    """A withdrawal right after an earning, of what was there before."""
    facts = [*lives("b", days=(1,)), *lives("c", days=(1,)), *pays("c", "b", 5, 900), *pays("c", "b", 60, 50), withdraws("b", 60.01, 800)]
    assert money(detected(facts)) == []


def test_an_earlier_withdrawal_takes_its_share() -> None:
    facts = [*stranger(), withdraws("b", 3 + 25 / 1440, 400, "w2")]
    assert money(detected(facts)) == [("w1", "medium")]


def test_a_cancelled_withdrawal_takes_nothing() -> None:
    facts = [
        *stranger(),
        happened(3 + 22 / 1440, "withdrawal_ended", "b", target="w1", target_type="withdrawal", user="b"),
        withdraws("b", 3 + 25 / 1440, 400, "w2"),
    ]
    assert money(detected(facts))[-1] == ("w2", "medium")


def test_a_withdrawal_that_is_told_of_twice_is_one() -> None:
    facts = stranger()
    assert len(money(detected([*facts, facts[-1]._replace(event="again")]))) == 1


def test_orders_that_were_only_completed_are_no_earnings() -> None:
    facts = [fact for fact in stranger() if fact.kind != "escrow_release"]
    assert money(detected(facts)) == []


def test_habit_makes_it_less() -> None:
    """Old people who always do so."""
    people = [*lives("b", since=-300, days=(1,), ip="8.8.1.1"), *lives("c", since=-300, days=(1,), ip="8.8.2.2")]
    quick = [happened(day - 0.5, "order_paid", "c", target=f"o{day}", amount=400, builder_id="b") for day in (5, 40, 80)]
    trade = [*quick, *(one for day in (5, 40, 80) for one in (*pays("c", "b", day, 400), withdraws("b", day + HOUR / 2, 400, f"w{day}")))]
    found = {one.withdrawal_id: one.confidence for one in detected(people, trade)}
    assert found.get("w80", 0) < found["w5"]
    assert alerts(detected(people, trade), "fast_withdrawal") == []


def test_a_payout_address_of_yesterday_makes_it_more() -> None:
    people = [*lives("b", since=-300, days=(1,)), *lives("c", since=1, days=(1,))]
    trade = [*pays("c", "b", 5, 400), withdraws("b", 5 + HOUR / 2, 400, "w")]
    (plain,) = detected(people, trade)
    (more,) = detected(people, trade, happened(4, "payout_address_added", "b", address_hash="a1"))
    assert more.confidence == plain.confidence + 8


def test_a_linked_client_makes_it_more() -> None:
    people = [*lives("b", since=-300, days=range(300, 309), device="d1"), *lives("c", since=-300, days=range(300, 309), device="d1")]
    trade = [*pays("c", "b", 5, 400), withdraws("b", 5 + HOUR / 2, 400, "w")]
    (found,) = [one for one in detected(people, trade) if one.incident_type == "fast_withdrawal"]
    assert "Builder and client are linked by what they share" in [reason.text for reason in found.reasons]


def test_the_order_of_facts_does_not_matter() -> None:
    facts = ordered(stranger())
    assert money(detected(facts)) == money(detected(facts[::-1]))


def told_as(facts: list[Fact], words: str) -> dict[str | None, int]:
    """Points for a reason of this beginning, by withdrawal."""
    found = [one for one in detected(facts) if one.incident_type == "fast_withdrawal"]
    return {one.withdrawal_id: sum(reason.points for reason in one.reasons if reason.text.startswith(words)) for one in found}


def test_routine_is_counted_in_clients_after_ten_days() -> None:
    """A builder who takes out whatever comes, from whomever, is left alone within weeks."""
    people = [fact for n in range(4) for fact in lives(f"c{n}", since=-300, days=(1,))]
    trade = [one for n, day in enumerate((1, 2, 3, 14)) for one in (*pays(f"c{n}", "b", day, 300), withdraws("b", day + HOUR / 2, 300, f"w{n}"))]
    assert told_as([*lives("b", since=-3, days=(1,)), *people, *trade], "It was done as fast") == {"w0": 0, "w1": 0, "w2": 0}


def test_one_client_again_and_again_is_no_routine() -> None:
    people = [*lives("b", since=-3, days=(1,)), *lives("c", since=-300, days=(1,))]
    trade = [one for day in (1, 2, 3, 14) for one in (*pays("c", "b", day, 300), withdraws("b", day + HOUR / 2, 300, f"w{day}"))]
    assert told_as([*people, *trade], "It was done as fast")["w14"] == -11


def test_a_client_who_pays_nobody_else_counts_by_what_others_brought() -> None:
    people = [*lives("b", since=-3, days=(1,)), *lives("c", since=-3, days=(1,)), *lives("other", since=-300, days=(1,))]
    twice = [*pays("c", "b", 2, 300), *pays("c", "b", 5, 300), withdraws("b", 5 + HOUR / 2, 300, "w")]
    words = "The client has paid this builder before"
    assert told_as([*people, *twice], words) == {"w": 16}
    assert told_as([*people, *twice, *pays("other", "b", 3, 600)], words) == {"w": 8}
    assert told_as([*people, *twice, *pays("c", "z", 3, 300)], words) == {"w": 0}


def test_a_browser_of_the_last_three_days_is_strange_to_who_keeps_one() -> None:
    def of(device: str, days: range = range(1, 12), *, seen: float = 12) -> dict[str | None, int]:
        people = [*lives("b", since=-20, days=days, device="d"), *lives("c", since=9, days=(1,)), happened(seen, "sign_in", "b", device=device)]
        out = happened(12 + HOUR / 2, "withdrawal", "b", target="w", target_type="withdrawal", amount=400, device=device)
        return told_as([*people, *pays("c", "b", 12, 400), out], "It was asked for in a browser")

    assert of("strange") == {"w": 5}
    assert of("d") == {"w": 0}
    assert of("strange", seen=10) == {"w": 5}
    assert of("strange", seen=9) == {"w": 0}, "it has had that browser for three days"
    assert of("strange", range(1, 2)) == {"w": 0}, "nobody knows what this account is used to"


def test_one_of_a_group_that_was_told_makes_it_more() -> None:
    alone = lives("b", since=-3, days=(1,), device="d")
    ring = [*alone, *(one for n in range(2) for one in lives(f"m{n}", since=-3, days=(1,), device="d"))]
    trade = [*lives("c", since=-300, days=(1,)), *pays("c", "b", 5, 300), withdraws("b", 5 + HOUR / 2, 300, "w")]
    assert told_as([*ring, *trade], "The builder is one of 3 linked accounts") == {"w": 12}
    assert told_as([*alone, *trade], "The builder is one of") == {"w": 0}
