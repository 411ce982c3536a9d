"""Who is told when something is recorded, and when an incident opens or rises: the apps above register here, from their `apps.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from itertools import batched
from typing import NamedTuple
from uuid import UUID

from django.db.models import Model

from .events import Event
from .models import EventKind, IncidentEvent, IncidentLog

OnIncident = Callable[[IncidentEvent, int | None], None]
OnRecord = Callable[[Event, Model, Decimal | None], None]

TOGETHER = 500  # incidents that are told of with one question
RISES = (EventKind.REPEATED, EventKind.RAISED, EventKind.OPENED)  # of what happened at once, the last is what people are told

_told: list[OnIncident] = []


class Waiting(NamedTuple):
    """What is told of later: the event, and what it was told with."""

    kind: EventKind
    event_id: UUID
    hold_at: int | None


_waiting: ContextVar[dict[UUID, Waiting] | None] = ContextVar("waiting", default=None)
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
    if waiting is None:
        for call in _told:
            call(event, hold_at)
        return
    earlier = waiting.get(event.incident_id)
    if earlier is not None and RISES.index(earlier.kind) > RISES.index(event.kind):
        waiting[event.incident_id] = earlier._replace(hold_at=hold_at)
    else:
        waiting[event.incident_id] = Waiting(EventKind(event.kind), event.pk, hold_at)


@contextmanager
def telling_once() -> Iterator[None]:
    """Within a transaction in which an incident may open and rise at once: it is told of at the end, once, as it stands by then. There may be
    tens of thousands, so that they are not kept but read again."""
    waiting: dict[UUID, Waiting] = {}
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    for part in batched(waiting.values(), TOGETHER):
        found = IncidentEvent.objects.select_related("incident").filter(incident__in=IncidentLog.objects.live())  # and no part of another by now
        events = found.in_bulk([one.event_id for one in part])
        for one in part:
            if one.event_id in events:
                tell(events[one.event_id], one.hold_at)
