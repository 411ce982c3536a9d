"""Away mode: when a builder is away, which dates that moved, and who wants to hear of the return."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.accounts.models import check_zone
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status
from port444.orders.models import WORKING, Order

USER = settings.AUTH_USER_MODEL


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class DueMoveQuerySet(models.QuerySet["DueMove"]):
    def visible_to(self, user: Any) -> DueMoveQuerySet:
        return self.filter(Q(order__client=user) | Q(order__builder__user=user))

    def newest(self) -> DueMoveQuerySet:
        """Of every order the one that counts: that of the last span."""
        return self.order_by("order_id", "-created_at", "-id").distinct("order_id")

    def objected(self) -> DueMoveQuerySet:
        """What waits for the builder. A delivery since then answers it: who has the work does not leave with the money."""
        undelivered = Q(order__delivered_at__isnull=True) | Q(objected_at__gt=F("order__delivered_at"))
        return self.filter(undelivered, status=MoveStatus.OBJECTED, order__status__in=WORKING)

    def unanswered(self, moment: datetime) -> DueMoveQuerySet:
        """Whose time to be answered is over."""
        return self.objected().filter(objected_at__lte=moment - timedelta(hours=settings.OBJECTION_HOURS)).order_by("objected_at")


class SpanQuerySet(models.QuerySet["Span"]):
    def lock(self, pk: Any) -> Span:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def standing(self) -> SpanQuerySet:
        return self.filter(cancelled_at__isnull=True)


class Span(models.Model):
    """Whole days away, as the builder said them, and the instants that they mean in the builder's zone.

    `ends_at` moves to the moment of an early return; what was planned stays in the dates. The builder's own row repeats the span
    that is planned or runs, for whoever may not look up here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="spans_away")
    first_on = models.DateField()
    last_on = models.DateField()
    time_zone = models.CharField(max_length=64, validators=[check_zone])
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    message = models.CharField(max_length=300, blank=True)
    stops_orders = models.BooleanField(default=True)
    stops_calls = models.BooleanField(default=True)
    stops_clock = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)
    cancelled_at = models.DateTimeField(null=True)  # taken back before it began
    returned_at = models.DateTimeField(null=True)  # came back before it ended
    reminded_at = models.DateTimeField(null=True)  # the builder was told that the return is near
    welcomed_at = models.DateTimeField(null=True)  # the return was told to the builder and to those who had asked

    objects = SpanQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "builder_id first_on last_on time_zone starts_at ends_at message stops_orders stops_calls stops_clock created_at cancelled_at returned_at"
        ),
        ignored="reminded_at welcomed_at",
    )

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(condition=Q(first_on__lte=F("last_on")), name="span_days_in_order"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="span_has_length"),
            ExclusionConstraint(
                name="span_no_overlap",
                expressions=[("builder", RangeOperators.EQUAL), (TsTzRange("starts_at", "ends_at", RangeBoundary()), RangeOperators.OVERLAPS)],
                condition=Q(cancelled_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at", "id"], condition=Q(cancelled_at__isnull=True, reminded_at__isnull=True), name="span_to_remind"),
            models.Index(fields=["ends_at", "id"], condition=Q(cancelled_at__isnull=True, welcomed_at__isnull=True), name="span_to_welcome"),
        ]

    def __str__(self) -> str:
        return f"{self.first_on} to {self.last_on}"


class MoveStatus(models.TextChoices):
    TOLD = "told", _("Told to the client")
    OBJECTED = "objected", _("The client objects")
    KEPT = "kept", _("The earlier date stands")
    STANDS = "stands", _("The later date stands")


class DueMove(StateMachine):
    """By how much one order's due date moved for a span away, and what its client said to that."""

    called = _("due move")
    NEXT = {
        MoveStatus.TOLD: frozenset({MoveStatus.OBJECTED, MoveStatus.KEPT}),
        MoveStatus.OBJECTED: frozenset({MoveStatus.KEPT, MoveStatus.STANDS}),
        MoveStatus.STANDS: frozenset({MoveStatus.KEPT, MoveStatus.TOLD}),  # the span changed, and the date with it
        MoveStatus.KEPT: frozenset({MoveStatus.TOLD}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    span = models.ForeignKey(Span, on_delete=models.PROTECT, related_name="moves")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="due_moves")
    before_at = models.DateTimeField()  # the due date before it moved
    moved = models.DurationField()
    status = models.CharField(max_length=8, choices=MoveStatus.choices, default=MoveStatus.TOLD)
    objection = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)
    objected_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    objects = DueMoveQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept="span_id order_id before_at moved status objection created_at objected_at answered_at",
    )

    class Meta:
        ordering = ["before_at"]
        constraints = [
            known_status("due_move_status_known", MoveStatus),
            models.UniqueConstraint(fields=["span", "order"], name="due_move_once"),
            models.CheckConstraint(
                condition=~Q(status__in=["objected", "stands"]) | Q(objected_at__isnull=False), name="due_move_objected_has_moment"
            ),
        ]
        indexes = [models.Index(fields=["objected_at"], condition=Q(status="objected"), name="due_move_unanswered")]

    def __str__(self) -> str:
        return f"{self.moved} {self.status}"

    @property
    def answer_by(self) -> datetime:
        """Until when the builder may answer an objection."""
        assert self.objected_at is not None
        return self.objected_at + timedelta(hours=settings.OBJECTION_HOURS)

    @property
    def waits(self) -> bool:
        """Whether the builder may still answer an objection; as `objected` asks it."""
        if self.status != MoveStatus.OBJECTED or self.objected_at is None or self.order.status not in WORKING:
            return False
        return self.order.delivered_at is None or self.objected_at > self.order.delivered_at

    def can_be_objected_to(self, moment: datetime) -> bool:
        """While the builder is still to return and nothing was delivered: who has the work does not leave with the money."""
        span = self.span
        is_open = span.cancelled_at is None and moment < span.ends_at and self.order.status in WORKING and self.order.delivered_at is None
        return self.status == MoveStatus.TOLD and self.moved > timedelta(0) and is_open

    def back_to(self, moment: datetime) -> datetime:
        """The date that would be if the span had not moved it; another span since then moves it still."""
        order = self.order
        assert order.due_at is not None
        if order.builder.away_paused_at == self.span.created_at:
            return order.due_at - self.moved
        since = order.clock_stopped_at or moment
        return order.due_for(since, order.work_left(since) - self.moved)


class ReturnAlert(models.Model):
    """Somebody wants to hear when a builder is back; once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="return_alerts")
    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(null=True)  # since when the builder is back; None while they are away
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["builder", "user"], condition=Q(told_at__isnull=True), name="return_alert_once")]
        indexes = [models.Index(fields=["due_at", "id"], condition=Q(due_at__isnull=False, told_at__isnull=True), name="return_alert_to_tell")]

    def __str__(self) -> str:
        return f"{self.user_id} waits for {self.builder_id}"
