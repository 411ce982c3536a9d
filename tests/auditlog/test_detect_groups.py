"""Several accounts behind which one person stands, and those who only live, work or travel together."""

from __future__ import annotations

import pytest

from auditlog.detectors.facts import Fact
from auditlog.detectors.groups import components
from auditlog.detectors.links import Web
from auditlog.detectors.memory import Memory
from auditlog.detectors.multi_accounting import PARAMETERS
from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import Touched, learn

from .happenings import BEGIN, alerts, detected, groups, happened, lives, pays
from .suspected import bit_by_bit


def web_of(*facts: object) -> Web:
    memory = Memory()
    learn([one for some in facts for one in some], memory, Touched())  # type: ignore[attr-defined]
    return Web(memory, Terms(PARAMETERS))


def test_three_accounts_of_one_device_are_one_persons() -> None:
    found = alerts(detected(*(lives(f"u{n}", ip=f"8.8.{n}.1", device="d1") for n in range(3))))
    assert [one.people for one in found] == [["u0", "u1", "u2"]]
    assert found[0].confidence >= 70
    assert sum(reason.points for reason in found[0].reasons) == found[0].confidence
    assert "3 of the 3 accounts share one device" in [reason.text for reason in found[0].reasons]


def test_three_who_are_paid_to_one_address_are_one_persons() -> None:
    facts = [[*lives(f"u{n}", ip=f"8.8.{n}.1", device=f"d{n}"), happened(3, "payout_address_added", f"u{n}", address_hash="a1")] for n in range(3)]
    assert [one.people for one in alerts(detected(*facts))] == [["u0", "u1", "u2"]]


def test_a_registered_agency_is_paid_together() -> None:
    facts = [
        [*lives(f"u{n}", ip=f"8.8.{n}.1", device=f"d{n}", registered_agency=True), happened(3, "payout_address_added", f"u{n}", address_hash="a1")]
        for n in range(4)
    ]
    assert alerts(detected(*facts)) == []


def test_an_agency_is_excused_its_payout_address_and_nothing_else() -> None:
    facts = [lives(f"u{n}", ip=f"8.8.{n}.1", device="d1", registered_agency=True) for n in range(4)]
    assert len(alerts(detected(*facts))) == 1


def test_a_household_is_no_ring() -> None:
    """Five people at one address, each with a device of their own, and one for all at times."""
    facts = []
    for n in range(5):
        facts.append(lives(f"u{n}", since=-60 * n, ip="8.8.8.8", device=f"d{n}", days=range(60 * n + 1, 60 * n + 30)))
        facts.append([happened(5 + n, "sign_in", f"u{n}", ip="8.8.8.8", device="tablet")])
    assert alerts(detected(*facts)) == []


def test_an_address_alone_links_nobody() -> None:
    web = web_of(*(lives(f"u{n}", since=-30 * n, ip="8.8.8.8", device=f"d{n}", days=range(30 * n + 1, 30 * n + 10)) for n in range(2)))
    assert 0 < web.pair("u0", "u1").weight < 0.5
    assert web.linked("u0") == {}


def test_whoever_had_the_address_long_before_is_no_neighbour() -> None:
    web = web_of(lives("u0", ip="8.8.8.8", device="d0"), lives("u1", since=40, ip="8.8.8.8", device="d1"))
    assert web.pair("u0", "u1").weight == 0


def test_addresses_of_ipv6_are_one_home_within_64_bits() -> None:
    web = web_of(lives("u0", ip="2001:db8:1:2::5", device="d0"), lives("u1", ip="2001:db8:1:2:ffff::9", device="d1"))
    assert [share.value for share in web.pair("u0", "u1").shares if share.kind == "ip"] == ["2001:db8:1:2::/64"]
    other = web_of(lives("u0", ip="2001:db8:1:2::5", device="d0"), lives("u1", ip="2001:db8:1:3::5", device="d1"))
    assert other.pair("u0", "u1").shares == ()


def test_private_addresses_say_nothing() -> None:
    facts = [
        lives(f"u{n}", ip=ip, device=f"d{n}")
        for ip in ("10.0.0.1", "172.17.0.1", "192.168.1.1", "100.64.0.9", "127.0.0.1", "fe80::1")
        for n in range(4)
    ]
    assert detected(*facts) == []


def test_a_gateway_with_hundreds_of_people_links_nobody() -> None:
    web = web_of(*(lives(f"u{n}", ip="8.8.8.8", device=f"d{n}", days=(1, 2)) for n in range(300)))
    assert web.linked("u1") == {}
    assert web.pair("u1", "u2").weight == 0


def test_a_family_card_weighs_less() -> None:
    card = [happened(2, "payment_method_added", f"u{n}", card_fingerprint="c1") for n in range(2)]
    apart = web_of(*(lives(f"u{n}", ip=f"8.8.{n}.8", device=f"d{n}") for n in range(2)), card).pair("u0", "u1")
    home = web_of(*(lives(f"u{n}", ip="8.8.8.8", device=f"d{n}") for n in range(2)), card).pair("u0", "u1")
    weight = {share.kind: share.weight for share in apart.shares}
    assert {share.kind: share.weight for share in home.shares}["card"] == pytest.approx(weight["card"] * 0.4)


def test_what_somebody_hardly_uses_counts_little() -> None:
    """Exclusivity: a machine at the library, on one day of thirty."""
    facts = [[*lives(f"u{n}", ip=f"8.8.{n}.8", device=f"d{n}", days=range(30)), happened(9, "sign_in", f"u{n}", device="library")] for n in range(3)]
    web = web_of(*facts)
    assert 0 < web.pair("u0", "u1").weight < 0.1


def test_verified_people_count_less_and_one_may_be_the_operator() -> None:
    def ring(verified: int) -> int:
        facts = []
        for n in range(3):
            facts.append(happened(0, "sign_up", f"u{n}", device="d1", ip=f"8.8.{n}.8", identity_verified=n < verified))
            facts += [happened(day, "sign_in", f"u{n}", device="d1", ip=f"8.8.{n}.8") for day in range(1, 9)]
        (found,) = [one.confidence for one in detected(facts) if one.pattern == "linked_accounts"]
        return found

    assert ring(0) == ring(1) > ring(2) > ring(3)
    assert ring(3) <= 0.6 * ring(0) + 1


def test_dealing_inside_the_group_makes_it_surer() -> None:
    ring = [lives(f"u{n}", since=-100, ip=f"8.8.{n}.1", device="d1", days=range(161, 190)) for n in range(3)]
    (plain,) = [one for one in detected(*ring) if one.pattern == "linked_accounts"]
    (dealing,) = [one for one in detected(*ring, pays("u0", "u1", 70, 300)) if one.pattern == "linked_accounts"]
    assert dealing.confidence > plain.confidence
    assert dealing.loss == 300_000_000


def test_three_accounts_at_one_address_are_a_weak_signal_once() -> None:
    found = [one for one in detected(*(lives(f"u{n}", ip="8.8.8.8", device=f"d{n}") for n in range(5))) if one.pattern == "shared_address"]
    assert [(one.fingerprint, one.severity, one.confidence, len(one.people)) for one in found] == [("shared_ip:8.8.8.8", "low", 37, 5)]


def test_three_within_seven_days_and_not_over_a_month() -> None:
    apart = [[happened(10 * n, "sign_in", f"u{n}", ip="8.8.8.8")] for n in range(4)]
    assert detected(*apart) == []
    near = [[happened(3 * n, "sign_in", f"u{n}", ip="8.8.8.8")] for n in range(3)]
    assert [one.confidence for one in detected(*near)] == [45]


def test_what_was_done_through_somebodys_eyes_is_no_sighting() -> None:
    facts = [[happened(day, "sign_in", f"u{n}", ip="8.8.8.8", device="agents", on_behalf_of="x") for day in range(5)] for n in range(4)]
    assert detected(*facts) == []
    staff = [[happened(day, "sign_in", f"u{n}", ip="8.8.8.8", device="agents", actor_type="admin") for day in range(5)] for n in range(4)]
    assert detected(*staff) == []


def test_too_large_a_group_is_taken_apart_where_it_is_weakest() -> None:
    """Two crews of seven, each with a payout address; one of each sits at a device for both at times."""
    facts = [
        [
            *lives(f"{crew}{n}", since=since, ip=f"8.{ord(crew)}.{n}.1", device=f"{crew}{n}", days=range(21)),
            happened(since + 1, "payout_address_added", f"{crew}{n}", address_hash=crew),
        ]
        for crew, since in (("a", 0), ("b", -40))
        for n in range(7)
    ]
    joined = [happened(day, "sign_in", person, device="joint", ip="9.9.9.9") for person in ("a0", "b0") for day in range(30, 55)]
    web = web_of(*facts, joined)
    assert sorted(map(len, components(web, ["a0"], 30))) == [14]
    assert sorted(map(len, components(web, ["a0"], 12))) == [7, 7]


def test_accounts_opened_together_at_home_are_one_persons() -> None:
    """Devices, wallets and cards of their own; only where and when gives them away."""
    others = [lives(f"other{n}", since=-3 * n, ip=f"9.9.{n}.9", device=f"other{n}", days=(1,)) for n in range(60)]
    crew = [lives(f"u{n}", since=n / 2, ip="8.8.8.8", device=f"d{n}") for n in range(5)]
    assert [one.people for one in alerts(detected(*crew, *others))] == [[f"u{n}" for n in range(5)]]
    assert alerts(detected(*crew)) == [], "where everybody came at that time, it says nothing"
    family = [lives(f"u{n}", since=50 * n - 200, ip="8.8.8.8", device=f"d{n}", days=range(200 - 50 * n, 230 - 50 * n)) for n in range(5)]
    assert alerts(detected(*family)) == []


def test_two_with_one_payout_address_who_never_meet() -> None:
    def pair(ip: str) -> list[int]:
        facts = [
            [*lives(f"u{n}", since=n, ip=ip.format(n), device=f"d{n}"), happened(3, "payout_address_added", f"u{n}", address_hash="a1")]
            for n in range(2)
        ]
        others = [happened(-3 * n, "sign_up", f"other{n}") for n in range(60)]
        return [one.confidence for one in alerts(detected(*facts, others))]

    assert len(pair("8.8.{}.8")) == 1
    assert pair("8.8.8.8") == []


def test_staff_with_one_card_are_no_ring() -> None:
    """They came over the years, and work at one address that many others have."""
    desk = [[happened(day, "sign_in", f"u{n}", ip="8.8.8.8", device=f"d{n}") for day in range(3 * n, 3 * n + 5)] for n in range(40)]
    opened = [happened(-100 * n, "sign_up", f"u{n}", ip=f"9.9.{n}.9", device=f"d{n}") for n in range(40)]
    cards = [happened(1, "payment_method_added", f"u{n}", card_fingerprint="firm") for n in range(4)]
    assert alerts(detected(*desk, opened, cards)) == []


def test_who_is_linked_by_trade_alone_is_linked_from_both_sides() -> None:
    """A builder leads to those who paid, not the other way; the client's name comes first where groups are made up."""
    client = lives("a", since=-300, days=range(200, 230), ip="8.8.8.8", device="da")
    builder = lives("b", since=-200, days=range(100, 130), ip="8.8.8.8", device="db")
    third = lives("c", since=-150, days=range(50, 80), ip="9.9.9.9", device="dc")
    wallets = [happened(-85, "payout_address_added", person, address_hash="w") for person in "bc"]
    assert groups(detected(client, builder, third, wallets, pays("a", "b", -80, 50))) == {("a", "b", "c")}


def test_days_begin_where_the_tests_say() -> None:
    assert happened(1, "sign_in", "u0").second - int(BEGIN.timestamp()) == 86_400


# Circles


def crowd(days: range = range(90)) -> list[Fact]:
    """Others, of whom some come every day."""
    return [happened(day + n / 4, "sign_up", f"x{day}-{n}", identity_verified=False) for day in days for n in range(3)]


def circle(ups: tuple[float, float, float], orders: int = 3) -> list[Fact]:
    """A builder and two clients, who have nothing in common but what the two buy."""
    people = ("b", "c1", "c2")
    came = enumerate(zip(ups, people, strict=True))
    facts = [happened(up, "sign_up", who, ip=f"9.9.{n}.1", device=f"d{who}", identity_verified=False) for n, (up, who) in came]
    return facts + [one for n in range(orders) for client in ("c1", "c2") for one in pays(client, "b", max(ups) + 2 + n, 50)]


def told_circles(*facts: list[Fact]) -> list[list[str]]:
    return [list(one.people) for one in alerts(detected(*facts)) if one.pattern == "linked_accounts"]


def test_who_was_opened_together_and_deals_with_nobody_else_is_a_circle() -> None:
    assert told_circles(crowd(), circle((40, 40.5, 41))) == [["b", "c1", "c2"]]
    (one,) = [one for one in alerts(detected(crowd(), circle((40, 40.5, 41)))) if one.pattern == "linked_accounts"]
    assert "3 of the 3 deal with each other, were opened at about the same time" in one.reasons[0].text
    assert sum(reason.points for reason in one.reasons) == one.confidence


def test_what_chance_would_bring_is_taken_off_inside_a_circle() -> None:
    """No more accounts came within a day of theirs, and some more within the week that counts as the same time."""
    dealt = [*circle((40, 40.02, 40.04)), *(one for client in ("c1", "c2") for one in pays(client, "x1-0", 50, 50))]
    more = [happened(day + n / 20, "sign_up", f"y{day}-{n}", identity_verified=False) for day in (36, 44) for n in range(3)]
    few, many = (web_of(crowd(), dealt, extra) for extra in ([], more))
    up = dealt[0].second
    assert few.usual(up, 1) > many.usual(up, 1)
    assert few.usual(up, 7) < many.usual(up, 7) < 0.2, "above which fewer days are one time"
    assert 0 < many.pair("b", "c1").weight < few.pair("b", "c1").weight


def test_an_order_from_each_is_no_circle() -> None:
    assert told_circles(crowd(), circle((40, 40.5, 41), orders=1)) == []


def test_regular_clients_who_came_at_other_times_are_no_circle() -> None:
    assert told_circles(crowd(), circle((5, 40, 75))) == []


def test_who_also_buys_elsewhere_is_in_no_circle() -> None:
    elsewhere = [one for n in range(4) for client in ("c1", "c2") for one in pays(client, f"x1-{n % 3}", 50 + n, 50)]
    assert told_circles(crowd(), circle((40, 40.5, 41)), elsewhere) == []


def test_where_everybody_came_in_one_week_nobody_was_opened_together() -> None:
    assert told_circles(crowd(range(40, 44)), circle((40, 40.5, 41))) == []


# Accounts that are older than the log


def before_the_log(number: int, **same: str) -> list[Fact]:
    facts = []
    for n in range(number):
        device = same.get("device", f"d{n}")
        facts += [happened(day, "sign_in", f"u{n}", device=device, ip=f"9.8.{n}.1") for day in range(1, 9)]
    return facts


def test_accounts_older_than_the_log_are_found_by_what_they_share() -> None:
    assert told_circles(crowd(), before_the_log(3, device="d")) == [["u0", "u1", "u2"]]


def test_nobody_knows_whether_a_wallet_of_many_is_an_agencys() -> None:
    wallet = [happened(2, "payout_address_added", f"u{n}", address_hash="w") for n in range(8)]
    assert told_circles(crowd(), before_the_log(8), wallet) == []


def test_three_who_come_to_an_address_one_by_one_are_told_when_the_third_comes() -> None:
    facts = [happened(day, "sign_in", f"u{day}", ip="8.8.8.8") for day in (1, 4, 8)]
    said = bit_by_bit("shared_address", facts, 3)
    assert [[one.people for one in found] for found in said] == [[], [], [["u1", "u4", "u8"]]]
    late = [*facts[:2], happened(9, "sign_in", "u9", ip="8.8.8.8")]
    assert bit_by_bit("shared_address", late, 3) == [[], [], []], "the first was there eight days before"
    at_once = [*facts, happened(40, "sign_in", "u40", ip="8.8.8.8")]
    assert [one.people for one in bit_by_bit("shared_address", at_once, 1)[0]] == [["u1", "u4", "u8"]], "whatever came there later"
