"""What is remembered does not depend on the order of facts, nor on how often one comes."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.detectors.facts import Fact
from auditlog.detectors.links import PARAMETERS, Web
from auditlog.detectors.memory import Days, Memory, Span
from auditlog.detectors.parameters import Terms
from auditlog.detectors.people import HIDDEN, HOLDERS, who
from auditlog.detectors.registry import Touched, learn
from auditlog.detectors.shared_address import most_within

from .happenings import happened

days_ = st.lists(st.integers(0, 500), min_size=1, max_size=25)


def set_of(days: list[int]) -> list[int]:
    found = [days[0], 1]
    for day in days[1:]:
        Days.add(found, day)
    return found


def kept(days: list[int]) -> set[int]:
    return {day for day in days if day >= max(days) - Days.KEPT}


@given(days_, st.randoms())
def test_days_are_a_set_of_the_last_half_year(days: list[int], random: st.DataObject) -> None:
    shuffled = list(days)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, bits = set_of(days)
    assert set_of(shuffled) == [first, bits]
    assert {first + n for n in range(bits.bit_length()) if bits >> n & 1} == kept(days)
    assert Days.last([first, bits]) == max(days)


@given(days_, days_, st.integers(0, 60))
def test_near_is_what_it_says(mine: list[int], others: list[int], reach: int) -> None:
    assert Days.near(set_of(mine), set_of(others), reach) == any(abs(a - b) <= reach for a in kept(mine) for b in kept(others))


def span_of(days: list[int]) -> list[int]:
    found = [days[0], days[0], 1]
    for day in days[1:]:
        Span.add(found, day)
    return found


@given(days_, st.randoms())
def test_a_span_has_the_days_of_the_last_half_year_in_any_order(days: list[int], random: st.DataObject) -> None:
    shuffled = list(days)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, last, bits = span = span_of(days)
    assert span_of(shuffled) == span
    assert (first, last) == (min(days), max(days))
    assert {last - n for n in range(bits.bit_length()) if bits >> n & 1} == kept(days)
    assert Span.back(span) == bits
    assert Span.back([first, last]) in {1, 1 | 1 << min(last - first, Days.KEPT)}


@given(st.lists(days_, min_size=1, max_size=12), st.integers(0, 30))
def test_most_within_is_what_it_says(people: list[list[int]], window: int) -> None:
    there = {day: {str(n) for n, days in enumerate(people) if any(day <= other <= day + window for other in kept(days))} for day in range(501)}
    found, first = most_within({str(n): span_of(days) for n, days in enumerate(people)}, window)
    assert len(found) == max(map(len, there.values()))
    assert set(found) == there[first]
    assert first == min(day for days in people for day in kept(days) if len(there[day]) == len(found))


people_ = st.sampled_from([f"u{n}" for n in range(6)])
facts_ = st.lists(
    st.one_of(
        st.builds(
            happened,
            st.integers(0, 100),
            st.just("sign_in"),
            people_,
            ip=st.sampled_from(["8.8.8.8", "8.8.4.4"]),
            device=st.sampled_from(["d1", "d2", ""]),
        ),
        st.builds(happened, st.integers(0, 100), st.just("sign_up"), people_, identity_verified=st.just(False)),
        st.builds(happened, st.integers(0, 100), st.just("payout_address_added"), people_, address_hash=st.sampled_from(["a1", "a2"])),
        st.builds(happened, st.integers(0, 100), st.just("escrow_release"), people_, target=people_, amount=st.integers(1, 900)),
        st.builds(happened, st.integers(0, 100), st.just("withdrawal"), people_, target=st.sampled_from(["w1", "w2"]), amount=st.integers(1, 900)),
    ),
    max_size=30,
)


def remembered(facts: list[Fact]) -> dict[str, dict[str, Any]]:
    memory = Memory()
    learn(facts, memory, Touched())
    return memory.notes


@settings(max_examples=60, deadline=None)
@given(facts_, st.randoms())
def test_what_is_remembered_does_not_depend_on_the_order(facts: list[Fact], random: st.DataObject) -> None:
    # Of one withdrawal that is told of with two amounts, the first stands: a log tells of it once.
    seen: set[str] = set()
    facts = [fact for fact in facts if fact.kind != "withdrawal" or not (fact.target in seen or seen.add(fact.target))]  # type: ignore[func-returns-value]
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert remembered(shuffled) == remembered(facts)


def test_a_value_with_too_many_holders_is_small_and_the_same_whoever_came_first() -> None:
    facts = [happened(n % 50, "sign_in", f"u{n:03}", ip="8.8.8.8") for n in range(200)]
    notes = remembered(facts)["ip:8.8.8.8"]
    assert isinstance(notes, dict)
    assert notes == remembered(facts[::-1])["ip:8.8.8.8"]
    assert len(notes) == HOLDERS + 1
    assert HIDDEN in notes


def test_one_person_at_very_many_addresses_stays_small() -> None:
    facts = [happened(n / 10, "sign_in", "u", ip=f"8.{n // 200}.{n % 200}.1") for n in range(1000)]
    assert len(remembered(facts)[who("u")]["ip"]) == 48


crowd_ = st.sampled_from([f"u{n}" for n in range(5)])
near_ = st.lists(
    st.one_of(
        st.builds(
            happened,
            st.integers(104, 116),
            st.just("sign_in"),
            crowd_,
            ip=st.sampled_from(["8.8.8.8", "8.8.4.4", ""]),
            device=st.sampled_from(["d1", "d2", "", ""]),
            fingerprint=st.sampled_from(["f1", "f2", ""]),
        ),
        st.builds(happened, st.sampled_from([100, 101, 103, 160]), st.just("sign_up"), crowd_, ip=st.sampled_from(["8.8.8.8", "8.8.4.4"])),
        st.builds(happened, st.integers(105, 160), st.just("order_paid"), crowd_, amount=st.integers(1, 9), builder_id=crowd_),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(near_)
def test_everybody_who_is_linked_is_found_without_looking_at_everybody(facts: list[Fact]) -> None:
    others = [happened(3 * n, "sign_up", f"other{n}") for n in range(100)]  # beside whom it is odd to be opened on one day
    memory = Memory()
    learn(others + facts, memory, Touched())
    web = Web(memory, Terms(PARAMETERS))
    people = sorted({fact.person for fact in facts})
    for a, b in combinations(people, 2):
        if web.pair(a, b).weight >= web.terms["link_at"]:
            assert b in web.linked(a) or a in web.linked(b), web.pair(a, b)


def test_two_with_one_address_and_one_browser_are_linked_and_with_a_browser_alone_are_not() -> None:
    for addresses, linked in ((("8.8.8.8", "8.8.8.8"), {"b"}), (("8.8.8.8", "9.9.9.9"), set[str]())):
        facts = [happened(day, "sign_in", person, ip=ip, fingerprint="f1") for person, ip in zip("ab", addresses, strict=True) for day in range(10)]
        memory = Memory()
        learn(facts, memory, Touched())
        assert Web(memory, Terms(PARAMETERS)).linked("a").keys() == linked
