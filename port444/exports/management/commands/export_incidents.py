"""Take the incidents of a time away as a file."""

from port444.exports.tables import INCIDENTS

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{INCIDENTS.words}. Columns: docs/exports.md"
    table = INCIDENTS
