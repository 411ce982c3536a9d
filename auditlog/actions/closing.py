"""What ends holds of a serious incident takes two: one asks, another agrees, and the database lets nobody do it alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from auditlog.events import Event
from auditlog.models import EventKind, IncidentEvent, IncidentLog, IncidentSeverity
from port444.kit.clock import now
from port444.kit.errors import Conflict, NotAllowed, WrongState, word_constraint

from .casework import give, lock_incident, require_live, save, to_decide, worded
from .incidents import note
from .recording import record

SERIOUS = (IncidentSeverity.HIGH, IncidentSeverity.CRITICAL)
SECOND_PERSON = NotAllowed("Somebody else has to agree to what ends the holds of a serious incident.", code="second_person")
word_constraint("incident_second_person", SECOND_PERSON)
word_constraint("incident_holds_take_two", SECOND_PERSON)


@transaction.atomic
def ask_to_close(incident_id: UUID, *, actor: Any, reason: str, **wish: Any) -> IncidentLog:
    """Ask a second person to agree to closing it like that. It stays open and as it is, and whoever asks has it."""
    reason = worded(reason)
    incident = to_decide(incident_id, actor)
    if incident.assigned_to is None:
        incident = give(incident, actor, actor)
    save(incident, closing_asked_by=actor.pk, updated_at=now())
    record(Event.INCIDENT_CLOSING_ASKED, actor=actor, target=incident, description=reason, **wish)
    note(incident, EventKind.ASKED, reason, actor=actor, **wish, **_weight(incident))
    return incident


def _weight(incident: IncidentLog) -> dict[str, Any]:
    """What whoever agrees to a closing agrees about."""
    return {"severity": incident.severity, "confidence": incident.confidence, "people": len(incident.people)}


def wish_of(incident: IncidentLog) -> IncidentEvent | None:
    """How somebody wants to close it who waits for a second person."""
    if incident.closing_asked_by is None:
        return None
    return incident.events.filter(kind=EventKind.ASKED, actor_id=incident.closing_asked_by).order_by("-id").first()


@transaction.atomic
def agree_to_close(incident_id: UUID, *, actor: Any) -> tuple[IncidentLog, IncidentEvent]:
    """The second person agrees: gives what was asked for, which is to be done in the same transaction. Raises Conflict when it has grown
    since, NotAllowed for whoever asked."""
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    wish = wish_of(incident)
    if wish is None:
        raise WrongState("Nobody asks to close it.", code="not_asked")
    if wish.actor_id == actor.pk:
        raise NotAllowed(SECOND_PERSON.message, code=SECOND_PERSON.code)
    if {name: wish.facts.get(name) for name in _weight(incident)} != _weight(incident):
        raise Conflict("It is worse, surer or about other people than when this was asked for. Ask anew.", code="grown")
    record(Event.INCIDENT_CLOSING_AGREED, actor=actor, target=incident, asked_by=wish.actor_id)
    note(incident, EventKind.AGREED, actor=actor)
    return incident, wish


@transaction.atomic
def decline_to_close(incident_id: UUID, *, actor: Any, reason: str) -> IncidentLog:
    """The second person does not agree, or whoever asked takes it back."""
    reason = worded(reason)
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    asked_by = incident.closing_asked_by
    if asked_by is None:
        raise WrongState("Nobody asks to close it.", code="not_asked")
    save(incident, closing_asked_by=None, updated_at=now())
    record(Event.INCIDENT_CLOSING_DECLINED, actor=actor, target=incident, asked_by=asked_by, description=reason)
    note(incident, EventKind.DECLINED, reason, actor=actor)
    return incident
