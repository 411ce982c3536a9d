"""How the reminders of calls are doing."""

from __future__ import annotations

from datetime import datetime, timedelta

from consultations.models import Reminder
from port444.kit.clock import now

LATE = timedelta(minutes=2)


def reminders_late_since(moment: datetime) -> datetime | None:
    """When the oldest reminder that still waits was due, if that is longer ago than the sweep ever takes; else None."""
    return Reminder.objects.due(moment - LATE).order_by("due_at").values_list("due_at", flat=True).first()


def reminders_are_late() -> bool:
    return reminders_late_since(now()) is not None
