"""Money: invoices, payments, refunds, the ledger, escrow operations and withdrawals.

`payments` lies below orders and calls: an invoice and an escrow operation name what they are for by purpose and id, and the
app above registers what happens when the money has moved (see `handlers`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import CURRENCY, ZERO, amount_field
from port444.kit.states import StateMachine, known_status

USER = settings.AUTH_USER_MODEL


class InvoiceKind(models.TextChoices):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note", "Credit note"


class InvoiceStatus(models.TextChoices):
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


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

    NEXT = {InvoiceStatus.OPEN: frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=InvoiceKind.choices, default=InvoiceKind.INVOICE)
    number = models.CharField(max_length=20, null=True, unique=True)  # noqa: DJ001 - no number yet is not an empty number
    purpose = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    payer = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="invoices")
    payee = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, related_name="credit_notes", null=True)
    status = models.CharField(max_length=5, choices=InvoiceStatus.choices, default=InvoiceStatus.OPEN)
    currency = models.CharField(max_length=8, default=CURRENCY)
    subtotal = amount_field()
    fee = amount_field(default=ZERO)
    total = amount_field()
    payer_name = models.CharField(max_length=80)
    payee_name = models.CharField(max_length=80, blank=True)
    return_url = models.CharField(max_length=300)
    opened_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            known_status("invoice_status_known", InvoiceStatus),
            models.CheckConstraint(condition=Q(total=F("subtotal") + F("fee"), subtotal__gte=0, fee__gte=0, total__gt=0), name="invoice_adds_up"),
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

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once")]

    def __str__(self) -> str:
        return self.description


class PaymentStatus(models.TextChoices):
    CREATED = "created"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"


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
    REQUESTED = "requested"
    COMPLETED = "completed"
    FAILED = "failed"


class RefundQuerySet(models.QuerySet["Refund"]):
    def lock(self, pk: Any) -> Refund:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class Refund(StateMachine):
    """Money on its way back to the payer. `dedupe_key` names the reason's row, so that asking twice gives one refund."""

    NEXT = {
        RefundStatus.REQUESTED: frozenset({RefundStatus.COMPLETED, RefundStatus.FAILED}),
        RefundStatus.FAILED: frozenset({RefundStatus.REQUESTED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    credit_note = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="refund", null=True)
    amount = amount_field()
    reason = models.CharField(max_length=200)
    dedupe_key = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=10, choices=RefundStatus.choices, default=RefundStatus.REQUESTED)
    external_id = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField(default=now)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        constraints = [
            known_status("refund_status_known", RefundStatus),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False) | (~Q(status="completed") & Q(completed_at__isnull=True)),
                name="refund_completed_has_moment",
            ),
        ]
        indexes = [models.Index(fields=["requested_at"], condition=Q(status="requested"), name="refund_requested")]

    def __str__(self) -> str:
        return f"{self.amount} back, {self.status}"


class AccountKind(models.TextChoices):
    EXTERNAL = "external", "Outside world"
    CLIENT = "client", "Client's funds"
    ESCROW = "escrow", "In escrow"
    EARNINGS = "earnings", "Builder's earnings"
    FEES = "fees", "Platform's fees"
    REFUNDS = "refunds", "Refunds on their way"
    PAYOUTS = "payouts", "Payouts on their way"


class LedgerAccount(models.Model):
    """One account. `balance` is kept by a trigger on postings; only the outside world may be negative."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=AccountKind.choices)
    owner_id = models.UUIDField(null=True)
    subject_id = models.UUIDField(null=True)
    balance = amount_field(default=ZERO)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "owner_id", "subject_id"], name="ledger_account_once", nulls_distinct=False),
            models.CheckConstraint(condition=Q(kind="external") | Q(balance__gte=0), name="ledger_account_covered"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.balance}"


class JournalEntry(models.Model):
    """One movement of money: two or more postings that sum to zero, by a deferred constraint trigger. Append-only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=120, unique=True)
    description = models.CharField(max_length=200)
    subject_id = models.UUIDField(null=True)
    posted_at = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = "journal entries"
        indexes = [models.Index(fields=["subject_id"], name="journal_entry_subject")]

    def __str__(self) -> str:
        return self.description


class Posting(models.Model):
    """One side of an entry: positive to the account, negative from it. Append-only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="postings")
    amount = amount_field()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="posting_not_zero"),
            models.UniqueConstraint(fields=["entry", "account"], name="posting_account_once"),
        ]

    def __str__(self) -> str:
        return str(self.amount)


class EscrowKind(models.TextChoices):
    OPEN = "open"
    AMEND = "amend"
    RELEASE = "release"
    REFUND = "refund"
    MOVE = "move"
    EXTEND = "extend"
    HOLD = "hold"
    WITHDRAW = "withdraw"


class EscrowStatus(models.TextChoices):
    QUEUED = "queued"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class EscrowOperation(StateMachine):
    """One thing asked of escrow. `op_id` is made from the business row, so asking again finds the same operation."""

    NEXT = {EscrowStatus.QUEUED: frozenset({EscrowStatus.CONFIRMED, EscrowStatus.FAILED})}

    op_id = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=10, choices=EscrowKind.choices)
    purpose = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    client_id = models.UUIDField()
    builder_id = models.UUIDField()
    amount = amount_field()
    fee_bps = models.PositiveSmallIntegerField(default=0)
    args = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=EscrowStatus.choices, default=EscrowStatus.QUEUED)
    backend = models.CharField(max_length=10)
    reason = models.CharField(max_length=200, blank=True)
    tx_hash = models.CharField(max_length=66, blank=True)
    created_at = models.DateTimeField(default=now)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            known_status("escrow_operation_status_known", EscrowStatus),
            models.CheckConstraint(condition=Q(amount__gte=0), name="escrow_operation_amount"),
            models.UniqueConstraint(fields=["subject_id"], condition=Q(status="queued"), name="escrow_operation_one_at_a_time"),
            models.UniqueConstraint(fields=["purpose", "subject_id"], condition=Q(kind="open"), name="escrow_operation_opened_once"),
            models.CheckConstraint(
                condition=Q(status="confirmed", confirmed_at__isnull=False) | (~Q(status="confirmed") & Q(confirmed_at__isnull=True)),
                name="escrow_operation_confirmed_has_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_id", "created_at"], name="escrow_operation_subject"),
            models.Index(fields=["builder_id"], condition=Q(status="confirmed"), name="escrow_operation_of_builder"),
        ]

    def __str__(self) -> str:
        return self.op_id


class PayoutAddress(models.Model):
    """Where a builder's withdrawals go."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, primary_key=True, related_name="payout_address")
    address = models.CharField(max_length=42)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = "payout addresses"

    def __str__(self) -> str:
        return self.address


class WithdrawalStatus(models.TextChoices):
    REQUESTED = "requested"
    COMPLETED = "completed"
    FAILED = "failed"


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    def lock(self, pk: Any) -> Withdrawal:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class Withdrawal(StateMachine):
    """Earnings on their way to the builder's wallet. `client_key` comes with the form: pressing twice withdraws once."""

    NEXT = {WithdrawalStatus.REQUESTED: frozenset({WithdrawalStatus.COMPLETED, WithdrawalStatus.FAILED})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="withdrawals")
    amount = amount_field()
    address = models.CharField(max_length=42)
    client_key = models.UUIDField(default=uuid7)
    status = models.CharField(max_length=10, choices=WithdrawalStatus.choices, default=WithdrawalStatus.REQUESTED)
    external_id = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField(default=now)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    objects = WithdrawalQuerySet.as_manager()

    class Meta:
        constraints = [
            known_status("withdrawal_status_known", WithdrawalStatus),
            models.CheckConstraint(condition=Q(amount__gt=0), name="withdrawal_amount_positive"),
            models.UniqueConstraint(fields=["user", "client_key"], name="withdrawal_asked_once"),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False) | (~Q(status="completed") & Q(completed_at__isnull=True)),
                name="withdrawal_completed_has_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="withdrawal_of_user"),
            models.Index(fields=["requested_at"], condition=Q(status="requested"), name="withdrawal_requested"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} to {self.address}, {self.status}"


class SandboxStatus(models.TextChoices):
    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"


class SandboxCharge(models.Model):
    """The test wallet's own books, as a provider would keep them; our side reads them through the provider protocol only."""

    key = models.UUIDField(primary_key=True)
    amount = amount_field()
    refunded = amount_field(default=ZERO)
    status = models.CharField(max_length=10, choices=SandboxStatus.choices, default=SandboxStatus.WAITING)
    return_url = models.CharField(max_length=300)
    answers_at = models.DateTimeField(null=True)
    answer_times = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(refunded__lte=F("amount")), name="sandbox_refund_within_amount")]

    def __str__(self) -> str:
        return f"{self.amount} {self.status}"


class SandboxTransfer(models.Model):
    """Money that the test wallet sent out, once for a key."""

    key = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=10)
    amount = amount_field()
    destination = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
