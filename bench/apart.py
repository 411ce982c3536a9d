"""Environments of their own for packages that must never meet those of the site: other libraries, and what puts load on it."""

from __future__ import annotations

import hashlib

from scripts import environment
from scripts.database import HOME


def python_with(requirements: str) -> str:
    """The Python of an environment that holds what requirements/NAME.txt says, each package by its hash.

    Raises `environment.SetupFailed` when it cannot be made here.
    """
    folder, wanted = HOME / "var" / requirements / "python", hashlib.sha256((HOME / "requirements" / f"{requirements}.txt").read_bytes()).hexdigest()
    stamp = folder / "port444.stamp"
    with environment.locked(HOME / "var" / f"{requirements}.lock", "another process is fetching packages; waiting for it"):
        if not stamp.exists() or stamp.read_text() != wanted:
            environment.say(f"setting up an environment of its own with requirements/{requirements}.txt")
            folder.parent.mkdir(parents=True, exist_ok=True)
            environment.create(folder)
            environment.install(HOME, folder, requirements)
            stamp.write_text(wanted)
    return str(folder / "bin" / "python")
