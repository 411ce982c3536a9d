"""Look whether the log is as it was."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from auditlog import cold
from auditlog.actions import Report, keep, verify
from auditlog.models import AuditSeal, CheckKind


class Command(BaseCommand):
    help = "Checks every seal and every row of the audit log, and names the first that is not as it was; ends with 1 then."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=int, default=1, metavar="SEAL", help="Begin with this seal (1)")
        parser.add_argument("--files", action="store_true", help="Read every exported file and every seal in cold storage as well")
        parser.add_argument("--anchor", default="", metavar="URL", help="The cold storage to compare with (AUDIT_COLD_URL)")

    def handle(self, *args: Any, **options: Any) -> None:
        total = AuditSeal.objects.filter(seq__gte=options["since"]).count()
        with tqdm(total=total, unit=" seals", file=sys.stderr, disable=not sys.stderr.isatty(), leave=False) as bar:

            def tell(done: int, rows: int) -> None:
                bar.set_postfix_str(f"{rows:,} rows", refresh=False)
                bar.update(min(done, total) - bar.n)

            report = verify(first=options["since"], files=options["files"], store=cold.store(options["anchor"]), tell=tell)
        if options["since"] == 1:
            keep(CheckKind.FULL, report)
        self.say(report)
        if not report.ok:
            sys.exit(1)

    def say(self, report: Report) -> None:
        """What was found, the first of it first."""
        for problem in report.problems:
            self.stdout.write(problem.words)
        if report.untold:
            self.stdout.write(f"{report.untold} more problems were found.")
        if report.waiting:
            self.stdout.write(f"{report.waiting} rows wait for their seal.")
        self.stdout.write(f"{report.valid_seals}/{report.seals} seals valid, {report.valid_rows}/{report.rows} rows valid")
