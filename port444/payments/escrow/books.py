"""Escrow in the ledger: an operation is carried out at once, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.money import CENT, ZERO, fee, positive, usd
from port444.payments import credits, handlers, ledger
from port444.payments.models import EscrowKind, EscrowOperation, EscrowStatus

from .deals import NOTHING, Deal, Lent, Position

EVENTS = {
    EscrowKind.OPEN: Event.ESCROW_FUNDED,
    EscrowKind.AMEND: Event.ESCROW_FUNDED,
    EscrowKind.RELEASE: Event.ESCROW_RELEASED,
    EscrowKind.REFUND: Event.ESCROW_REFUNDED,
}
FUNDING = (EscrowKind.OPEN, EscrowKind.AMEND)
LONGEST_KEY = 110  # the journal's key puts a word before it


class LedgerEscrow:
    """See `deals.Escrow` for what each call means."""

    backend = "ledger"

    def open(
        self, deal: Deal, amount: Decimal, fee_bps: int, key: str, *, expiry: datetime, lent: Lent = NOTHING, actor: Any | None = None
    ) -> EscrowOperation:
        return self._operate(deal, EscrowKind.OPEN, amount, key, actor, fee_bps, lent)

    def amend(self, deal: Deal, additional: Decimal, key: str, *, actor: Any | None = None) -> EscrowOperation:
        return self._operate(deal, EscrowKind.AMEND, additional, key, actor)

    def release(self, deal: Deal, amount: Decimal, key: str, *, actor: Any | None = None) -> EscrowOperation:
        return self._operate(deal, EscrowKind.RELEASE, amount, key, actor)

    def refund(self, deal: Deal, amount: Decimal, key: str, *, actor: Any | None = None) -> EscrowOperation:
        return self._operate(deal, EscrowKind.REFUND, amount, key, actor)

    def position(self, deal: Deal) -> Position:
        done = EscrowOperation.objects.filter(purpose=deal.purpose, subject_id=deal.id, status=EscrowStatus.CONFIRMED).aggregate(
            funded=Sum("amount", filter=Q(kind__in=FUNDING), default=ZERO),
            released=Sum("amount", filter=Q(kind=EscrowKind.RELEASE), default=ZERO),
            refunded=Sum("amount", filter=Q(kind=EscrowKind.REFUND), default=ZERO),
        )
        return Position(locked=done["funded"] - done["released"] - done["refunded"], **done)

    @transaction.atomic
    def _operate(
        self, deal: Deal, kind: EscrowKind, amount: Decimal, key: str, actor: Any | None, fee_bps: int | None = None, lent: Lent = NOTHING
    ) -> EscrowOperation:
        amount = positive(amount)
        if len(key) > LONGEST_KEY:
            raise ValueError(f"the key of an escrow operation has at most {LONGEST_KEY} characters")
        done = EscrowOperation.objects.filter(op_id=key).first()
        if done is not None:
            return _same(done, deal, kind, amount, fee_bps)
        opened = EscrowOperation.objects.filter(purpose=deal.purpose, subject_id=deal.id, kind=EscrowKind.OPEN).first()
        if kind == EscrowKind.OPEN:
            if opened is not None:
                raise WrongState("The escrow of this deal is open already.", code="escrow_open")
            bps = fee_bps or 0
        else:
            if opened is None:
                raise WrongState("Nothing is in escrow for this.", code="escrow_empty")
            if (opened.client_id, opened.builder_id) != (deal.client_id, deal.builder_id):
                raise ValueError(f"escrow of {deal.id} was opened between other people")
            bps = opened.fee_bps
        if kind not in FUNDING:
            locked = self.position(deal).locked
            if amount > locked:
                raise Conflict(f"Escrow holds {usd(locked)}, which is less than {usd(amount)}.", code="escrow_short")
        operation = EscrowOperation(
            op_id=key,
            kind=kind,
            purpose=deal.purpose,
            subject_id=deal.id,
            client_id=deal.client_id,
            builder_id=deal.builder_id,
            amount=amount,
            prepaid=lent.prepaid,
            gift=lent.gift,
            fee_bps=bps,
            backend=self.backend,
            created_at=now(),
        )
        EscrowOperation.objects.bulk_create([operation], ignore_conflicts=True)
        stored = EscrowOperation.objects.filter(op_id=key).first()
        if stored is None:
            raise Conflict("Another escrow operation of this deal is still running. Please try again.", code="escrow_busy")
        if stored.status != EscrowStatus.QUEUED:
            return _same(stored, deal, kind, amount, fee_bps)
        apply_confirmed(stored, actor=actor)
        return stored


def _same(done: EscrowOperation, deal: Deal, kind: EscrowKind, amount: Decimal, fee_bps: int | None) -> EscrowOperation:
    asked = (kind, deal.purpose, deal.id, deal.client_id, deal.builder_id, amount, done.fee_bps if fee_bps is None else fee_bps)
    if (done.kind, done.purpose, done.subject_id, done.client_id, done.builder_id, done.amount, done.fee_bps) != asked:
        raise ValueError(f"escrow operation {done.op_id!r} exists and asked for something else")
    return done


def apply_confirmed(operation: EscrowOperation, *, actor: Any | None = None) -> None:
    """Book a confirmed operation, log it, and tell who registered for it. The only place where escrow moves the ledger."""
    assert operation.client_id is not None
    assert operation.builder_id is not None
    held = ledger.escrow(operation.subject_id)
    key, subject, amount = f"escrow:{operation.op_id}", operation.subject_id, operation.amount
    earned = charged = ZERO
    moment = now()
    back = NOTHING if operation.kind in FUNDING else _share(operation)
    operation.move_to(
        EscrowStatus.CONFIRMED,
        confirmed_at=moment,
        applied_at=moment,
        prepaid=operation.prepaid if operation.kind in FUNDING else back.prepaid,
        gift=operation.gift if operation.kind in FUNDING else back.gift,
    )
    if operation.kind in FUNDING:
        ledger.post(key, "Into escrow", [(ledger.client(operation.client_id), -amount), (held, amount)], subject)
    elif operation.kind == EscrowKind.RELEASE:
        charged = fee(amount, operation.fee_bps)
        earned = amount - charged - back.prepaid
        ledger.post(
            key,
            "Released to the builder",
            [(held, -amount), (ledger.earnings(operation.builder_id), earned), (ledger.CREDITS, back.prepaid), (ledger.FEES, charged)],
            subject,
        )
    elif operation.kind == EscrowKind.REFUND:
        credit = back.prepaid + back.gift
        if credit:
            credits.give_back(operation.purpose, subject, prepaid=back.prepaid, gift=back.gift, moment=moment)
        ledger.post(
            key, "Back to the client", [(held, -amount), (ledger.client(operation.client_id), amount - credit), (ledger.CREDITS, credit)], subject
        )
    facts: dict[str, Any] = {"purpose": operation.purpose, "subject": operation.subject_id, "operation": operation.op_id, "kind": operation.kind}
    record(
        EVENTS[EscrowKind(operation.kind)],
        actor=actor,
        target=operation,
        amount=amount,
        transaction_hash=operation.tx_hash,
        client=operation.client_id,
        builder=operation.builder_id,
        **facts,
    )
    if earned:
        builder = User.objects.get(pk=operation.builder_id)
        record(Event.EARNING_CREDITED, actor=actor, target=builder, amount=earned, fee=charged, client=operation.client_id, **facts)
    handlers.escrow_confirmed(operation)


def _share(operation: EscrowOperation) -> Lent:
    """What of the credits in a deal goes out with `operation`: in proportion to what has gone out by then, less what went before.

    Counted from the start, so that no cent is lost or found on the way and the last operation takes just what is left. Of a release
    it is never more than the builder earns with it, because no more than that share of the price is ever prepaid.
    """
    done = EscrowOperation.objects.filter(purpose=operation.purpose, subject_id=operation.subject_id, status=EscrowStatus.CONFIRMED)
    into, out = Q(kind__in=FUNDING), ~Q(kind__in=FUNDING)
    sums = done.aggregate(
        funded=Sum("amount", filter=into, default=ZERO),
        gone=Sum("amount", filter=out, default=ZERO),
        prepaid_in=Sum("prepaid", filter=into, default=ZERO),
        prepaid_out=Sum("prepaid", filter=out, default=ZERO),
        gift_in=Sum("gift", filter=into, default=ZERO),
        gift_out=Sum("gift", filter=out, default=ZERO),
    )
    gone = sums["gone"] + operation.amount

    def by_now(lent: Decimal) -> Decimal:
        share: Decimal = (lent * gone / sums["funded"]).quantize(CENT, ROUND_DOWN)
        return share

    # The prepaid part is counted for itself and the gift is the rest of both: so they never go beyond the amount together.
    prepaid = max(ZERO, by_now(sums["prepaid_in"]) - sums["prepaid_out"])
    both = by_now(sums["prepaid_in"] + sums["gift_in"]) - sums["prepaid_out"] - sums["gift_out"]
    return Lent(prepaid, min(max(ZERO, both - prepaid), sums["gift_in"] - sums["gift_out"]))
