"""Put the audit log into cold storage, or copy a part of it for somebody."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from auditlog.actions import Changed, copy_rows, export_rows, rows_to_export
from auditlog.cold import Exists
from auditlog.files import Damaged
from auditlog.models import Format


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a date or moment such as 2026-08-01 or 2026-08-01T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def place(text: str) -> str:
    """An address of cold storage, or a folder."""
    return text if "://" in text else Path(text).resolve().as_uri()


class Command(BaseCommand):
    help = (
        "Puts rows that are old enough into cold storage, which the daily job does, too. With any of the options, copies rows of that "
        "time for somebody; a copy is signed, recorded in the log, and does not count as exported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="since", type=moment, help="the first moment, in UTC unless it says otherwise")
        parser.add_argument("--to", dest="until", type=moment, help="the moment before which the copy ends")
        parser.add_argument("--format", dest="file_format", choices=Format.values, help="of the copy (csv)")
        parser.add_argument("--dest", type=place, help="a folder, or file:// s3:// gs:// (AUDIT_COLD_URL)")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {name: options[name] for name in ("since", "until", "file_format", "dest") if options[name] is not None}
        try:
            if wanted:
                self.copy(**wanted)
            else:
                self.export()
        except (Changed, Damaged) as error:
            raise CommandError(f"Stopped: {error}") from error
        except (Exists, OSError, ValueError) as error:
            raise CommandError(f"Could not be written: {error}") from error

    def export(self) -> None:
        with tqdm(total=rows_to_export(), unit=" rows", unit_scale=True, disable=None) as bar:
            made = export_rows(progress=bar.update)
        for export in made:
            self.stdout.write(f"{export.rows} rows under seals {export.first_seal} to {export.last_seal} lie in {export.data_key}")
        if not made:
            self.stdout.write(f"Nothing to put into cold storage: no sealed row is older than {settings.AUDIT_HOT_DAYS} days that is not there.")

    def copy(self, *, file_format: str = Format.CSV, **options: Any) -> None:
        with tqdm(unit=" rows", unit_scale=True, disable=None) as bar:
            manifest = copy_rows(file_format=Format(file_format), progress=bar.update, **options)
        self.stdout.write(f"{manifest.body['rows']} rows copied to {manifest.body['data_key']}")
