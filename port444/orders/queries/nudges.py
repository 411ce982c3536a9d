"""Whether reminders are still true, and whether they are on time."""

from __future__ import annotations

from datetime import timedelta

from port444.kit.clock import now
from port444.notifications.models import Notification
from port444.orders.models import Nudge

LATE = timedelta(minutes=20)


def nudge_holds(notification: Notification) -> bool:
    """Whether a reminder that is about to leave by e-mail or SMS is still true; one for many orders, while it is for one of them."""
    return Nudge.objects.standing().filter(notification=notification.pk).exists()


def nudges_are_late() -> bool:
    """Whether a reminder has waited for longer than the sweep ever takes."""
    return Nudge.objects.due(now() - LATE).exists()
