"""Reminders that are due."""

from __future__ import annotations

import logging
import time

from consultations.actions import send_reminder
from consultations.models import Reminder
from consultations.queries import reminders_late_since
from port444.kit.clock import now
from port444.kit.jobs import each

log = logging.getLogger(__name__)

BATCH = 200
SECONDS = 40.0  # the queue ends a job after a minute; what is left is taken by the next sweep


def send_reminders() -> int:
    """Each minute: settle every reminder that is due, sent or passed over; how many. A late start of the sweep is an error in the log."""
    late_since = reminders_late_since(now())
    if late_since is not None:
        log.error("reminders of calls are late: the oldest was due at %s", late_since.isoformat())
    ends, done, seen = time.monotonic() + SECONDS, 0, None
    while time.monotonic() < ends:
        due = Reminder.objects.due(now())
        if seen is not None:
            due = due.after(*seen)  # a row that cannot be sent must not hide those behind it
        rows = list(due.order_by("due_at", "pk").values_list("pk", "due_at")[:BATCH])
        if not rows:
            break
        done += each(send_reminder, [pk for pk, _ in rows])
        seen = (rows[-1][1], rows[-1][0])
    return done
