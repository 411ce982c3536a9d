"""Take the support actions of a time away as a file."""

from port444.exports.tables import SUPPORT_ACTIONS

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{SUPPORT_ACTIONS.words}. Columns: docs/exports.md"
    table = SUPPORT_ACTIONS
