"""Makes one world: the events as a file that anybody's detectors can read, and the truth beside it.

`python -m bench.worlds.making KIND SEED FOLDER`
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from .people import Crowd
from .places import DAY
from .rings import Ring, plant
from .terms import World, drawn
from .trade import FAST, Payout, Row, Trade
from .truth import Operator, Truth

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
COLUMNS = ["occurred_at", "event_type", "actor_id", "actor_type", "target_id", "target_type", "ip_address", "device_id", "amount", "metadata"]


@dataclass(frozen=True)
class Made:
    world: World
    rows: list[Row]
    truth: Truth


def make(kind: str, seed: int) -> Made:
    """The same world each time for a kind and a seed."""
    world = drawn(kind, seed)
    crowd = Crowd(world, Random(f"{kind} {seed}"), round(world["days"]))
    rings = plant(crowd)
    trade = Trade(crowd, rings)
    rows = trade.rows if world.terms.whole_history else [row for row in trade.rows if row.at >= 0 or row.event.endswith("_added")]
    return Made(world, rows, _truth(world, crowd, rings, trade.payouts, trade.dealt, len(rows)))


def _truth(world: World, crowd: Crowd, rings: list[Ring], payouts: list[Payout], dealt: set[tuple[str, str]], events: int) -> Truth:
    named = [Operator(ring.sharing, ring.purpose, [member.id for member in ring.members], ring.shares) for ring in rings]
    return Truth(
        world=f"{world.kind} {world.seed}",
        people=len(crowd.people),
        events=events,
        rings=[ring for ring in named if len(ring.members) > 2],
        pairs=[ring for ring in named if len(ring.members) == 2],
        fast_stolen=[payout.id for payout in payouts if payout.money == "stolen" and payout.waited <= FAST],
        slow_stolen=[payout.id for payout in payouts if payout.money == "stolen" and payout.waited > FAST],
        own=[payout.id for payout in payouts if payout.money == "own"],
        fast_honest=[payout.id for payout in payouts if payout.money == "honest" and payout.waited <= FAST],
        dealt=sorted(dealt),
    )


def write(made: Made, folder: Path) -> tuple[Path, Path]:
    """`events.csv` and `truth.json` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    events, truth = folder / "events.csv", folder / "truth.json"
    with events.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in made.rows:
            at = FIRST_DAY + timedelta(seconds=round(row.at, 3))
            meta = json.dumps(row.meta) if row.meta else "{}"
            writer.writerow([at.isoformat(), row.event, row.actor, row.actor_type, row.target, row.target_type, row.ip, row.device, row.amount, meta])
    truth.write_text(json.dumps(asdict(made.truth), indent=1))
    return events, truth


def main() -> None:
    kind, seed, folder = sys.argv[1:]
    made = make(kind, int(seed))
    write(made, Path(folder))
    truth = made.truth
    print(f"{truth.world}: {truth.people:,} accounts, {truth.events:,} events over {made.rows[-1].at / DAY:.0f} days, {len(truth.rings)} rings")
    print(f"{len(truth.pairs)} pairs, fast withdrawals: {len(truth.fast_stolen)} stolen, {len(truth.fast_honest)} honest; {len(truth.dealt)} dealt")


if __name__ == "__main__":
    main()
