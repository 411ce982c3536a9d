"""Refunds: asked for inside the action that causes them, sent by a job, booked when the provider has sent them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from auditlog.actions import DIFFERENCES, Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.jobs import enqueue
from port444.kit.language import speaking_to
from port444.kit.money import ZERO, parse, positive, usd
from port444.kit.sentences import Said, plain, say
from port444.notifications.actions import notify
from port444.payments import credits, ledger, providers
from port444.payments.models import Invoice, InvoiceKind, InvoiceStatus, Payment, PaymentStatus, Refund, RefundStatus
from port444.payments.providers import Refused, Unavailable, chain_hash

from .lines import Line, write_lines
from .series import take_number


@transaction.atomic
def request_refund(
    payment: Payment,
    amount: Decimal,
    *,
    reason: str | Said,
    dedupe_key: str,
    actor: User | None,
    fee: Decimal = ZERO,
    escrowed: Decimal = ZERO,
) -> Refund:
    """Send `amount` of a payment back to the payer; call it inside the action that causes it.

    `amount` is the whole that goes back. Of it `fee` is the platform's service fee and is taken from the fees account; the
    rest is taken from the payer's client account, where `escrow.refund` put it. When an order ends through no fault of the
    client, pass `amount=price + client_fee, fee=client_fee`. `escrowed` is what of it a contract of escrow has set aside for
    the payer; the rest comes from the platform.

    `dedupe_key` names the business row: asking again gives the refund that is there, another amount raises ValueError. A
    payment that settled its invoice gets a credit note, and a credit that its invoice gave ends as far as it is not used.
    Raises Conflict when more would go back than was paid.
    """
    amount, fee, escrowed = positive(amount), parse(fee), parse(escrowed)
    if fee > amount:
        raise Invalid(_("The fee is part of the refund and cannot be more than it."), code="fee_range")
    locked = Payment.objects.lock(payment.pk)
    known = Refund.objects.filter(dedupe_key=dedupe_key).first()
    if known is not None:
        if (known.payment_id, known.amount) != (locked.pk, amount):
            raise ValueError(f"refund {dedupe_key!r} exists with another amount or payment")
        return known
    if locked.status != PaymentStatus.SUCCEEDED:
        raise WrongState(_("Nothing was paid with this payment, so nothing can go back."), code="nothing_paid")
    if locked.refunded + amount > locked.amount:
        left = locked.amount - locked.refunded
        raise Conflict(_("Only %(left)s of this payment can still go back.") % {"left": usd(left)}, code="refund_exceeds")
    moment = now()
    invoice = locked.invoice
    locked.refunded += amount
    locked.save(update_fields=["refunded"])
    payment.refunded = locked.refunded  # the caller's copy goes on being true
    if locked.settled_at is not None:
        credits.withdraw(invoice, amount - fee, moment, actor)
    refund = Refund(
        payment=locked,
        amount=amount,
        escrowed=escrowed,
        reason=plain(reason)[:200],
        said=reason.kept() if isinstance(reason, Said) else None,
        dedupe_key=dedupe_key,
        requested_at=moment,
    )
    moves = [(ledger.client(invoice.payer_id), fee - amount), (ledger.FEES, -fee), (ledger.REFUNDS, amount)]
    ledger.post(f"refund:{refund.pk}", "On its way back to the client", moves, invoice.subject_id)
    if locked.settled_at is not None:
        refund.credit_note = _credit_note(invoice, amount, fee, reason)
    refund.save(force_insert=True)
    facts: dict[str, Any] = {"fee": fee, "reason": plain(reason), "payment": locked.pk, "payer": invoice.payer_id}
    record(Event.REFUND_REQUESTED, actor=actor, target=refund, amount=amount, **facts)
    enqueue("port444.payments.jobs.send_refund", refund.pk)
    return refund


def _credit_note(invoice: Invoice, amount: Decimal, fee: Decimal, reason: str | Said) -> Invoice:
    moment = now()
    given = sum(invoice.credit_notes.values_list("fee", flat=True), ZERO)
    if given + fee > invoice.fee:
        raise Conflict(_("Only %(fee)s of the service fee can still go back.") % {"fee": usd(invoice.fee - given)}, code="fee_exceeds")
    note = Invoice.objects.create(
        kind=InvoiceKind.CREDIT_NOTE,
        number=take_number(moment, "C"),
        purpose=invoice.purpose,
        subject_id=invoice.subject_id,
        payer_id=invoice.payer_id,
        payee_id=invoice.payee_id,
        corrects=invoice,
        language=invoice.language,
        status=InvoiceStatus.PAID,
        subtotal=amount - fee,
        fee=fee,
        total=amount,
        payer_name=invoice.payer_name,
        payee_name=invoice.payee_name,
        return_url=invoice.return_url,
        opened_at=moment,
        paid_at=moment,
    )
    lines = [Line(reason, amount - fee), Line(say("port444 service fee"), fee, is_fee=True)]
    write_lines(note, [line for line in lines if line.amount])
    return note


def send_refund(refund_id: UUID) -> Refund:
    """Have the provider send a refund and book it. Talks to a network: not in a transaction. Safe to repeat.

    Without an answer the refund stays requested and the sweep tries again.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if refund.status != RefundStatus.REQUESTED:
        return refund
    try:
        external_id = providers.named(refund.payment.provider).refund(refund)
    except Unavailable:
        return refund
    except Refused as error:
        return fail_refund(refund_id, error.message)
    return complete_refund(refund_id, external_id)


@transaction.atomic
def complete_refund(refund_id: UUID, external_id: str) -> Refund:
    """The provider has sent the money; quiet when that is known."""
    refund = Refund.objects.lock(refund_id)
    if refund.status == RefundStatus.COMPLETED:
        return refund
    invoice = refund.payment.invoice
    refund.move_to(RefundStatus.COMPLETED, completed_at=now(), external_id=external_id, error="")
    ledger.post(
        f"refunded:{refund.pk}", "Sent back to the client", [(ledger.REFUNDS, -refund.amount), (ledger.EXTERNAL, refund.amount)], invoice.subject_id
    )
    facts: dict[str, Any] = {
        "payment": refund.payment_id,
        "payer": invoice.payer_id,
        "purpose": invoice.purpose,
        "order": invoice.deal_id or invoice.subject_id,
        "settled": refund.credit_note_id is not None,
        "builder_id": invoice.payee_id,
    }
    record(Event.REFUND_COMPLETED, actor=None, target=refund, amount=refund.amount, transaction_hash=chain_hash(external_id), **facts)
    with speaking_to(invoice.payer):
        notify(
            invoice.payer,
            "refund.completed",
            title=_("%(amount)s was sent back to you") % {"amount": usd(refund.amount)},
            body=_("%(reason)s It goes to the wallet you paid from.") % {"reason": refund.words},
            url=reverse("payments:invoice", args=[refund.credit_note_id or invoice.pk]),
            dedupe_key=f"refund.completed:{refund.pk}",
        )
    return refund


@transaction.atomic
def fail_refund(refund_id: UUID, error: str) -> Refund:
    """The provider refuses to send it: the money stays set aside and a person has to look."""
    refund = Refund.objects.lock(refund_id)
    if refund.status != RefundStatus.REQUESTED:
        return refund
    refund.move_to(RefundStatus.FAILED, failed_at=now(), error=error[:200])
    record(Event.REFUND_FAILED, actor=None, target=refund, amount=refund.amount, payment=refund.payment_id, error=error)
    open_incident(
        Finding(
            fingerprint=f"refund-failed:{refund.pk}",
            incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
            severity=IncidentSeverity.HIGH,
            confidence=100,
            description=f"A refund of {usd(refund.amount)} was refused by the provider: {error}",
            user_id=refund.payment.invoice.payer_id,
            potential_loss=refund.amount,
            evidence={"refund": str(refund.pk), "payment": str(refund.payment_id), "error": error},
            pattern="refund_refused",
            reasons=[Reason(100, "The provider refuses to send the money back, which stays set aside", str(refund.pk))],
            detector=DIFFERENCES,
        )
    )
    return refund


@transaction.atomic
def retry_refund(refund_id: UUID, *, actor: User) -> Refund:
    """Send a failed refund again; for staff."""
    if not actor.is_staff:
        raise NotAllowed(_("Only staff can send a refund again."))
    refund = Refund.objects.lock(refund_id)
    refund.move_to(RefundStatus.REQUESTED, error="")  # `failed_at` stays: what was tried before it is not tried again
    record(Event.REFUND_REQUESTED, actor=actor, target=refund, amount=refund.amount, again=True)
    enqueue("port444.payments.jobs.send_refund", refund.pk)
    return refund
