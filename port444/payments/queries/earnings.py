"""Reads: a builder's money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.language import dated, retold
from port444.kit.money import ZERO
from port444.payments import clearing
from port444.payments.clearing import Cleared, Coming
from port444.payments.models import (
    UNDER_WAY,
    AccountKind,
    BankAccount,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceKind,
    PayoutAddress,
    PayoutHold,
    PayoutMethod,
    Posting,
    Withdrawal,
    WithdrawalStatus,
)

from .documents import PAGE, first_line, page_of


@dataclass(frozen=True, slots=True)
class Purse:
    """A builder's money at a glance. `on_its_way` has left the balance and not arrived; what is held of it is `held`."""

    balance: Decimal
    ready: Decimal
    clearing: Decimal
    on_its_way: Decimal
    held: Decimal
    in_escrow: Decimal
    earned: Decimal
    month: str

    @property
    def cleared(self) -> Cleared:
        return Cleared(self.balance, self.ready, self.clearing)


def purse(user: User, zone: tzinfo) -> Purse:
    """Where the builder's money stands; the month is the calendar month in `zone`."""
    moment = now()
    here = moment.astimezone(zone)
    start = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    earned = Posting.objects.filter(
        Q(entry__key__startswith="escrow:") | Q(entry__key__startswith="compensation:"),
        account__kind=AccountKind.EARNINGS,
        account__owner_id=user.pk,
        entry__posted_at__gte=start,
    )
    under_way = Withdrawal.objects.filter(user=user, status__in=UNDER_WAY).aggregate(
        sum=Sum("amount", default=ZERO), held=Sum("amount", filter=Q(status=WithdrawalStatus.HELD), default=ZERO)
    )
    money = clearing.cleared(user.pk, moment)
    return Purse(
        balance=money.balance,
        ready=money.ready,
        clearing=money.clearing,
        on_its_way=under_way["sum"] - under_way["held"],
        held=under_way["held"],
        in_escrow=in_escrow(Q(builder_id=user.pk)),
        earned=earned.aggregate(sum=Sum("amount", default=ZERO))["sum"],
        month=dated(start, "F"),
    )


def in_escrow(of: Q) -> Decimal:
    """What lies in escrow for these deals."""
    sums = EscrowOperation.objects.filter(of, status=EscrowStatus.CONFIRMED).aggregate(
        funded=Sum("amount", filter=Q(kind__in=[EscrowKind.OPEN, EscrowKind.AMEND]), default=ZERO),
        left=Sum("amount", filter=Q(kind__in=[EscrowKind.RELEASE, EscrowKind.REFUND]), default=ZERO),
    )
    return Decimal(sums["funded"] - sums["left"])


@dataclass(frozen=True, slots=True)
class Way:
    """One way to withdraw: where it goes, what can be sent there and what that costs."""

    method: str
    name: str  # "wallet", as in "to your wallet"
    destination: str
    changed_at: datetime | None
    rests_until: datetime | None  # new details: money goes there from then on
    ready: Decimal
    least: Decimal
    fee: Decimal

    @property
    def open(self) -> bool:
        return bool(self.destination) and self.ready >= self.least


@dataclass(frozen=True, slots=True)
class Withdrawing:
    """All that the page of earnings says about withdrawing."""

    ways: list[Way]
    coming: list[Coming]
    elsewhere: list[tuple[str, Decimal]]
    hold: str  # why everything of the person is held

    @property
    def open(self) -> list[Way]:
        return [way for way in self.ways if way.open]

    def way(self, method: str) -> Way | None:
        return next((way for way in self.ways if way.method == method), None)


def withdrawing(user: User, cleared: Cleared | None = None) -> Withdrawing:
    """How the builder can withdraw now."""
    moment = now()
    wallet = PayoutAddress.objects.filter(user=user).first()
    account = BankAccount.objects.filter(user=user).defer("details").first()
    funds = clearing.funds(user.pk, moment, wallet.address if wallet else "", cleared)
    rest = timedelta(hours=settings.PAYOUT_REST_HOURS)

    def way(method: PayoutMethod, name: str, destination: str, changed_at: datetime | None) -> Way:
        rests = changed_at + rest if changed_at is not None and changed_at + rest > moment else None
        return Way(method, name, destination, changed_at, rests, funds.most[method], settings.LEAST_WITHDRAWAL[method], clearing.fee_of(method))

    ways = [way(PayoutMethod.WALLET, gettext("wallet"), wallet.address if wallet else "", wallet.changed_at if wallet else None)]
    if settings.PAYOUT_DEBTOR["iban"]:
        ways.append(way(PayoutMethod.BANK, gettext("bank account"), account.masked if account else "", account.changed_at if account else None))
    hold = PayoutHold.objects.standing().filter(user=user, withdrawal__isnull=True).order_by("pk").values_list("reason", flat=True).first()
    coming = clearing.coming(user.pk, moment, funds.cleared)
    return Withdrawing(ways, coming, sorted(funds.elsewhere.items()), hold or "")


SHOWS = {
    "": (_("All"), None),
    "under_way": (_("On its way"), [WithdrawalStatus.REQUESTED, WithdrawalStatus.SENDING]),
    "held": (_("Held"), [WithdrawalStatus.HELD]),
    "sent": (_("Sent"), [WithdrawalStatus.COMPLETED]),
    "back": (_("Came back"), [WithdrawalStatus.FAILED, WithdrawalStatus.CANCELLED]),
}


def withdrawals_with_why(user: User) -> QuerySet[Any, Any]:
    """The user's withdrawals, each with `why` it is held."""
    own = PayoutHold.objects.standing().filter(Q(withdrawal=OuterRef("pk")) | Q(user=OuterRef("user"), withdrawal__isnull=True))
    return Withdrawal.objects.visible_to(user).defer("bank").annotate(why=Subquery(own.order_by("pk").values("reason")[:1]))


def withdrawals_of(user: User, *, show: str, before: UUID | None, limit: int = PAGE) -> tuple[list[Any], UUID | None]:
    """One page of the user's withdrawals, newest first, each with `why` it is held, and the key of the next page."""
    rows = withdrawals_with_why(user)
    statuses = SHOWS.get(show, SHOWS[""])[1]
    if statuses is not None:
        rows = rows.filter(status__in=statuses)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


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
    "escrow": ("hand-coins", _("Released to you")),
    "withdrawal": ("arrow-down-to-line", pgettext_lazy("money", "Withdrawn")),
    "returned": ("undo-2", ""),
    "bounced": ("undo-2", ""),
    "compensation": ("undo-2", ""),
}


def history(user: User, *, before: UUID | None) -> tuple[list[Moved], UUID | None]:
    """One page of what moved the builder's earnings, newest first, and the key of the next page."""
    rows = Posting.objects.filter(account__kind=AccountKind.EARNINGS, account__owner_id=user.pk).select_related("entry")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page, following = page_of(list(rows.order_by("-pk")[: PAGE + 1]))
    return told(page, user), following


def told(postings: Sequence[Posting], user: User) -> list[Moved]:
    """What postings of the builder's earnings were, in words; one query."""
    subjects = {row.entry.subject_id for row in postings if row.entry.subject_id}
    sold: Any = Invoice.objects.filter(subject_id__in=subjects, kind=InvoiceKind.INVOICE, payee=user).annotate(
        first_line=Subquery(first_line(OuterRef("pk")))
    )
    names = {one.subject_id: f"{one.first_line}, {one.payer_name}" for one in sold}
    moved = []
    for row in postings:
        icon, title = TITLES.get(row.entry.key.partition(":")[0], ("banknote", ""))
        moved.append(
            Moved(row.pk, icon, str(title) or retold(row.entry.description), names.get(row.entry.subject_id, ""), row.amount, row.entry.posted_at)
        )
    return moved
