"""Who is told when an incident opens or rises: the apps above register here, from their `apps.py`."""

from __future__ import annotations

from collections.abc import Callable

from .models import IncidentEvent

OnIncident = Callable[[IncidentEvent, int | None], None]

_told: list[OnIncident] = []


def on_incident(call: OnIncident) -> None:
    """Call `call(event, hold_at)` when an incident was opened, raised or found again, in that transaction: it may write and enqueue, and
    talks to nobody outside. `hold_at` is the confidence from which on withdrawals of those concerned wait, None for never."""
    _told.append(call)


def tell(event: IncidentEvent, hold_at: int | None) -> None:
    for call in _told:
        call(event, hold_at)
