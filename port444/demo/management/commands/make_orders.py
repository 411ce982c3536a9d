"""Fill the site with orders as it has them after years, to see how it is when it is large."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bench import crowd
from port444.accounts.models import User


class Command(BaseCommand):
    help = "Makes orders with people, talks, money and calls, over two years that end now. Never in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("orders", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Made-up orders can never be taken out of the books again; this is not for production.")
        if options["orders"] < crowd.LEAST:
            raise CommandError(f"Give a number of orders, {crowd.LEAST:,} or more.")
        if User.objects.filter(email="c0@bench.example").exists():
            raise CommandError("They have been made here before.")
        written = crowd.fill(crowd.Size(options["orders"]), settings.DATABASE_OWNER_URL, zone="UTC")
        self.stdout.write(f"{options['orders']:,} orders; {sum(written.values()):,} rows in {len(written)} tables")
