"""What is needed from the system: the libraries that set the type in documents, and for the tests a browser and a chain."""

import ctypes
import os
import shutil
import subprocess
import sys

from scripts import chain
from scripts.environment import say

# The one without a window takes half the work of the others for the same pages; not every distribution has it.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHAIN_TESTS = ("tests/chain", "tests/e2e", "tests/faults", "tests/boot", "tests/payments", "tests/chaos")
# Library and the package of Debian and Ubuntu that brings it.
LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


def prepare(arguments: list[str]) -> None:
    """Install what is missing where that is possible; otherwise the tests that need it fail and say so."""
    packages = missing_libraries()
    if wants_browser(arguments) and find_browser() is None:
        packages.append(BROWSERS[0])
    if wants_chain(arguments) and needs_npm():
        packages.append("npm")
    get(packages)
    if wants_chain(arguments):
        try:
            chain.anvil()
        except chain.ChainFailed as failure:
            say(f"the tests that need a chain will fail. {failure}")


def get(packages: list[str]) -> None:
    """Install packages where that is possible, or say what to install."""
    if not packages:
        return
    wanted = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"missing on this machine: {wanted} (apt-get install -y --no-install-recommends {wanted})")
        return
    say(f"installing {wanted}")
    if not install(packages) and not (BROWSERS[0] in packages and install([BROWSERS[1] if p == BROWSERS[0] else p for p in packages])):
        say(f"{wanted} could not be installed; the tests that need it will fail")


def wants_browser(arguments: list[str]) -> bool:
    """Whether this run has browser tests in it: all runs but those of some other folder."""
    return is_in(arguments, ("tests/e2e",))


def wants_chain(arguments: list[str]) -> bool:
    """Whether this run has tests in it that need a chain."""
    return is_in(arguments, CHAIN_TESTS)


def is_in(arguments: list[str], folders: tuple[str, ...]) -> bool:
    """Whether one of these folders of tests is in a run; without paths, all are."""
    paths = [argument for argument in arguments if argument.startswith("tests/")]
    return not paths or any(path.startswith(folders) for path in paths)


def needs_npm() -> bool:
    """Whether nothing but npm can bring anvil here."""
    return not (os.environ.get("PORT444_ANVIL") or shutil.which("anvil") or shutil.which("npm") or chain.is_here())


def find_browser() -> str | None:
    """The browser that the tests will drive: named by PORT444_CHROMIUM, or on PATH."""
    return os.environ.get("PORT444_CHROMIUM") or next((path for path in map(shutil.which, BROWSERS) if path), None)


def missing_libraries() -> list[str]:
    """The packages of the libraries that cannot be loaded (Linux; elsewhere they are looked for by name)."""
    return [package for name, package in LIBRARIES.items() if not can_load(name)] if sys.platform == "linux" else []


def can_load(library: str) -> bool:
    """Whether the dynamic loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def install(packages: list[str]) -> bool:
    """Install packages by apt; the package lists are fetched when the first try fails without them."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (command, ["apt-get", "update"], command):
        done = subprocess.run(step, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
        if step is command and done.returncode == 0:
            return True
    print(done.stderr[-800:], flush=True)
    return False
