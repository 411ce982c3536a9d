"""Where a builder's earnings go."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field
from port444.kit.states import StateMachine, known_status

USER = settings.AUTH_USER_MODEL


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
