"""Sweeps: what is known about prices, and what search is ordered by, is made again when it is due, and visits are counted."""

from __future__ import annotations

from port444.kit.jobs import drain

from . import actions

BATCH = 200


def refresh_points() -> int:
    """Make the price points again that a sale, or the end of their window, has made due."""
    drain(actions.count_sales_batch, BATCH)
    return drain(actions.refresh_points_batch, BATCH)


def count_visits() -> int:
    """Count who looked at services on the days before today."""
    return drain(actions.count_visits_batch, 10 * BATCH)


def refresh_services() -> int:
    """Look again at how services compare, each once a day."""
    return drain(actions.refresh_services_batch, BATCH)


def rate_listings() -> int:
    """Look again at what decides the place of a service in the search: at once after an order or a review, and once a day."""
    return drain(actions.rate_batch, BATCH)


def forget_words() -> int:
    """Forget words that no listing has had for a week."""
    return drain(actions.forget_words_batch, BATCH)


def tell_found() -> int:
    """Tell people what their saved searches have found."""
    return drain(actions.tell_found_batch, 50)
