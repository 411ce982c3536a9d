"""Batches of bank transfers: staff collect what is due, hand the file to the bank, and write down what became of every line.

A batch is locked before the owners of its lines, these before the lines, and lines in the order of their ids.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.ids import uuid7
from port444.kit.money import ZERO
from port444.payments.models import BatchStatus, PayoutBatch, PayoutHold, PayoutMethod, Withdrawal, WithdrawalStatus

from .reading import unread
from .withdrawals import complete_withdrawal, give_back_withdrawal, not_own, staff_only, worded

MOST_LINES = 500


@transaction.atomic
def make_batch(*, actor: User) -> PayoutBatch:
    """Collect the bank transfers that are due, the oldest first. Each stands in one batch only, however many are made at once. What the
    detectors have not read waits for the next one."""
    staff_only(actor)
    moment = now()
    due = Withdrawal.objects.filter(method=PayoutMethod.BANK, status=WithdrawalStatus.REQUESTED, due_at__lte=moment, user__suspended_at__isnull=True)
    rows = list(due.order_by("pk").select_for_update(of=("self",), no_key=True, skip_locked=True)[:MOST_LINES])
    if not rows:
        raise Conflict("No bank transfer is due.", code="nothing_due")
    waiting = unread(rows)
    rows = [row for row in rows if row.pk not in waiting]
    if not rows:
        raise Conflict("The detectors have not looked at what is due yet. Try again in a minute.", code="unread")
    not_own(actor, *(row.user_id for row in rows))
    pk = uuid7()
    total = sum((row.arrives for row in rows), ZERO)
    batch = PayoutBatch.objects.create(
        pk=pk, reference=f"P{moment:%y%m%d}-{pk.hex[-8:].upper()}", lines=len(rows), total=total, made_by=actor, made_at=moment
    )
    for row in rows:
        row.move_to(WithdrawalStatus.SENDING, batch=batch, sending_at=moment)
        facts: dict[str, Any] = {"user": row.user_id, "destination": row.destination, "batch": batch.reference}
        record(Event.WITHDRAWAL_BEGUN, actor=actor, target=row, amount=row.amount, **facts)
    record(Event.PAYOUT_BATCH_MADE, actor=actor, target=batch, amount=total, reference=batch.reference, lines=len(rows))
    return batch


@transaction.atomic
def export_batch(batch_id: UUID, *, actor: User, kind: str) -> PayoutBatch:
    """Staff take the file to the bank. At the first time it is looked at once more who may be paid; after that the file never changes.

    Whoever is suspended by then stays out of it, held. Raises WrongState when nothing is left.
    """
    staff_only(actor)
    batch = PayoutBatch.objects.lock(batch_id)
    not_own(actor, *_people(batch_id))
    if batch.status == BatchStatus.MADE:
        _look_again(batch)
        sums = Withdrawal.objects.filter(batch=batch).aggregate(lines=Count("pk"), amount=Sum("amount", default=ZERO), fee=Sum("fee", default=ZERO))
        if not sums["lines"]:
            raise WrongState("Nothing is left in this batch. Close it.", code="batch_empty")
        moment = now()
        batch.move_to(BatchStatus.EXPORTED, exported_at=moment, lines=sums["lines"], total=sums["amount"] - sums["fee"])
    elif batch.exported_at is None:
        raise WrongState("This batch was closed without a file.", code="batch_closed")
    record(Event.PAYOUT_BATCH_EXPORTED, actor=actor, target=batch, amount=batch.total, reference=batch.reference, lines=batch.lines, kind=kind)
    return batch


def _people(batch_id: UUID) -> list[UUID]:
    """To whom a batch sends money."""
    return list(Withdrawal.objects.filter(batch=batch_id).values_list("user_id", flat=True))


def _look_again(batch: PayoutBatch) -> None:
    """Take out who may not be paid now. With the lines locked, nobody can hold one behind our back."""
    lines = list(Withdrawal.objects.filter(batch=batch).select_related("user").order_by("pk").select_for_update(of=("self",), no_key=True))
    for line in lines:
        if line.status != WithdrawalStatus.SENDING:
            continue
        held = PayoutHold.objects.on(line).exists()
        reason = "Held while the batch was made."
        if line.user.is_suspended and not held:
            reason = "The account is suspended."
            PayoutHold.objects.create(user=line.user, withdrawal=line, reason=reason, made_at=now())
        if line.user.is_suspended or held:
            line.move_to(WithdrawalStatus.HELD, batch=None, sending_at=None)
            facts: dict[str, Any] = {"user": line.user_id, "batch": batch.reference}
            record(Event.WITHDRAWAL_HELD, actor=None, target=line, amount=line.amount, description=reason, **facts)
    if unread([line for line in lines if line.status == WithdrawalStatus.SENDING]):
        raise Conflict("The detectors stand still, or want a line of this batch held. Try again in a minute.", code="unread")


@transaction.atomic
def mark_line_sent(withdrawal_id: UUID, *, actor: User) -> Withdrawal:
    """The bank has carried out one line; quiet when that is known."""
    staff_only(actor)
    batch_id, owner = Withdrawal.objects.values_list("batch_id", "user_id").get(pk=withdrawal_id)
    not_own(actor, owner)
    if batch_id is None:
        raise WrongState("This withdrawal stands in no batch.", code="no_batch")
    batch = PayoutBatch.objects.lock(batch_id)
    if batch.status == BatchStatus.MADE:
        raise WrongState("Nobody has exported this batch yet.", code="not_exported")
    line = complete_withdrawal(withdrawal_id, batch.reference, actor=actor)
    _close_when_done(batch, actor)
    return line


@transaction.atomic
def mark_line_failed(withdrawal_id: UUID, *, actor: User, reason: str) -> Withdrawal:
    """The bank refused one line, or sent it back: the builder gets it back, the fee too."""
    staff_only(actor)
    reason = worded(reason)
    batch_id = Withdrawal.objects.values_list("batch_id", flat=True).get(pk=withdrawal_id)
    batch = PayoutBatch.objects.lock(batch_id) if batch_id else None
    line = give_back_withdrawal(withdrawal_id, actor=actor, reason=reason)
    if batch is not None:
        _close_when_done(batch, actor)
    return line


def settle_batch(batch_id: UUID, *, actor: User, reason: str = "") -> int:
    """Every line that is on its way was sent, or with a `reason` was refused; how many. Each line in its own transaction: what was
    interrupted is gone on with by asking again."""
    staff_only(actor)
    not_own(actor, *_people(batch_id))
    if PayoutBatch.objects.get(pk=batch_id).status == BatchStatus.MADE:
        raise WrongState("Nobody has exported this batch yet.", code="not_exported")
    lines = list(Withdrawal.objects.filter(batch=batch_id, status=WithdrawalStatus.SENDING).order_by("pk").values_list("pk", flat=True))
    for pk in lines:
        if reason:
            mark_line_failed(pk, actor=actor, reason=reason)
        else:
            mark_line_sent(pk, actor=actor)
    return len(lines)


@transaction.atomic
def close_batch(batch_id: UUID, *, actor: User) -> PayoutBatch:
    """Close a batch in which nothing is on its way any more."""
    staff_only(actor)
    batch = PayoutBatch.objects.lock(batch_id)
    not_own(actor, *_people(batch_id))
    if Withdrawal.objects.filter(batch=batch, status=WithdrawalStatus.SENDING).exists():
        raise WrongState("Lines of this batch are on their way. Say first what became of them.", code="batch_open")
    _close_when_done(batch, actor)
    return batch


def _close_when_done(batch: PayoutBatch, actor: User) -> None:
    if batch.status == BatchStatus.CLOSED or Withdrawal.objects.filter(batch=batch, status=WithdrawalStatus.SENDING).exists():
        return
    batch.move_to(BatchStatus.CLOSED, closed_at=now())
    record(Event.PAYOUT_BATCH_CLOSED, actor=actor, target=batch, amount=batch.total, reference=batch.reference)
