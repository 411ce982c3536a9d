"""The double-entry ledger; migration 0002 holds its promises."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field


class AccountKind(models.TextChoices):
    EXTERNAL = "external", _("Outside world")
    CLIENT = "client", _("Client's funds")
    ESCROW = "escrow", _("In escrow")
    EARNINGS = "earnings", _("Builder's earnings")
    CREDITS = "credits", _("Advanced for credits")
    FEES = "fees", _("Platform's fees")
    LOSSES = "losses", _("Borne by the platform")
    REFUNDS = "refunds", _("Refunds on their way")
    PAYOUTS = "payouts", _("Payouts on their way")


class LedgerAccount(models.Model):
    """One account. `balance` is kept by a trigger on postings.

    Only three may be negative: the outside world, and what the platform has advanced for credits or borne itself, which are never more
    than zero.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=AccountKind.choices)
    owner_id = models.UUIDField(null=True)
    subject_id = models.UUIDField(null=True)
    balance = amount_field(default=ZERO)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "owner_id", "subject_id"], name="ledger_account_once", nulls_distinct=False),
            models.CheckConstraint(condition=Q(kind__in=["external", "credits", "losses"]) | Q(balance__gte=0), name="ledger_account_covered"),
            models.CheckConstraint(condition=~Q(kind="credits") | Q(balance__lte=0), name="ledger_credits_only_advanced"),
            models.CheckConstraint(condition=~Q(kind="losses") | Q(balance__lte=0), name="ledger_losses_only_borne"),
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
