"""The environment that ./run gives to Django: what the caller has set stays, the rest gets development's values."""

import os
import secrets
from collections.abc import Mapping

from scripts import chain
from scripts.database import VAR

MAIL = VAR / "mail"
HEARTBEAT = VAR / "heartbeat"


def environment(addresses: Mapping[str, str]) -> dict[str, str]:
    """All variables for a child process."""
    defaults = {
        "PORT444_ENV": "development",
        "PORT444_MAIL_DIR": str(MAIL),
        "PORT444_HEARTBEAT_FILE": str(HEARTBEAT),
        "PYTHONUNBUFFERED": "1",
        "SECRET_KEY": secret("secret_key"),
        **chain.kept_settings(),
    }
    chosen = {name: value for name, value in os.environ.items() if value}
    return {**defaults, **chosen, **addresses}


def secret(name: str) -> str:
    """A secret made once and kept in `var`, so that sessions and queued jobs outlive a restart."""
    path = VAR / name
    VAR.mkdir(exist_ok=True)
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        if kept := path.read_text().strip():
            return kept
        file = os.open(path, os.O_WRONLY | os.O_TRUNC)
    made = secrets.token_urlsafe(60)
    with os.fdopen(file, "w") as written:
        written.write(made)
    return made
