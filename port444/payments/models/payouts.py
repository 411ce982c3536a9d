"""Where a builder's earnings go, how they get there, and what keeps them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Cast, Upper
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field
from port444.kit.sealed import SealedField
from port444.kit.states import StateMachine, known_status, meet

USER = settings.AUTH_USER_MODEL
RUNNING_XID = Cast(Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField())


class PayoutMethod(models.TextChoices):
    WALLET = "wallet", _("Wallet")
    BANK = "bank", _("Bank account")


class PayoutAddress(models.Model):
    """The wallet to which a builder's withdrawals go."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, primary_key=True, related_name="payout_address")
    address = models.CharField(max_length=42)
    changed_at = models.DateTimeField(default=now)

    audited = Watched(
        Category.FINANCIAL,
        kept="address changed_at",
    )

    class Meta:
        verbose_name_plural = "payout addresses"
        indexes = [models.Index(Upper("address"), name="payout_address_letters")]

    def __str__(self) -> str:
        return self.address


class BankField(SealedField):
    purpose = "bank account"


if TYPE_CHECKING:

    class MaybeBankField(models.TextField[dict[str, Any] | None, dict[str, Any] | None]):
        """A bank account or none."""
else:
    MaybeBankField = BankField


class BankAccount(models.Model):
    """The bank account to which a builder's withdrawals go. The database holds its numbers encrypted; `masked` is what pages show."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, primary_key=True, related_name="bank_account")
    details = BankField()
    masked = models.CharField(max_length=60)
    changed_at = models.DateTimeField(default=now)

    audited = Watched(
        Category.FINANCIAL,
        kept="changed_at",
        personal="masked",
        hidden="details",
    )

    def __str__(self) -> str:
        return self.masked


class BatchStatus(models.TextChoices):
    MADE = "made", _("Made, not exported")
    EXPORTED = "exported", _("Exported, on its way")
    CLOSED = "closed"


class PayoutBatchQuerySet(models.QuerySet["PayoutBatch"]):
    def lock(self, pk: Any) -> PayoutBatch:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class PayoutBatch(StateMachine):
    """Withdrawals to bank accounts that staff hand to the bank in one file. From the first export on the file never changes."""

    NEXT = {
        BatchStatus.MADE: frozenset({BatchStatus.EXPORTED, BatchStatus.CLOSED}),
        BatchStatus.EXPORTED: frozenset({BatchStatus.CLOSED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reference = models.CharField(max_length=35, unique=True)
    status = models.CharField(max_length=10, choices=BatchStatus.choices, default=BatchStatus.MADE)
    lines = models.PositiveIntegerField(default=0)
    total = amount_field(default=ZERO)
    made_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=now)
    exported_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = PayoutBatchQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept="reference status lines total made_by_id made_at exported_at closed_at",
        amount="total",
    )

    class Meta:
        verbose_name_plural = "payout batches"
        constraints = [
            known_status("payout_batch_status_known", BatchStatus),
            models.CheckConstraint(condition=Q(total__gte=0), name="payout_batch_total"),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False) | (~Q(status="closed") & Q(closed_at__isnull=True)),
                name="payout_batch_closed_has_moment",
            ),
            models.CheckConstraint(condition=~Q(status="exported") | Q(exported_at__isnull=False), name="payout_batch_exported_has_moment"),
        ]

    def __str__(self) -> str:
        return self.reference


class WithdrawalStatus(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    HELD = "held", _("Held")
    SENDING = "sending", _("On its way")
    COMPLETED = "completed", _("Sent")
    FAILED = "failed", _("Came back")
    CANCELLED = "cancelled", _("Cancelled")


W = WithdrawalStatus
UNDER_WAY = [W.REQUESTED, W.HELD, W.SENDING]  # taken from the earnings, not yet arrived
GIVEN_BACK = [W.FAILED, W.CANCELLED]


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    def lock(self, pk: Any) -> Withdrawal:
        return meet(self.select_for_update(of=("self",), no_key=True).get(pk=pk))

    def visible_to(self, user: Any) -> WithdrawalQuerySet:
        return self.filter(user=user)


class Withdrawal(StateMachine):
    """Earnings on their way out. `client_key` comes with the form: pressing twice withdraws once.

    `amount` is what leaves the earnings; `fee` of it is the platform's when it arrives. The destination is the one of the moment of
    asking: changing the details later does not lead it elsewhere. A bank may send back what it took, so even a completed one can fail;
    and one that nobody began to send may be completed, because the owner took the money out of a chain's contract alone.
    """

    called = _("withdrawal")
    NEXT = {
        W.REQUESTED: frozenset({W.HELD, W.SENDING, W.COMPLETED, W.CANCELLED, W.FAILED}),
        W.HELD: frozenset({W.REQUESTED, W.CANCELLED, W.FAILED}),
        W.SENDING: frozenset({W.HELD, W.COMPLETED, W.FAILED}),
        W.COMPLETED: frozenset({W.FAILED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="withdrawals")
    method = models.CharField(max_length=6, choices=PayoutMethod.choices, default=PayoutMethod.WALLET)
    amount = amount_field()
    fee = amount_field(default=ZERO)
    address = models.CharField(max_length=42, blank=True)
    bank = MaybeBankField(null=True)
    bank_masked = models.CharField(max_length=60, blank=True)
    client_key = models.UUIDField(default=uuid7)
    status = models.CharField(max_length=10, choices=W.choices, default=W.REQUESTED)
    batch = models.ForeignKey(PayoutBatch, on_delete=models.PROTECT, related_name="withdrawals", null=True)
    external_id = models.CharField(max_length=100, blank=True)
    # The transaction that recorded the request: nothing is sent before the detectors have read it.
    asked_xid = models.BigIntegerField(db_default=RUNNING_XID, editable=False)
    requested_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(default=now)  # not sent before: new details rest for a while
    sending_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    objects = WithdrawalQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept=(
            "user_id method amount fee address status batch_id external_id requested_at due_at sending_at completed_at failed_at cancelled_at error"
        ),
        personal="bank_masked",
        hidden="bank",
        ignored="client_key asked_xid",
        amount="amount",
    )

    class Meta:
        constraints = [
            known_status("withdrawal_status_known", W),
            models.CheckConstraint(condition=Q(amount__gt=0), name="withdrawal_amount_positive"),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lt=F("amount")), name="withdrawal_fee_within_amount"),
            models.UniqueConstraint(fields=["user", "client_key"], name="withdrawal_asked_once"),
            models.CheckConstraint(
                condition=(Q(method="wallet", bank__isnull=True, bank_masked="", batch__isnull=True) & ~Q(address=""))
                | (Q(method="bank", bank__isnull=False, address="") & ~Q(bank_masked="")),
                name="withdrawal_has_destination",
            ),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False)
                | Q(status="failed")
                | (~Q(status__in=["completed", "failed"]) & Q(completed_at__isnull=True)),
                name="withdrawal_completed_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status="cancelled", cancelled_at__isnull=False) | (~Q(status="cancelled") & Q(cancelled_at__isnull=True)),
                name="withdrawal_cancelled_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status="failed", failed_at__isnull=False) | (~Q(status="failed") & Q(failed_at__isnull=True)),
                name="withdrawal_failed_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status="sending", sending_at__isnull=False) | ~Q(status="sending"), name="withdrawal_sending_has_moment"
            ),
            # What goes to a bank is in a batch from the moment it is on its way, and not before.
            models.CheckConstraint(
                condition=Q(method="wallet")
                | Q(status__in=["sending", "completed"], batch__isnull=False)
                | Q(status__in=["requested", "held", "cancelled"], batch__isnull=True)
                | Q(status="failed"),
                name="withdrawal_to_bank_in_batch",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="withdrawal_of_user"),
            models.Index(fields=["method", "due_at"], condition=Q(status="requested"), name="withdrawal_requested"),
            models.Index(fields=["sending_at"], condition=Q(status="sending"), name="withdrawal_sending"),
            models.Index(fields=["user"], condition=Q(status__in=["requested", "held", "sending"]), name="withdrawal_under_way"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} to {self.destination}, {self.status}"

    @property
    def arrives(self) -> Decimal:
        """What gets there."""
        left: Decimal = self.amount - self.fee
        return left

    @property
    def destination(self) -> str:
        """Where it goes, as its owner may read it."""
        return self.bank_masked if self.method == PayoutMethod.BANK else self.address

    @property
    def cancellable(self) -> bool:
        """Its owner can still take it back."""
        return bool(self.status == W.REQUESTED)


class PayoutHoldQuerySet(models.QuerySet["PayoutHold"]):
    def standing(self) -> PayoutHoldQuerySet:
        return self.filter(ended_at__isnull=True)

    def on(self, withdrawal: Withdrawal) -> PayoutHoldQuerySet:
        """What keeps this withdrawal: holds on itself and on all of its owner's."""
        return self.standing().filter(Q(withdrawal=withdrawal) | Q(user=withdrawal.user_id, withdrawal__isnull=True))


class PayoutHold(models.Model):
    """Keeps one withdrawal, or without one all of a person's, those asked for later included, until it is ended or `until` has passed.

    The person reads `reason`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="payout_holds")
    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="holds", null=True)
    reason = models.CharField(max_length=300)
    incident_id = models.UUIDField(null=True)
    made_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    made_at = models.DateTimeField(default=now)
    until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    end_reason = models.CharField(max_length=300, blank=True)

    objects = PayoutHoldQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept="user_id withdrawal_id reason incident_id made_by_id made_at until ended_at ended_by_id end_reason",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "withdrawal", "incident_id"],
                condition=Q(ended_at__isnull=True),
                nulls_distinct=False,
                name="payout_hold_once",
            ),
        ]
        indexes = [
            models.Index(fields=["user"], condition=Q(ended_at__isnull=True), name="payout_hold_standing"),
            models.Index(fields=["until"], condition=Q(ended_at__isnull=True, until__isnull=False), name="payout_hold_ends"),
            models.Index(fields=["incident_id"], condition=Q(ended_at__isnull=True, incident_id__isnull=False), name="payout_hold_of_incident"),
        ]

    def __str__(self) -> str:
        return self.reason
