"""Invoices: opened by the app that sells, numbered and settled when the money has come, void when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, WrongState, word_constraint, words
from port444.kit.jobs import enqueue
from port444.kit.language import known, speaking_to
from port444.kit.money import ZERO, parse, usd
from port444.kit.sentences import say
from port444.notifications.actions import notify
from port444.payments import credits, handlers, ledger
from port444.payments.credits import Wish
from port444.payments.models import Invoice, InvoiceStatus, Payment, Refund

from .lines import Line, write_lines
from .refunds import request_refund
from .series import take_number

word_constraint("invoice_one_live_per_subject", Conflict(_("There is an invoice for this already."), code="invoice_exists"))


@transaction.atomic
def open_invoice(
    *,
    purpose: str,
    subject_id: UUID,
    payer: User,
    payee: User | None,
    lines: Sequence[Line],
    return_url: str,
    expires_at: datetime | None,
    actor: User | None,
    wish: Wish | None = None,
    deal_id: UUID | None = None,
) -> Invoice:
    """Ask `payer` for the sum of `lines` until `expires_at`; `return_url` is where the person goes after payment.

    `deal_id` is the deal whose escrow the price goes into, None for what never goes there. With a `wish` the payer's credits pay
    what they can; they are reserved for this invoice and stand on it as lines. When nothing is left to pay, call `settle_covered`.
    One live invoice for a subject: a second raises Conflict (code `invoice_exists`). The purpose must have a handler.
    """
    handlers.of(purpose)
    moment = now()
    subtotal = sum((line.amount for line in lines if not line.is_fee), ZERO)
    fee = sum((line.amount for line in lines if line.is_fee), ZERO)
    if not lines or parse(subtotal) + parse(fee) <= 0:
        raise Invalid(gettext("An invoice needs lines that add up to more than zero."), code="invoice_empty")
    parts = credits.take(payer.pk, wish, moment) if wish is not None else []
    credit = sum((part for _, part in parts), ZERO)
    prepaid = sum((part for one, part in parts if one.is_prepaid), ZERO)
    with words():
        invoice = Invoice.objects.create(
            purpose=purpose,
            subject_id=subject_id,
            deal_id=deal_id,
            payer=payer,
            payee=payee,
            subtotal=subtotal,
            fee=fee,
            credit=credit,
            prepaid=prepaid,
            total=subtotal + fee - credit,
            payer_name=payer.name,
            payee_name=payee.name if payee else "",
            return_url=return_url,
            language=known(payer.language),
            opened_at=moment,
            expires_at=expires_at,
        )
    write_lines(invoice, [*lines, *(Line(say("Credit: %(label)s", label=one.label), -part) for one, part in parts)])
    credits.use(invoice, parts, moment, actor)
    record(Event.INVOICE_OPENED, actor=actor, target=invoice, amount=invoice.total, purpose=purpose, subject=subject_id, payer=payer.pk)
    return invoice


@transaction.atomic
def void_invoice(invoice_id: UUID, *, actor: User | None = None) -> Invoice:
    """Close an open invoice unpaid; quiet when it is void already, WrongState when it is paid.

    For the app that sells, inside its own action and with its own row locked; its `unpaid` handler is not called. A running
    payment is ended at the provider afterwards; money that comes all the same is sent back.
    """
    invoice = Invoice.objects.lock(invoice_id)
    if invoice.status != InvoiceStatus.VOID:
        _void(invoice, actor)
    return invoice


@transaction.atomic
def close_unpaid(invoice_id: UUID) -> Invoice:
    """Void an invoice whose time to pay has passed and tell its purpose; leaves it alone while money may still be coming."""
    plain = Invoice.objects.get(pk=invoice_id)
    handler = handlers.of(plain.purpose)
    row = handler.lock(plain.subject_id)
    invoice = Invoice.objects.lock(invoice_id)
    passed = invoice.expires_at is not None and invoice.expires_at <= now()
    if invoice.status != InvoiceStatus.OPEN or not passed:
        return invoice
    attempts = Payment.objects.filter(invoice=invoice)
    if attempts.live().exists() or attempts.unsettled().exists():
        return invoice
    _void(invoice, None)
    handler.unpaid(row, invoice)
    return invoice


def _void(invoice: Invoice, actor: User | None) -> None:
    moment = now()
    invoice.move_to(InvoiceStatus.VOID, voided_at=moment)
    credits.give_back_all(invoice, moment)
    record(Event.INVOICE_VOIDED, actor=actor, target=invoice, amount=invoice.total, purpose=invoice.purpose, subject=invoice.subject_id)
    for payment in Payment.objects.filter(invoice=invoice).live():
        enqueue("port444.payments.jobs.expire_payment", payment.pk)


@transaction.atomic
def settle_invoice(invoice_id: UUID) -> Invoice:
    """Use the money that has come for an invoice: pay it once, send the rest back. Running it again does nothing more.

    Locks the purpose's own row first, then the invoice, then its payments.
    """
    plain = Invoice.objects.get(pk=invoice_id)
    handler = handlers.of(plain.purpose)
    row = handler.lock(plain.subject_id)
    invoice = Invoice.objects.lock(invoice_id)
    arrived = Payment.objects.filter(invoice=invoice).unsettled().select_for_update(of=("self",), no_key=True).order_by("id")
    for payment in list(arrived):
        if invoice.status == InvoiceStatus.OPEN:
            _pay(invoice, payment)
            handler.settled(row, invoice, payment)
        else:
            send_back(invoice, payment)
    return invoice


@transaction.atomic
def settle_covered(invoice_id: UUID) -> Invoice:
    """Settle an open invoice of which credits pay everything; without a payment, because nothing is left to pay. Quiet when it is paid."""
    plain = Invoice.objects.get(pk=invoice_id)
    handler = handlers.of(plain.purpose)
    row = handler.lock(plain.subject_id)
    invoice = Invoice.objects.lock(invoice_id)
    if invoice.total > 0:
        raise WrongState(gettext("There is something to pay for this."), code="not_covered")
    if invoice.status == InvoiceStatus.OPEN:
        _pay(invoice, None)
        handler.settled(row, invoice, None)
    return invoice


def _pay(invoice: Invoice, payment: Payment | None) -> None:
    if payment is not None and payment.amount != invoice.total:
        raise WrongState(gettext("The payment does not fit the invoice."), code="amount_differs")
    moment = now()
    payer, payee = invoice.payer, invoice.payee
    credits.spend(invoice, moment)
    moves = [
        (ledger.EXTERNAL, -invoice.total),
        (ledger.CREDITS, -invoice.credit),
        (ledger.client(payer.pk), invoice.subtotal),
        (ledger.FEES, invoice.fee),
    ]
    ledger.post(f"settle:{payment.pk if payment else invoice.pk}", "Paid by the client", moves, invoice.subject_id)
    if payment is not None:
        payment.settled_at = moment
        payment.save(update_fields=["settled_at"])
    invoice.move_to(
        InvoiceStatus.PAID,
        paid_at=moment,
        number=take_number(moment),
        payer_name=payer.name,
        payee_name=payee.name if payee else "",
    )
    record(
        Event.INVOICE_PAID,
        actor=None,
        target=invoice,
        amount=invoice.total,
        number=invoice.number,
        purpose=invoice.purpose,
        subject=invoice.subject_id,
        payer=payer.pk,
        payment=payment.pk if payment else None,
        credit=invoice.credit,
    )


def send_back(invoice: Invoice, payment: Payment, *, actor: User | None = None) -> Refund:
    """What came for an invoice that is paid or closed goes back. Both are locked."""
    moves = [(ledger.EXTERNAL, -payment.amount), (ledger.client(invoice.payer_id), payment.amount)]
    ledger.post(f"late:{payment.pk}", "Came too late or twice", moves, invoice.subject_id)
    why = say("This was paid already.") if invoice.status == InvoiceStatus.PAID else say("The payment came after the time to pay had passed.")
    refund = request_refund(payment, payment.amount, reason=why, dedupe_key=f"late:{payment.pk}", actor=actor)
    with speaking_to(invoice.payer):
        notify(
            invoice.payer,
            "payment.returned",
            title=gettext("Your payment of %(amount)s goes back to you") % {"amount": usd(payment.amount)},
            body=gettext("%(why)s All of it is on its way back to the wallet it came from. You need to do nothing.") % {"why": why},
            url=reverse("payments:invoice", args=[invoice.pk]),
            dedupe_key=f"payment.returned:{payment.pk}",
        )
    return refund
