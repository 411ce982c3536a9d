"""Work on incidents in the console: what `auditlog.actions.casework` does to the incident, with who may, and a line among the support actions
for each act. Deciding them is in `deciding`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from auditlog.actions import Finding, Reason, casework, open_incident
from auditlog.actions.casework import lock_incident
from auditlog.models import DetectionMethod, IncidentLog, Suppression
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.notifications.actions import notify
from support.models import ActionType
from support.roles import require, who_may

from .records import note_action

WORK = "work_incidents"
MOST_PEOPLE = 200


def note_work(incident: IncidentLog, actor: User, what: str, *, reason: str = "", action: ActionType = ActionType.INCIDENT) -> None:
    """The list of actions is read by all of the staff: what is about one of them is not named there."""
    if User.objects.filter(pk__in=incident.people, is_staff=True).exists():
        note_action(action, actor=actor, description=f"{what} an incident about staff")
        return
    about = User.objects.filter(pk=incident.user_id).first() if incident.user_id else None
    note_action(action, actor=actor, description=f"{what} {incident}", reason=reason, target_user=about)


@transaction.atomic
def open_incident_about(person_id: UUID, *, actor: User, said: Mapping[str, Any]) -> IncidentLog:
    """Write down what a member of staff saw of somebody, as an incident of its own which they have taken. `said` has incident_type,
    severity, confidence, description and, when money can be lost, potential_loss. Raises NotAllowed for oneself."""
    require(actor, WORK)
    if person_id == actor.pk:
        raise NotAllowed("Nobody works on their own case.", code="own_case")
    person = User.objects.get(pk=person_id)
    confidence = int(said["confidence"])
    finding = Finding(
        fingerprint=f"by_hand:{uuid7()}",
        user_id=person.pk,
        pattern="seen by staff",
        reasons=[Reason(confidence, f"As sure as {actor.name} is")],
        **said,
    )
    incident = open_incident(finding, actor=actor, method=DetectionMethod.MANUAL)
    incident = casework.take(incident.pk, actor=actor)
    note_work(incident, actor, "Opened", reason=incident.description[:600])
    return incident


# Whose it is ------------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_next_incident(*, actor: User, weak: bool = False) -> IncidentLog | None:
    """The one that is due first and that nobody has; None when nothing waits."""
    require(actor, WORK)
    incident = casework.take_next(actor=actor, weak=weak)
    if incident is not None:
        note_work(incident, actor, "Took")
    return incident


@transaction.atomic
def take_incident(incident_id: UUID, *, actor: User) -> IncidentLog:
    require(actor, WORK)
    incident = casework.take(incident_id, actor=actor)
    note_work(incident, actor, "Took")
    return incident


def may_have(incident: IncidentLog) -> list[User]:
    """The staff to whom it can be handed over: not those whom it is about."""
    return list(who_may(WORK).exclude(pk__in=incident.people)[:MOST_PEOPLE])


@transaction.atomic
def hand_over_incident(incident_id: UUID, *, actor: User, to: UUID) -> IncidentLog:
    """To somebody who works on incidents, and whom it is not about; taking it over is handing it to oneself."""
    require(actor, WORK)
    incident = lock_incident(incident_id, actor)
    colleague = next((one for one in may_have(incident) if one.pk == to), None)
    if colleague is None:
        raise Invalid("Choose somebody who works on incidents.", code="colleague")
    incident = casework.hand_over(incident_id, actor=actor, to=colleague)
    if colleague.pk != actor.pk:
        notify(
            colleague,
            "incident.handed_over",
            title=f"{actor.name} gave you {incident}",
            body=incident.description,
            url=reverse("support:incident", args=[incident.number]),
            dedupe_key=f"incident.handed_over:{incident.pk}:{now().isoformat()}",
        )
    note_work(incident, actor, f"Gave {colleague.name}" if colleague.pk != actor.pk else "Took over")
    return incident


@transaction.atomic
def put_incident_back(incident_id: UUID, *, actor: User) -> IncidentLog:
    require(actor, WORK)
    incident = casework.put_back(incident_id, actor=actor)
    note_work(incident, actor, "Put back")
    return incident


@transaction.atomic
def note_on_incident(incident_id: UUID, *, actor: User, text: str) -> IncidentLog:
    require(actor, WORK)
    incident = casework.add_note(incident_id, actor=actor, text=text)
    note_work(incident, actor, "Wrote a note on")
    return incident


@transaction.atomic
def check_on_incident(incident_id: UUID, *, actor: User, item: str, done: bool, text: str) -> IncidentLog:
    require(actor, WORK)
    incident = casework.check_item(incident_id, actor=actor, item=item, done=done, text=text)
    note_work(incident, actor, "Looked into a question of" if done else "Reopened a question of")
    return incident


@transaction.atomic
def reopen_incident(incident_id: UUID, *, actor: User, reason: str) -> IncidentLog:
    require(actor, WORK)
    incident = casework.reopen(incident_id, actor=actor, reason=reason)
    note_work(incident, actor, "Opened again", reason=reason)
    return incident


@transaction.atomic
def merge_incident(incident_id: UUID, *, actor: User, into: int, reason: str) -> IncidentLog:
    """`into` is the number of the other one, which is given back."""
    require(actor, WORK)
    other = IncidentLog.objects.visible_to(actor).filter(number=into).first()
    if other is None:
        raise Invalid("No incident has this number.", code="into")
    whole = casework.merge(incident_id, actor=actor, into=other.pk, reason=reason)
    note_work(whole, actor, "Merged another incident into", reason=reason)
    return whole


@transaction.atomic
def end_quiet(suppression_id: UUID, *, actor: User) -> Suppression:
    require(actor, WORK)
    suppression = casework.end_suppression(suppression_id, actor=actor)
    note_work(suppression.incident, actor, "Ended the suppression of")
    return suppression
