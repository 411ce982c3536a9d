"""Find a Python that is new enough.

This module is read by whatever `python3` the machine has, so it keeps to what Python 3.6 can parse.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

OLDEST = (3, 12)
ON_PATH = ("python3.13", "python3.12", "python3.14", "python3")
PROBE = "import ssl, sys, venv; print('%d.%d.%d' % sys.version_info[:3])"
LOOKED = "PORT444_LOOKED_FOR_PYTHON"


def require(home: str) -> None:
    """Return when this Python is new enough; else start the same command with one that is, or end."""
    if os.name != "posix":
        sys.exit("port444 runs on Linux and macOS. On Windows use the Linux subsystem (WSL).")
    if sys.version_info[:2] >= OLDEST:
        os.environ.pop(LOOKED, None)
        return
    found = None if os.environ.get(LOOKED) else find(home)
    if found is None:
        sys.exit(
            f"port444 needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}, and no newer "
            "one was found on PATH, in pyenv or in uv. Install one (for example python3.13) and run this again."
        )
    environment = clean_environment()
    environment[LOOKED] = "1"
    os.execve(found, [found, os.path.join(home, "run"), *sys.argv[1:]], environment)


def find(home: str) -> "str | None":
    """The path of the first interpreter that runs and is new enough."""
    for candidate in candidates(wanted_prefix(home)):
        version = version_of(candidate)
        if version is not None and version >= OLDEST:
            return candidate
    return None


def candidates(prefix: str) -> "list[str]":
    """Interpreters in the order they are tried: PATH first, then pyenv's and uv's installs."""
    paths = [path for path in map(shutil.which, ON_PATH) if path]
    installs = []
    for folder in install_folders():
        for path in glob.glob(os.path.join(folder, "*", "bin", "python3")):
            version = version_in_name(os.path.basename(os.path.dirname(os.path.dirname(path))))
            if version >= OLDEST:
                installs.append((version, path))
    wanted = parse_version(prefix)
    installs.sort(key=lambda each: (each[0][: len(wanted)] == wanted, each[0]), reverse=True)
    return paths + [path for _, path in installs]


def install_folders() -> "list[str]":
    """Where pyenv and uv keep the interpreters they have installed."""
    pyenv = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]
    uv = [
        os.environ.get("UV_PYTHON_INSTALL_DIR"),
        os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "uv", "python"),
    ]
    folders = [os.path.join(root, "versions") for root in pyenv if root] + [root for root in uv if root]
    return list(dict.fromkeys(folders))


def version_of(path: str) -> "tuple[int, ...] | None":
    """Ask an interpreter for its version. A pyenv shim without a selected version answers with an error."""
    try:
        answer = subprocess.run(
            [path, "-c", PROBE],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stdout.decode()) or None if answer.returncode == 0 else None


def clean_environment() -> "dict[str, str]":
    """The environment without what a pyenv shim leaves behind, which would select the old version again."""
    return {name: value for name, value in os.environ.items() if name not in ("PYENV_VERSION", "PYENV_DIR")}


def wanted_prefix(home: str) -> str:
    """The version that `.python-version` asks for, or nothing."""
    try:
        with open(os.path.join(home, ".python-version")) as file:
            return file.read().strip()
    except OSError:
        return ""


def parse_version(text: str) -> "tuple[int, ...]":
    """The numbers at the start of a version: `3.13.0rc1` gives (3, 13, 0)."""
    match = re.match(r"\s*(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def version_in_name(name: str) -> "tuple[int, ...]":
    """The version in the name of an install: `3.13.0` (pyenv) or `cpython-3.13.1-linux-x86_64-gnu` (uv)."""
    match = re.match(r"(?:cpython-)?(\d+\.\d+(?:\.\d+)?)(?![\d.]*t)", name)
    return parse_version(match.group(1)) if match else ()
