"""./run audit: known weaknesses in what is installed, by pip-audit, from what it has pinned."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import environment
from scripts.environment import leave, say, tell

HOME = Path(__file__).resolve().parent.parent
LOCKS = ("base", "dev", "load", "tools", "audit")
SAFE, WEAK, UNKNOWN = 0, 1, 3  # exit codes
STAMP = "port444-audit.json"
USAGE = f"""\
usage: ./run audit    ask PyPI for known weaknesses of every pinned package ({", ".join(LOCKS)})
       exit code {SAFE}: none known; {WEAK}: some, named above; {UNKNOWN}: the service could not be asked about every package, which says nothing
"""


def main(arguments: list[str]) -> int:
    """SAFE, WEAK or UNKNOWN; 2 for words that mean nothing here. A weakness that was found counts more than a package nobody knew."""
    os.chdir(HOME)
    if arguments:
        tell(USAGE.rstrip())
        return 2
    try:
        program = installed(HOME / "var" / "audit")
    except environment.SetupFailed as error:
        say(f"pip-audit could not be installed, so nothing was asked: {error}")
        return UNKNOWN
    codes = [tell_of(name, *asked(program, HOME / "requirements" / f"{name}.txt")) for name in LOCKS]
    return WEAK if WEAK in codes else max(codes)


def installed(venv: Path) -> Path:
    """pip-audit in an environment of its own, made anew when its lock has changed. Raises SetupFailed."""
    stamp, lock = venv / STAMP, hashlib.sha256((HOME / "requirements" / "audit.txt").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != lock:
        stamp.unlink(missing_ok=True)
        environment.create(venv)
        environment.install(HOME, venv, "audit")
        stamp.write_text(lock)
    return venv / "bin" / "pip-audit"


def asked(program: Path, lock: Path) -> tuple[Mapping[str, Any] | None, str]:
    """What pip-audit says about a lock file, None when it says nothing; and its last words."""
    command = [str(program), "-r", str(lock), "--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else None, (done.stderr.strip().splitlines() or [""])[-1]


def tell_of(name: str, said: Mapping[str, Any] | None, last_words: str) -> int:
    """Print what was found in one lock file, and give its code. pip-audit counts a package that it could not ask about as a safe one; this does
    not."""
    packages: Sequence[Mapping[str, Any]] = (said or {}).get("dependencies", ())
    for package in packages:
        for weakness in package.get("vulns", ()):
            mended = ", ".join(weakness.get("fix_versions", ())) or "no version yet"
            tell(f"{name}.txt: {package['name']} {package['version']}: {weakness['id']}, mended in {mended}")
    weak = sum(bool(package.get("vulns")) for package in packages)
    skipped = sum("skip_reason" in package for package in packages)
    if weak:
        say(f"{name}.txt: {weak} of {len(packages)} packages have known weaknesses")
        return WEAK
    if not packages or skipped:
        say(f"{name}.txt: not audited: {f'{skipped} of {len(packages)} packages could not be asked about' if packages else last_words}")
        return UNKNOWN
    say(f"{name}.txt: no weakness is known of {len(packages)} packages")
    return SAFE


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
