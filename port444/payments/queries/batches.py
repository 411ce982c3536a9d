"""Reads: transfers that the bank is handed as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q, Sum

from port444.kit.clock import now
from port444.kit.money import ZERO
from port444.payments import bank
from port444.payments.models import (
    PayoutBatch,
    PayoutMethod,
    Withdrawal,
    WithdrawalStatus,
)


@dataclass(frozen=True, slots=True)
class BatchSums:
    """What stands in a batch now."""

    lines: int
    total: Decimal
    waiting: int
    sent: int
    back: int


def batch_sums(batch: PayoutBatch) -> BatchSums:
    """Counted from its lines; a batch that nobody has exported may still lose some."""
    sums = Withdrawal.objects.filter(batch=batch).aggregate(
        lines=Count("pk"),
        amount=Sum("amount", default=ZERO),
        fee=Sum("fee", default=ZERO),
        waiting=Count("pk", filter=Q(status=WithdrawalStatus.SENDING)),
        sent=Count("pk", filter=Q(status=WithdrawalStatus.COMPLETED)),
        back=Count("pk", filter=Q(status=WithdrawalStatus.FAILED)),
    )
    return BatchSums(sums["lines"], sums["amount"] - sums["fee"], sums["waiting"], sums["sent"], sums["back"])


def batch_lines(batch: PayoutBatch) -> Iterator[bank.Transfer]:
    """The lines of an exported batch, as its file has them, read piece by piece."""
    for line in Withdrawal.objects.filter(batch=batch).order_by("pk").iterator(chunk_size=200):
        facts = line.bank or {}
        yield bank.Transfer(f"W{line.pk.hex}", bank.Account(**facts), line.arrives, f"port444 withdrawal {line.requested_at:%Y-%m-%d}")


def due_for_batch() -> tuple[int, Decimal]:
    """How many bank transfers the next batch would take, and what they come to."""
    due = Withdrawal.objects.filter(method=PayoutMethod.BANK, status=WithdrawalStatus.REQUESTED, due_at__lte=now(), user__suspended_at__isnull=True)
    sums = due.aggregate(lines=Count("pk"), amount=Sum("amount", default=ZERO), fee=Sum("fee", default=ZERO))
    return sums["lines"], sums["amount"] - sums["fee"]
