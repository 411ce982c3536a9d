"""What the clock does for the console."""

from __future__ import annotations

from port444.kit.clock import now

from .actions import execute_approved, expire_plans


def plans() -> None:
    """Every minute: close requests that nobody decided in time, and do what was approved when a process died before doing it."""
    moment = now()
    expire_plans(moment)
    execute_approved(moment)
