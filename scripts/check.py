"""./run test: static checks, Django's own checks, then the tests, on a database made for this run."""

import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from scripts import database, system
from scripts.environment import leave, say, tell


@dataclass(frozen=True)
class Step:
    """One command that has to succeed."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


# What the last look before a deployment would see.
PRODUCTION = {
    "PORT444_ENV": "production",
    "SECRET_KEY": secrets.token_urlsafe(60),
    "ALLOWED_HOSTS": "port444.example",
    "SITE_URL": "https://port444.example",
    "EMAIL_URL": "smtp+tls://user:password@mail.port444.example:587",
    "AUDIT_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
}

# Type checking and import rules load the settings.
SETTINGS = {"PORT444_ENV": "test"}

STATIC_CHECKS = (
    Step("types", ("mypy",), SETTINGS),
    Step("ruff", ("ruff", "check", ".")),
    Step("format", ("ruff", "format", "--check", ".")),
    Step("layers", ("lint-imports",), SETTINGS),
    Step("templates", ("djlint", "templates", "--lint", "--quiet")),
)


# Workers with a database each: one more than the usual cores, since tests in a browser and with a chain wait a good deal. Tests are handed out
# one by one in their order, so that those which commit still come last.
EVERYTHING = ("-n", "3")


def main(arguments: list[str]) -> int:
    """Every check and test, or with arguments only pytest. Checks run beside the tests, so that one run shows all there is to repair."""
    os.chdir(database.HOME)
    system.prepare(arguments)
    with database.thrown_away(small=True) as base, database.copies(base) as copies, ThreadPoolExecutor(2) as beside:
        environment = {"PORT444_ENV": "test", "SECRET_KEY": secrets.token_hex(30), **database.as_owner(base.addresses), **copies}
        # The tests that need the copies wait for them, while they are still being collected.
        steps = [copied(environment)] if system.wants_browser(arguments) else []
        if not arguments:
            steps += [*STATIC_CHECKS, *django_checks(environment)]
        passed = [(step.name, beside.submit(passes, step)) for step in steps]
        try:
            code = subprocess.call([program("pytest"), *(arguments or EVERYTHING)], env={**os.environ, **environment})
            failed = [name for name, done in passed if not done.result()]
        finally:
            beside.shutdown(cancel_futures=True)
    if failed:
        say(f"FAILED: {', '.join(failed)}")
    return code or bool(failed)


def copied(environment: Mapping[str, str]) -> Step:
    """The databases that the tests copy."""
    return Step("copies", (sys.executable, "-m", "tests.copies"), environment)


def django_checks(environment: Mapping[str, str]) -> tuple[Step, ...]:
    """Checks that need the settings and a database."""
    manage = (sys.executable, "manage.py")
    return (
        Step("migrations", (*manage, "makemigrations", "--check", "--dry-run"), environment),
        Step("deploy", (*manage, "check", "--deploy", "--fail-level", "WARNING"), {**environment, **PRODUCTION}),
    )


def passes(step: Step) -> bool:
    """Run one step and say how it went; a failing one shows what it said."""
    started = time.monotonic()
    done = subprocess.run(
        [program(step.command[0]), *step.command[1:]],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **step.environment},
    )
    seconds = time.monotonic() - started
    say(f"{step.name:<10} {'ok' if done.returncode == 0 else 'FAILED'} ({seconds:.1f} s)")
    if done.returncode != 0:
        tell(f"$ {' '.join(step.command)}\n{done.stdout.strip()}\n")
    return done.returncode == 0


def program(name: str) -> str:
    """The path of a program of `.venv`."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.path.exists(beside) else name


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
