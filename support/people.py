"""One person as the top of their page in the console shows them: who they are, what keeps them, their figures, and what is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.urls import reverse

from auditlog.models import IncidentLog, IncidentQuerySet
from consultations.models import Consultation
from port444.accounts.models import User, UserDevice
from port444.builders.models import Builder
from port444.kit.money import ZERO
from port444.orders.models import RUNNING, CancelCause, Dispute, Order, OrderStatus
from port444.payments.models import (
    GIVEN_BACK,
    AccountKind,
    Credit,
    LedgerAccount,
    Payment,
    PaymentStatus,
    PayoutHold,
    Withdrawal,
)

from .models import LIVE, Plan
from .queues import address_of, plan_address

MOST = 5000  # of somebody's orders, which their figures are of
NOBODY = UUID(int=0)  # stands for the profile of who has none, so that everybody's page asks the same
OPEN_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, and the profile that they sell with."""

    user: User
    builder: Builder | None
    last_seen_at: datetime | None = None
    has_second_factor: bool = False
    has_proved_email: bool = False
    reader: User | None = None  # who looks: nobody sees incidents about themselves

    @property
    def pk(self) -> UUID:
        return self.user.pk

    @property
    def builder_id(self) -> UUID:
        return self.builder.pk if self.builder else NOBODY

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.user.time_zone)

    @property
    def incidents(self) -> IncidentQuerySet:
        """Those that may be seen by who looks."""
        rows: IncidentQuerySet = IncidentLog.objects.visible_to(self.reader) if self.reader is not None else IncidentLog.objects.none()
        return rows


def find_person(user_id: UUID, reader: User | None = None) -> Person | None:
    """In one query."""
    seen = UserDevice.objects.filter(user=OuterRef("pk")).values("user").annotate(last=Max("last_seen_at")).values("last")
    totp = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
    proved = EmailAddress.objects.filter(user=OuterRef("pk"), email=OuterRef("email"), verified=True)
    rows: QuerySet[Any] = User.objects.select_related("builder").annotate(seen=Subquery(seen), totp=Exists(totp), proved=Exists(proved))
    row = rows.filter(pk=user_id).first()
    if row is None:
        return None
    return Person(row, getattr(row, "builder", None), row.seen, row.totp, row.proved, reader)


@dataclass(frozen=True, slots=True)
class Side:
    """Orders that somebody bought, or that they sold."""

    count: int
    active: int
    completed: int
    cancelled: int


def _side(rows: QuerySet[Order]) -> Side:
    newest = rows.order_by("-placed_at", "-id")[:MOST].values("pk", "status", "cancel_cause")
    found = newest.aggregate(
        count=Count("*"),
        active=Count("pk", filter=Q(status__in=RUNNING)),
        completed=Count("pk", filter=Q(status=OrderStatus.COMPLETED)),
        cancelled=Count(
            "pk", filter=Q(status=OrderStatus.CANCELLED) & ~Q(cancel_cause__in=[CancelCause.MERGED, CancelCause.UNDONE, CancelCause.AGREED])
        ),
    )
    return Side(**found)


@dataclass(frozen=True, slots=True)
class Metrics:
    bought: Side
    sold: Side
    rating: Decimal | None
    reviews: int
    spent: Decimal
    earned: Decimal
    in_escrow: Decimal
    deals: int
    credits: Decimal
    credits_end: datetime | None

    @property
    def orders(self) -> str:
        count = self.bought.count + self.sold.count
        return f"{count:,}+" if MOST in (self.bought.count, self.sold.count) else f"{count:,}"

    @property
    def active(self) -> int:
        return self.bought.active + self.sold.active

    @property
    def completed(self) -> int:
        return self.bought.completed + self.sold.completed

    @property
    def closed(self) -> int:
        return self.completed + self.bought.cancelled + self.sold.cancelled

    @property
    def success(self) -> int | None:
        """Of the orders that are over, how many of 100 were completed."""
        return round(100 * self.completed / self.closed) if self.closed else None


def metrics_of(person: Person, moment: datetime) -> Metrics:
    """In seven queries."""
    bought, sold = Order.objects.filter(client=person.pk), Order.objects.filter(builder=person.builder_id)
    paid = Payment.objects.filter(invoice__payer=person.pk, status=PaymentStatus.SUCCEEDED)
    spent = paid.aggregate(sum=Sum(F("amount") - F("refunded"), default=ZERO))["sum"]
    balance = LedgerAccount.objects.filter(kind=AccountKind.EARNINGS, owner_id=person.pk, subject_id=None).values_list("balance", flat=True).first()
    left = Withdrawal.objects.filter(user=person.pk).exclude(status__in=GIVEN_BACK).aggregate(sum=Sum("amount", default=ZERO))["sum"]
    locked = _locked(person)
    credits = Credit.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=moment), user=person.pk, remaining__gt=0)
    credit = credits.aggregate(sum=Sum("remaining", default=ZERO), ends=Min("expires_at"))
    builder = person.builder
    return Metrics(
        bought=_side(bought),
        sold=_side(sold),
        rating=round(Decimal(builder.rating_sum) / builder.rating_count, 1) if builder and builder.rating_count else None,
        reviews=builder.rating_count if builder else 0,
        spent=spent,
        earned=(balance or ZERO) + left,
        in_escrow=locked["sum"],
        deals=locked["deals"],
        credits=credit["sum"],
        credits_end=credit["ends"],
    )


def _locked(person: Person) -> dict[str, Any]:
    """What the books hold for their orders that run, and for their calls that are to come."""
    bought = Order.objects.filter(client=person.pk, status__in=RUNNING).values("pk")
    sold = Order.objects.filter(builder=person.builder_id, status__in=RUNNING).values("pk")
    calls = Consultation.objects.filter(Q(client=person.pk) | Q(builder=person.builder_id), status="scheduled").values("chain")
    deals = Q(subject_id__in=bought.union(sold, calls))
    accounts = LedgerAccount.objects.filter(deals, kind=AccountKind.ESCROW, owner_id=None, balance__gt=0)
    return accounts.aggregate(sum=Sum("balance", default=ZERO), deals=Count("*"))


@dataclass(frozen=True, slots=True)
class Open:
    """Something that is not decided, and where that is done."""

    row: Any
    url: str


@dataclass(frozen=True, slots=True)
class Risk:
    """What the incidents say that nobody has decided yet: as sure as the surest of them is."""

    incidents: Sequence[Open] = field(default_factory=tuple)

    @property
    def points(self) -> int:
        return max((one.row.confidence for one in self.incidents), default=0)

    @property
    def tone(self) -> str:
        return "bad" if self.points >= 70 else "wait" if self.points >= 30 else ""


def risk_of(person: Person) -> Risk:
    rows = person.incidents.live().filter(user_id=person.pk).order_by("-confidence", "-detected_at")
    return Risk([Open(row, reverse("support:incident", args=[row.number])) for row in rows[:OPEN_SHOWN]])


def holds_on(person: Person) -> list[PayoutHold]:
    rows = PayoutHold.objects.standing().filter(user=person.pk).select_related("withdrawal", "made_by")
    return list(rows.order_by("-made_at")[:OPEN_SHOWN])


def opened(disputes: Iterable[Dispute]) -> list[Open]:
    return [Open(row, address_of("support:dispute", row.number, "orders_order", row.order_id)) for row in disputes]


def planned(plans: Iterable[Plan]) -> list[Open]:
    return [Open(row, plan_address(row)) for row in plans]


def open_disputes(person: Person) -> list[Open]:
    """Of what they bought and of what they sold, each by its index: both in one condition would read the whole table."""
    bought, sold = Order.objects.filter(client=person.pk).values("pk"), Order.objects.filter(builder=person.builder_id).values("pk")
    rows = Dispute.objects.live().filter(order__in=bought.union(sold)).select_related("order")
    return opened(rows.order_by("opened_at")[:OPEN_SHOWN])


def open_plans(person: Person) -> list[Open]:
    return planned(Plan.objects.filter(target_user=person.pk, status__in=LIVE).select_related("requester").order_by("-number")[:OPEN_SHOWN])
