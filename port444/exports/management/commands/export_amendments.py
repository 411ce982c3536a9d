"""Take the amendments of a time away as a file."""

from port444.exports.tables import AMENDMENTS

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{AMENDMENTS.words}. Columns: docs/exports.md"
    table = AMENDMENTS
