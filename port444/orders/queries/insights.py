"""How a builder's services do: who looks, who writes, who orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from port444.builders.models import Builder
from port444.catalog.models import Service, ServiceDay, Visit
from port444.kit.charts import Bars, bars, share
from port444.kit.clock import now
from port444.kit.language import dated
from port444.kit.money import ZERO
from port444.messaging.models import Conversation
from port444.orders.models import Order, Origin

SPANS = {30: _("30 days"), 90: _("90 days"), 365: _("A year")}
MOST_SERVICES = 50
Looked = dict[tuple[date, UUID], int]  # visitors by day and service
Sold = dict[tuple[date, UUID], tuple[int, Decimal]]  # orders and what they cost by day and service
ENOUGH = 20  # visitors, from which a share says something


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in a span: visitors (each once a day and service), conversations that began, orders paid and their price."""

    visitors: int
    talks: int
    orders: int
    sold: Decimal
    completed: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel: its number, its share of the step before, and its part of the first in 640."""

    name: str
    note: str
    count: int
    share: str
    width: int


@dataclass(frozen=True, slots=True)
class OfService:
    """What one service did."""

    service: Service
    visitors: int
    orders: int
    sold: Decimal

    @property
    def share(self) -> str:
        return share(self.orders, self.visitors) if self.visitors >= ENOUGH and self.orders <= self.visitors else ""


@dataclass(frozen=True, slots=True)
class Insights:
    """A span of days that ends today, in UTC, beside the one before it."""

    days: int
    since: date
    figures: Figures
    before: Figures
    services: list[OfService]
    visitors_by: Bars
    sold_by: Bars

    @property
    def steps(self) -> list[Step]:
        counts = [
            (gettext("Looked at a service"), gettext("people, each once a day"), self.figures.visitors),
            (gettext("Wrote to you"), gettext("conversations that began"), self.figures.talks),
            (gettext("Ordered"), gettext("orders paid"), self.figures.orders),
            (gettext("Completed"), gettext("of those and of earlier ones"), self.figures.completed),
        ]
        whole, made, last = max(1, *(count for _, _, count in counts)), [], 0
        for name, note, count in counts:
            made.append(Step(name, note, count, share(count, last) if last >= ENOUGH and count <= last else "", 640 * count // whole))
            last = count
        return made

    @property
    def is_empty(self) -> bool:
        return not (self.figures.visitors or self.figures.talks or self.figures.orders)


def insights(builder: Builder, days: int) -> Insights:
    """The last `days` days with today, and as many before them; six queries, whatever there is."""
    moment = now()
    today = moment.astimezone(UTC).date()
    since = today - timedelta(days=days - 1)
    earlier = since - timedelta(days=days)
    looked = _looked(builder, earlier, today)
    talks = _by_day(Conversation.objects.filter(builder=builder.user_id, created_at__gte=_midnight(earlier)), "created_at")
    paid = Order.objects.filter(builder=builder, origin=Origin.PURCHASE)
    sold = _sold(paid, earlier)
    completed = _by_day(Order.objects.filter(builder=builder, completed_at__gte=_midnight(earlier)), "completed_at")

    visitors_on = _on_days((day, count) for (day, _), count in looked.items())
    orders_on = _on_days((day, count) for (day, _), (count, _) in sold.items())
    sold_on = _on_days((day, amount) for (day, _), (_, amount) in sold.items())

    def figures(first: date, last: date) -> Figures:
        span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        looks, writes, buys, ends = (sum(on.get(day, 0) for day in span) for on in (visitors_on, talks, orders_on, completed))
        return Figures(looks, writes, buys, sum((sold_on.get(day, ZERO) for day in span), ZERO), ends)

    return Insights(
        days=days,
        since=since,
        figures=figures(since, today),
        before=figures(earlier, since - timedelta(days=1)),
        services=_services(builder, since, looked, sold),
        visitors_by=bars(_pieces(since, days, visitors_on)),
        sold_by=bars(_pieces(since, days, sold_on)),
    )


def _on_days(amounts: Iterable[tuple[date, Any]]) -> dict[date, Any]:
    """The sum of each day."""
    sums: dict[date, Any] = {}
    for day, amount in amounts:
        sums[day] = sums.get(day, 0) + amount
    return sums


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _looked(builder: Builder, since: date, today: date) -> Looked:
    """Visitors by day and service: of days that were counted, and of what waits to be."""
    looked = {
        (day, service): visitors
        for day, service, visitors in ServiceDay.objects.filter(service__builder=builder, day__gte=since).values_list("day", "service", "visitors")
    }
    waiting = Visit.objects.filter(service__builder=builder, day__gte=since, day__lte=today).values("day", "service").annotate(count=Count("pk"))
    for day, service, count in waiting.values_list("day", "service", "count"):
        looked[day, service] = looked.get((day, service), 0) + count
    return looked


def _by_day(rows: Any, name: str) -> dict[date, int]:
    counted = rows.order_by().annotate(day=TruncDate(name, tzinfo=UTC)).values("day").annotate(count=Count("pk"))
    return dict(counted.values_list("day", "count"))


def _sold(paid: Any, since: date) -> Sold:
    rows = paid.filter(paid_at__gte=_midnight(since)).order_by().annotate(day=TruncDate("paid_at", tzinfo=UTC)).values("day", "service")
    counted = rows.annotate(count=Count("pk"), sum=Sum("price")).values_list("day", "service", "count", "sum")
    return {(day, service): (count, amount) for day, service, count, amount in counted}


def _services(builder: Builder, since: date, looked: Looked, sold: Sold) -> list[OfService]:
    """What sold most first, then what was looked at most; with what nobody can see any more, while it has figures."""
    visitors: Counter[UUID] = Counter()
    orders: Counter[UUID] = Counter()
    amounts: dict[UUID, Decimal] = {}
    for (day, pk), count in looked.items():
        visitors[pk] += count if day >= since else 0
    for (day, pk), (count, amount) in sold.items():
        if day >= since:
            orders[pk] += count
            amounts[pk] = amounts.get(pk, ZERO) + amount
    listed = Service.objects.filter(builder=builder).filter(Q(pk__in=[*visitors, *orders]) | Q(published_at__isnull=False))
    rows = [OfService(one, visitors[one.pk], orders[one.pk], amounts.get(one.pk, ZERO)) for one in listed[:MOST_SERVICES]]
    return sorted(rows, key=lambda row: (-row.sold, -row.visitors, row.service.title))


def _pieces(since: date, days: int, amounts: dict[date, Any]) -> list[tuple[str, Any]]:
    """A bar for each day, each week or each month, so that there are 30 at most."""
    step = 1 if days <= 31 else 7 if days <= 100 else 30
    pieces = []
    for start in range(days % step, days, step):  # what is too short for a bar is left out at the beginning
        first = since + timedelta(days=start)
        total = sum((amounts.get(first + timedelta(days=n), 0) for n in range(step)), ZERO)
        pieces.append((dated(first, "j M"), total))
    return pieces
