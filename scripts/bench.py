"""./run bench NAME: one of the benchmarks in bench/."""

import os
import subprocess
import sys

from scripts import database
from scripts.environment import leave, tell

NAMES = sorted(path.stem for path in (database.HOME / "bench").glob("*.py") if "def main(" in path.read_text())


def main(arguments: list[str]) -> int:
    """Run the benchmark and pass on its exit code: 0 when it stayed within its limits."""
    os.chdir(database.HOME)
    if len(arguments) != 1 or arguments[0] not in NAMES:
        tell(f"usage: ./run bench {' | '.join(NAMES)}")
        return 2
    return subprocess.call([sys.executable, "-m", f"bench.{arguments[0]}"])


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
