"""Take the credits of a time away as a file."""

from port444.exports.tables import CREDITS

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{CREDITS.words}. Columns: docs/exports.md"
    table = CREDITS
