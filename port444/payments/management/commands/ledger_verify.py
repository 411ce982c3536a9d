"""Look whether the books balance."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from port444.payments.queries import look_at_books


class Command(BaseCommand):
    help = (
        "Adds up the whole ledger: every entry, every balance, all of them together, and what is left of every credit; names what does "
        "not come out, and ends with 1 then."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        books = look_at_books()
        for fault in books.faults:
            self.stdout.write(fault)
        said = "balanced" if not books.faults else "NOT balanced"
        self.stdout.write(
            f"{books.entries} entries, {books.postings} postings, {books.accounts} accounts, {books.credits} credits: the books are {said}"
        )
        if books.faults:
            sys.exit(1)
