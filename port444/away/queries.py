"""Reading away mode: what a plan would touch, and what the pages of orders show of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from port444.builders.models import Builder
from port444.catalog.models import ServiceStatus
from port444.kit.language import dated
from port444.kit.templatetags.ui import city
from port444.orders.handlers import Addition
from port444.orders.helm import Helm
from port444.orders.models import RUNNING, WORKING, Order

from . import notices, timeline
from .models import DueMove, MoveStatus, Span
from .terms import ONE_DAY, Plan, bounds, today

M = MoveStatus
NO_TIME = timedelta(0)
MOST_SHOWN = 30
MOST_CALLS = 20


def standing_of(builder: Builder, moment: datetime) -> Span | None:
    """The span that is planned or runs."""
    span = Span.objects.standing().filter(builder=builder, ends_at__gt=moment).order_by("starts_at").first()
    if span is not None:
        span.builder = builder
    return span


def last_of(builder: Builder) -> Span | None:
    """The last span that came to its end or was ended."""
    return Span.objects.standing().filter(builder=builder).order_by("-ends_at").first()


# What a plan touches


@dataclass(frozen=True, slots=True)
class Touched:
    """One order as it would be: `before` is the date that stands, `after` what it becomes, `away` the days on it when it is not kept."""

    order: Order
    before: datetime
    after: datetime
    moved_to: datetime
    kept: bool

    @property
    def words(self) -> str:
        return str(notices.by(self.after - self.before))

    @property
    def earlier(self) -> bool:
        return self.after < self.before


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving would do, and to whom. Nothing is written to find out."""

    plan: Plan
    zone: str
    starts_at: datetime
    ends_at: datetime
    orders: list[Touched]
    calls: list[Any]
    told: int  # how many people get a message
    first_name: str
    drawing: timeline.Drawing | None = None

    @property
    def days(self) -> int:
        return self.plan.days

    @property
    def is_long(self) -> bool:
        return self.days > settings.LONG_AWAY_DAYS

    @property
    def back_on(self) -> date:
        return self.plan.last_on + ONE_DAY

    @property
    def moving(self) -> list[Touched]:
        return [row for row in self.orders if row.after != row.before]

    @property
    def days_words(self) -> str:
        return str(notices.days(Span(first_on=self.plan.first_on, last_on=self.plan.last_on)))


def preview(builder: Builder, plan: Plan, moment: datetime, span: Span | None = None) -> Preview:
    """What would follow from `plan`, instead of `span` where one is planned or runs."""
    zone = span.time_zone if span is not None else builder.user.time_zone
    starts_at, ends_at = bounds(plan, zone, moment)
    if span is not None and span.starts_at <= moment:
        starts_at = span.starts_at
    then = copy(builder)
    then.away_from, then.away_until, then.away_stops_clock = starts_at, ends_at, plan.stops_clock
    then.away_paused_at = span.created_at if span is not None else moment
    running = _running(builder)
    orders = [row for order in running if (row := _touched(order, builder, then, plan, moment)) is not None]
    people = {order.client_id for order in running} if span is None else {row.order.client_id for row in orders if row.before != row.after}
    calls = _calls(builder, starts_at, ends_at)
    found = Preview(plan, zone, starts_at, ends_at, orders, calls, len(people), builder.user.first_name)
    return _drawn(found, builder, moment)


def _running(builder: Builder) -> list[Order]:
    rows = Order.objects.filter(builder=builder, status__in=RUNNING).select_related("client")
    return list(rows.order_by("due_at", "number")[:200])


def _touched(order: Order, builder: Builder, then: Builder, plan: Plan, moment: datetime) -> Touched | None:
    """None for an order that has no date, is late, or has nothing to do with it."""
    if order.status not in WORKING or order.due_at is None:
        return None
    order.builder, before = builder, order.due_at
    since = order.clock_stopped_at or moment
    left, was_kept = order.work_left(since), order.keeps_date
    if left <= NO_TIME:
        return None
    order.builder, order.works_through = then, None
    moved_to = order.due_for(since, left)
    kept = order.pk in plan.keep
    after = since + left if kept else moved_to
    order.builder = builder
    if moved_to == since + left and before == after and not was_kept:
        return None
    return Touched(order, before, after, moved_to, kept)


def _calls(builder: Any, starts_at: datetime, ends_at: datetime) -> list[Any]:
    """Calls that are booked inside. They live beside this app, so they are reached through the builder."""
    rows = builder.consultations.filter(status="scheduled", scheduled_at__lt=ends_at, ends_at__gt=starts_at).select_related("client")
    return list(rows.order_by("scheduled_at")[:MOST_CALLS])


def _drawn(found: Preview, builder: Builder, moment: datetime) -> Preview:
    bars = [
        timeline.Bar(
            f"{row.order.client.first_name}, {row.order.number}",
            row.order.started_at or moment,
            min(row.before, row.after),
            max(row.before, row.after),
            _bar_words(row, found.zone),
        )
        for row in found.orders
    ]
    dots = [timeline.Dot(_("%(name)s, call") % {"name": call.client.first_name}, call.scheduled_at) for call in found.calls]
    first = min(found.plan.first_on, today(found.zone, moment))
    first = found.plan.first_on if (found.plan.first_on - first).days > 6 else first
    drawing = timeline.draw(first, found.plan, found.zone, bars, dots)
    return replace(found, drawing=drawing if bars or dots else None)


def _bar_words(row: Touched, zone: str) -> str:
    if row.after == row.before:
        return ""
    sign = "-" if row.earlier else "+"
    on = today(zone, row.after)
    return f"{sign} {row.words}, {dated(on, 'D j')}"


@dataclass(frozen=True, slots=True)
class Shop:
    """What of a builder opens and closes with being away."""

    live: int
    paused: int


def shop_of(builder: Builder) -> Shop:
    counts = builder.services.aggregate(
        live=Count("pk", filter=Q(status=ServiceStatus.PUBLISHED)), paused=Count("pk", filter=Q(status=ServiceStatus.PAUSED))
    )
    return Shop(counts["live"], counts["paused"])


def kept_of(builder: Builder, span: Span | None) -> frozenset[UUID]:
    """The running orders whose date the builder keeps through `span`."""
    if span is None:
        return frozenset()
    return frozenset(Order.objects.filter(builder=builder, status__in=RUNNING, works_through=span.created_at).values_list("pk", flat=True))


# The pages of orders


@dataclass(frozen=True, slots=True)
class Look:
    """A due date that moved, as one of the two people meets it."""

    move: DueMove
    before: datetime
    by: str
    days: str
    zone: str
    can_object: bool = False
    can_answer: bool = False
    can_keep: bool = False
    can_leave: bool = False
    waits: bool = False

    @property
    def has_desk(self) -> bool:
        return self.can_object or self.can_answer or self.can_leave or self.waits


def look_at(order: Order, move: DueMove, viewer: Any, moment: datetime) -> Look:
    builder, working = order.is_builder(viewer), order.status in WORKING
    before = move.back_to(moment)
    objected = move.waits
    return Look(
        move,
        before=before,
        by=str(notices.by(move.moved)),
        days=str(notices.days(move.span)),
        zone=city(move.span.time_zone),
        can_object=not builder and move.can_be_objected_to(moment),
        can_answer=builder and objected,
        can_keep=builder and objected and before > moment,
        can_leave=not builder and working and order.exit_until is not None and moment < order.exit_until,
        waits=not builder and objected,
    )


def helm_of(order: Order, move: DueMove, moment: datetime) -> Helm:
    """The first line for a builder whose client objects: it is answered best before the date that was agreed first."""
    name = order.client.first_name
    assert order.due_at is not None
    earlier = order.due_at - move.moved
    return Helm(
        _("Your turn"),
        _("%(name)s objects to the later date") % {"name": name},
        _("“%(reason)s” Keep the earlier date, or say that the later one stays.") % {"reason": move.objection},
        False,
        href="#moved",
        link=_("Answer"),
        icon_name="calendar-off",
        at=earlier if earlier > moment else order.due_at,
    )


class OnOrders:
    """What the pages of orders show of away mode."""

    def mark(self, order: Order) -> str:
        """Changes with what may be said about the date: the move's state, and whether the builder is back."""
        found = DueMove.objects.filter(order=order).order_by("-created_at", "-id").values_list("pk", "status", "moved").first()
        return "" if found is None else f"{str(found[0])[-6:]}{found[1]}{int(found[2].total_seconds())}{int(order.builder.is_away)}"

    def show(self, order: Order, viewer: Any, moment: datetime) -> Addition:
        move = self._of([order]).first()
        if move is None or order.status not in WORKING or order.due_at is None:
            return Addition()
        move.order = order
        look = look_at(order, move, viewer, moment)
        return Addition(
            helm=helm_of(order, move, moment) if look.can_answer else None,
            desk="away/_desk.html" if look.has_desk else "",
            clock="away/_clock.html" if move.moved > NO_TIME else "",
            context={"look": look, "exit_hours": settings.EXIT_HOURS},
        )

    def waiting(self, user: Any) -> QuerySet[DueMove, Any]:
        """The ids of orders whose client objects."""
        return DueMove.objects.objected().filter(order__builder__user=user).values_list("order_id", flat=True)

    def helms(self, orders: Iterable[Order], viewer: Any, moment: datetime) -> dict[UUID, Helm]:
        by_id = {order.pk: order for order in orders}
        rows = DueMove.objects.objected().filter(order__in=list(by_id), order__builder__user=viewer)
        found = {}
        for move in rows.select_related("order__client"):
            found[move.order_id] = helm_of(move.order, move, moment)
        return found

    def _of(self, orders: Sequence[Order]) -> QuerySet[DueMove]:
        return DueMove.objects.filter(order__in=orders).select_related("span").order_by("-created_at", "-id")


# The page


@dataclass(frozen=True, slots=True)
class Back:
    """What a builder comes back to."""

    live: int
    moved: int
    told: int
    at: datetime


def back_again(builder: Builder, moment: datetime) -> Back | None:
    """Said for a day after the return."""
    span = last_of(builder)
    if span is None or not timedelta(0) <= moment - span.ends_at < ONE_DAY:
        return None
    moved = DueMove.objects.filter(span=span, moved__gt=NO_TIME).count()
    told = builder.return_alerts.filter(told_at__gte=span.ends_at).count()
    return Back(shop_of(builder).live, moved, told, span.ends_at)
