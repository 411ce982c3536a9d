"""Invoices and credit notes, and their running numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import CURRENCY, ZERO, amount_field
from port444.kit.states import StateMachine, known_status

USER = settings.AUTH_USER_MODEL


class InvoiceKind(models.TextChoices):
    INVOICE = "invoice", _("Invoice")
    CREDIT_NOTE = "credit_note", _("Credit note")


class InvoiceStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("invoice", "Open")
    PAID = "paid", pgettext_lazy("invoice", "Paid")
    VOID = "void", pgettext_lazy("invoice", "Void")


class Series(models.Model):
    """The running number of one series of documents. Its row is locked while a number is taken, so there are no gaps."""

    name = models.CharField(max_length=20, primary_key=True)
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "series"

    def __str__(self) -> str:
        return f"{self.name} {self.last_number}"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def lock(self, pk: Any) -> Invoice:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def visible_to(self, user: Any) -> InvoiceQuerySet:
        return self.filter(Q(payer=user) | Q(payee=user))

    def expired(self, moment: datetime) -> InvoiceQuerySet:
        """Open invoices whose time to pay has passed."""
        return self.filter(status=InvoiceStatus.OPEN, expires_at__lte=moment)


class Invoice(StateMachine):
    """What is to be paid, and after payment the document. It gets its number when it is paid; names are copied then.

    A credit note is a row of the same kind that corrects an invoice; its amounts are positive and mean money given back.
    """

    called = _("invoice")
    NEXT = {InvoiceStatus.OPEN: frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=InvoiceKind.choices, default=InvoiceKind.INVOICE)
    number = models.CharField(max_length=20, null=True, unique=True)  # noqa: DJ001 - no number yet is not an empty number
    purpose = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    deal_id = models.UUIDField(null=True)  # whose escrow the price goes into; None for what never goes there
    payer = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="invoices")
    payee = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, related_name="credit_notes", null=True)
    status = models.CharField(max_length=5, choices=InvoiceStatus.choices, default=InvoiceStatus.OPEN)
    currency = models.CharField(max_length=8, default=CURRENCY)
    language = models.CharField(max_length=8, default=settings.LANGUAGE_CODE)  # of the document: what the payer spoke when it was opened
    subtotal = amount_field()
    fee = amount_field(default=ZERO)
    credit = amount_field(default=ZERO)  # of the subtotal, what credits pay
    prepaid = amount_field(default=ZERO)  # of that, what the payee was paid for a call already
    total = amount_field()
    payer_name = models.CharField(max_length=80)
    payee_name = models.CharField(max_length=80, blank=True)
    return_url = models.CharField(max_length=300)
    opened_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)

    objects = InvoiceQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept=(
            "kind number purpose subject_id deal_id payer_id payee_id corrects_id status currency language subtotal fee credit "
            "prepaid total opened_at expires_at paid_at voided_at"
        ),
        personal="payer_name payee_name",
        ignored="return_url",
        amount="total",
    )

    class Meta:
        constraints = [
            known_status("invoice_status_known", InvoiceStatus),
            models.CheckConstraint(
                condition=Q(total=F("subtotal") + F("fee") - F("credit"), subtotal__gte=F("credit"), fee__gte=0, total__gte=0)
                & (Q(total__gt=0) | Q(credit__gt=0)),
                name="invoice_adds_up",
            ),
            models.CheckConstraint(condition=Q(prepaid__gte=0, credit__gte=F("prepaid")), name="invoice_prepaid_within_credit"),
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False, number__isnull=False)
                | (~Q(status="paid") & Q(paid_at__isnull=True, number__isnull=True)),
                name="invoice_paid_has_number",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice", corrects__isnull=True) | Q(kind="credit_note", corrects__isnull=False), name="invoice_note_corrects"
            ),
            models.UniqueConstraint(
                fields=["purpose", "subject_id"], condition=Q(kind="invoice") & ~Q(status="void"), name="invoice_one_live_per_subject"
            ),
        ]
        indexes = [
            models.Index(fields=["payer", "-id"], name="invoice_of_payer"),
            models.Index(fields=["deal_id"], condition=Q(deal_id__isnull=False), name="invoice_of_deal"),
            models.Index(fields=["expires_at"], condition=Q(status="open"), name="invoice_expiring"),
        ]

    def __str__(self) -> str:
        return self.number or "not numbered yet"


class InvoiceLine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    description = models.CharField(max_length=200)
    amount = amount_field()
    is_fee = models.BooleanField(default=False)

    audited = Watched(
        Category.FINANCIAL,
        kept="invoice_id position description amount is_fee",
        amount="amount",
    )

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once")]

    def __str__(self) -> str:
        return self.description
