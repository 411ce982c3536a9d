"""Going on after a part of the audit log was lost."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from auditlog.actions import acknowledge_loss, anchor_seals, find_loss
from port444.kit.errors import Conflict


class Command(BaseCommand):
    help = (
        "Acknowledge that the database has lost seals, and their rows, that cold storage knows of (an old backup was restored), and "
        "go on sealing after them. The next seal names them and the reason, for ever. A database that was moved whole needs no such word."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="what happened, and who decided this")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = options["reason"].strip()
        if not reason:
            raise CommandError("Say the reason.")
        try:
            loss = find_loss()
            seal = acknowledge_loss(actor=None, reason=reason)
            anchor_seals()
        except Conflict as conflict:
            raise CommandError(conflict.message) from conflict
        if loss is not None:
            lost = f"seals {loss.first} to {loss.last} and their rows are" if loss.last > loss.first else f"seal {loss.last} and its rows are"
            self.stdout.write(f"{lost[0].upper()}{lost[1:]} gone from the database. Seal {seal.seq} says so, and why; the log goes on after it.")
