"""Take the orders of a time away as a file."""

from port444.exports.tables import ORDERS

from ._tables import TableCommand


class Command(TableCommand):
    help = f"{ORDERS.words}. Columns: docs/exports.md"
    table = ORDERS
