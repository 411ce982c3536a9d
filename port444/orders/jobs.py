"""Sweeps: what happens to orders when nobody acts."""

from __future__ import annotations

from port444.kit.clock import now
from port444.kit.jobs import each

from . import actions
from .models import Order

BATCH = 500


def auto_accept() -> int:
    """Accept deliveries whose time to review is over."""
    return each(actions.auto_accept, list(Order.objects.unaccepted(now()).order_by("auto_accept_at").values_list("pk", flat=True)[:BATCH]))


def cancel_unanswered() -> int:
    """End paid orders whose questions were never answered."""
    return each(actions.cancel_unanswered, list(Order.objects.unanswered(now()).order_by("requirements_until").values_list("pk", flat=True)[:BATCH]))
