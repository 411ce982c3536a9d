"""Reminders about an order that waits for somebody."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status
from port444.notifications.models import Notification

from .orders import Order, OrderStatus


class NudgeKind(models.TextChoices):
    ANSWERS_24H = "answers_24h", _("Questions open for a day")
    ANSWERS_72H = "answers_72h", _("Questions open for three days, the last one")
    REVIEW_48H = "review_48h", _("Delivery waits for two days")


class NudgeStatus(models.TextChoices):
    PLANNED = "planned", _("Planned")
    SENT = "sent", _("Sent")
    SKIPPED = "skipped", _("Not sent")


class Why(models.TextChoices):
    """Why a reminder waits longer, or was not sent. The log is read and filtered by these words, so they are kept as they are."""

    IN_USE = "Somebody was acting on the order"
    CLOSED = "An account is closed"
    CLOCK_STANDS = "The clock of the order stands"
    CLOCK_STOOD = "The clock of the order stood"
    JUST_HERE = "The client was just there"
    ONE_A_DAY = "One a day for an order"
    QUIET = "Quiet hours"
    ENOUGH = "As many as a day may bring were sent"
    FAILED = "It could not be sent, see the log of errors"
    MOVED_ON = "The order had moved on"
    OVER = "The time it speaks of was over"
    NEWER = "A newer one was due"
    STOPPED = "Stopped by support"


# After the order came into the state.
AFTER = {NudgeKind.ANSWERS_24H: timedelta(hours=24), NudgeKind.ANSWERS_72H: timedelta(hours=72), NudgeKind.REVIEW_48H: timedelta(hours=48)}


ANSWERS = [NudgeKind.ANSWERS_24H, NudgeKind.ANSWERS_72H]
# What a notification was, as the apps below know it.
DIGEST = "order.nudges"


class NudgeQuerySet(models.QuerySet["Nudge"]):
    def planned(self) -> NudgeQuerySet:
        return self.filter(status=NudgeStatus.PLANNED)

    def standing(self) -> NudgeQuerySet:
        """Those whose order is still in the state that they are about."""
        waits = Q(kind__in=ANSWERS, order__status=OrderStatus.PENDING_REQUIREMENTS)
        lies = Q(kind=NudgeKind.REVIEW_48H, order__status=OrderStatus.DELIVERED, order__delivered_at=F("entered_at"))
        return self.filter(waits | lies)

    def due(self, moment: datetime) -> NudgeQuerySet:
        return self.filter(status=NudgeStatus.PLANNED, due_at__lte=moment)


class Nudge(StateMachine):
    """One reminder to one person, planned when the order comes into a state. Sent is written in the transaction that writes the
    notification, so there is one for ever. `why` says why it waits longer or was not sent."""

    called = _("reminder")
    NEXT = {NudgeStatus.PLANNED: frozenset({NudgeStatus.SENT, NudgeStatus.SKIPPED})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="nudges")
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=NudgeKind.choices)
    entered_at = models.DateTimeField()  # when the order came into the state that it is about
    due_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)  # when the recipient last opened the order while this was planned
    status = models.CharField(max_length=7, choices=NudgeStatus.choices, default=NudgeStatus.PLANNED)
    why = models.CharField(max_length=100, blank=True)
    notification = models.ForeignKey(Notification, on_delete=models.SET_NULL, related_name="+", null=True)  # several may share one
    created_at = models.DateTimeField(default=now)
    settled_at = models.DateTimeField(null=True)

    objects = NudgeQuerySet.as_manager()

    class Meta:
        ordering = ["due_at"]
        verbose_name = "reminder"
        constraints = [
            known_status("nudge_status_known", NudgeStatus),
            models.CheckConstraint(
                condition=Q(status="planned", settled_at__isnull=True) | (~Q(status="planned") & Q(settled_at__isnull=False)),
                name="nudge_settled_has_moment",
            ),
            models.CheckConstraint(condition=~Q(status="skipped") | ~Q(why=""), name="nudge_skipped_says_why"),
            models.UniqueConstraint(fields=["order", "kind", "entered_at"], name="nudge_once"),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(status="planned"), name="nudge_due"),
            models.Index(fields=["recipient", "settled_at"], condition=Q(status="sent"), name="nudge_sent_to"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"

    @property
    def is_last(self) -> bool:
        return self.kind == NudgeKind.ANSWERS_72H

    def stands(self, order: Order) -> bool:
        """Whether `order` is still in the state that this is about."""
        if self.kind == NudgeKind.REVIEW_48H:
            return order.status == OrderStatus.DELIVERED and order.delivered_at == self.entered_at
        return bool(order.status == OrderStatus.PENDING_REQUIREMENTS)

    def ends_at(self, order: Order) -> datetime | None:
        """When the order goes on by itself, so that nobody need be reminded any more."""
        return order.auto_accept_at if self.kind == NudgeKind.REVIEW_48H else order.requirements_until
