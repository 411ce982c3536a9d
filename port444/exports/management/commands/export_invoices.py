"""Take the invoices of a time away as a file."""

from port444.exports.tables import INVOICES

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{INVOICES.words}. Columns: docs/exports.md"
    table = INVOICES
