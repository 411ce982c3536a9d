from __future__ import annotations

import time
from uuid import UUID

from port444.kit import jobs
from port444.kit.clock import now

from . import actions
from .models import Delivery

BATCH = 200
# The queue ends a job after a minute; a sweep that meets a slow mail server stops earlier and leaves the rest to the next one.
SECONDS = 40.0


def deliver(delivery_id: str) -> None:
    """Send one delivery."""
    actions.deliver(UUID(delivery_id))


def sweep() -> int:
    """Each minute: send what is due, was held back, failed before, or lost its place in the queue."""
    ends = time.monotonic() + SECONDS
    due = Delivery.objects.due(now()).order_by("due_at").values_list("pk", flat=True)[:BATCH]

    def in_time(pk: UUID) -> None:
        if time.monotonic() < ends:
            actions.deliver(pk)

    return jobs.each(in_time, list(due))
