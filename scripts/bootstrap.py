"""The first half of ./run: read the words, set up `.venv`, go on inside it. Standard library only."""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import NoReturn

from scripts import environment

HOME = Path(__file__).resolve().parent.parent

USAGE = """\
usage: ./run                     set up and serve port444 on http://127.0.0.1:8444/ (PORT changes the port)
       ./run --chain             the same with escrow in a contract on a local chain, in a database of its own (var/chain)
       ./run test                set up and pass every check and test
       ./run test PATHS ...      only pytest, with these arguments
       ./run bench [NAME ...]    the benchmarks of bench/README.md, or these; --quick for less data
       ./run chaos               a marketplace day under random faults, then every invariant (docs/chaos.md)
       ./run rehearse [--short]  back up a throw-away site, destroy it, restore it, and compare and check everything (docs/operate.md)
       ./run messages            find the words of the site and compile their translations (docs/languages.md)
       ./run lock                resolve requirements/*.in with the hashes of all packages (--upgrade, --check)
       ./run audit               known weaknesses of the packages that are pinned
       ./run manage COMMAND ...  manage.py against the database of ./run (./run --chain manage: of ./run --chain)
"""

# The word after ./run: the requirements it needs, and the module that does it.
COMMANDS = {
    "serve": ("base", "scripts.serve"),
    "test": ("dev", "scripts.check"),
    "bench": ("dev", "scripts.bench"),
    "rehearse": ("base", "scripts.rehearse"),
    "chaos": ("dev", "chaos.run"),
    "messages": ("dev", "scripts.messages"),
    "lock": ("dev", "scripts.lock"),
    "audit": ("base", "scripts.audit"),
    "manage": ("base", "scripts.manage"),
}


def main(words: list[str]) -> NoReturn:
    """Set up what the command needs, then become the command."""
    if words[:1] in (["-h"], ["--help"], ["help"]):
        print(USAGE, end="")
        sys.exit(0)
    command, arguments = parse(words)
    requirements, module = COMMANDS[command]
    try:
        python = environment.prepare(HOME, requirements)
    except KeyboardInterrupt:
        sys.exit(130)
    keep_bytecode(os.environ)
    os.execv(python, [str(python), "-m", module, *arguments])


def keep_bytecode(environment: MutableMapping[str, str]) -> None:
    """Compile once, not at every start of a process: a site has a dozen of them. Where bytecode may not lie beside the sources, it lies in `var`."""
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment.setdefault("PYTHONPYCACHEPREFIX", str(HOME / "var" / "bytecode"))


def parse(words: list[str]) -> tuple[str, list[str]]:
    """The command and its arguments; anything unknown ends with the usage and exit code 2."""
    if words[:1] == ["--chain"] and (words[1:] == [] or words[1] == "manage"):
        os.environ.setdefault("PORT444_VAR", str(HOME / "var" / "chain"))
        return (words[1], words[2:]) if words[1:] else ("serve", ["--chain"])
    command, arguments = (words[0], words[1:]) if words else ("serve", [])
    if command not in COMMANDS or (command == "serve" and arguments):
        print(f"./run: unknown word: {' '.join(words)}\n\n{USAGE}", end="", file=sys.stderr)
        sys.exit(2)
    return command, arguments
