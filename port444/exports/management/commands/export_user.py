"""Everything of one person, for whoever asks what the platform holds of them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from port444.exports.actions import export_person
from port444.exports.places import STANDARD

from ._tables import actor_of, add_actor, person_of, say, worded


class Command(BaseCommand):
    help = "Takes everything of one person away as a zip: tables as JSON lines and CSV, their files, and a page of words. See docs/exports.md"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="an e-mail address or an id")
        parser.add_argument("--dest", default=STANDARD, help="a file, a folder, file:// s3:// gs://, or - for standard output (-)")
        add_actor(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        person, actor = person_of(options["person"]), actor_of(options["actor"])
        with worded(), tqdm(unit=" rows", unit_scale=True, disable=None) as bar:
            made = export_person(person, dest=options["dest"], actor=actor, progress=bar.update)
        say(self, made)
