from __future__ import annotations

from uuid import UUID

from port444.kit import jobs
from port444.kit.clock import now

from . import actions
from .models import Delivery

BATCH = 200


def deliver(delivery_id: str) -> None:
    """Send one delivery."""
    actions.deliver(UUID(delivery_id))


def sweep() -> int:
    """Each minute: send what is due, was held back, failed before, or lost its place in the queue."""
    due = Delivery.objects.due(now()).order_by("due_at").values_list("pk", flat=True)[:BATCH]
    return jobs.each(actions.deliver, jobs.in_time(list(due)))
