"""How right every detector is on made-up marketplaces, beside the rule that anybody would write first: `./run bench detection`.

BENCH_WORLDS    `tuning` leaves out the worlds that are held out, `held-out` the others, `KIND` takes one kind (all)
BENCH_SEEDS     how many worlds of each kind (1)
BENCH_FIRST     the first seed of the held-out ones (4000); others than were ever looked at show whether anything was tuned on them
BENCH_WITHOUT   1 also says what is found when something is missing from the file
BENCH_SWEEP     1 also says what other alert thresholds would come to

The detectors are run as anybody runs them: `manage.py detect --input FILE --output FILE`, on a file that holds nothing but events. What is right is
known from the world alone (bench/worlds). On worlds that are held out the detectors have to keep the limits below: 1 is returned when one is missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import report
from bench.worlds import misdeeds
from bench.worlds.judging import Found, Groups, Singles, judge_cases, judge_groups, judge_pairs, judge_withdrawals
from bench.worlds.making import Made, make, write
from bench.worlds.naive import DEEDS, GROUPS, WITHDRAWALS, dealt_at_one_address
from bench.worlds.terms import HELD_OUT, TUNING
from bench.worlds.trade import Row
from scripts import database
from scripts.environment import say

ALERT, HOLD = 55, 80  # from which confidence somebody is told, and payouts wait: several accounts
MONEY_ALERT = 70  # the same for withdrawals
# Limits on worlds that are held out: incidents that are right, and of what was there the part that is found.
RIGHT, RINGS, SHARING, BIGGEST = 0.90, 0.75, 0.90, 12  # of several accounts: rings of all, and of those that share something
LIMITS = {  # kind: right, found
    "fast_withdrawal": (0.90, 0.90),
    "self_dealing": (0.90, 0.65),
    "amendment_abuse": (0.90, 0.85),
    "refunds_and_disputes": (0.90, 0.90),
    "sign_in_bursts": (0.90, 0.90),
    "account_takeover": (0.90, 0.85),
    "staff_misuse": (0.90, 0.90),
    "card_testing": (0.90, 0.90),
    "payout_fan_in": (0.90, 0.90),
}
# How the cases of a kind are called, whatever else the file says.
NAMES = {
    "amendment_abuse": ("amendment:",),
    "refunds_and_disputes": ("dispute:",),
    "sign_in_bursts": ("burst:",),
    "account_takeover": ("ato:", "travel:"),
    "staff_misuse": ("insider:",),
    "card_testing": ("cardtest:",),
    "payout_fan_in": ("fan_in:",),
}
GROUP_INCIDENTS, MONEY_INCIDENTS = "multi_accounting", "fast_withdrawal"
OURS = "detectors, as they tell"
NAIVE_MONEY = "naive: money within the hour"
SWEEP = (40, 50, 55, 60, 65, 70, 75, 80, 85)


@dataclass
class Figures:
    """What every rule came to on some worlds."""

    groups: dict[str, Groups] = field(default_factory=dict)
    money: dict[str, Singles] = field(default_factory=dict)
    ours: dict[str, Singles] = field(default_factory=dict)  # by kind
    naive: dict[str, Singles] = field(default_factory=dict)

    def __add__(self, other: Figures) -> Figures:
        ours, naive = _sum(self.ours, other.ours, Singles()), _sum(self.naive, other.naive, Singles())
        return Figures(_sum(self.groups, other.groups, Groups()), _sum(self.money, other.money, Singles()), ours, naive)


def _sum[T: (Groups, Singles)](one: dict[str, T], other: dict[str, T], nothing: T) -> dict[str, T]:
    return {name: one.get(name, nothing) + other.get(name, nothing) for name in dict.fromkeys([*one, *other])}


def main() -> int:
    """Print the tables; 1 when the detectors are not right often enough, or find too little, on worlds that are held out."""
    wanted, seeds = os.environ.get("BENCH_WORLDS", "all"), int(os.environ.get("BENCH_SEEDS", "1"))
    first = int(os.environ.get("BENCH_FIRST", "4000"))
    pooled = {"tuning": Figures(), "held-out": Figures()}
    with tempfile.TemporaryDirectory() as folder:
        for name, kinds, others, start in (("tuning", TUNING, misdeeds.TUNING, 1), ("held-out", HELD_OUT, misdeeds.HELD_OUT, first)):
            for seed in range(start, start + seeds):
                for kind in (kind for kind in kinds if wanted in ("all", name, kind)):
                    pooled[name] += measured(make(kind, seed), Path(folder))
                for kind in (kind for kind in others if wanted in ("all", name, kind)):
                    pooled[name] += measured_deeds(*misdeeds.make(kind, seed), Path(folder))
    for name, figures in pooled.items():
        told(f"worlds {'for tuning' if name == 'tuning' else 'that are held out'}", figures)
    report.sized(f"{seeds} {'world' if seeds == 1 else 'worlds'} of each kind, held out, from seed {first}")
    judge(pooled["held-out"])
    return report.code()


def measured(made: Made, folder: Path) -> Figures:
    """One world under all rules about groups, withdrawals and self-dealing."""
    truth = made.truth
    figures = Figures()
    for name, rule in GROUPS.items():
        figures.groups[name] = judge_groups(rule(made.rows), truth)
    for name, of in WITHDRAWALS.items():
        figures.money[name] = judge_withdrawals(of(made.rows), truth)
    figures.naive["fast_withdrawal"] = figures.money[NAIVE_MONEY]
    figures.naive["self_dealing"] = judge_pairs(dealt_at_one_address(made.rows), truth.dealt)
    incidents = detected(made, folder)
    groups = groups_of(incidents)
    figures.groups[OURS] = judge_groups(above(groups, ALERT), truth)
    if os.environ.get("BENCH_WITHOUT", "0") != "0":
        for what, change in WITHOUT.items():
            less = replace(made, rows=[row for row in map(change, made.rows) if row is not None])
            figures.groups[f"  without {what}"] = judge_groups(above(groups_of(detected(less, folder)), ALERT), truth)
    money = [(str(one["withdrawal_id"]), int(one["confidence"])) for one in incidents if one["incident_type"] == MONEY_INCIDENTS]
    figures.ours["fast_withdrawal"] = figures.money[OURS] = judge_withdrawals([key for key, sure in money if sure >= MONEY_ALERT], truth)
    if os.environ.get("BENCH_SWEEP", "0") != "0":
        for bar in SWEEP:
            figures.groups[f"  from {bar} on"] = judge_groups(above(groups, bar), truth)
            figures.money[f"  from {bar} on"] = judge_withdrawals([key for key, sure in money if sure >= bar], truth)
    pairs = [frozenset(one["user_ids"]) for one in incidents if is_dealing(one) and one["severity"] != "low"]
    figures.ours["self_dealing"] = judge_pairs(pairs, truth.dealt)
    ours = figures.groups[OURS]
    words = f"{len(truth.rings)} rings, {ours.rings_found} found, {ours.incidents - ours.right} wrong incidents"
    say(f"{truth.world}: {truth.people:,} accounts, {truth.events:,} events, {words}")
    return figures


def measured_deeds(made: Made, planted: misdeeds.Planted, folder: Path) -> Figures:
    """One world in which everything else was planted."""
    incidents, figures = [one for one in detected(made, folder) if one["severity"] != "low"], Figures()
    for kind, cases in planted.cases.items():
        told_of = [one["user_ids"] for one in incidents if one["fingerprint"].startswith(NAMES[kind])]
        people = [frozenset(who[:1] if kind == "staff_misuse" else who) for who in told_of]  # of staff the agent comes first
        figures.ours[kind] = judge_cases(people, cases)
        figures.naive[kind] = judge_cases(DEEDS[kind](made.rows), cases)
    number = sum(map(len, planted.cases.values()))
    words = f"{number} misdeeds of {len(planted.cases)} kinds, {sum(planted.alike.values())} innocents who did nearly the same"
    say(f"{made.truth.world}: {made.truth.people:,} accounts, {made.truth.events:,} events, {words}")
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


def told(title: str, figures: Figures) -> None:
    if not figures.ours:
        return
    say(title)
    if figures.groups:
        print(f"    {'several accounts':44} incidents  right  rings  sharing  accounts right  found  biggest  twice")
    for name, one in figures.groups.items():
        accounts = f"{part(one.flagged_right, one.flagged)}            {part(one.flagged_right, one.accounts)}"
        print(
            f"    {name:44} {one.incidents:9}  {one.precision:5.2f}  {one.recall:5.2f}  {one.sharing_recall:7.2f}            {accounts:>10}"
            f"  {one.biggest:7}  {one.twice:5}"
        )
    if figures.groups:
        kinds = sorted(figures.groups[OURS].by_sharing.items())
        print("    rings found by what they share: " + ", ".join(f"{kind} {found}/{there}" for kind, (found, there) in kinds), flush=True)
    if figures.money:
        print(f"    {'withdrawals':44} incidents  of them different  right  found")
    for name, of in figures.money.items():
        print(f"    {name:44} {of.incidents:9}  {of.different:17}  {of.precision:5.2f}  {of.recall:5.2f}")
    print(f"    {'one kind each':24} planted  incidents  right  found      naive: incidents  right  found")
    for kind in figures.ours:
        mine, other = figures.ours[kind], figures.naive[kind]
        print(
            f"    {kind:24} {mine.wanted:7}  {mine.incidents:9}  {mine.precision:5.2f}  {mine.recall:5.2f}"
            f"             {other.incidents:9}  {other.precision:5.2f}  {other.recall:5.2f}",
            flush=True,
        )


def part(one: float, whole: float) -> str:
    return f"{one / whole:.2f}" if whole else "   -"


def judge(figures: Figures) -> None:
    """The detectors beside their limits, on these worlds together."""
    if OURS in figures.groups:
        groups, money = figures.groups[OURS], figures.money[OURS]
        report.figure("incidents about several accounts that are right", groups.precision, limit=RIGHT, better="more")
        report.figure("rings found", groups.recall, limit=RINGS, better="more")
        report.figure("rings found that share something", groups.sharing_recall, limit=SHARING, better="more")
        report.figure("biggest group", groups.biggest, "accounts", limit=BIGGEST)
        report.figure("withdrawals told twice", money.incidents - money.different, limit=0)
    for kind, singles in figures.ours.items():
        right, found = LIMITS[kind]
        naive = figures.naive[kind]
        report.figure(f"{kind}: right", singles.precision, limit=right, better="more", also=f"naive {naive.precision:.2f}")
        report.figure(f"{kind}: found", singles.recall, limit=found, better="more", also=f"naive {naive.recall:.2f}")


if __name__ == "__main__":
    raise SystemExit(main())
