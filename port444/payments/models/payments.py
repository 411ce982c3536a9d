"""Attempts to pay, what the provider said of them, and refunds."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field
from port444.kit.sentences import read
from port444.kit.states import StateMachine, known_status

from .invoices import Invoice


class PaymentStatus(models.TextChoices):
    CREATED = "created", pgettext_lazy("payment", "Created")
    PENDING = "pending", pgettext_lazy("payment", "Pending")
    SUCCEEDED = "succeeded", pgettext_lazy("payment", "Succeeded")
    FAILED = "failed", pgettext_lazy("payment", "Failed")
    EXPIRED = "expired", pgettext_lazy("payment", "Expired")


class PaymentQuerySet(models.QuerySet["Payment"]):
    def lock(self, pk: Any) -> Payment:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def live(self) -> PaymentQuerySet:
        return self.filter(status__in=[PaymentStatus.CREATED, PaymentStatus.PENDING])

    def unsettled(self) -> PaymentQuerySet:
        """Money that has come and has neither paid its invoice nor been sent back yet."""
        return self.filter(status=PaymentStatus.SUCCEEDED, settled_at__isnull=True, refunded=0)


class Payment(StateMachine):
    """One attempt to pay an invoice. `id` is the idempotency key towards the provider.

    An expired attempt may still succeed late: the money has come then, and is used or sent back. `settled_at` marks the one
    payment that paid the invoice.
    """

    called = _("payment")
    NEXT = {
        PaymentStatus.CREATED: frozenset({PaymentStatus.PENDING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.EXPIRED}),
        PaymentStatus.PENDING: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.EXPIRED}),
        PaymentStatus.EXPIRED: frozenset({PaymentStatus.SUCCEEDED}),
        PaymentStatus.FAILED: frozenset({PaymentStatus.SUCCEEDED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    provider = models.CharField(max_length=20)
    status = models.CharField(max_length=10, choices=PaymentStatus.choices, default=PaymentStatus.CREATED)
    amount = amount_field()
    refunded = amount_field(default=ZERO)
    external_id = models.CharField(max_length=100, blank=True)
    pay_url = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=200, blank=True)
    settled_at = models.DateTimeField(null=True)

    objects = PaymentQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept="invoice_id provider status amount refunded external_id created_at expires_at succeeded_at failed_at failure settled_at",
        hidden="pay_url",
        amount="amount",
    )

    class Meta:
        constraints = [
            known_status("payment_status_known", PaymentStatus),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(refunded__gte=0, refunded__lte=F("amount")), name="payment_refunds_within_amount"),
            models.CheckConstraint(
                condition=Q(status="succeeded", succeeded_at__isnull=False) | (~Q(status="succeeded") & Q(succeeded_at__isnull=True)),
                name="payment_succeeded_has_moment",
            ),
            models.CheckConstraint(condition=Q(settled_at__isnull=True) | Q(status="succeeded"), name="payment_settles_when_succeeded"),
            models.UniqueConstraint(fields=["invoice"], condition=Q(status__in=["created", "pending"]), name="payment_one_live_per_invoice"),
            models.UniqueConstraint(fields=["invoice"], condition=Q(settled_at__isnull=False), name="payment_one_settles_invoice"),
            models.UniqueConstraint(fields=["provider", "external_id"], condition=~Q(external_id=""), name="payment_external_id_once"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(status__in=["created", "pending"]), name="payment_live"),
            models.Index(fields=["succeeded_at"], condition=Q(status="succeeded", settled_at__isnull=True, refunded=0), name="payment_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} by {self.provider}, {self.status}"


class ProviderEvent(models.Model):
    """An answer of a payment provider, stored before it has any effect; a replay finds it here."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=100)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="events")
    payload = models.JSONField()
    received_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="provider_event_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"


class RefundStatus(models.TextChoices):
    REQUESTED = "requested", pgettext_lazy("refund", "Requested")
    COMPLETED = "completed", pgettext_lazy("refund", "Completed")
    FAILED = "failed", pgettext_lazy("refund", "Failed")


class RefundQuerySet(models.QuerySet["Refund"]):
    def lock(self, pk: Any) -> Refund:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class Refund(StateMachine):
    """Money on its way back to the payer. `dedupe_key` names the reason's row, so that asking twice gives one refund."""

    called = _("refund")
    NEXT = {
        RefundStatus.REQUESTED: frozenset({RefundStatus.COMPLETED, RefundStatus.FAILED}),
        RefundStatus.FAILED: frozenset({RefundStatus.REQUESTED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    credit_note = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="refund", null=True)
    amount = amount_field()
    escrowed = amount_field(default=ZERO)  # of it, what escrow gave back; the rest comes from the platform
    reason = models.CharField(max_length=200)
    said = models.JSONField(null=True)  # the reason as a sentence (`Said.kept`), where nobody typed it
    dedupe_key = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=10, choices=RefundStatus.choices, default=RefundStatus.REQUESTED)
    external_id = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField(default=now)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    objects = RefundQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept="payment_id credit_note_id amount escrowed reason status external_id requested_at completed_at failed_at error",
        ignored="said dedupe_key",
        amount="amount",
    )

    class Meta:
        constraints = [
            known_status("refund_status_known", RefundStatus),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(condition=Q(escrowed__gte=0, escrowed__lte=F("amount")), name="refund_escrowed_within_amount"),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False) | (~Q(status="completed") & Q(completed_at__isnull=True)),
                name="refund_completed_has_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["requested_at"], condition=Q(status="requested"), name="refund_requested"),
            models.Index(fields=["failed_at"], condition=Q(status="failed"), name="refund_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} back, {self.status}"

    @property
    def words(self) -> str:
        """The reason in the language of whoever reads now; `reason` has it in English."""
        return str(read(self.said)) if self.said else self.reason
