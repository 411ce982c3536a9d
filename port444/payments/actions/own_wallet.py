"""What a client does with a wallet of their own, and what was found on the chain."""

from __future__ import annotations

import re
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import DIFFERENCES, Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.jobs import enqueue
from port444.kit.money import ZERO, usd
from port444.payments.escrow import books, web3
from port444.payments.escrow.chain.contract import CENT_UNITS, from_units
from port444.payments.models import (
    VOID,
    WAITING,
    ChainCursor,
    ChainTransfer,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
    WalletMethod,
    WalletPayment,
    Withdrawal,
    WithdrawalStatus,
)
from port444.payments.providers import Outcome, named
from port444.payments.providers import wallet as own

from .details import fingerprint, owners_of
from .payments import end_attempt, reach_provider, record_report, start_payment
from .withdrawals import not_own

HASH = re.compile(r"0x[0-9a-fA-F]{64}")
LIVE = (PaymentStatus.CREATED, PaymentStatus.PENDING)


def _lock_live(payment_id: UUID, actor: User) -> Payment:
    """The actor's payment, locked, while it can still be paid."""
    payment = Payment.objects.lock(payment_id)
    if payment.provider != "wallet" or payment.invoice.payer_id != actor.pk:
        raise NotAllowed(_("This is somebody else's payment."))
    if payment.status == PaymentStatus.SUCCEEDED:
        raise WrongState(_("This is paid already. Nothing was taken again."), code="already_paid")
    if payment.status not in LIVE or payment.expires_at <= now():
        raise WrongState(_("The time to pay this has passed. Nothing was taken."), code="payment_over")
    named("wallet").require()
    return payment


@transaction.atomic
def sign_with_wallet(payment_id: UUID, *, actor: User, address: str, signature: str) -> WalletPayment:
    """Keep the wallet's authorization and have it collected; the same one again changes nothing.

    Whoever signed is found from the signature itself. Raises Invalid for any other signer, and Conflict when this payment is
    being paid in another way.
    """
    payment = _lock_live(payment_id, actor)
    address, signature = own.checked_address(address), own.normal_signature(signature)
    known = WalletPayment.objects.filter(payment=payment).first()
    if known is not None:
        if (known.method, known.address) != (WalletMethod.AUTHORIZATION, address):
            raise Conflict(_("This is being paid from %(address)s already.") % {"address": known.address}, code="paying")
        return known
    own.check_signature(payment, address, signature)
    chosen = _choose(payment, address, WalletMethod.AUTHORIZATION, actor, valid_before=own.valid_before(payment), signature=signature)
    args = {"valid_after": 0, "valid_before": chosen.valid_before, "nonce": chosen.nonce, "signature": signature}
    web3.collect(payment, address, payment.amount, own.collect_key(payment.pk), args)
    return chosen


@transaction.atomic
def send_from_wallet(payment_id: UUID, *, actor: User, address: str) -> WalletPayment:
    """Note which wallet is about to send the amount. Before it sends: what comes is known by its sender."""
    payment = _lock_live(payment_id, actor)
    address = own.checked_address(address)
    known = WalletPayment.objects.filter(payment=payment).first()
    if known is not None:
        if (known.method, known.address) != (WalletMethod.TRANSFER, address):
            raise Conflict(_("This is being paid from %(address)s already.") % {"address": known.address}, code="paying")
        return known
    cursor = ChainCursor.objects.filter(chain_id=settings.CHAIN_ID, contract__iexact=settings.USDC_ADDRESS).first()
    return _choose(payment, address, WalletMethod.TRANSFER, actor, from_block=cursor.next_block if cursor else 0)


def _choose(
    payment: Payment, address: str, method: WalletMethod, actor: User, *, from_block: int = 0, valid_before: int | None = None, signature: str = ""
) -> WalletPayment:
    chosen = WalletPayment.objects.create(
        payment=payment,
        chain_id=settings.CHAIN_ID,
        token=settings.USDC_ADDRESS,
        treasury=own.treasury(),
        address=address,
        method=method,
        from_block=from_block,
        valid_before=valid_before,
        nonce=own.nonce_of(payment.pk) if signature else "",
        signature=signature,
        begun_at=now(),
    )
    record(
        Event.PAYMENT_WALLET_CHOSEN,
        actor=actor,
        target=payment,
        amount=payment.amount,
        address=address,
        wallet_hash=fingerprint(address),
        method=method.value,
    )
    return chosen


@transaction.atomic
def note_hash(payment_id: UUID, *, actor: User, tx_hash: str) -> WalletPayment:
    """Remember which transaction the wallet says it has sent. It proves nothing and only makes the wait longer than the time to pay;
    a later hash replaces it, as a sped up transaction does."""
    payment = Payment.objects.lock(payment_id)
    if payment.provider != "wallet" or payment.invoice.payer_id != actor.pk:
        raise NotAllowed(_("This is somebody else's payment."))
    if not HASH.fullmatch(tx_hash):
        raise Invalid(_("That is not the hash of a transaction."), code="hash_format")
    wallet = WalletPayment.objects.filter(payment=payment, method=WalletMethod.TRANSFER).first()
    if wallet is None:
        raise WrongState(_("Say first which wallet sends it."), code="no_wallet")
    before, wallet.tx_hash = wallet.tx_hash, tx_hash.lower()
    wallet.save(update_fields=["tx_hash"])
    record(
        Event.PAYMENT_SENT,
        actor=actor,
        target=payment,
        amount=payment.amount,
        transaction_hash=wallet.tx_hash,
        before={"tx_hash": before},
        after={"tx_hash": wallet.tx_hash},
    )
    return wallet


def choose_again(payment_id: UUID, *, actor: User) -> Payment:
    """Begin anew after a way or a wallet was chosen: the attempt ends and another takes its place, so that money which comes for the
    first all the same is known and goes back. Raises WrongState when it may still come. Talks to a network: not in a transaction."""
    payment = Payment.objects.select_related("invoice").get(pk=payment_id)
    if payment.invoice.payer_id != actor.pk:
        raise NotAllowed(_("This is somebody else's payment."))
    if payment.status in LIVE and WalletPayment.objects.filter(payment=payment).exists():
        end_attempt(payment_id)
    return reach_provider(start_payment(payment.invoice_id, actor=actor, provider="wallet").pk)


def note_own_wallet(payment_id: UUID) -> Payment:
    """Record what the chain says of a payment, also of one that had run out: then its money goes back."""
    payment = Payment.objects.get(pk=payment_id)
    report = named("wallet").fetch(payment)
    if report.outcome != Outcome.PENDING:
        payment = record_report(payment, report)
    if payment.status == PaymentStatus.SUCCEEDED:
        ChainTransfer.objects.filter(payment=payment_id, noted_at=None).update(noted_at=now())
    return payment


def collected(operation: EscrowOperation) -> None:
    """Escrow's handler: what a client signed for has come. The payment is moved by a job, with its own locks."""
    enqueue("port444.payments.jobs.note_own_wallet", operation.subject_id)


def collection_failed(operation: EscrowOperation) -> None:
    """Escrow's handler: the signature cannot be used. Says why to the person who waits."""
    WalletPayment.objects.filter(payment=operation.subject_id).update(failure=operation.reason[:200])
    enqueue("port444.payments.jobs.note_own_wallet", operation.subject_id)


def part_failed(operation: EscrowOperation) -> None:
    """Escrow's handler: a part of a refund or a withdrawal was given up, so what was to follow it is not sent either. When another
    part has moved already, a person has to look."""
    others = EscrowOperation.objects.filter(purpose=operation.purpose, subject_id=operation.subject_id).exclude(pk=operation.pk)
    for other in others.filter(status__in=WAITING).order_by("number"):
        books.cancel(other.pk)
    if others.exclude(status__in=VOID).exists():
        open_incident(
            Finding(
                fingerprint=f"part-failed:{operation.purpose}:{operation.subject_id}",
                incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
                severity=IncidentSeverity.HIGH,
                confidence=100,
                description=f"A part of a {operation.purpose} has moved, and {usd(operation.amount)} of it was given up: {operation.reason}",
                potential_loss=operation.amount,
                evidence={operation.purpose: str(operation.subject_id), "operation": operation.pk, "to": operation.address},
                pattern="moved_in_part",
                reasons=[Reason(100, "One part of it has moved, another was given up", operation.pk)],
                detector=DIFFERENCES,
            )
        )
    part_ended(operation)


def part_ended(operation: EscrowOperation) -> None:
    """Escrow's handler: a part of a refund or a withdrawal is through."""
    enqueue(f"port444.payments.jobs.send_{operation.purpose}", operation.subject_id)


def parts_of(purpose: str, subject_id: UUID) -> tuple[list[EscrowOperation], list[EscrowOperation]]:
    """What of a refund or a withdrawal has moved or may still, and what was given up."""
    parts = web3.in_force(EscrowOperation.objects.filter(purpose=purpose, subject_id=subject_id).order_by("number"))
    return [one for one in parts if one.status not in VOID], [one for one in parts if one.status in VOID]


@transaction.atomic
def send_rest(purpose: str, subject_id: UUID, *, actor: User) -> list[EscrowOperation]:
    """Ask anew for what was given up of a refund or a withdrawal of which another part has gone; for staff.

    Each part is asked for in the place of the one that was given up, to the same address, so that together just the whole goes out.
    """
    if not actor.is_staff:
        raise NotAllowed(_("Only staff can send the rest."))
    row: Refund | Withdrawal = lock_sent(purpose, subject_id)
    gone, given_up = parts_of(purpose, subject_id)
    why = cannot_send_rest(row, gone, given_up)
    if why is not None:
        raise why
    asked = []
    for part in given_up:
        key = f"{purpose}:{subject_id}:{part.kind}:rest{part.number}"
        if part.kind == EscrowKind.PAY:
            asked.append(web3.pay(purpose, subject_id, part.address, part.amount, key, replaces=part.op_id))
        else:
            asked.append(web3.withdraw(purpose, subject_id, part.address, part.amount, key, builder_id=part.builder_id, replaces=part.op_id))
    rest = sum((part.amount for part in asked), ZERO)
    record(Event.REST_SENT, actor=actor, target=row, amount=rest, purpose=purpose, operations=[part.op_id for part in asked])
    return asked


def lock_sent(purpose: str, subject_id: UUID) -> Refund | Withdrawal:
    """The refund, or the withdrawal after its owner."""
    if purpose == "refund":
        return Refund.objects.lock(subject_id)
    User.objects.lock(Withdrawal.objects.values_list("user_id", flat=True).get(pk=subject_id))
    return Withdrawal.objects.lock(subject_id)


def cannot_send_rest(row: Refund | Withdrawal, gone: list[EscrowOperation], given_up: list[EscrowOperation]) -> WrongState | None:
    """Why there is no rest to send; None when there is."""
    if row.status not in (RefundStatus.REQUESTED, WithdrawalStatus.SENDING):
        return WrongState(_("This is %(status)s already.") % {"status": row.status_words()}, code="over")
    if not given_up:
        return WrongState(_("Nothing of this was given up."), code="nothing_given_up")
    if any(one.status != EscrowStatus.CONFIRMED for one in gone):
        return WrongState(_("A part of this is still on its way. Wait until it has arrived."), code="under_way")
    if not gone:
        return WrongState(_("Nothing of this has moved. It is refused as a whole, and can then be sent again."), code="nothing_moved")
    return None


@transaction.atomic
def return_transfer(transfer_id: UUID, *, actor: User) -> EscrowOperation:
    """Send a transfer that fits no payment back to where it came from, in whole cents; for staff. Asking again sends nothing more."""
    if not actor.is_staff:
        raise NotAllowed(_("Only staff can send a transfer back."))
    transfer = ChainTransfer.objects.select_for_update(of=("self",), no_key=True).get(pk=transfer_id)
    not_own(actor, *owners_of(transfer.sender))
    if transfer.payment_id is not None:
        raise WrongState(_("This transfer has paid for something."), code="transfer_used")
    if transfer.gone_at is not None:
        raise WrongState(_("The chain has dropped this transfer: there is nothing to send back."), code="transfer_gone")
    amount = from_units(int(transfer.units) // CENT_UNITS * CENT_UNITS)
    before = EscrowOperation.objects.filter(purpose="transfer", subject_id=transfer.pk, kind=EscrowKind.PAY)
    sent = before.exclude(status__in=VOID).first()
    if sent is not None:
        return sent
    record(Event.TRANSFER_RETURNED, actor=actor, target=transfer, amount=amount, transaction_hash=transfer.tx_hash, to=transfer.sender)
    return web3.pay("transfer", transfer.pk, transfer.sender, amount, f"transfer:{transfer.pk}:{before.count()}")
