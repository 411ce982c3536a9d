"""What the commands that export have in common."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from auditlog.cold import Exists
from port444.accounts.models import User
from port444.exports import reading
from port444.exports.actions import Made, export_table, require_range
from port444.exports.columns import Table
from port444.exports.places import NOWHERE, STANDARD, kind_of
from port444.exports.writing import Format
from port444.kit.errors import DomainError


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a date or moment such as 2026-08-01 or 2026-08-01T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def add_actor(parser: CommandParser) -> None:
    parser.add_argument("--actor", help="the e-mail address of the member of staff who wants it (nobody: whoever runs the command)")


def actor_of(email: str | None) -> User | None:
    if not email:
        return None
    try:
        return User.objects.get(email__iexact=email, is_staff=True)
    except User.DoesNotExist as error:
        raise CommandError(f"Nobody of the staff has the e-mail address {email}.") from error


def person_of(who: str) -> User:
    """By e-mail address or by id."""
    try:
        found = User.objects.filter(pk=UUID(who))
    except ValueError:
        found = User.objects.filter(email__iexact=who)
    person = found.first()
    if person is None:
        raise CommandError(f"Nobody has the e-mail address or id {who}.")
    return person


@contextmanager
def worded() -> Iterator[None]:
    """Refusals of ours and of the place, as a line that people read and an exit code that machines do."""
    try:
        yield
    except DomainError as error:
        raise CommandError(error.message) from error
    except BrokenPipeError as error:
        raise CommandError("Whoever was to read it went away.") from error
    except (Exists, OSError, ValueError) as error:
        raise CommandError(f"Could not be written: {error}") from error


class TableCommand(BaseCommand):
    """Export a table."""

    table: ClassVar[Table]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="since", type=moment, help="the first moment, in UTC unless it says otherwise")
        parser.add_argument("--to", dest="until", type=moment, help="the moment before which it ends")
        parser.add_argument("--format", dest="file_format", choices=list(Format), help="as the destination's name ends, or csv")
        parser.add_argument("--dest", default=STANDARD, help="a file, a folder, file:// s3:// gs://, or - for standard output (-)")
        add_actor(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.say(self.take(self.table, **{name: options[name] for name in ("since", "until", "file_format", "dest", "actor")}))

    def take(self, table: Table, *, since: datetime | None, until: datetime | None, file_format: str | None, dest: str, actor: str | None) -> Made:
        wanted = Format(file_format or kind_of(dest, tuple(Format)) or Format.CSV)
        if dest == STANDARD and wanted is Format.PARQUET and sys.stdout.isatty():
            raise CommandError("Parquet is not for a terminal: name a file with --dest, or send it on with a pipe.")
        with worded():
            require_range(since, until)
            total = reading.count(table, since, until) if sys.stderr.isatty() else None
            with tqdm(total=total, unit=" rows", unit_scale=True, disable=None) as bar:
                return export_table(table, since=since, until=until, file_format=wanted, dest=dest, actor=actor_of(actor), progress=bar.update)

    def say(self, made: Made) -> None:
        say(self, made)


def say(command: BaseCommand, made: Made) -> None:
    """What was made: beside standard output, when that is where it went."""
    written = made.written
    out = command.stderr if made.place == NOWHERE else command.stdout
    out.write(f"{written.rows} rows, {written.size} bytes in {made.place}, SHA-256 {written.sha256}", command.style.SUCCESS)
