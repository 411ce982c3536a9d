"""Take the ledger of a time away as a file."""

from port444.exports.tables import LEDGER

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{LEDGER.words}. Columns: docs/exports.md"
    table = LEDGER
