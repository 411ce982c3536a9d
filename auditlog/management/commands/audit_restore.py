"""Bring months of the log back from cold storage."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from auditlog.actions import Changed, restore_month
from auditlog.files import Damaged
from auditlog.owner import as_owner
from auditlog.queries import dropped_months
from port444.kit.errors import DomainError


def month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


class Command(BaseCommand):
    help = "Brings months of the audit log that audit_drop has removed back from cold storage, for reading. The files are checked first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("months", nargs="*", type=month, metavar="YYYY-MM")
        parser.add_argument("--from", dest="since", type=date.fromisoformat, metavar="YYYY-MM-DD", help="every dropped month from this day")
        parser.add_argument("--to", dest="until", type=date.fromisoformat, metavar="YYYY-MM-DD", help="up to and with this day")

    def handle(self, *args: Any, months: list[date], since: date | None, until: date | None, **options: Any) -> None:
        if bool(months) == bool(since or until) or bool(since) != bool(until):
            raise CommandError("Give months, or --from and --to.")
        with as_owner():
            if since is not None and until is not None:
                months = dropped_months(since, until)
            for each in months:
                with tqdm(desc=f"{each:%Y-%m}", unit=" rows", disable=None) as bar:
                    try:
                        move = restore_month(each, actor=None, tell=bar.update)
                    except (DomainError, Changed, Damaged) as error:
                        raise CommandError(f"{each:%Y-%m} was not restored: {error}") from error
                self.stdout.write(f"{each:%Y-%m} restored, {move.rows} rows.")
            if not months:
                self.stdout.write("No month of that time was dropped.")
