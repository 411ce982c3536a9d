"""Who is told when something is recorded, and when an incident opens or rises: the apps above register here, from their `apps.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from uuid import UUID

from django.db.models import Model

from .events import Event
from .models import EventKind, IncidentEvent, IncidentLog

OnIncident = Callable[[IncidentEvent, int | None], None]
OnRecord = Callable[[Event, Model, Decimal | None], None]

RISES = (EventKind.REPEATED, EventKind.RAISED, EventKind.OPENED)  # of what happened at once, the last is what people are told

_told: list[OnIncident] = []
_waiting: ContextVar[list[tuple[IncidentEvent, int | None]] | None] = ContextVar("waiting", default=None)
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
    waiting = _waiting.get()
    if waiting is not None:
        waiting.append((event, hold_at))
        return
    for call in _told:
        call(event, hold_at)


@contextmanager
def telling_once() -> Iterator[None]:
    """Within a transaction in which an incident may open and rise at once: it is told of at the end, once, as it stands by then."""
    waiting: list[tuple[IncidentEvent, int | None]] = []
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    last: dict[UUID, tuple[IncidentEvent, int | None]] = {}
    for event, hold_at in waiting:
        earlier = last.get(event.incident_id)
        if earlier is not None and RISES.index(earlier[0].kind) > RISES.index(event.kind):
            earlier[0].incident = event.incident
            event = earlier[0]
        last[event.incident_id] = event, hold_at
    live = set(IncidentLog.objects.live().filter(pk__in=last).values_list("pk", flat=True)) if last else set()
    for pk, (event, hold_at) in last.items():
        if pk in live:  # and not a part of another by now
            tell(event, hold_at)
