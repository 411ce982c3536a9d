"""Sweeps: what happens to amendments when nobody acts."""

from __future__ import annotations

from port444.kit.clock import now
from port444.kit.jobs import each

from . import actions
from .models import Amendment

BATCH = 500


def expire() -> int:
    """Close proposals that nobody answered in time. Those that were approved and not paid end with their invoice, a sweep of payments."""
    return each(actions.expire, list(Amendment.objects.unanswered(now()).order_by("expires_at").values_list("pk", flat=True)[:BATCH]))
