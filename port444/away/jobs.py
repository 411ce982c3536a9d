"""Sweeps of away mode: they tell of a return. Nothing is opened or closed here; that follows from the clock."""

from __future__ import annotations

from port444.kit.clock import now
from port444.kit.jobs import drain, each

from . import actions
from .models import DueMove

BATCH = 200


def lapse() -> int:
    """Settle objections that builders did not answer in time."""
    return each(actions.lapse_objection, DueMove.objects.unanswered(now()).values_list("pk", flat=True)[:BATCH])


def remind() -> int:
    """Remind builders on their last day away."""
    return drain(actions.remind_batch, BATCH)


def welcome() -> int:
    """Welcome builders who are back, and tell those who asked."""
    return drain(actions.welcome_batch, BATCH) + drain(actions.tell_batch, BATCH)
