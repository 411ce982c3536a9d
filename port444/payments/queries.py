"""Reads for the pages of payments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.money import ZERO

from . import handlers, ledger, providers
from .handlers import Description
from .models import (
    AccountKind,
    Credit,
    CreditUse,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceQuerySet,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    PayoutAddress,
    Posting,
    Refund,
    Withdrawal,
    WithdrawalStatus,
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


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a credit note, as a page and as a PDF show it."""

    invoice: Invoice
    lines: list[InvoiceLine]
    payment: Payment | None
    refund: Refund | None
    refunds: list[Refund]
    mine: bool

    @property
    def name(self) -> str:
        return "Credit note" if self.invoice.kind == InvoiceKind.CREDIT_NOTE else "Invoice"

    def context(self) -> dict[str, Any]:
        """What the templates of the page and of the PDF read."""
        return {
            "name": self.name,
            "invoice": self.invoice,
            "lines": self.lines,
            "payment": self.payment,
            "refund": self.refund,
            "refunds": self.refunds,
            "mine": self.mine,
            "paid_with": f"{self.invoice.currency}, {providers.named(self.payment.provider).label}" if self.payment else "",
            "mail_domain": settings.MAIL_DOMAIN,
        }


def document(invoice_id: UUID, user: User) -> Document:
    """The document for one of its two parties; the payee sees it once it is paid. Raises Invoice.DoesNotExist for others."""
    invoice = visible_documents(user).select_related("corrects").get(pk=invoice_id)
    note = invoice.kind == InvoiceKind.CREDIT_NOTE
    mine = invoice.payer_id == user.pk
    return Document(
        invoice=invoice,
        lines=list(invoice.lines.all()),
        payment=Payment.objects.filter(invoice=invoice, settled_at__isnull=False).first(),
        refund=Refund.objects.filter(credit_note=invoice).first() if note else None,
        refunds=list(Refund.objects.filter(payment__invoice=invoice).select_related("credit_note").order_by("id")) if mine and not note else [],
        mine=mine,
    )


def visible_documents(user: User) -> InvoiceQuerySet:
    """What the user has to pay or has paid, and what others have paid for the user's work."""
    return Invoice.objects.filter(Q(payer=user) | Q(payee=user, status=InvoiceStatus.PAID))


PAGE = 25


def invoices(user: User, *, sold: bool, before: UUID | None) -> tuple[list[Any], UUID | None]:
    """One page of the user's documents, newest first, and the key of the next page."""
    mine = Q(payee=user, status=InvoiceStatus.PAID) if sold else Q(payer=user)
    rows = Invoice.objects.filter(mine).annotate(first_line=Subquery(_first_line(OuterRef("pk"))))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return _page(list(rows.order_by("-pk")[: PAGE + 1]))


def credits_of(user: User, *, before: UUID | None) -> tuple[list[Any], UUID | None]:
    """One page of the user's credits with what they were used for, newest first, and the key of the next page."""
    rows = Credit.objects.filter(user=user).select_related("builder__user", "category")
    rows = rows.prefetch_related(Prefetch("uses", CreditUse.objects.kept().select_related("invoice")))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return _page(list(rows.order_by("-pk")[: PAGE + 1]))


def _first_line(invoice: Any) -> QuerySet[InvoiceLine, str]:
    return InvoiceLine.objects.filter(invoice=invoice).order_by("position").values_list("description", flat=True)[:1]


def _page(rows: list[Any]) -> tuple[list[Any], UUID | None]:
    return rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None


@dataclass(frozen=True, slots=True)
class Purse:
    """A builder's money at a glance."""

    ready: Decimal
    on_its_way: Decimal
    in_escrow: Decimal
    earned: Decimal
    month: str
    address: str


def purse(user: User, zone: tzinfo) -> Purse:
    """Where the builder's money stands; the month is the calendar month in `zone`."""
    here = now().astimezone(zone)
    start = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    paid_in = Q(kind__in=[EscrowKind.OPEN, EscrowKind.AMEND])
    deals = EscrowOperation.objects.filter(builder_id=user.pk, status=EscrowStatus.CONFIRMED).aggregate(
        funded=Sum("amount", filter=paid_in, default=ZERO),
        left=Sum("amount", filter=Q(kind__in=[EscrowKind.RELEASE, EscrowKind.REFUND]), default=ZERO),
    )
    earned = Posting.objects.filter(
        account__kind=AccountKind.EARNINGS, account__owner_id=user.pk, entry__key__startswith="escrow:", entry__posted_at__gte=start
    )
    return Purse(
        ready=ledger.balance(AccountKind.EARNINGS, owner=user.pk),
        on_its_way=Withdrawal.objects.filter(user=user, status=WithdrawalStatus.REQUESTED).aggregate(sum=Sum("amount", default=ZERO))["sum"],
        in_escrow=deals["funded"] - deals["left"],
        earned=earned.aggregate(sum=Sum("amount", default=ZERO))["sum"],
        month=f"{start:%B}",
        address=PayoutAddress.objects.filter(user=user).values_list("address", flat=True).first() or "",
    )


@dataclass(frozen=True, slots=True)
class Moved:
    """One line of a builder's history."""

    pk: UUID
    icon: str
    title: str
    text: str
    amount: Decimal
    at: datetime


TITLES = {
    "escrow": ("hand-coins", "Released to you"),
    "withdrawal": ("arrow-down-to-line", "Withdrawn"),
    "returned": ("undo-2", "Withdrawal came back"),
}


def history(user: User, *, before: UUID | None) -> tuple[list[Moved], UUID | None]:
    """One page of what moved the builder's earnings, newest first, and the key of the next page."""
    rows = Posting.objects.filter(account__kind=AccountKind.EARNINGS, account__owner_id=user.pk).select_related("entry")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page, following = _page(list(rows.order_by("-pk")[: PAGE + 1]))
    subjects = {row.entry.subject_id for row in page if row.entry.subject_id}
    sold: Any = Invoice.objects.filter(subject_id__in=subjects, kind=InvoiceKind.INVOICE, payee=user).annotate(
        first_line=Subquery(_first_line(OuterRef("pk")))
    )
    names = {one.subject_id: f"{one.first_line}, {one.payer_name}" for one in sold}
    moved = []
    for row in page:
        icon, title = TITLES.get(row.entry.key.partition(":")[0], ("banknote", row.entry.description))
        moved.append(Moved(row.pk, icon, title, names.get(row.entry.subject_id, ""), row.amount, row.entry.posted_at))
    return moved, following
