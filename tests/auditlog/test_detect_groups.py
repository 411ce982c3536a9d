"""Several accounts behind which one person stands, and those who only live, work or travel together."""

from __future__ import annotations

from auditlog.detectors.links import Web, components
from auditlog.detectors.memory import Memory
from auditlog.detectors.multi_accounting import PARAMETERS
from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import Touched, learn

from .happenings import BEGIN, alerts, detected, happened, lives, pays


def web_of(*facts: object) -> Web:
    memory = Memory()
    learn([one for some in facts for one in some], memory, Touched())  # type: ignore[attr-defined]
    return Web(memory, Terms(PARAMETERS))


def test_three_accounts_of_one_device_are_one_persons() -> None:
    found = alerts(detected(*(lives(f"u{n}", ip=f"8.8.{n}.1", device="d1") for n in range(3))))
    assert [one.people for one in found] == [["u0", "u1", "u2"]]
    assert found[0].confidence >= 80
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
        facts.append(lives(f"u{n}", ip="8.8.8.8", device=f"d{n}", days=range(1, 30)))
        facts.append([happened(5 + n, "sign_in", f"u{n}", ip="8.8.8.8", device="tablet")])
    assert alerts(detected(*facts)) == []


def test_an_address_alone_links_nobody() -> None:
    web = web_of(*(lives(f"u{n}", ip="8.8.8.8", device=f"d{n}") for n in range(2)))
    assert 0 < web.pair("u0", "u1").weight < 0.5
    assert web.linked("u0") == {}


def test_whoever_had_the_address_long_before_is_no_neighbour() -> None:
    web = web_of(lives("u0", ip="8.8.8.8", device="d0"), lives("u1", since=40, ip="8.8.8.8", device="d1"))
    assert web.pair("u0", "u1").weight == 0


def test_addresses_of_ipv6_are_one_home_within_64_bits() -> None:
    web = web_of(lives("u0", ip="2001:db8:1:2::5", device="d0"), lives("u1", ip="2001:db8:1:2:ffff::9", device="d1"))
    assert [share.kind for share in web.pair("u0", "u1").shares] == ["ip"]
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


def test_a_family_card_weighs_half() -> None:
    card = [happened(2, "payment_method_added", f"u{n}", card_fingerprint="c1") for n in range(2)]
    apart = web_of(*(lives(f"u{n}", ip=f"8.8.{n}.8", device=f"d{n}") for n in range(2)), card).pair("u0", "u1")
    home = web_of(*(lives(f"u{n}", ip="8.8.8.8", device=f"d{n}") for n in range(2)), card).pair("u0", "u1")
    weight = {share.kind: share.weight for share in apart.shares}
    assert {share.kind: share.weight for share in home.shares}["card"] == weight["card"] / 2


def test_what_somebody_hardly_uses_counts_little() -> None:
    """Exclusivity: a machine at the library, on one day of thirty."""
    facts = [[*lives(f"u{n}", ip=f"8.8.{n}.8", device=f"d{n}", days=range(30)), happened(9, "sign_in", f"u{n}", device="library")] for n in range(3)]
    web = web_of(*facts)
    assert 0 < web.pair("u0", "u1").weight < 0.1


def test_verified_people_count_half() -> None:
    def ring(verified: bool) -> list[int]:
        facts = []
        for n in range(3):
            facts.append(happened(0, "sign_up", f"u{n}", device="d1", ip=f"8.8.{n}.8", identity_verified=verified))
            facts += [happened(day, "sign_in", f"u{n}", device="d1", ip=f"8.8.{n}.8") for day in range(1, 9)]
        return [one.confidence for one in detected(facts) if one.pattern == "linked_accounts"]

    (plain,), (verified,) = ring(False), ring(True)
    assert verified <= plain / 2 + 1


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
    """Two crews of seven that one weak link joins."""
    facts = [lives(f"{crew}{n}", ip=f"8.{ord(crew)}.{n}.1", device=f"device {crew}", days=range(20)) for crew in "ab" for n in range(7)]
    joined = [happened(day, "sign_in", person, device="joint", ip="9.9.9.9") for person in ("a0", "b0") for day in range(20, 45)]
    web = web_of(*facts, joined)
    assert sorted(map(len, components(web, ["a0"], 30))) == [14]
    assert sorted(map(len, components(web, ["a0"], 12))) == [7, 7]


def test_days_begin_where_the_tests_say() -> None:
    assert happened(1, "sign_in", "u0").second - int(BEGIN.timestamp()) == 86_400
