"""Who may do what to the audit log."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from auditlog import roles


class Command(BaseCommand):
    help = (
        "Print the grants of the audit log. With --apply, give them as the owner (DATABASE_OWNER_URL). With --check, look at roles, grants, "
        "triggers, partitions, seals, anchors and exports, name what is wrong, and end with 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--apply", action="store_true", help="give the grants")
        chosen.add_argument("--check", action="store_true", help="look at whether all is as it should be")

    def handle(self, *args: Any, apply: bool, check: bool, **options: Any) -> None:
        if check:
            self._check()
        elif apply:
            self._apply()
        else:
            self.stdout.write("\n".join(roles.statements()))

    def _apply(self) -> None:
        if not settings.DATABASE_OWNER_URL:
            raise CommandError("Set DATABASE_OWNER_URL: only the owner gives grants.")
        grants = roles.statements()
        with psycopg.connect(settings.DATABASE_OWNER_URL) as owner:
            for grant in grants:
                owner.execute(grant.encode())
        self.stdout.write(f"{len(grants)} statements applied.")

    def _check(self) -> None:
        wrong = 0
        for words, faults in roles.examine():
            self.stdout.write(f"{words}: {'as it should be' if not faults else ''}".rstrip())
            for fault in faults:
                self.stdout.write(self.style.ERROR(f"  {fault}"))
            wrong += len(faults)
        if wrong:
            raise CommandError(f"{wrong} {'thing is' if wrong == 1 else 'things are'} not as they should be.")
