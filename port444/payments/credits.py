"""Taking credits for an invoice and giving them back.

A credit is held when its invoice is opened, spent and lent into the payer's account when that is settled (see `actions.invoices`),
and what escrow gives back of it goes back (see `escrow.books`). Each step is an entry. Lock order: the row that the credit came from,
the credit, the ledger. So credits are taken and given back before money moves in the books.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils.translation import gettext_noop

from auditlog.actions import record
from auditlog.events import Event
from port444.kit.money import ZERO

from . import handlers
from .models import Credit, CreditEntry, CreditStep, CreditUse, Invoice, InvoiceKind, InvoiceStatus
from .models.credits import EFFECTS

FAR = datetime.max.replace(tzinfo=UTC)
AT_LEAST = timedelta(days=14)  # for which what was paid with a credit can be used when it comes back after the credit's end


@dataclass(frozen=True, slots=True)
class Wish:
    """What credits may pay for: work of this builder in this category, and how much of it.

    `most` is the price. Of credits from calls at most `most_prepaid` is taken, what the builder earns with the work: the builder
    gives that much back, and nobody can give more than they get.
    """

    builder_id: UUID
    category_id: UUID | None
    most: Decimal
    most_prepaid: Decimal


Part = tuple[Credit, Decimal]


def plan(credits: Iterable[Credit], wish: Wish) -> list[Part]:
    """How much of which credit is taken: those that end first, first; of those that end together the ones that pay for less."""
    parts: list[Part] = []
    left, left_prepaid = wish.most, wish.most_prepaid
    for credit in sorted(credits, key=lambda credit: (credit.expires_at or FAR, credit.narrowness, credit.pk)):
        part = min(credit.remaining, left, left_prepaid) if credit.is_prepaid else min(credit.remaining, left)
        if part > 0:
            parts.append((credit, part))
            left -= part
            if credit.is_prepaid:
                left_prepaid -= part
    return parts


def preview(user_id: UUID, wish: Wish, moment: datetime) -> Decimal:
    """What credits would pay now."""
    usable = Credit.objects.usable(user_id, builder_id=wish.builder_id, category_id=wish.category_id, moment=moment)
    return sum((part for _, part in plan(usable, wish)), ZERO)


def take(user_id: UUID, wish: Wish, moment: datetime) -> list[Part]:
    """The credits for an invoice that is about to be opened, locked."""
    usable = Credit.objects.usable(user_id, builder_id=wish.builder_id, category_id=wish.category_id, moment=moment)
    seen = list(usable)
    if not seen:
        return []
    _lock_sources(seen)
    return plan(_lock(usable.filter(pk__in=[credit.pk for credit in seen])), wish)


def enter(
    credit: Credit,
    step: CreditStep,
    amount: Decimal,
    key: str,
    moment: datetime,
    *,
    use: CreditUse | None = None,
    until: datetime | None = None,
    note: str = "",
    actor: Any | None = None,
) -> CreditEntry:
    """Write a step of a locked credit; the database moves what is left of it."""
    entry = CreditEntry.objects.create(
        credit=credit, step=step, amount=amount, use=use, until=until, key=key, note=note[:200], actor=actor, created_at=moment
    )
    credit.remaining += EFFECTS[step][0] * amount
    credit.expires_at = until or credit.expires_at
    return entry


def use(invoice: Invoice, parts: Sequence[Part], moment: datetime, actor: Any | None) -> None:
    """Write down what the invoice has taken."""
    for credit, part in parts:
        used = CreditUse.objects.create(credit=credit, invoice=invoice, amount=part, created_at=moment)
        enter(credit, CreditStep.HELD, part, f"hold:{used.pk}", moment, use=used, actor=actor)
        record(Event.CREDIT_USED, actor=actor, target=credit, amount=part, invoice=invoice.pk, purpose=invoice.purpose, subject=invoice.subject_id)
        handlers.credit_used(credit, invoice)


def spend(invoice: Invoice, moment: datetime) -> None:
    """The invoice is paid: what it holds is spent. Nothing is locked, because nothing is left more or less."""
    for one in CreditUse.objects.filter(invoice=invoice).select_related("credit"):
        enter(one.credit, CreditStep.SPENT, one.amount, f"spend:{one.pk}", moment, use=one)


def give_back_all(invoice: Invoice, moment: datetime) -> Decimal:
    """The invoice came to nothing: everything that it took is there again, until the day on which it would have ended anyway. How much
    that was."""
    parts = [(use, use.left) for use in _lock_uses(CreditUse.objects.filter(invoice=invoice))]
    _give_back(parts, moment)
    return sum((part for _, part in parts), ZERO)


def give_back(deal_ids: Sequence[UUID], *, prepaid: Decimal, gift: Decimal, moment: datetime) -> None:
    """What escrow gives back of the credits that went into a deal: into the first of `deal_ids`, or from the others moved into it."""
    into = CreditUse.objects.filter(invoice__deal_id__in=deal_ids, invoice__kind=InvoiceKind.INVOICE, invoice__status=InvoiceStatus.PAID)
    uses = sorted(_lock_uses(into), key=lambda use: (deal_ids.index(use.invoice.deal_id), use.pk))
    parts = []
    for one in uses:
        part = min(prepaid if one.credit.is_prepaid else gift, one.left)
        parts.append((one, part))
        if one.credit.is_prepaid:
            prepaid -= part
        else:
            gift -= part
    if prepaid or gift:
        raise ValueError(f"more credit goes back than the deal {deal_ids[0]} has taken")
    _give_back(parts, moment)


def _lock_uses(uses: QuerySet[CreditUse]) -> list[CreditUse]:
    """Those of which something has not come back, read once their credits are locked: orders that were split share them."""
    seen = list(Credit.objects.filter(uses__in=uses).distinct())
    if not seen:
        return []
    _lock_sources(seen)
    locked = {credit.pk: credit for credit in _lock(Credit.objects.filter(pk__in=[credit.pk for credit in seen]))}
    found = list(uses.filter(credit__in=locked, returned__lt=F("amount")).select_related("invoice"))
    for one in found:
        one.credit = locked[one.credit_id]
    return found


def _give_back(parts: Sequence[tuple[CreditUse, Decimal]], moment: datetime) -> None:
    for one, part in parts:
        if not part:
            continue
        credit = one.credit
        one.returned += part
        one.returned_at = moment
        one.save(update_fields=["returned", "returned_at"])
        _come_back(credit, one, part, moment)
        record(Event.CREDIT_RETURNED, actor=None, target=credit, amount=part, invoice=one.invoice_id, withdrawn=credit.withdrawn_at is not None)
        if one.returned == one.amount:
            handlers.credit_returned(credit, one.invoice)


def _come_back(credit: Credit, one: CreditUse, part: Decimal, moment: datetime) -> None:
    """What was paid with a credit lasts 14 days more when the credit has ended meanwhile; what was only held does not, or a checkout
    that is left would make any credit last."""
    paid = one.invoice.paid_at is not None
    if paid and credit.withdrawn_at is None and credit.is_expired(moment):
        expire(credit, moment)
        until = moment + AT_LEAST
        enter(credit, CreditStep.EXTENDED, ZERO, f"extend:{one.pk}:{one.returned}", moment, until=until, note="Paid back after its end")
    enter(credit, CreditStep.RETURNED if paid else CreditStep.FREED, part, f"back:{one.pk}:{one.returned}", moment, use=one)
    if credit.withdrawn_at is not None:
        enter(credit, CreditStep.VOIDED, part, f"void:{one.pk}:{one.returned}", moment, note=gettext_noop("It was taken back meanwhile"))


def expire(credit: Credit, moment: datetime) -> Decimal:
    """Write off what is left of a locked credit that has ended by the clock. How much that was."""
    gone: Decimal = credit.remaining
    if not gone or not credit.is_expired(moment):
        return ZERO
    before = credit.entries.filter(step=CreditStep.EXPIRED).count()
    enter(credit, CreditStep.EXPIRED, gone, f"expire:{credit.pk}:{before + 1}", moment)
    record(Event.CREDIT_EXPIRED, actor=None, target=credit, amount=gone, user=credit.user_id, ended=credit.expires_at)
    return gone


def take_back(credit: Credit, amount: Decimal, moment: datetime, *, note: str, actor: Any | None) -> None:
    """End a locked credit: `amount` of what is left is taken back, and all that comes back to it later."""
    credit.withdrawn_at = moment
    credit.save(update_fields=["withdrawn_at"])
    if amount:
        before = credit.entries.filter(step=CreditStep.VOIDED).count()
        enter(credit, CreditStep.VOIDED, amount, f"void:{credit.pk}:{before + 1}", moment, note=note, actor=actor)


def withdraw(invoice: Invoice, amount: Decimal, moment: datetime, actor: Any | None) -> None:
    """Money of an invoice goes back to its payer: the credit that it gave ends, up to that amount, as far as it is not used."""
    credit = next(iter(_lock(Credit.objects.filter(source_invoice=invoice))), None)
    if credit is None or credit.withdrawn_at is not None:
        return
    gone = min(credit.remaining, amount)
    take_back(credit, gone, moment, note=gettext_noop("What it came from was paid back"), actor=actor)
    record(Event.CREDIT_WITHDRAWN, actor=actor, target=credit, amount=gone, invoice=invoice.pk)


def lock_one(credit_id: UUID) -> Credit:
    """A credit, locked after the row that it came from."""
    _lock_sources([Credit.objects.get(pk=credit_id)])
    return _lock(Credit.objects.filter(pk=credit_id))[0]


def _lock_sources(credits: Iterable[Credit]) -> None:
    for source, key in sorted({(credit.source, credit.source_id) for credit in credits if credit.source_id is not None}):
        handlers.lock_credit_source(source, key)


def _lock(rows: Any) -> list[Credit]:
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
