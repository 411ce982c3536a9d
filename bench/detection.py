"""How right the detectors are on made-up marketplaces, beside the rules that anybody would write first: `./run bench detection`.

BENCH_WORLDS    `tuning` leaves out the worlds that are held out, `held-out` the others, `KIND` takes one kind (all)
BENCH_SEEDS     how many worlds of each kind (2)
BENCH_FIRST     the first seed of the held-out ones (1000); others than were ever looked at show whether anything was tuned on them
BENCH_WITHOUT   0 leaves out what is found when something is missing from the file

The detectors are run as anybody runs them: `manage.py detect --input FILE --output FILE`, on a file that holds nothing but events. What is right is
known from the world alone (bench/worlds).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from bench.worlds.judging import Found, Groups, Singles, judge_groups, judge_pairs, judge_withdrawals
from bench.worlds.making import Made, make, write
from bench.worlds.naive import GROUPS, WITHDRAWALS
from bench.worlds.terms import FIRST_HELD_OUT, HELD_OUT, TUNING
from bench.worlds.trade import Row
from scripts import database
from scripts.environment import say

ALERT, HOLD = 55, 80  # from which confidence somebody is told, and payouts wait: several accounts
MONEY_ALERT = 70  # the same for withdrawals
RIGHT, RINGS, SHARING, BIGGEST = 0.90, 0.75, 0.90, 12  # limits: incidents that are right, rings found of all and of those that share something
MONEY_RIGHT, MONEY_FOUND = 0.45, 0.90
GROUP_INCIDENTS, MONEY_INCIDENTS = "multi_accounting", "fast_withdrawal"
OURS = "detectors, as they tell"
SWEEP = (40, 50, 55, 60, 65, 70, 75, 80, 85)


@dataclass
class Figures:
    """What every rule came to on some worlds."""

    groups: dict[str, Groups] = field(default_factory=dict)
    money: dict[str, Singles] = field(default_factory=dict)
    dealing: dict[str, Singles] = field(default_factory=dict)

    def __add__(self, other: Figures) -> Figures:
        money, dealing = _sum(self.money, other.money, Singles()), _sum(self.dealing, other.dealing, Singles())
        return Figures(_sum(self.groups, other.groups, Groups()), money, dealing)


def _sum[T: (Groups, Singles)](one: dict[str, T], other: dict[str, T], nothing: T) -> dict[str, T]:
    return {name: one.get(name, nothing) + other.get(name, nothing) for name in dict.fromkeys([*one, *other])}


def main() -> int:
    """Print the tables; 1 when the detectors are not right often enough, or find too little."""
    wanted, seeds = os.environ.get("BENCH_WORLDS", "all"), int(os.environ.get("BENCH_SEEDS", "2"))
    first = int(os.environ.get("BENCH_FIRST", str(FIRST_HELD_OUT)))
    plans = [(kind, range(1, 1 + seeds)) for kind in TUNING if wanted in ("all", "tuning", kind)]
    plans += [(kind, range(first, first + seeds)) for kind in HELD_OUT if wanted in ("all", "held-out", kind)]
    missed, pooled = 0, {"tuning": Figures(), "held-out": Figures()}
    with tempfile.TemporaryDirectory() as folder:
        for kind, some in plans:
            figures = reduce(add, (measured(make(kind, seed), Path(folder)) for seed in some))
            told(f"{kind} ({'held out' if kind in HELD_OUT else 'for tuning'}, {len(some)} worlds)", figures)
            pooled["held-out" if kind in HELD_OUT else "tuning"] += figures
    for name, figures in pooled.items():
        if figures.groups:
            told(f"all worlds {name.replace('-', ' ')}", figures, sharing=True)
            missed += judged(name, figures)
    say("within all limits" if not missed else f"{missed} limits missed")
    return 1 if missed else 0


def measured(made: Made, folder: Path) -> Figures:
    """One world under all rules."""
    truth = made.truth
    stolen = f"{len(truth.fast_stolen)} fast withdrawals of stolen money, {len(truth.fast_honest)} honest"
    say(f"{truth.world}: {truth.people:,} accounts, {truth.events:,} events, {len(truth.rings)} rings, {stolen}")
    figures = Figures()
    for name, rule in GROUPS.items():
        figures.groups[name] = judge_groups(rule(made.rows), truth)
    for name, of in WITHDRAWALS.items():
        figures.money[name] = judge_withdrawals(of(made.rows), truth)
    incidents = detected(made, folder)
    groups = groups_of(incidents)
    figures.groups[OURS] = judge_groups(above(groups, ALERT), truth)
    if os.environ.get("BENCH_WITHOUT", "1") != "0":
        for what, change in WITHOUT.items():
            less = replace(made, rows=[row for row in map(change, made.rows) if row is not None])
            figures.groups[f"  without {what}"] = judge_groups(above(groups_of(detected(less, folder)), ALERT), truth)
    money = [(str(one["withdrawal_id"]), int(one["confidence"])) for one in incidents if one["incident_type"] == MONEY_INCIDENTS]
    figures.money[OURS] = judge_withdrawals([key for key, sure in money if sure >= MONEY_ALERT], truth)
    for bar in SWEEP:
        figures.groups[f"  from {bar} on"] = judge_groups(above(groups, bar), truth)
        figures.money[f"  from {bar} on"] = judge_withdrawals([key for key, sure in money if sure >= bar], truth)
    pairs = [frozenset(one["user_ids"]) for one in incidents if is_dealing(one) and one["severity"] != "low"]
    figures.dealing["self-dealing, told"] = judge_pairs(pairs, truth.dealt)
    return figures


def groups_of(incidents: list[dict[str, Any]]) -> list[Found]:
    """Incidents about several accounts; also weak signals, which lie below every bar from which somebody is told."""
    return [Found(frozenset(one["user_ids"]), int(one["confidence"])) for one in incidents if one["incident_type"] == GROUP_INCIDENTS]


def above(found: list[Found], bar: int) -> list[Found]:
    return [one for one in found if one.confidence >= bar]


def is_dealing(incident: dict[str, Any]) -> bool:
    return incident.get("pattern") == "self_dealing" or incident.get("detector") == "self_dealing"


def detected(made: Made, folder: Path) -> list[dict[str, Any]]:
    """What the detectors say of the events of a world; they see nothing else of it."""
    events, _ = write(made, folder)
    output = folder / "incidents.jsonl"
    command = [sys.executable, "manage.py", "detect", "--input", str(events), "--output", str(output)]
    settings = {"PORT444_ENV": "test", "SECRET_KEY": "bench", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "EMAIL_URL": "dummymail://"}
    ran = subprocess.run(command, check=False, cwd=database.HOME, env={**os.environ, **settings}, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"The detectors failed on {made.truth.world}:\n{ran.stderr}")
    return [json.loads(line) for line in output.read_text().splitlines()]


# What is missing from the file


def _no_address(row: Row) -> Row:
    return replace(row, ip="")


def _no_device(row: Row) -> Row:
    return replace(row, device="")


def _no_print(row: Row) -> Row:
    return replace(row, meta={key: value for key, value in row.meta.items() if key != "fingerprint"})


def _no_wallet(row: Row) -> Row | None:
    return None if row.event == "payout_address_added" else row


def _no_card(row: Row) -> Row | None:
    return None if row.event == "payment_method_added" else row


WITHOUT: dict[str, Callable[[Row], Row | None]] = {
    "addresses": _no_address,
    "device marks": _no_device,
    "wallets": _no_wallet,
    "cards": _no_card,
    "browser fingerprints": _no_print,
}


# What is printed


def told(title: str, figures: Figures, *, sharing: bool = False) -> None:
    say(title)
    print(f"    {'several accounts':44} incidents  right  rings  sharing  accounts right  found  biggest  twice")
    for name, one in figures.groups.items():
        accounts = f"{part(one.flagged_right, one.flagged)}            {part(one.flagged_right, one.accounts)}"
        print(
            f"    {name:44} {one.incidents:9}  {one.precision:5.2f}  {one.recall:5.2f}  {one.sharing_recall:7.2f}            {accounts:>10}"
            f"  {one.biggest:7}  {one.twice:5}"
        )
    print(f"    {'withdrawals':44} incidents  of them different  right  found")
    for name, of in figures.money.items():
        print(f"    {name:44} {of.incidents:9}  {of.different:17}  {of.precision:5.2f}  {of.recall:5.2f}")
    for name, of in figures.dealing.items():
        print(f"    {name:44} {of.incidents:9}  {of.different:17}  {of.precision:5.2f}  {of.recall:5.2f}")
    if sharing:
        kinds = sorted(figures.groups[OURS].by_sharing.items())
        print("    rings found by what they share: " + ", ".join(f"{kind} {found}/{there}" for kind, (found, there) in kinds), flush=True)


def part(one: float, whole: float) -> str:
    return f"{one / whole:.2f}" if whole else "   -"


def judged(name: str, figures: Figures) -> int:
    """How many limits the detectors miss on these worlds together."""
    groups, money = figures.groups[OURS], figures.money[OURS]
    held = {
        f"incidents right {groups.precision:.2f}, at least {RIGHT}": groups.precision >= RIGHT,
        f"rings found {groups.recall:.2f}, at least {RINGS}": groups.recall >= RINGS,
        f"rings found that share something {groups.sharing_recall:.2f}, at least {SHARING}": groups.sharing_recall >= SHARING,
        f"biggest group {groups.biggest}, at most {BIGGEST}": groups.biggest <= BIGGEST,
        f"withdrawals found {money.recall:.2f}, at least {MONEY_FOUND}": money.recall >= MONEY_FOUND,
        f"withdrawals right {money.precision:.2f}, at least {MONEY_RIGHT}": money.precision >= MONEY_RIGHT,
        f"withdrawals told twice {money.incidents - money.different}, none": money.incidents == money.different,
    }
    for words, kept in held.items():
        say(f"{name}: {'' if kept else 'MISSED '}{words}")
    return sum(not kept for kept in held.values())


if __name__ == "__main__":
    raise SystemExit(main())
