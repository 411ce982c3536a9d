"""What was asked of escrow."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from port444.kit.clock import now
from port444.kit.money import ZERO, amount_field
from port444.kit.states import StateMachine, known_status


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
    # Of `amount`: what credits lent when it came in, or what of that went back when it went out. `prepaid` is of calls that the
    # builder was paid for already, `gift` is the platform's.
    prepaid = amount_field(default=ZERO)
    gift = amount_field(default=ZERO)
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
            models.CheckConstraint(condition=Q(prepaid__gte=0, gift__gte=0, amount__gte=F("prepaid") + F("gift")), name="escrow_operation_credit"),
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
