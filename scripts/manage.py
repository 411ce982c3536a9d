"""./run manage: manage.py against the database of ./run, started for the time being when it does not run."""

import os
import subprocess
import sys

from scripts import database, development
from scripts.environment import leave

# These change tables, so they connect as the owner; all others connect as the role that serves.
OWNER_COMMANDS = {"migrate", "flush", "createcachetable"}


def main(arguments: list[str]) -> int:
    """Run manage.py and pass on its exit code."""
    os.chdir(database.HOME)
    if arguments[:1] == ["detect"] and any(word.split("=")[0] == "--input" for word in arguments):  # takes no database
        return subprocess.call([sys.executable, "manage.py", *arguments], env={**os.environ, "PORT444_ENV": "development"})
    with database.served() as base:
        is_owners = bool(arguments) and arguments[0] in OWNER_COMMANDS
        addresses = database.as_owner(base.addresses) if is_owners else base.addresses
        return subprocess.call([sys.executable, "manage.py", *arguments], env=development.environment(addresses))


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
