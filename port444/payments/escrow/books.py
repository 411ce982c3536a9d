"""What a confirmed operation does to the books, once; and what follows when it is given up.

`confirm`, `give_up` and `cancel` are for whoever talks to the chain. Each is one transaction that locks the deal's own row first
and then the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from auditlog.actions import DIFFERENCES, Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.money import ZERO, fee, usd
from port444.payments import credits, handlers, ledger
from port444.payments.models import EscrowKind, EscrowOperation, EscrowStatus, Payment
from port444.payments.models.escrow import VOID, WAITING

from .deals import Lent
from .standing import Standing

K = EscrowKind
T = EscrowStatus
EVENTS = {
    K.OPEN: Event.ESCROW_FUNDED,
    K.AMEND: Event.ESCROW_FUNDED,
    K.RELEASE: Event.ESCROW_RELEASED,
    K.REFUND: Event.ESCROW_REFUNDED,
    K.MOVE: Event.ESCROW_MOVED,
    K.EXTEND: Event.ESCROW_EXTENDED,
    K.HOLD: Event.ESCROW_HELD,
}


@transaction.atomic
def confirm(op_id: str, **stamps: Any) -> EscrowOperation:
    """The chain has confirmed it: book it and tell who registered. `stamps` are fields of the operation (tx_hash, block_number, ...).

    What was booked before a reorganisation is not booked again. Raises WrongState `escrow_order` while an earlier operation of
    its deal is not booked.
    """
    operation = _lock(op_id)
    if operation.status == T.CONFIRMED:
        if stamps:
            operation.save(update_fields=list(_stamped(operation, stamps)))
        return operation
    if operation.applied_at is not None:
        operation.move_to(T.CONFIRMED, confirmed_at=now(), reason="", **stamps)
        return operation
    if earlier(operation).filter(applied_at__isnull=True).exists():
        raise WrongState(_("An earlier operation of this deal is still on its way."), code="escrow_order")
    _stamped(operation, stamps)
    apply_confirmed(operation, actor=_actor(operation), stamps=list(stamps))
    return operation


@transaction.atomic
def give_up(op_id: str, reason: str) -> EscrowOperation:
    """It can never take effect: nothing moved and nothing will. Tells who registered with `handlers.on_escrow_failed`.

    When a deal cannot be opened on the chain, its money stays in the ledger, and so does what was asked of it meanwhile. After
    any other money that did not come in, what was to go out is given up as well.
    """
    operation = _lock(op_id)
    if operation.status == T.FAILED:
        return operation
    if operation.applied_at is not None:
        raise WrongState(_("This operation is in the books already."), code="escrow_booked")
    operation.move_to(T.FAILED, reason=reason[:300])
    record(
        Event.ESCROW_FAILED,
        actor=None,
        target=operation,
        amount=operation.amount,
        kind=operation.kind,
        operation=operation.op_id,
        purpose=operation.purpose,
        subject=operation.subject_id,
        reason=reason,
    )
    if operation.kind == K.OPEN:
        _keep_in_ledger(operation)
    elif operation.kind in (K.AMEND, K.MOVE):
        touched = [operation.subject_id, operation.target_id or operation.subject_id]
        for later in _later(operation).filter(Q(subject_id__in=touched), kind__in=[K.RELEASE, K.REFUND, K.MOVE]):
            give_up(later.op_id, "What was to come in before it did not come in.")
    if not handlers.escrow_failed(operation):
        open_incident_of(operation, reason)
    return operation


@transaction.atomic
def cancel(op_id: str) -> EscrowOperation:
    """Take it back. Raises WrongState `escrow_under_way` once a transaction was signed for it, and `escrow_used` when something
    that was asked later needs it."""
    operation = _lock(op_id)
    if operation.status == T.CANCELLED:
        return operation
    if operation.status not in WAITING or operation.applied_at is not None or operation.attempts.exists():
        raise WrongState(_("This is on its way already and cannot be taken back."), code="escrow_under_way")
    operation.move_to(T.CANCELLED)
    facts: dict[str, Any] = {"operation": operation.op_id, "kind": operation.kind, "purpose": operation.purpose, "subject": operation.subject_id}
    record(Event.ESCROW_TAKEN_BACK, actor=None, target=operation, amount=operation.amount, **facts)
    for deal_id in filter(None, (operation.subject_id, operation.target_id)):
        left = Standing.of(deal_id)
        if left.locked < 0 or left.lent < 0 or (operation.kind == K.OPEN and left.asked):
            raise WrongState(_("What was asked later needs this."), code="escrow_used")
    return operation


def note_step(row: EscrowOperation, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None) -> None:
    """Say in the log that an operation has moved; a step that a person has to look at is a warning."""
    event = Event.ESCROW_NEEDS_REVIEW if row.status == T.NEEDS_REVIEW else Event.ESCROW_STEPPED
    facts: dict[str, Any] = {"operation": row.op_id, "kind": row.kind, "purpose": row.purpose, "subject": row.subject_id}
    tx_hash = (after or {}).get("tx_hash", row.tx_hash)
    said: dict[str, Any] = {"description": row.reason, "before": before, "after": after, **facts}
    record(event, actor=None, target=row, amount=row.amount, transaction_hash=tx_hash, **said)


def earlier(operation: EscrowOperation) -> Any:
    """What is before `operation` in the queues of its deals: asked earlier, neither confirmed nor void."""
    deals = [deal_id for deal_id in (operation.subject_id, operation.target_id) if deal_id is not None]
    return EscrowOperation.objects.open().filter(Q(subject_id__in=deals) | Q(kind=K.MOVE, target_id__in=deals), number__lt=operation.number)


def _later(operation: EscrowOperation) -> Any:
    return EscrowOperation.objects.open().filter(number__gt=operation.number, applied_at__isnull=True).order_by("number")


def _lock(op_id: str) -> EscrowOperation:
    plain = EscrowOperation.objects.get(pk=op_id)
    for deal_id in sorted({plain.subject_id, plain.target_id or plain.subject_id}):
        handlers.lock_deal(plain.purpose, deal_id)
    return EscrowOperation.objects.lock(op_id)


def _stamped(operation: EscrowOperation, stamps: dict[str, Any]) -> dict[str, Any]:
    for name, value in stamps.items():
        setattr(operation, name, value)
    return stamps


def _actor(operation: EscrowOperation) -> User | None:
    """Who asked for it."""
    return User.objects.filter(pk=operation.args["actor"]).first() if "actor" in operation.args else None


def apply_confirmed(operation: EscrowOperation, *, actor: Any | None = None, stamps: Sequence[str] = (), tell: bool = True) -> None:
    """Book a confirmed operation, log it, and `tell` who registered for it. The only place where escrow moves the ledger."""
    moment = now()
    changed = {name: getattr(operation, name) for name in stamps}
    operation.move_to(T.CONFIRMED, confirmed_at=moment, applied_at=moment, reason="", **changed)
    book = BOOKINGS.get(EscrowKind(operation.kind))
    earned = book(operation) if book is not None and operation.amount else ZERO
    facts: dict[str, Any] = {"purpose": operation.purpose, "subject": operation.subject_id, "operation": operation.op_id, "kind": operation.kind}
    event = EVENTS.get(EscrowKind(operation.kind))
    if event is not None:
        record(
            event,
            actor=actor,
            target=operation,
            amount=operation.amount,
            transaction_hash=operation.tx_hash,
            client=operation.client_id,
            builder=operation.builder_id,
            **facts,
        )
    if earned:
        assert operation.builder_id is not None
        builder = User.objects.get(pk=operation.builder_id)
        charged = fee(operation.amount, operation.fee_bps)
        record(Event.EARNING_CREDITED, actor=actor, target=builder, amount=earned, fee=charged, client=operation.client_id, **facts)
    if tell:
        handlers.escrow_confirmed(operation)


def _into(operation: EscrowOperation) -> Any:
    assert operation.client_id is not None
    moves = [(ledger.client(operation.client_id), -operation.amount), (ledger.escrow(operation.subject_id), operation.amount)]
    ledger.post(f"escrow:{operation.op_id}", "Into escrow", moves, operation.subject_id)
    return ZERO


def _out(operation: EscrowOperation) -> Any:
    assert operation.builder_id is not None
    amount, back = operation.amount, operation.prepaid
    charged = fee(amount, operation.fee_bps)
    earned = amount - charged - back
    moves = [
        (ledger.escrow(operation.subject_id), -amount),
        (ledger.earnings(operation.builder_id), earned),
        (ledger.CREDITS, back),
        (ledger.FEES, charged),
    ]
    ledger.post(f"escrow:{operation.op_id}", "Released to the builder", moves, operation.subject_id)
    return earned


def _back(operation: EscrowOperation) -> Any:
    assert operation.client_id is not None
    amount, credit = operation.amount, operation.prepaid + operation.gift
    paid_by = lock_payments(operation.subject_id)  # before the books, which come last
    if credit:
        credits.give_back(paid_by, prepaid=operation.prepaid, gift=operation.gift, moment=now())
    moves = [(ledger.escrow(operation.subject_id), -amount), (ledger.client(operation.client_id), amount - credit), (ledger.CREDITS, credit)]
    ledger.post(f"escrow:{operation.op_id}", "Back to the client", moves, operation.subject_id)
    return ZERO


def _over(operation: EscrowOperation) -> Any:
    assert operation.target_id is not None
    moves = [(ledger.escrow(operation.subject_id), -operation.amount), (ledger.escrow(operation.target_id), operation.amount)]
    ledger.post(f"escrow:{operation.op_id}", "To another deal", moves, operation.subject_id)
    return ZERO


BOOKINGS: dict[EscrowKind, Callable[[EscrowOperation], Any]] = {K.OPEN: _into, K.AMEND: _into, K.RELEASE: _out, K.REFUND: _back, K.MOVE: _over}


def would_go(deal_id: Any, amount: Decimal) -> Lent:
    """What of the credits that lent to a deal would go with `amount`, if it were moved now."""
    standing = Standing.of(deal_id)
    return standing.share(K.MOVE, amount, standing.opened.fee_bps if standing.opened else 0)


def sources(deal_id: Any) -> list[Any]:
    """The deals whose payments may give back what is locked for this one: its own, those from which money was moved into it, nearest
    first, and then all others that share payments with these. What one of them takes from a payment first, another finds in the rest, so
    that there is always just as much left as all of them together may still give back."""
    found, moves = [deal_id], EscrowOperation.objects.filter(kind=K.MOVE).exclude(status__in=VOID).order_by("number")
    for one in found:
        moved = moves.filter(target_id=one, applied_at__isnull=False).values_list("subject_id", flat=True)
        found += [source for source in dict.fromkeys(moved) if source not in found]
    for one in found:
        touching = moves.filter(Q(subject_id=one) | Q(target_id=one)).values_list("subject_id", "target_id")
        found += [other for other in dict.fromkeys(pk for pair in touching for pk in pair) if other not in found]
    return found


def lock_payments(deal_id: Any) -> list[Any]:
    """Lock the payments of all deals that share them, in their one order, before it is counted what of them is left. Gives the deals."""
    deals = sources(deal_id)
    paid = Payment.objects.filter(invoice__deal_id__in=deals).order_by("pk")
    list(paid.select_for_update(of=("self",), no_key=True).values_list("pk"))
    return deals


def _keep_in_ledger(opening: EscrowOperation) -> None:
    """The chain will not open this deal. Its money is still the platform's to keep, so the ledger holds it as if there were no chain."""
    waiting = list(_later(opening).filter(Q(subject_id=opening.subject_id) | Q(kind=K.MOVE, target_id=opening.subject_id)))
    kept = EscrowOperation.objects.create(
        op_id=f"{opening.op_id}:kept",
        kind=K.OPEN,
        purpose=opening.purpose,
        subject_id=opening.subject_id,
        client_id=opening.client_id,
        builder_id=opening.builder_id,
        amount=opening.amount,
        prepaid=opening.prepaid,
        gift=opening.gift,
        fee_bps=opening.fee_bps,
        args={name: opening.args[name] for name in ("expiry", "actor") if name in opening.args},
        backend="ledger",
        created_at=now(),
    )
    kept.refresh_from_db()
    apply_confirmed(kept, actor=_actor(kept), tell=False)
    for operation in waiting:
        if operation.kind == K.MOVE:
            give_up(operation.op_id, "One of the two deals could not be opened.")
            continue
        locked = EscrowOperation.objects.lock(operation.op_id)
        if locked.status in VOID:
            continue
        for name, value in {"backend": "ledger", "chain_id": None, "contract": "", "key": "", "address": ""}.items():
            setattr(locked, name, value)
        apply_confirmed(locked, actor=_actor(locked), stamps=("backend", "chain_id", "contract", "key", "address"))


def open_incident_of(operation: EscrowOperation, reason: str) -> None:
    """A person has to look at an operation that was given up."""
    open_incident(
        Finding(
            fingerprint=f"escrow-failed:{operation.number}",
            incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
            severity=IncidentSeverity.HIGH,
            confidence=100,
            description=f"An escrow operation ({operation.kind}) over {usd(operation.amount)} was given up: {reason}",
            user_id=operation.client_id,
            potential_loss=operation.amount,
            evidence={"operation": operation.op_id, "purpose": operation.purpose, "subject": str(operation.subject_id), "reason": reason},
            pattern="operation_given_up",
            reasons=[Reason(100, "What the books expect in escrow was given up", operation.op_id)],
            detector=DIFFERENCES,
        )
    )
