"""Payments: one live attempt an invoice, the provider's answer, and asking the provider when it says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import DIFFERENCES, Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit import context
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, word_constraint
from port444.kit.jobs import enqueue
from port444.kit.language import retold, speaking_to
from port444.notifications.actions import notify
from port444.payments import handlers, providers
from port444.payments.models import Invoice, InvoiceStatus, Payment, PaymentStatus, ProviderEvent
from port444.payments.providers import Answer, Outcome, Provider, Report, Unavailable

from .details import fingerprint
from .invoices import close_unpaid

word_constraint("payment_one_live_per_invoice", Conflict(_("You are paying this already. Reload the page and go on there."), code="paying"))

WATCHING = timedelta(minutes=2)


@transaction.atomic
def start_payment(invoice_id: UUID, *, actor: User, provider: str = "") -> Payment:
    """The live attempt to pay an invoice, made when there is none; pressing twice gives the same one.

    `provider` is one of those that are offered; without a name it is the first. Writes the intent only: call `reach_provider`
    after commit. Raises WrongState when there is nothing to pay any more. Whoever sells may give more time now that somebody
    pays.
    """
    plain = Invoice.objects.get(pk=invoice_id)
    begun = handlers.of(plain.purpose).begun
    row = handlers.of(plain.purpose).lock(plain.subject_id) if begun is not None and plain.payer_id == actor.pk else None
    invoice = Invoice.objects.lock(invoice_id)
    if invoice.payer_id != actor.pk:
        raise NotAllowed(gettext("Only the person it is addressed to can pay this invoice."))
    moment = now()
    attempts = Payment.objects.filter(invoice=invoice)
    if invoice.status == InvoiceStatus.PAID:
        raise WrongState(gettext("This is paid already. Nothing was taken again."), code="already_paid")
    if attempts.unsettled().exists():
        raise WrongState(gettext("Your payment has come in and is being booked. Nothing was taken again."), code="already_paid")
    if invoice.status == InvoiceStatus.VOID or (invoice.expires_at is not None and invoice.expires_at <= moment):
        raise WrongState(gettext("The time to pay this has passed. Nothing was taken."), code="invoice_expired")
    live = attempts.live().first()
    if live is not None:
        return live
    if invoice.payee is not None and (invoice.payee.is_suspended or not invoice.payee.is_active):
        raise Conflict(
            gettext("The account of %(payee)s is closed at the moment. Nothing was taken.") % {"payee": invoice.payee.first_name}, code="payee_closed"
        )
    chosen = _chosen(provider)
    chosen.require()
    until = begun(row, invoice, moment) if begun is not None else None
    if until is not None:
        invoice.expires_at = until
        invoice.save(update_fields=["expires_at"])
    payment = Payment.objects.create(
        invoice=invoice,
        provider=chosen.name,
        amount=invoice.total,
        created_at=moment,
        expires_at=invoice.expires_at or moment + timedelta(minutes=settings.PAYMENT_MINUTES),
    )
    record(Event.PAYMENT_STARTED, actor=actor, target=payment, amount=payment.amount, invoice=invoice.pk, provider=chosen.name)
    return payment


@transaction.atomic
def begin_payment(invoice_id: UUID, *, actor: User, provider: str = "") -> Payment:
    """`start_payment` for who does not wait: a job tells the provider, so that it is told even if this process ends at the commit.

    Raises Conflict `paying_otherwise` while a payment with another provider than the one that is asked for is live.
    """
    payment = start_payment(invoice_id, actor=actor, provider=provider)
    if provider and payment.provider != provider:
        raise Conflict(gettext("You are paying this in another way already. Go on there, or choose anew on the checkout."), code="paying_otherwise")
    if payment.status == PaymentStatus.CREATED:
        enqueue("port444.payments.jobs.reach_provider", payment.pk)
    return payment


def _chosen(name: str) -> Provider:
    offered = providers.offered()
    chosen = next((one for one in offered if one.name == name), None) if name else offered[0]
    if chosen is None:
        raise Invalid(gettext("Choose one of the ways to pay on the checkout."), code="unknown_provider")
    return chosen


def change_provider(invoice_id: UUID, *, actor: User, provider: str) -> None:
    """End the live attempt when the person now chooses another way to pay. Talks to a network: not in a transaction.

    Raises WrongState when money of that attempt may still come: then there is nothing to start.
    """
    chosen = _chosen(provider)
    for live in Payment.objects.filter(invoice=invoice_id, invoice__payer=actor).live().exclude(provider=chosen.name):
        end_attempt(live.pk)


def end_attempt(payment_id: UUID) -> Payment:
    """End a live attempt so that another can begin. Raises WrongState when its money may still come."""
    payment = expire_payment(payment_id)
    if payment.status in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        raise WrongState(gettext("Your first payment is still on its way. Wait for it; nothing is taken twice."), code="paying")
    return payment


def reach_provider(payment_id: UUID) -> Payment:
    """Tell the provider about a created payment and note where the person approves it. Talks to a network: not in a transaction.

    Safe to repeat: the provider knows the payment by its id. Raises Unavailable when the provider does not answer.
    """
    payment = Payment.objects.get(pk=payment_id)
    if payment.status != PaymentStatus.CREATED:
        return payment
    return note_answer(payment_id, providers.named(payment.provider).create(payment))


@transaction.atomic
def note_answer(payment_id: UUID, answer: Answer) -> Payment:
    """The provider has taken the payment on."""
    payment = Payment.objects.lock(payment_id)
    if payment.status == PaymentStatus.CREATED:
        payment.move_to(PaymentStatus.PENDING, external_id=answer.external_id, pay_url=answer.pay_url)
        record(Event.PAYMENT_ACCEPTED, actor=None, target=payment, amount=payment.amount, provider=payment.provider, external_id=answer.external_id)
    return payment


def record_answer(provider: str, event_id: str, payment_id: UUID, report: Report | Outcome, payload: dict[str, Any] | None = None) -> Payment:
    """Store what the provider says of a payment and move the payment; a success queues the settling of its invoice.

    The same event again changes nothing. Raises Payment.DoesNotExist for a payment that this provider does not have, and
    Invalid, after an incident is open, when the amount is not the one that was asked: that is never settled.
    """
    said = report if isinstance(report, Report) else Report(report)
    with transaction.atomic():
        payment = Payment.objects.select_for_update(of=("self",), no_key=True).get(pk=payment_id, provider=provider)
        event = ProviderEvent(provider=provider, event_id=event_id, payment=payment, payload=payload or {}, received_at=now())
        ProviderEvent.objects.bulk_create([event], ignore_conflicts=True)
        if not ProviderEvent.objects.filter(pk=event.pk).exists():
            return payment
        fits = said.amount is None or said.amount == payment.amount
        if fits:
            _move(payment, said)
        else:
            _open_amount_incident(payment, said, event_id)
    if not fits:
        raise Invalid(gettext("The amount is not the one that was asked for."), code="amount_differs")
    return payment


def _move(payment: Payment, said: Report) -> None:
    """Move the payment as the provider says; what has been overtaken by a later answer changes nothing."""
    moment = now()
    live = payment.status in (PaymentStatus.CREATED, PaymentStatus.PENDING)
    if said.outcome == Outcome.SUCCEEDED and payment.status != PaymentStatus.SUCCEEDED:
        payment.move_to(PaymentStatus.SUCCEEDED, succeeded_at=moment)
        facts: dict[str, Any] = {"invoice": payment.invoice_id, "provider": payment.provider}
        _note_card(payment, said)
        record(Event.PAYMENT_SUCCEEDED, actor=None, target=payment, amount=payment.amount, transaction_hash=said.tx_hash, **facts)
        enqueue("port444.payments.jobs.settle_invoice", payment.invoice_id)
    elif said.outcome == Outcome.FAILED and live:
        payment.move_to(PaymentStatus.FAILED, failed_at=moment, failure=said.reason[:200])
        failed: dict[str, Any] = {"invoice": payment.invoice_id, "payer": payment.invoice.payer_id, "reason": said.reason}
        record(Event.PAYMENT_FAILED, actor=None, target=payment, amount=payment.amount, card_fingerprint=_card(said), **failed)
        if moment - payment.created_at > WATCHING:
            _tell_of_failure(payment)
    elif said.outcome == Outcome.EXPIRED and live:
        payment.move_to(PaymentStatus.EXPIRED)
        record(Event.PAYMENT_EXPIRED, actor=None, target=payment, amount=payment.amount, invoice=payment.invoice_id)


def _card(said: Report) -> str:
    """Tells whether two payments came from one card, and not from which."""
    return fingerprint(f"card {said.card}") if said.card else ""


def _note_card(payment: Payment, said: Report) -> None:
    """With which card somebody has paid, where the provider tells cards apart. They have done it; the request is the provider's."""
    if said.card:
        with context.use(ip_address=None, user_agent="", device_id=None):
            record(Event.PAYMENT_METHOD_ADDED, actor=payment.invoice.payer, target=payment, provider=payment.provider, card_fingerprint=_card(said))


def _tell_of_failure(payment: Payment) -> None:
    """Whoever has waited this long has left the page, which would have said so."""
    invoice = payment.invoice
    with speaking_to(invoice.payer):
        notify(
            invoice.payer,
            "payment.failed",
            title=gettext("Your payment did not go through"),
            body=gettext("%(failure)s Nothing was taken. You can try again while there is time.")
            % {"failure": retold(payment.failure) or gettext("The wallet said no.")},
            url=reverse("payments:checkout", args=[invoice.pk]),
            dedupe_key=f"payment.failed:{payment.pk}",
        )


def _open_amount_incident(payment: Payment, said: Report, event_id: str) -> None:
    open_incident(
        Finding(
            fingerprint=f"payment-amount:{payment.pk}",
            incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
            severity=IncidentSeverity.HIGH,
            confidence=100,
            description=f"The provider reports {said.amount} for a payment of {payment.amount}. It was not settled.",
            user_id=payment.invoice.payer_id,
            potential_loss=payment.amount,
            evidence={"payment": str(payment.pk), "event": event_id, "reported": str(said.amount), "asked": str(payment.amount)},
            pattern="amount_differs",
            reasons=[Reason(100, "The provider took another amount than was asked for", f"{said.amount} for {payment.amount}")],
            detector=DIFFERENCES,
        )
    )


def reconcile_payment(payment_id: UUID) -> Payment:
    """Ask the provider how a live payment stands and record it. Talks to a network: not in a transaction.

    An attempt for an invoice that is closed by now is ended instead: nobody may pay it any more, and the job that should have
    ended it may be lost.
    """
    payment = Payment.objects.select_related("invoice").get(pk=payment_id)
    if payment.status not in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        return payment
    if payment.invoice.status != InvoiceStatus.OPEN:
        return expire_payment(payment_id)
    return record_report(payment, providers.named(payment.provider).fetch(payment))


def expire_payment(payment_id: UUID) -> Payment:
    """End a live payment at the provider and record how it stands then. Talks to a network: not in a transaction."""
    payment = Payment.objects.get(pk=payment_id)
    if payment.status not in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        return payment
    return record_report(payment, providers.named(payment.provider).expire(payment))


def record_report(payment: Payment, report: Report) -> Payment:
    """Record what the provider answered when it was asked."""
    if report.outcome == Outcome.PENDING:
        return payment
    # One event for each thing the provider can say when asked, so that asking twice is one event.
    event_id = f"asked-{payment.pk}-{report.outcome.value}"
    return record_answer(payment.provider, event_id, payment.pk, report, {"asked": True, "outcome": report.outcome.value})


def expire_invoice(invoice_id: UUID) -> None:
    """Close an invoice whose time to pay has passed, after asking the provider: money that has come is used, not sent back.

    Talks to a network: not in a transaction. When the provider does not answer, the invoice waits for the next sweep.
    """
    for payment in Payment.objects.filter(invoice=invoice_id).live():
        try:
            expire_payment(payment.pk)
        except Unavailable:
            return
        except Conflict:
            continue
    close_unpaid(invoice_id)
