"""Django's migrate, which never waits for a lock for long."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

# Whoever comes after a statement that waits for a table waits, too: so the site would stand still for so long at most.
LOCK_SECONDS = 3
TRIES = 20
PAUSE = 2.0


class Command(migrate.Command):
    help = f"{migrate.Command.help} Waits {LOCK_SECONDS} s for a lock, lets the others go on, and tries again."

    def handle(self, *args: Any, **options: Any) -> Any:
        for left in reversed(range(TRIES)):
            try:
                with connections[options["database"]].cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
                return super().handle(*args, **options)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable) or not left:
                    raise
                self.stderr.write(f"A table is in use: {str(error).splitlines()[0]}. Nothing of this migration was done; trying again.")
                time.sleep(PAUSE)
        return None
