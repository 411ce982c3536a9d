"""Look for what is wrong, in the audit log or in anybody's file of events."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from tqdm import tqdm

from auditlog.actions import look_back, rows_left, run_detectors
from auditlog.detectors import over_file
from auditlog.detectors.reading import COLUMNS, Reader, Unreadable
from auditlog.detectors.registry import DETECTORS
from auditlog.detectors.suspicions import Suspicion
from port444.kit.clock import now

NAMES = [detector.name for detector in DETECTORS]


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a date or moment such as 2026-08-01 or 2026-08-01T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = (
        "Runs the detectors (docs/detectors.md): reads the audit log on from where the last run stopped, and opens incidents. With --since, says "
        "what the log from then on leads to by itself, and writes nothing. With --input, the same over a file of events, which takes no database; "
        f"its columns are {', '.join(COLUMNS)}."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--input", help="a table of events in CSV, or - for what is piped in")
        parser.add_argument("--output", help="where what was found goes, one JSON object a line; without it to the terminal")
        parser.add_argument("--since", type=moment, help="look back from this moment on, in UTC unless it says otherwise; writes nothing")
        parser.add_argument("--dry-run", action="store_true", help="say how many incidents the next rows would lead to, and write nothing")
        parser.add_argument("--detector", action="append", choices=NAMES, help="this one only; may be given several times")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["detector"] or NAMES
        if options["input"] is not None:
            if options["since"] is not None:
                raise CommandError("--since is about the audit log, and --input about a file.")
            self.over_file(options["input"], names, options["output"])
        elif options["since"] is not None:
            with tqdm(unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
                found = look_back(options["since"], now(), names=names, progress=bar.update)
            self.write(found, options["output"])
        else:
            if options["detector"] and not options["dry_run"]:
                raise CommandError("A run takes all detectors along, which read the log together. Give --dry-run or --since for one alone.")
            self.over_log(names, dry_run=options["dry_run"])

    def over_file(self, path: str, names: Iterable[str], output: str | None) -> None:
        size = Path(path).stat().st_size if Path(path).is_file() else None
        with tqdm(total=size, unit="B", unit_scale=True, disable=None, leave=False) as bar:
            reader = Reader(path, bar.update)
            try:
                found = over_file.detect(reader.facts(), [detector for detector in DETECTORS if detector.name in names])
            except Unreadable as error:
                raise CommandError(str(error), returncode=2) from error
        self.stderr.write(reader.told())
        self.write(found, output)

    def over_log(self, names: Iterable[str], *, dry_run: bool) -> None:
        try:
            with tqdm(total=rows_left(), unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
                ran = run_detectors(names=names, dry_run=dry_run, progress=bar.update)
        except DatabaseError as error:
            raise CommandError(f"The audit log cannot be read: {error}") from error
        if ran.busy:
            self.stderr.write("Another run is at it.")
        taken = ", ".join(f"{count} {taken.value}" for taken, count in sorted(ran.taken.items())) or "nothing found"
        self.stdout.write(f"{ran.rows} rows in {ran.seconds:.2f} s: {taken}.{' Nothing of it was written.' if dry_run else ''}")

    def write(self, found: list[Suspicion], path: str | None) -> None:
        """Alerts first, the surest first."""
        found.sort(key=lambda one: (one.severity == "low", -one.confidence, one.fingerprint))
        lines = (json.dumps(over_file.line(one), ensure_ascii=False) + "\n" for one in found)
        if path is None or path == "-":
            with suppress(BrokenPipeError):  # whoever reads has seen enough
                sys.stdout.writelines(lines)
                sys.stdout.flush()
        else:
            try:
                with Path(path).open("w", encoding="utf-8") as file:
                    file.writelines(lines)
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=2) from error
        alerts = sum(one.severity != "low" for one in found)
        self.stderr.write(f"{alerts} incidents and {len(found) - alerts} weak signals.")
