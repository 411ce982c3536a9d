"""Sweeps of away mode: they tell of a return. Nothing is opened or closed here; that follows from the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from port444.kit.clock import now
from port444.kit.jobs import each

from . import actions
from .models import DueMove

BATCH = 200
LONGEST = timedelta(seconds=40)  # below the time that the queue gives to a job; the next run goes on


def lapse() -> int:
    """Settle objections that builders did not answer in time."""
    return each(actions.lapse_objection, DueMove.objects.unanswered(now()).values_list("pk", flat=True)[:BATCH])


def remind() -> int:
    """Remind builders on their last day away."""
    return _all(actions.remind_batch)


def welcome() -> int:
    """Welcome builders who are back, and tell those who asked."""
    return _all(actions.welcome_batch) + _all(actions.tell_batch)


def _all(batch: Callable[[datetime, int], int]) -> int:
    """Batches until one is not full or the time is up; how many rows."""
    done, begun = 0, now()
    while (handled := batch(now(), BATCH)) == BATCH and now() - begun < LONGEST:
        done += handled
    return done + handled
