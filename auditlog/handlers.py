"""Who is told when something is recorded, and when an incident opens or rises: the apps above register here, from their `apps.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from django.db.models import Model

from .events import Event
from .models import IncidentEvent

OnIncident = Callable[[IncidentEvent, int | None], None]
OnRecord = Callable[[Event, Model, Decimal | None], None]

_told: list[OnIncident] = []
followers: dict[Event, OnRecord] = {}


def follow(events: Iterable[Event], call: OnRecord) -> None:
    """Call `call(event, target, amount)` for each record of one of `events` that an action makes, in its transaction: it may write and
    enqueue, and talks to nobody outside. One for an event; records of others cost a look into a dict."""
    for event in events:
        if followers.setdefault(event, call) != call:
            raise ValueError(f"{event.key} is followed by another already")


def on_incident(call: OnIncident) -> None:
    """Call `call(event, hold_at)` when an incident was opened, raised or found again, in that transaction: it may write and enqueue, and
    talks to nobody outside. `hold_at` is the confidence from which on withdrawals of those concerned wait, None for never."""
    _told.append(call)


def tell(event: IncidentEvent, hold_at: int | None) -> None:
    for call in _told:
        call(event, hold_at)
