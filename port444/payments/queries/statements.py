"""Reads: what was paid and what was earned, by month and line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import translation

from port444.accounts.models import User
from port444.kit import csvs
from port444.kit.charts import Bars, bars
from port444.kit.clock import now
from port444.kit.language import dated
from port444.kit.money import CURRENCY, ZERO
from port444.payments.models import (
    AccountKind,
    Credit,
    Invoice,
    InvoiceKind,
    InvoiceStatus,
    Posting,
)

from .documents import first_line
from .earnings import in_escrow, told

MONTHS, BUILDERS, PIECE = 12, 10, 500


@dataclass(frozen=True, slots=True)
class ToBuilder:
    """What went to one builder and what came back, in the months that are shown."""

    name: str
    documents: int
    paid: Decimal
    back: Decimal


@dataclass(frozen=True, slots=True)
class Spending:
    """What a client paid, less what came back, by calendar month in their zone."""

    month: Decimal
    year: Decimal  # all months that are shown
    back: Decimal
    in_escrow: Decimal
    credit: Decimal
    months: list[tuple[date, Decimal]]
    builders: list[ToBuilder]

    @property
    def by_month(self) -> Bars:
        return bars([(dated(month, "M"), max(ZERO, paid)) for month, paid in self.months])


def spending(user: User) -> Spending:
    """The last twelve months with this one; four queries."""
    zone, moment = ZoneInfo(user.time_zone), now()
    months = _months(moment.astimezone(zone).date())
    documents = Invoice.objects.filter(payer=user, status=InvoiceStatus.PAID, paid_at__gte=datetime.combine(months[0], time(), zone)).order_by()
    paid: dict[date, Decimal] = {}
    back = ZERO
    sums = documents.annotate(month=TruncMonth("paid_at", tzinfo=zone)).values("month", "kind").annotate(sum=Sum("total"))
    for month, kind, amount in sums.values_list("month", "kind", "sum"):
        is_back = kind == InvoiceKind.CREDIT_NOTE
        paid[month.date()] = paid.get(month.date(), ZERO) + (-amount if is_back else amount)
        back += amount if is_back else ZERO
    return Spending(
        month=paid.get(months[-1], ZERO),
        year=sum(paid.values(), ZERO),
        back=back,
        in_escrow=in_escrow(Q(client_id=user.pk)),
        credit=Credit.objects.unexpired(moment).filter(user=user).aggregate(sum=Sum("remaining", default=ZERO))["sum"],
        months=[(month, paid.get(month, ZERO)) for month in months],
        builders=_builders(documents),
    )


def _months(today: date) -> list[date]:
    """The first days of the last months, that of today last."""
    number = today.year * 12 + today.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(number - MONTHS + 1, number + 1)]


def _builders(documents: QuerySet[Invoice]) -> list[ToBuilder]:
    is_note = Q(kind=InvoiceKind.CREDIT_NOTE)
    payee = documents.annotate(to=Coalesce("corrects__payee", "payee"), named=Coalesce("corrects__payee__name", "payee__name"))
    rows = (
        payee.filter(to__isnull=False)
        .values("to", "named")
        .annotate(
            count=Count("pk", filter=~is_note), paid=Sum("total", filter=~is_note, default=ZERO), back=Sum("total", filter=is_note, default=ZERO)
        )
    )
    listed = rows.order_by("-paid", "to").values_list("named", "count", "paid", "back")
    return [ToBuilder(*row) for row in listed[:BUILDERS]]


SPENT = ("Paid on", "Document", "Kind", "What", "Builder", "Price", "Fee", "Credit", "Total", "Currency")


def spent(user: User, since: datetime, until: datetime) -> Iterator[tuple[Any, ...]]:
    """The lines of a client's file, oldest first: invoices, and credit notes with the amounts below zero."""
    rows: Any = Invoice.objects.filter(payer=user, status=InvoiceStatus.PAID, paid_at__gte=since, paid_at__lt=until)
    for row in rows.annotate(what=Subquery(first_line(OuterRef("pk")))).order_by("paid_at", "pk").iterator(chunk_size=PIECE):
        sign = -1 if row.kind == InvoiceKind.CREDIT_NOTE else 1
        amounts = [sign * amount for amount in (row.subtotal, row.fee, row.credit, row.total)]
        words = [csvs.text(text or "") for text in (row.what, row.payee_name)]
        yield (row.paid_at.isoformat(timespec="seconds"), row.number, "Invoice" if sign > 0 else "Credit note", *words, *amounts, row.currency)


EARNED = ("On", "What", "For", "Amount", "Balance", "Currency")


def earned(user: User, since: datetime, until: datetime) -> Iterator[tuple[Any, ...]]:
    """The lines of a builder's file, oldest first, each with the balance after it."""
    mine = Posting.objects.filter(account__kind=AccountKind.EARNINGS, account__owner_id=user.pk).select_related("entry")
    balance = mine.filter(entry__posted_at__lt=since).aggregate(sum=Sum("amount", default=ZERO))["sum"]
    piece: list[Posting] = []
    rows = mine.filter(entry__posted_at__gte=since, entry__posted_at__lt=until).order_by("entry__posted_at", "pk")
    for row in rows.iterator(chunk_size=PIECE):
        piece.append(row)
        if len(piece) == PIECE:
            yield from _lines(piece, user, balance)
            balance += sum((one.amount for one in piece), ZERO)
            piece = []
    yield from _lines(piece, user, balance)


def _lines(piece: list[Posting], user: User, balance: Decimal) -> Iterator[tuple[Any, ...]]:
    with translation.override(settings.LANGUAGE_CODE):  # as the heads of the columns
        lines = told(piece, user)
    for line, row in zip(lines, piece, strict=True):
        balance += row.amount
        yield (line.at.isoformat(timespec="seconds"), csvs.text(line.title), csvs.text(line.text), row.amount, balance, CURRENCY)
