"""The marketplaces that are made up for `./run bench detection`: the same each time, apart from what detectors know, and judged as is said."""

from __future__ import annotations

import ast
import csv
import json
from collections import Counter
from dataclasses import fields, replace
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from bench.worlds import making, terms
from bench.worlds.judging import Found, judge_groups, judge_withdrawals
from bench.worlds.naive import joined_orders, money_within_hour, shared_address, strong_values
from bench.worlds.trade import Row
from bench.worlds.truth import Operator, Truth

HERE = Path(making.__file__).parent
SMALL = replace(terms.PLAIN, accounts=(150, 150), rings=(8, 8), thieves=(3, 3), agencies=(1, 1), partners=(1, 1))
NOTHING = Truth(world="", people=0, events=0, rings=[], pairs=[], fast_stolen=[], slow_stolen=[], own=[], fast_honest=[])


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> making.Made:
    monkeypatch.setitem(terms.TUNING, "tiny", SMALL)
    return making.make("tiny", 5)


def test_a_world_is_the_same_each_time(made: making.Made) -> None:
    again = making.make("tiny", 5)
    assert again.rows == made.rows
    assert again.truth == made.truth
    assert making.make("tiny", 6).truth != made.truth


def test_worlds_know_nothing_of_detectors() -> None:
    for path in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in ("auditlog", "port444", "django")], path.name


def test_seeds_of_tuning_make_no_world_that_is_held_out() -> None:
    with pytest.raises(ValueError, match="held out"):
        terms.drawn("dense", 1)
    with pytest.raises(ValueError, match="for tuning"):
        terms.drawn("plain", terms.FIRST_HELD_OUT)
    assert not set(terms.TUNING) & set(terms.HELD_OUT)


@pytest.mark.parametrize("kind", sorted(terms.HELD_OUT))
def test_worlds_that_are_held_out_come_from_other_ranges(kind: str) -> None:
    """In some number at least, no value that is possible there was possible while tuning."""

    def apart(name: str) -> bool:
        low, high = getattr(terms.HELD_OUT[kind], name)
        return all(high <= getattr(known, name)[0] or low >= getattr(known, name)[1] for known in terms.TUNING.values())

    ranges = [field.name for field in fields(terms.Terms) if isinstance(getattr(terms.PLAIN, field.name), tuple)]
    assert [name for name in ranges if apart(name) and getattr(terms.HELD_OUT[kind], name) != getattr(terms.PLAIN, name)]


def test_the_file_has_the_columns_and_words_that_were_agreed(made: making.Made, tmp_path: Path) -> None:
    events, truth = making.write(made, tmp_path)
    with events.open(newline="") as file:
        rows = list(csv.DictReader(file))
    agreed = "occurred_at,event_type,actor_id,actor_type,target_id,target_type,ip_address,device_id,amount,metadata"
    assert ",".join(rows[0]) == agreed
    said: dict[str, set[str]] = {}
    for row in rows:
        said.setdefault(row["event_type"], set()).update(json.loads(row["metadata"]))
        assert datetime.fromisoformat(row["occurred_at"]).tzinfo
        assert not row["ip_address"] or ip_address(row["ip_address"]).is_global
    assert said == {
        "sign_up": {"identity_verified", "registered_agency"},
        "sign_in": {"fingerprint"},
        "payout_address_added": {"address_hash"},
        "payment_method_added": {"card_fingerprint"},
        "order_paid": {"builder_id"},
        "escrow_release": set(),
        "withdrawal": set(),
    }
    assert json.loads(truth.read_text())["rings"]


def test_nobody_takes_out_more_than_came_in(made: making.Made) -> None:
    left: Counter[str] = Counter()
    for row in made.rows:
        if row.event == "escrow_release":
            left[row.target] += round(float(row.amount) * 100)
        elif row.event == "withdrawal":
            left[row.actor] -= round(float(row.amount) * 100)
            assert left[row.actor] >= 0


def test_rings_share_what_is_said_of_them(made: making.Made) -> None:
    wallets: dict[str, set[str]] = {}
    for row in made.rows:
        if row.event == "payout_address_added":
            wallets.setdefault(row.meta["address_hash"], set()).add(row.actor)
    assert {len(ring.members) for ring in made.truth.rings} <= set(range(3, 10))
    for ring in made.truth.rings:
        together = max((len(people & set(ring.members)) for people in wallets.values()), default=0)
        if ring.sharing in ("one wallet", "vpn, one wallet", "slow"):
            assert together >= 2
        elif not ring.shares:
            assert together <= 1


def test_an_incident_is_right_when_two_thirds_are_one_operators() -> None:
    truth = replace(NOTHING, rings=[Operator("x", "", list("abcd"), shares=True), Operator("nothing", "", list("efg"), shares=False)])
    figures = judge_groups([Found(frozenset("abz")), Found(frozenset("abyz")), Found(frozenset("efabcd")), Found(frozenset("e"))], truth)
    assert (figures.incidents, figures.right) == (4, 2)
    assert (figures.rings_found, figures.sharing_found, figures.sharing, figures.biggest, figures.twice) == (1, 1, 1, 6, 1)
    assert (figures.flagged, figures.flagged_right, figures.accounts) == (8, 6, 7)


def test_less_than_half_a_ring_is_not_found() -> None:
    truth = replace(NOTHING, rings=[Operator("x", "", list("abcde"), shares=True)])
    assert judge_groups([Found(frozenset("ab"))], truth).rings_found == 0
    assert judge_groups([Found(frozenset("abc"))], truth).rings_found == 1


def test_recall_of_withdrawals_counts_stolen_money_that_left_at_once() -> None:
    truth = replace(NOTHING, fast_stolen=["a", "b"], slow_stolen=["c"], own=["d"], fast_honest=["e"])
    figures = judge_withdrawals(["a", "a", "c", "d", "e"], truth)
    assert (figures.incidents, figures.different, figures.right, figures.found, figures.wanted) == (5, 4, 4, 1, 2)


def test_the_naive_rules_do_as_they_say() -> None:
    day = 86400.0
    rows = [Row(n * 3 * day, "sign_in", who, "client", ip="5.5.5.5", device=who, meta={"fingerprint": "f"}) for n, who in enumerate("abca")]
    assert shared_address(rows) == [Found(frozenset("abc"))]
    assert shared_address([replace(row, at=row.at * 2) for row in rows]) == []
    assert shared_address(rows, most=2) == []
    assert strong_values(rows) == []
    assert strong_values([replace(row, device="d") for row in rows]) == [Found(frozenset("abc"))]
    orders = [Row(n, "order_paid", "c", "client", f"o{n}", meta={"builder_id": "b"}) for n in range(3)]
    paid = [*orders, Row(10, "escrow_release", "c", "client", "b"), Row(20, "withdrawal", "b", "builder", "w")]
    assert joined_orders(paid) == ["w"] * 3
    assert money_within_hour(paid) == ["w"]
    assert money_within_hour([*paid[:-1], replace(paid[-1], at=3700)]) == []
