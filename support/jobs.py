"""What the clock does for the console."""

from __future__ import annotations

from port444.kit.clock import now

from .actions import end_lapsed, execute_approved, expire_plans


def plans() -> None:
    """Every minute: close requests that nobody decided in time, and do what was approved when a process died before doing it."""
    moment = now()
    expire_plans(moment)
    execute_approved(moment)


def viewings() -> None:
    """Every minute: close viewings whose hour is over, or whose agent or person has changed, so that each has an end that is known."""
    end_lapsed(now())
