"""Write the proof of one row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from auditlog.actions import prove
from auditlog.filed import Unusable
from port444.kit.errors import Conflict


class Command(BaseCommand):
    help = "Writes a proof that a row stands in the audit log as it was sealed; scripts/audit_verifier.py checks it, offline."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="The row's id")
        parser.add_argument("-o", "--output", type=Path, help="The file to write (standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            proof = prove(options["id"])
        except (Conflict, Unusable) as error:
            raise CommandError(str(error)) from error
        text = json.dumps(proof, indent=2)
        if options["output"] is None:
            self.stdout.write(text)
        else:
            options["output"].write_text(text + "\n")
            self.stderr.write(f"{options['output']}: row {options['id']} in seal {json.loads(proof['seal']['body'])['seq']}")
