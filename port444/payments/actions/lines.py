"""Lines of invoices and credit notes, worded when they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.formats import number_format

from port444.accounts.models import User
from port444.kit.language import speaking_to
from port444.kit.sentences import Said, say
from port444.payments.models import Invoice, InvoiceLine


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice, in words that stay as they are or a sentence.

    Fee lines are the platform's and are not refunded with the price unless somebody says so.
    """

    description: str | Said
    amount: Decimal
    is_fee: bool = False


def fee_line(amount: Decimal, payer: User) -> Line:
    """The service fee that clients pay on top of a price."""
    with speaking_to(payer):
        percent = number_format((Decimal(settings.CLIENT_FEE_BPS) / 100).normalize())
    return Line(say("Service fee, %(percent)s%%", percent=percent), amount, is_fee=True)


def write_lines(invoice: Invoice, lines: Sequence[Line]) -> None:
    """Sentences are worded in the language of the document, for good."""
    with speaking_to(invoice):
        InvoiceLine.objects.bulk_create(
            InvoiceLine(invoice=invoice, position=position, description=str(line.description)[:200], amount=line.amount, is_fee=line.is_fee)
            for position, line in enumerate(lines, start=1)
        )
