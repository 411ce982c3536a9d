"""Sweeps: what happens to orders when nobody acts."""

from __future__ import annotations

import logging
from datetime import datetime

from port444.kit.clock import now
from port444.kit.jobs import drain, each, in_time

from . import actions
from .models import Dispute, Order, Parting, Review

log = logging.getLogger(__name__)

BATCH = 500
TALKS = 200  # in one transaction
NUDGES = 200  # in one transaction


def auto_accept() -> int:
    """Accept deliveries whose time to review is over."""
    due = Order.objects.unaccepted(now()).order_by("auto_accept_at").values_list("pk", flat=True)
    return each(actions.auto_accept, in_time(list(due[:BATCH])))


def cancel_unanswered() -> int:
    """End paid orders whose questions were never answered."""
    due = Order.objects.unanswered(now()).order_by("requirements_until").values_list("pk", flat=True)
    return each(actions.cancel_unanswered, in_time(list(due[:BATCH])))


def escalate_disputes() -> int:
    """Bring disputes before support whose time to answer or to settle is over."""
    due = Dispute.objects.overdue(now()).order_by("opened_at").values_list("pk", flat=True)
    return each(actions.escalate_overdue, in_time(list(due[:BATCH])))


def publish_reviews() -> int:
    """Count what the clock has shown because the other side did not write, and tell both."""
    due = Review.objects.uncounted(now()).order_by("shown_at").values_list("order_id", flat=True)
    return each(actions.publish_reviews, in_time(list(due[:BATCH])))


def lapse_partings() -> int:
    """Take proposals to end an order off the table that nobody answered in time."""
    due = Parting.objects.unanswered(now()).order_by("expires_at").values_list("pk", flat=True)
    return each(actions.lapse_parting, list(due[:BATCH]))


def suggest_offers() -> int:
    """Look at the talks that came to rest, and hint an offer to the builder where it may help; how many were looked at."""
    return drain(actions.suggest_batch, TALKS)


def send_nudges() -> int:
    """Remind the clients of orders that wait for them; how many reminders were settled or moved on."""
    return drain(_nudges, NUDGES)


def _nudges(moment: datetime, limit: int) -> int:
    """One batch. When it fails, its reminders are taken one by one, and the one at fault is put off."""
    try:
        return actions.send_nudges_batch(moment, limit)
    except Exception:
        log.exception("reminders of orders failed; they are taken one by one")
    taken = 0
    for _ in range(limit):
        try:
            taken_now = actions.send_nudges_batch(moment, 1)
        except Exception:
            log.exception("a reminder of an order failed")
            actions.put_off_nudge(moment)
            taken_now = 1
        if not taken_now:
            break
        taken += 1
    return taken
