"""./run lock: the requirements with the hashes of everything that may be installed for them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.environment import leave, say, tell

HOME = Path(__file__).resolve().parent.parent
NAMES = ("base", "dev", "peers", "load", "tools", "audit")  # base first: others are held to what it says
FLAGS = ("--generate-hashes", "--universal", "--python-version", "3.12", "--no-header", "-q")
USAGE = """\
usage: ./run lock                      resolve requirements/*.in anew; what is pinned and still fits stays as it is
       ./run lock --upgrade [NAME ...] take the newest of everything, or of these packages
       ./run lock --check              whether every .in is pinned by its .txt; asks nobody outside
"""

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==(\S+)")
DIRECT = re.compile(r"^    #(?: via|  ) -r requirements/(\w+)\.in$")


@dataclass
class Pin:
    """One version of a package in a lock file."""

    version: str
    hashes: int = 0
    asked_by: list[str] = field(default_factory=list)  # the names of .in files that its comment gives


def main(arguments: list[str]) -> int:
    """0 when all is pinned; 1 when the check has found something, or nothing could be resolved; 2 for words that mean nothing here."""
    os.chdir(HOME)
    if arguments == ["--check"]:
        found = check(HOME / "requirements")
        tell("\n".join(found) if found else f"{len(NAMES)} locks hold what is asked for")
        return bool(found)
    if arguments and (arguments[0] != "--upgrade" or any(word.startswith("-") for word in arguments[1:])):
        tell(USAGE.rstrip())
        return 2
    newer = [word for name in arguments[1:] for word in ("--upgrade-package", name)] or arguments
    for name in NAMES:
        if resolve(name, newer) != 0:
            return 1
        say(f"requirements/{name}.txt is resolved")
    return main(["--check"])


def resolve(name: str, newer: list[str]) -> int:
    """Write one lock file; the exit code of uv."""
    asked, lock = (f"requirements/{name}.{ending}" for ending in ("in", "txt"))
    return subprocess.call(
        [sys.executable, "-m", "uv", "pip", "compile", asked, "-o", lock, *FLAGS, *newer],
        env={**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"},
    )


def check(folder: Path) -> list[str]:
    """What is wrong with the locks in `folder`, a line for each; nothing outside of it is asked."""
    found = [f"{path.name} is not known to scripts/lock.py" for path in sorted(folder.glob("*.in")) if path.stem not in NAMES]
    locks = {name: dict(pins(folder / f"{name}.txt")) for name in NAMES}
    for name, lock in locks.items():
        asked = {canonicalize_name(one.name): one for one in wanted(folder / f"{name}.in")}
        for wish, requirement in asked.items():
            held = lock.get(wish)
            if held is None:
                found.append(f"{name}.txt does not pin {wish}, which {name}.in asks for")
            elif not requirement.specifier.contains(held.version, prereleases=True):
                found.append(f"{name}.txt pins {wish} {held.version}, but {name}.in asks for {requirement}")
        for package, pin in lock.items():
            if not pin.hashes:
                found.append(f"{name}.txt has no hash for {package}")
            if pin.asked_by and package not in asked:
                found.append(f"{name}.txt pins {package} for {pin.asked_by[0]}.in, which does not ask for it any more")
            first = locks["base"].get(package, pin)
            if name in ("dev", "peers") and first.version != pin.version:
                found.append(f"{name}.txt pins {package} {pin.version}, base.txt {first.version}")
    return found


def wanted(path: Path) -> Iterator[Requirement]:
    """What an .in file asks for, with what it includes."""
    for line in path.read_text().splitlines():
        words = line.split("#")[0].strip()
        if words.startswith("-r "):
            yield from wanted(path.parent / words.removeprefix("-r ").strip())
        elif words and not words.startswith("-"):
            yield Requirement(words)


def pins(path: Path) -> Iterator[tuple[str, Pin]]:
    """The packages of a lock file with what is said of each."""
    pin = Pin("")
    for line in path.read_text().splitlines():
        if match := PIN.match(line):
            pin = Pin(match[2].rstrip("\\").rstrip(";"))
            yield canonicalize_name(match[1]), pin
        elif "--hash=sha256:" in line:
            pin.hashes += 1
        elif direct := DIRECT.match(line):
            pin.asked_by.append(direct[1])


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
