"""What the clock does for the console."""

from __future__ import annotations

from uuid import UUID

from port444.kit import jobs
from port444.kit.clock import now

from . import actions
from .actions import alerts_due, end_lapsed, execute_approved, expire_plans, holds_due


def plans() -> None:
    """Every minute: close requests that nobody decided in time, and do what was approved when a process died before doing it."""
    moment = now()
    expire_plans(moment)
    execute_approved(moment)


def viewings() -> None:
    """Every minute: close viewings whose hour is over, or whose agent or person has changed, so that each has an end that is known."""
    end_lapsed(now())


def send_alert(alert_id: str) -> None:
    """Tell a channel of an incident."""
    actions.send_alert(UUID(alert_id))


def alerts() -> None:
    """Every minute: hold and tell what could not be held and told at once."""
    jobs.each(actions.hold_for, jobs.in_time(holds_due(now())))
    jobs.each(actions.send_alert, jobs.in_time(alerts_due(now())))


def hold_for(incident_id: str) -> None:
    """Have the withdrawals of those concerned wait."""
    actions.hold_for(UUID(incident_id))


def digest() -> None:
    """Daily: what was found without an alert."""
    actions.send_digest(now())


def sample() -> None:
    """Daily: put a few new builders about whom nothing looked wrong into the queue."""
    actions.sample_accounts(now())
