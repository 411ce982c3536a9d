"""Reminders of calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status

from .calls import Consultation


class ReminderKind(models.TextChoices):
    DAY = "24h", _("A day before")
    HOUR = "1h", _("An hour before")


class ReminderStatus(models.TextChoices):
    DUE = "due", pgettext_lazy("reminder", "Waiting")
    SENT = "sent", _("Sent")
    SKIPPED_LATE = "skipped_late", _("Too late")
    SKIPPED_GONE = "skipped_gone", _("The call had changed")


AHEAD = {ReminderKind.DAY: timedelta(hours=24), ReminderKind.HOUR: timedelta(hours=1)}
# A late reminder is worth sending up to this long before the start; after that it only confuses.
WORTH_UNTIL = {ReminderKind.DAY: timedelta(hours=3), ReminderKind.HOUR: timedelta(0)}


class ReminderQuerySet(models.QuerySet["Reminder"]):
    def due(self, moment: datetime) -> ReminderQuerySet:
        return self.filter(status=ReminderStatus.DUE, due_at__lte=moment)

    def after(self, due_at: datetime, pk: UUID) -> ReminderQuerySet:
        """Those behind a row in the order of `due_at` and id."""
        return self.filter(Q(due_at__gt=due_at) | Q(due_at=due_at, pk__gt=pk))


class Reminder(StateMachine):
    """One reminder to one person. Sent is written in the transaction that writes the notification, so there is one for ever."""

    NEXT = {ReminderStatus.DUE: frozenset({ReminderStatus.SENT, ReminderStatus.SKIPPED_LATE, ReminderStatus.SKIPPED_GONE})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    consultation = models.ForeignKey(Consultation, on_delete=models.CASCADE, related_name="reminders")
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=3, choices=ReminderKind.choices)
    due_at = models.DateTimeField()
    status = models.CharField(max_length=12, choices=ReminderStatus.choices, default=ReminderStatus.DUE)
    settled_at = models.DateTimeField(null=True)

    objects = ReminderQuerySet.as_manager()

    class Meta:
        ordering = ["due_at"]
        constraints = [
            known_status("reminder_status_known", ReminderStatus),
            models.CheckConstraint(
                condition=Q(status="due", settled_at__isnull=True) | (~Q(status="due") & Q(settled_at__isnull=False)),
                name="reminder_settled_has_moment",
            ),
            models.UniqueConstraint(fields=["consultation", "kind", "recipient"], name="reminder_once"),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(status="due"), name="reminder_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"
