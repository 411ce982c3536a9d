"""Sweeps: what is known about prices is made again when it is due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from port444.kit.clock import now

from . import actions

BATCH = 200
LONGEST = timedelta(seconds=40)  # the next run goes on where this one stopped


def _all(batch: Callable[[datetime, int], int]) -> int:
    begun, done = now(), 0
    while (taken := batch(begun, BATCH)) and (done := done + taken) and taken == BATCH and now() - begun < LONGEST:
        pass
    return done


def refresh_points() -> int:
    """Make the price points again that a sale, or the end of their window, has made due."""
    _all(actions.count_sales_batch)
    return _all(actions.refresh_points_batch)


def refresh_services() -> int:
    """Look again at how services compare, each once a day."""
    return _all(actions.refresh_services_batch)
