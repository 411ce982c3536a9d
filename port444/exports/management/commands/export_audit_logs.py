"""Put the audit log into cold storage, or take the rows of a time away for somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from auditlog.actions import Changed, copy_rows, export_rows, rows_to_export
from auditlog.files import Damaged
from auditlog.models import Format
from port444.exports.actions import require_range, require_taker
from port444.exports.places import STANDARD, kind_of
from port444.exports.tables import AUDIT_LOGS

from ._tables import TableCommand, actor_of, worded


class Command(TableCommand):
    help = (
        "Puts rows that are old enough into cold storage, which the daily job does, too. With any of the options, takes the rows of that "
        "time away: to a folder or into cold storage as a copy of what was sealed, signed by a manifest; to a file or standard output with "
        "the columns of docs/exports.md. Neither counts as exported, and both are recorded."
    )
    table = AUDIT_LOGS

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(dest="")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name: options[name] for name in ("since", "until", "file_format", "dest", "actor") if options[name]}
        try:
            if not given:
                self.export()
            elif is_file(options["dest"]):
                super().handle(*args, **options)
            else:
                self.copy(**given)
        except (Changed, Damaged) as error:
            raise CommandError(f"Stopped: {error}") from error

    def export(self) -> None:
        with worded(), tqdm(total=rows_to_export(), unit=" rows", unit_scale=True, disable=None) as bar:
            made = export_rows(progress=bar.update)
        for export in made:
            self.stdout.write(f"{export.rows} rows under seals {export.first_seal} to {export.last_seal} lie in {export.data_key}")
        if not made:
            self.stdout.write(f"Nothing to put into cold storage: no sealed row is older than {settings.AUDIT_HOT_DAYS} days that is not there.")

    def copy(self, *, file_format: str = Format.CSV, dest: str = "", actor: str | None = None, **options: Any) -> None:
        by = actor_of(actor)
        with worded(), tqdm(unit=" rows", unit_scale=True, disable=None) as bar:
            require_taker(by)
            require_range(options.get("since"), options.get("until"))
            address = dest if "://" in dest or not dest else Path(dest).resolve().as_uri()
            manifest = copy_rows(file_format=Format(file_format), dest=address, actor=by, progress=bar.update, **options)
        self.stdout.write(f"{manifest.body['rows']} rows copied to {manifest.body['data_key']}")


def is_file(dest: str) -> bool:
    """Whether a destination names one file, and not a place that holds many."""
    return dest == STANDARD or ("://" not in dest and bool(kind_of(dest, tuple(Format.values))) and not Path(dest).is_dir())
