"""Giving money back after it has left escrow, and what came in and paid for nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import WrongState, word_constraint
from port444.payments import credits, handlers, ledger
from port444.payments.escrow import Deal, books
from port444.payments.models import Basis, Compensation, Invoice, InvoiceStatus, Payment, PaymentStatus, Refund
from port444.payments.refunding import Back

from .invoices import send_back
from .refunds import request_refund

word_constraint("payments_compensation_key_key", WrongState(_("This went back already."), code="given_back"))


@transaction.atomic
def send_parts(back: Back, *, key: str, reason: str, actor: User | None) -> list[Refund]:
    """Send what goes back to where it was paid from, a refund and a credit note for each payment. Its price lies in the client's account."""
    return [
        request_refund(payment, price + fee, reason=reason, dedupe_key=f"{key}:{payment.pk}", actor=actor, fee=fee)
        for payment, price, fee in back.parts
    ]


@transaction.atomic
def compensate(deal: Deal, back: Back, basis: Basis, *, key: str, reason: str, actor: User | None) -> tuple[Compensation, list[Refund]]:
    """Give back what `refunding` has worked out, under the locks of the builder's user and of the deal's own row.

    Once for a `key`: a second time raises WrongState. Raises Conflict when the builder's balance has become less.
    """
    moment = now()
    lent = back.credits
    made = Compensation.objects.create(
        key=key,
        purpose=deal.purpose,
        subject_id=deal.id,
        client_id=deal.client_id,
        builder_id=deal.builder_id,
        basis=basis,
        amount=back.amount,
        fee=back.fee,
        from_builder=back.from_builder,
        from_platform=back.from_platform,
        builder_fee=back.builder_fee,
        prepaid=lent.prepaid,
        gift=lent.gift,
        reason=reason[:200],
        made_by=actor,
        created_at=moment,
    )
    if back.as_credit:
        credits.give_back(books.sources(deal.id), prepaid=lent.prepaid, gift=lent.gift, moment=moment)
    if back.amount:
        moves = [
            (ledger.earnings(deal.builder_id), -back.from_builder),
            (ledger.LOSSES, -back.from_platform),
            (ledger.FEES, -back.builder_fee),
            (ledger.CREDITS, lent.gift),
            (ledger.client(deal.client_id), back.amount - back.as_credit),
        ]
        ledger.post(f"compensation:{made.pk}", gettext_noop("Given back to the client"), moves, deal.id)
    facts: dict[str, Any] = {"purpose": deal.purpose, "subject": deal.id, "client": deal.client_id, "builder": deal.builder_id, "reason": reason}
    borne = {"from_builder": back.from_builder, "from_platform": back.from_platform, "fees": back.builder_fee + back.fee}
    record(Event.MONEY_GIVEN_BACK, actor=actor, target=made, amount=back.amount + back.fee, after=borne, **facts)
    return made, send_parts(back, key=f"compensation:{key}", reason=reason, actor=actor)


@transaction.atomic
def return_payment(payment_id: UUID, *, actor: User | None) -> Refund:
    """Send back what came in and paid for nothing. The job that settles its invoice does the same; asking twice gives the one refund."""
    plain = Payment.objects.select_related("invoice").get(pk=payment_id)
    handlers.of(plain.invoice.purpose).lock(plain.invoice.subject_id)
    invoice = Invoice.objects.lock(plain.invoice_id)
    payment = Payment.objects.lock(payment_id)
    known = Refund.objects.filter(dedupe_key=f"late:{payment.pk}").first()
    if known is not None:
        return known
    if payment.status != PaymentStatus.SUCCEEDED or payment.settled_at is not None or invoice.status == InvoiceStatus.OPEN:
        raise WrongState(gettext("This payment has paid for something."), code="payment_used")
    return send_back(invoice, payment, actor=actor)
