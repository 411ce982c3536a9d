"""Reads: how far the paying of an invoice is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.utils.translation import ngettext

from port444.accounts.models import User
from port444.kit.clock import now
from port444.payments import handlers
from port444.payments.handlers import Description
from port444.payments.models import (
    Invoice,
    InvoiceKind,
    InvoiceStatus,
    Payment,
    PaymentStatus,
)


class Stage(StrEnum):
    """How far the paying of an invoice is, for the person who pays."""

    OPEN = "open"  # nothing has been started
    STARTED = "started"  # the provider waits for the person
    ARRIVED = "arrived"  # the money is there and is being booked
    PAID = "paid"
    FAILED = "failed"  # the last attempt failed, nothing was taken; another can be made
    EXPIRED = "expired"  # nothing was taken and it is too late
    RETURNED = "returned"  # money came too late and goes back


@dataclass(frozen=True, slots=True)
class Paying:
    """An invoice on its way to be paid."""

    invoice: Invoice
    payment: Payment | None
    stage: Stage
    what: Description
    expires_at: datetime | None
    seconds_left: int
    held_share: int  # of 400, for the bar

    @property
    def waiting(self) -> bool:
        """Something may still come by itself, so the page asks again."""
        return self.stage in (Stage.STARTED, Stage.ARRIVED)

    @property
    def payable(self) -> bool:
        return self.stage in (Stage.OPEN, Stage.STARTED, Stage.FAILED)

    @property
    def minutes_left(self) -> int:
        return (self.seconds_left + 59) // 60

    @property
    def left(self) -> str:
        """How long there is time: minutes for what is held, days for what was agreed on."""
        minutes = self.minutes_left
        if minutes < 180:
            return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
        if minutes < 48 * 60:
            return ngettext("%(n)s hour", "%(n)s hours", minutes // 60) % {"n": minutes // 60}
        return ngettext("%(n)s day", "%(n)s days", minutes // (24 * 60)) % {"n": minutes // (24 * 60)}

    @property
    def clock(self) -> str:
        """The format of the moment until when, with its day unless that is today or tonight."""
        return "H:i" if self.minutes_left < 180 else "D j M, H:i"


def paying(invoice_id: UUID, user: User) -> Paying:
    """How the paying of the user's invoice stands. Raises Invoice.DoesNotExist for everybody but the payer."""
    invoice = Invoice.objects.select_related("payee").get(pk=invoice_id, payer=user, kind=InvoiceKind.INVOICE)
    attempts = list(Payment.objects.filter(invoice=invoice).order_by("-id")[:20])
    moment = now()
    left = max(0, int((invoice.expires_at - moment).total_seconds())) if invoice.expires_at else 0
    whole = max(1, int((invoice.expires_at - invoice.opened_at).total_seconds())) if invoice.expires_at else 1
    return Paying(
        invoice=invoice,
        payment=attempts[0] if attempts else None,
        stage=_stage(invoice, attempts, moment),
        what=handlers.of(invoice.purpose).describe(invoice),
        expires_at=invoice.expires_at,
        seconds_left=left,
        held_share=min(400, 400 * left // whole),
    )


def _stage(invoice: Invoice, attempts: list[Payment], moment: datetime) -> Stage:
    if invoice.status == InvoiceStatus.PAID:
        return Stage.PAID
    arrived = [a for a in attempts if a.status == PaymentStatus.SUCCEEDED]
    if any(a.refunded for a in arrived):
        return Stage.RETURNED
    if arrived:
        return Stage.ARRIVED
    if invoice.status == InvoiceStatus.VOID or (invoice.expires_at is not None and invoice.expires_at <= moment):
        return Stage.EXPIRED
    if attempts and attempts[0].status in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        return Stage.STARTED
    if attempts and attempts[0].status == PaymentStatus.FAILED:
        return Stage.FAILED
    return Stage.OPEN
