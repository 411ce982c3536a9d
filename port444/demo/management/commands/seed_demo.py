from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from port444.accounts.models import User
from port444.demo import cast, story
from port444.kit.clock import now


class Command(BaseCommand):
    help = "Write the demo data, once, and say who can sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", type=int, default=1, help="How many times the cast, for load (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not User.objects.filter(email=cast.CLIENT).exists():
            # The story goes on faster than a chain confirms, and a deal stays where it was opened.
            settings.ESCROW_BACKEND = "ledger"
            # A whole minute, so that times read well.
            story.tell((now() - timedelta(minutes=1)).replace(second=0, microsecond=0), max(1, options["scale"]))
        self.stdout.write("Demo accounts, all with the password " + cast.PASSWORD)
        for role, email in (("client", cast.CLIENT), ("builder", cast.BUILDER)):
            self.stdout.write(f"  {role:<8} {email}")
        for _, email, groups in cast.STAFF_PEOPLE:
            self.stdout.write(f"  {'staff':<8} {email} ({', '.join(groups)})")
        if settings.STAFF_SECOND_FACTOR:
            self.stdout.write("Staff need an authenticator app: it is set up at the first sign-in (or start with STAFF_SECOND_FACTOR=0).")
        self.stdout.write("The staff console is at /console/.")
