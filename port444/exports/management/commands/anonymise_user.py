"""Make a person nameless, for whoever asks to be forgotten."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from port444.exports.actions import InTheWay, anonymise_person
from port444.kit.errors import DomainError

from ._tables import actor_of, add_actor, person_of


class Command(BaseCommand):
    help = (
        "Replaces all that names a person and removes their files. Books, orders and the audit log stay whole. Refuses while money or "
        "anything else of theirs is open. There is no way back. See docs/exports.md"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="an e-mail address or an id; of somebody nameless only the id is left")
        add_actor(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        person, actor = person_of(options["person"]), actor_of(options["actor"])
        try:
            done = anonymise_person(person.pk, actor=actor)
        except InTheWay as error:
            raise CommandError("Nothing was changed. In the way:\n" + "\n".join(f"  {reason}" for reason in error.reasons)) from error
        except DomainError as error:
            raise CommandError(error.message) from error
        if not done.anything:
            self.stdout.write("They are nameless already; nothing was changed.")
            return
        for table, rows in done.rows.items():
            self.stdout.write(f"  {table}: {rows}")
        self.stdout.write(f"{person.pk} is nameless. {done.files} files will be removed by the queue.", self.style.SUCCESS)
