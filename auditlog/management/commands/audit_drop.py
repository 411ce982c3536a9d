"""Remove months of the log from the database that lie in cold storage."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from auditlog.actions import Changed, drop_month
from auditlog.files import Damaged
from auditlog.owner import as_owner
from port444.kit.errors import DomainError


def month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


class Command(BaseCommand):
    help = (
        "Removes months of the audit log from the database, after reading all of them back from cold storage, holding that to the seals and "
        "comparing it with the database byte for byte. Nothing is removed when one byte differs. audit_restore brings a month back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("months", nargs="+", type=month, metavar="YYYY-MM")
        parser.add_argument("--check", action="store_true", help="only make sure that it could be removed")

    def handle(self, *args: Any, months: list[date], check: bool, **options: Any) -> None:
        with as_owner():
            for each in months:
                with tqdm(desc=f"{each:%Y-%m}", unit=" rows", disable=None) as bar:
                    try:
                        move = drop_month(each, actor=None, tell=bar.update, only_check=check)
                    except (DomainError, Changed, Damaged) as error:
                        raise CommandError(f"{each:%Y-%m} stays: {error}") from error
                said = "could be removed" if move is None else f"removed, {move.rows} rows"
                self.stdout.write(f"{each:%Y-%m} {said}.")
