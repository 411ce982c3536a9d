"""Staff who do what their colleagues do not, and staff who work."""

from __future__ import annotations

from typing import Any

from auditlog.detectors import staff_misuse
from auditlog.detectors.facts import Fact
from auditlog.detectors.suspicions import Suspicion

from .happenings import happened, lives
from .suspected import bit_by_bit, in_any_order, suspected

MINUTE = 1 / 1440


def by(agent: str, day: float, kind: str, **meta: Any) -> Fact:
    return happened(day, kind, agent, actor_type="admin", **meta)


def views(day: float, count: int, *, agent: str = "olu", first: int = 0) -> list[Fact]:
    return [by(agent, day + 0.4 + n * MINUTE, "viewing_started", target=f"v{day}-{n}", about=f"p{first + n}") for n in range(count)]


def credit(day: float, amount: float, user: str, number: int = 0, *, agent: str = "olu") -> Fact:
    return by(agent, day + 0.4 + number * MINUTE, "credit_issued", target=f"c{day}-{number}", amount=amount, user=user, source="admin_issued")


def closed(day: float, number: int, *people: str, status: str = "false_positive", agent: str = "olu") -> Fact:
    return by(agent, day + 0.4 + number * MINUTE, "incident_closed", target=f"i{day}-{number}", status=status, people=list(people))


def found(*facts: list[Fact] | Fact) -> list[Suspicion]:
    return suspected(staff_misuse.NAME, *facts)


def rules(*facts: list[Fact] | Fact) -> list[str]:
    return [one.pattern for one in found(*facts)]


def test_too_many_people_seen_in_a_day() -> None:
    (one,) = found(views(20, 12))
    assert one.fingerprint == "insider:olu:viewings:2026-03-22"
    assert (one.people[0], len(one.people), one.severity, one.confidence) == ("olu", 13, "high", 40)
    assert found(views(20, 10)) == [], "a day's work"
    assert len(found(views(20, 11))) == 1
    assert found(views(20, 6), views(21, 6)) == [], "of two days"


def test_far_beyond_an_agents_own_habit_is_worse() -> None:
    quiet = [fact for day in range(5, 20) for fact in views(day, 2, first=day)]
    (one,) = found(quiet, views(20, 12))
    assert one.confidence == 70
    assert "deviations above" in one.reasons[1].text
    (weak,) = found(quiet, views(20, 8))
    assert (weak.severity, weak.confidence) == ("low", 30)
    busy = [fact for day in range(5, 20) for fact in views(day, 9, first=20 * day)]
    assert found(busy, views(20, 10)) == []


def test_one_person_looked_at_again_and_again() -> None:
    same = [by("olu", 20 + n, "viewing_started", target=f"v{n}", about="ex") for n in range(4)]
    (one,) = found(same)
    assert (one.pattern, one.people) == ("same_person", ["olu", "ex"])
    assert found(same[:3]) == []


def test_credits_beyond_a_days_cap_and_just_below_the_limit() -> None:
    assert rules([credit(20, 44, f"p{n}", n) for n in range(11)]) == []
    (many,) = [one for one in found([credit(20, 40, f"p{n}", n) for n in range(13)]) if one.pattern == "credits"]
    assert many.loss == 520_000_000
    (near,) = found([credit(20, 48, f"p{n}", n) for n in range(3)])
    assert (near.pattern, near.severity, near.loss) == ("near_limit", "high", 144_000_000)
    assert found([credit(20, 30, f"p{n}", n) for n in range(3)]) == []


def test_a_credit_for_whoever_uses_the_agents_own_browser() -> None:
    friend = lives("friend", device="laptop")
    here = by("olu", 2, "sign_in", device="laptop")
    (one,) = found(friend, here, credit(20, 20, "friend"))
    assert (one.pattern, one.severity, one.confidence) == ("own_credit", "critical", 60)
    assert found(friend, by("olu", 2, "sign_in", device="other"), credit(20, 20, "friend")) == []


def test_incidents_called_harmless_by_the_dozen_and_ones_own() -> None:
    assert rules([closed(20, n) for n in range(21)]) == ["dismissed"]
    assert rules([closed(20, n, status="resolved") for n in range(21)]) == []
    assert rules([closed(20, n) for n in range(20)]) == []
    friend, here = lives("friend", device="laptop"), by("olu", 2, "sign_in", device="laptop")
    (one,) = found(friend, here, closed(20, 1, "friend", status="resolved"))
    assert (one.pattern, one.severity, one.people) == ("own_case", "critical", ["olu", "friend"])
    assert rules(friend, here, closed(20, 1, "somebody else")) == []


def test_plans_of_one_colleague_waved_through() -> None:
    waved = [by("fay", 20.4 + n * MINUTE, "plan_approved", target=f"a{n}", requester="olu") for n in range(16)]
    (one,) = found(waved)
    assert (one.pattern, one.people) == ("approvals", ["fay", "olu"])
    assert found(waved[:15]) == []


def test_at_an_hour_at_which_the_agent_never_works() -> None:
    days = [by("olu", day + 0.4 + n * MINUTE, "sign_in") for day in range(1, 19) for n in range(8)]
    night = [by("olu", 20 + 0.1 + n * MINUTE, "credit_issued", target=f"c{n}", amount=48, user=f"p{n}") for n in range(3)]
    (one,) = found(days, night)
    assert (one.confidence, one.reasons[-1].text) == (50, "At an hour at which this agent hardly ever works")
    assert [one.confidence for one in found(days, [credit(20, 48, f"p{n}", n) for n in range(3)])] == [40]


def test_what_people_do_is_nobodys_misuse() -> None:
    assert found([happened(20 + n * MINUTE, "credit_issued", "p", amount=48, user="p") for n in range(30)]) == []


def test_found_again_is_the_same_case_and_another_day_another() -> None:
    facts = [*views(20, 14), *views(21, 14)]
    said = [one.fingerprint for run in bit_by_bit(staff_misuse.NAME, facts, len(facts)) for one in run]
    assert set(said) == {"insider:olu:viewings:2026-03-22", "insider:olu:viewings:2026-03-23"}
    assert len(said) > 2


def test_the_order_of_facts_does_not_matter() -> None:
    assert in_any_order(staff_misuse.NAME, [*views(20, 12), *(credit(20, 48, f"p{n}", n) for n in range(4)), *views(21, 3)])
