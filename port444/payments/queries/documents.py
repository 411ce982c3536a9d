"""Reads: invoices and credit notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery

from port444.accounts.models import User
from port444.payments import providers
from port444.payments.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceQuerySet,
    InvoiceStatus,
    Payment,
    Refund,
)


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a credit note, as a page and as a PDF show it."""

    invoice: Invoice
    lines: list[InvoiceLine]
    payment: Payment | None
    refund: Refund | None
    refunds: list[Refund]
    mine: bool

    @property
    def name(self) -> str:
        return self.invoice.get_kind_display()

    def context(self) -> dict[str, Any]:
        """What the templates of the page and of the PDF read."""
        return {
            "name": self.name,
            "invoice": self.invoice,
            "lines": self.lines,
            "payment": self.payment,
            "refund": self.refund,
            "refunds": self.refunds,
            "mine": self.mine,
            "paid_with": f"{self.invoice.currency}, {providers.named(self.payment.provider).label}" if self.payment else "",
            "mail_domain": settings.MAIL_DOMAIN,
        }


def document(invoice_id: UUID, user: User) -> Document:
    """The document for one of its two parties; the payee sees it once it is paid. Raises Invoice.DoesNotExist for others."""
    invoice = visible_documents(user).select_related("corrects").get(pk=invoice_id)
    note = invoice.kind == InvoiceKind.CREDIT_NOTE
    mine = invoice.payer_id == user.pk
    return Document(
        invoice=invoice,
        lines=list(invoice.lines.all()),
        payment=Payment.objects.filter(invoice=invoice, settled_at__isnull=False).first(),
        refund=Refund.objects.filter(credit_note=invoice).first() if note else None,
        refunds=list(Refund.objects.filter(payment__invoice=invoice).select_related("credit_note").order_by("id")) if mine and not note else [],
        mine=mine,
    )


def visible_documents(user: User) -> InvoiceQuerySet:
    """What the user has to pay or has paid, and what others have paid for the user's work."""
    return Invoice.objects.filter(Q(payer=user) | Q(payee=user, status=InvoiceStatus.PAID))


PAGE = 25


def invoices(user: User, *, sold: bool, before: UUID | None) -> tuple[list[Any], UUID | None]:
    """One page of the user's documents, newest first, and the key of the next page."""
    mine = Q(payee=user, status=InvoiceStatus.PAID) if sold else Q(payer=user)
    rows = Invoice.objects.filter(mine).annotate(first_line=Subquery(first_line(OuterRef("pk"))))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return page_of(list(rows.order_by("-pk")[: PAGE + 1]))


def first_line(invoice: Any) -> QuerySet[InvoiceLine, str]:
    return InvoiceLine.objects.filter(invoice=invoice).order_by("position").values_list("description", flat=True)[:1]


def page_of(rows: list[Any]) -> tuple[list[Any], UUID | None]:
    return rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None
