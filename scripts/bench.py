"""./run bench [NAME ...] [--quick]: benchmarks of bench/, one after the other, and the table of what they found."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime

from scripts import database
from scripts.environment import leave, say, tell

# A benchmark is a file whose first line says how it is run; the other files are parts of them.
NAMES = sorted(
    path.stem for path in (database.HOME / "bench").glob("*.py") if re.search(rf"\./run bench {path.stem}\b", path.read_text().partition("\n")[0])
)
# What takes minutes when it is whole; `--quick` sets these where nothing else was asked for. The table says how large each one was.
QUICK = {
    "api": {"BENCH_SECONDS": "1"},
    "audit": {"BENCH_ROUNDS": "5", "BENCH_SECONDS": "0.5"},
    "audit_pages": {"BENCH_ROWS": "200000", "BENCH_PLANS": "0"},
    "booking": {"BENCH_SECONDS": "5"},
    "data": {"BENCH_ORDERS": "20000", "BENCH_ROWS": "200000"},
    "detection": {"BENCH_SEEDS": "1"},
    "detectors": {"BENCH_ROWS": "100000", "BENCH_PEOPLE": "5000"},
    "escrow": {"BENCH_DEALS": "20"},
    "export": {"BENCH_ROWS": "100000", "BENCH_ROUNDS": "3"},
    "exports": {"BENCH_ROWS": "100000"},
    "live": {"BENCH_PAGES": "100", "BENCH_SECONDS": "15"},
    "load": {"LOAD_USERS": "20", "LOAD_SECONDS": "90", "LOAD_ORDERS": "20000"},
    "search": {"BENCH_SERVICES": "10000", "BENCH_SEARCHES": "30"},
    "support": {"BENCH_ORDERS": "20000", "BENCH_ROUNDS": "5"},
    "sweeps": {"BENCH_ORDERS": "20000", "BENCH_SECONDS": "2"},
}
FOLDER = database.VAR / "bench"


def main(arguments: list[str]) -> int:
    """Run them; 0 when all stayed within their limits."""
    os.chdir(database.HOME)
    names = [word for word in arguments if word != "--quick"]
    if not set(names) <= {*NAMES}:
        tell(f"usage: ./run bench [--quick] [{' | '.join(NAMES)}] ...")
        return 2
    codes = [one(name, QUICK.get(name, {}) if "--quick" in arguments else {}) for name in names or NAMES]
    return int(any(codes))


def one(name: str, sizes: dict[str, str]) -> int:
    """Run one benchmark in a process of its own and put what it found into the table."""
    from bench.table import PAGE, Row, Table, machine  # the list of names needs no database driver

    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = FOLDER / f"{name}.jsonl"
    lines.unlink(missing_ok=True)
    say(f"bench {name}")
    began = time.monotonic()
    code = subprocess.call([sys.executable, "-m", f"bench.{name}"], env={**sizes, **os.environ, "BENCH_JSON": str(lines)})
    found = [json.loads(text) for text in lines.read_text().splitlines()] if lines.exists() else []
    if not found or code != any(figure["kept"] is False for figure in found):
        found.append({"name": "the rest" if found else "all of it", "why": f"not measured: it ended with code {code}"})
    here, today = machine(), datetime.now(UTC).date().isoformat()
    table = Table.read()
    table.merge([Row.of({"bench": name, "date": today, "machine": here, "figure": figure}) for figure in found])
    table.write()
    say(f"bench {name} took {time.monotonic() - began:.0f} s; bench/{PAGE.name} has what it found")
    return code


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
