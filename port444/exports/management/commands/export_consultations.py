"""Take the consultations of a time away as a file."""

from port444.exports.tables import CONSULTATIONS

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{CONSULTATIONS.words}. Columns: docs/exports.md"
    table = CONSULTATIONS
