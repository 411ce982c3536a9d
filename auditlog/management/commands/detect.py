"""Look for what is wrong, in the audit log or in anybody's file of events."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from auditlog.detectors import over_file
from auditlog.detectors.reading import COLUMNS, Reader, Unreadable
from auditlog.detectors.registry import DETECTORS
from auditlog.detectors.suspicions import Suspicion

NAMES = [detector.name for detector in DETECTORS]


class Command(BaseCommand):
    help = (
        f"Runs the detectors (docs/detectors.md). With --input, over a file of events, which takes no database. Its columns are {', '.join(COLUMNS)}."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--input", help="a table of events in CSV, or - for what is piped in")
        parser.add_argument("--output", help="where what was found goes, one JSON object a line; without it to the terminal")
        parser.add_argument("--detector", action="append", choices=NAMES, help="this one only; may be given several times")

    def handle(self, *args: Any, **options: Any) -> None:
        detectors = [detector for detector in DETECTORS if detector.name in (options["detector"] or NAMES)]
        if options["input"] is None:
            raise CommandError("Give a file with --input.")
        size = Path(options["input"]).stat().st_size if Path(options["input"]).is_file() else None
        try:
            with tqdm(total=size, unit="B", unit_scale=True, disable=None, leave=False) as bar:
                reader = Reader(options["input"], bar.update)
                found = over_file.detect(reader.facts(), detectors)
            self.write(found, options["output"])
        except Unreadable as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror}.", returncode=2) from error
        alerts = sum(one.severity != "low" for one in found)
        self.stderr.write(reader.told())
        self.stderr.write(f"{alerts} incidents and {len(found) - alerts} weak signals.")

    def write(self, found: list[Suspicion], path: str | None) -> None:
        """Alerts first, the surest first."""
        found.sort(key=lambda one: (one.severity == "low", -one.confidence, one.fingerprint))
        lines = (json.dumps(over_file.line(one), ensure_ascii=False) + "\n" for one in found)
        if path in (None, "-"):
            sys.stdout.writelines(lines)
            return
        with Path(path or "").open("w", encoding="utf-8") as file:
            file.writelines(lines)
