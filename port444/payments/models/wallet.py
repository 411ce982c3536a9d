"""The test wallet's own books."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from port444.kit.clock import now
from port444.kit.money import ZERO, amount_field


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
