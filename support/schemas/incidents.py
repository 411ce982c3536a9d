"""What the API says of incidents, and what it asks of who works on them."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from auditlog.actions.casework import MOST_AT_ONCE
from auditlog.models import IncidentEvent, IncidentLog, IncidentSeverity, IncidentStatus, IncidentType, Suppression, Verdict
from port444.accounts.schemas import PersonOut
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text, same

from .shared import CODE


class IncidentRow(Row):
    id: UUID
    number: int = Field(description="As people call it: I-<number>")
    incident_type: IncidentType
    severity: IncidentSeverity
    status: IncidentStatus
    detection_method: str
    detector: str = Field(description="Empty when no detector found it")
    detected_at: Moment
    due_at: Moment
    hits: int
    last_hit_at: Moment
    user_id: UUID | None
    related_users: list[UUID]
    description: str
    pattern: str
    confidence: int = Field(description="Of 100")
    potential_loss: Money | None
    actual_loss: Money | None
    assigned_to: UUID | None
    investigated_at: Moment | None
    resolved_by: UUID | None
    resolved_at: Moment | None
    resolution: str
    action_taken: str
    verdict: str
    withdrawal_id: UUID | None
    merged_into: UUID | None
    closing_asked_by: UUID | None = Field(description="Who wants to close it in a way that a second person has to agree to")
    approved_by: UUID | None = Field(description="Who that second person was")
    alert_sent: bool
    alert_sent_at: Moment | None
    created_at: Moment
    updated_at: Moment


class IncidentReason(Out):
    points: int
    text: str
    fact: str
    link: str


class IncidentStep(Out):
    at: Moment
    kind: str
    by: UUID | None = Field(description="Empty for what the platform did by itself")
    text: str


class IncidentQuestion(Out):
    key: str
    text: str
    done: bool


class IncidentHold(Out):
    id: UUID
    user_id: UUID
    withdrawal_id: UUID | None
    until: Moment | None


class IncidentOut(IncidentRow):
    people: list[PersonOut]
    reasons: list[IncidentReason] = Field(description="Their points are the confidence")
    evidence: dict[str, Any]
    ip_addresses: list[str]
    device_fingerprints: list[UUID]
    investigation_notes: str
    checklist: list[IncidentQuestion]
    events: list[IncidentStep] = Field(description="Newest first, the last 60")
    holds: list[IncidentHold]
    like_it: int = Field(description="Closed ones of the same detector that were about as sure")
    like_it_confirmed: int


class IncidentsOut(Out):
    items: list[IncidentRow]
    next: str | None


class TakenOut(Out):
    incident: IncidentOut | None = Field(description="Null when nothing waits that nobody has")


class OpenIncidentIn(In):
    user_id: UUID = Field(description="Whom it is about; not oneself")
    incident_type: IncidentType
    severity: IncidentSeverity = IncidentSeverity.MEDIUM
    confidence: int = Field(50, ge=1, le=100, description="Of 100")
    potential_loss: Amount | SkipJsonSchema[None] = None
    description: Text = Field(min_length=1, max_length=2000, description="What you saw")


class CheckIn(In):
    key: Text = Field(min_length=1, max_length=40, description="Of a question of `checklist`")
    done: bool = True


class JoinIncidentIn(In):
    into: UUID
    reason: Text = Field(min_length=1, max_length=2000)


class CloseManyIn(In):
    incidents: list[UUID] = Field(min_length=1, max_length=MOST_AT_ONCE)
    verdict: Verdict
    reason: Text = Field(min_length=1, max_length=2000, description="For all of them")
    sure: int | SkipJsonSchema[None] = Field(None, ge=0, description="How many have to be closed; when it would be another number, none is (409)")


class ClosedOut(Out):
    closed: list[UUID]
    left: list[UUID] = Field(description="Of somebody else, or closed already")
    for_two: list[UUID] = Field(description="Of which each ends a hold that takes two people to end")


class SuppressionRow(Row):
    id: UUID
    incident_id: UUID
    detector: str
    reason: str
    made_by: UUID
    made_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    hits: int
    last_hit_at: Moment | None


class SuppressionsOut(Out):
    items: list[SuppressionRow]
    next: str | None


class InvestigateIn(In):
    note: Text = Field("", max_length=2000, description="What is known already")


class IncidentNoteIn(In):
    text: Text = Field(min_length=1, max_length=2000)


class AssignIn(In):
    user_id: UUID = Field(description="Somebody who works on incidents; oneself to take it over")


class ReopenIn(In):
    reason: Text = Field(min_length=1, max_length=2000)


class CodeIn(In):
    code: str = CODE


class NextIn(In):
    weak: bool = Field(False, description="Of the weak signals")


class ResolveIn(In):
    status: Literal["resolved", "false_positive"]
    reason: Text = Field(min_length=1, max_length=2000)
    verdict: Verdict = Field(description="confirmed or inconclusive with resolved; household, team or harmless with false_positive")
    action_taken: Literal["no_action", "warning_issued", "account_suspended"] = Field(
        "no_action", description="Suspensions are plans: what one person may not do alone waits for a second one"
    )
    people: list[UUID] = Field(default_factory=list, max_length=200, description="Whom the action concerns")
    told: Text = Field("", max_length=300, description="What they read, word for word")
    actual_loss: Amount | None = None
    days: int = Field(90, ge=1, le=180, description="For which a false positive stays quiet")
    note: Text = Field("", max_length=2000)


class HoldIn(In):
    reason: Text = Field(min_length=1, max_length=2000)
    people: list[UUID] = Field(default_factory=list, max_length=200)
    withdrawal: bool = Field(False, description="The withdrawal that it is about")
    told: Text = Field("", max_length=300, description="What they read. Empty: what a hold usually says")
    hours: int = Field(72, ge=1, le=72)


def suppression_row(row: Suppression) -> SuppressionRow:
    return SuppressionRow(**same(row, SuppressionRow))


def incident_row(row: IncidentLog) -> IncidentRow:
    return IncidentRow(**_incident(row))


def _incident(row: IncidentLog) -> dict[str, Any]:
    return same(row, IncidentRow) | {"merged_into": row.merged_into_id}


def incident_out(row: IncidentLog, look: Any, events: list[IncidentEvent]) -> IncidentOut:
    return IncidentOut(
        **_incident(row) | {"merged_into": look.whole.pk if look.whole is not None else None},
        people=[PersonOut(id=face.pk, name=face.name) for face in look.people],
        reasons=[IncidentReason(points=int(bar.points), text=bar.text, fact=bar.fact, link=bar.link) for bar in look.bars],
        evidence=row.evidence,
        ip_addresses=[str(one) for one in row.ip_addresses],
        device_fingerprints=row.device_fingerprints,
        investigation_notes=row.investigation_notes,
        checklist=[IncidentQuestion(key=item.key, text=item.text, done=item.done) for item in look.items],
        events=[IncidentStep(at=event.at, kind=event.kind, by=event.actor_id, text=event.text) for event in events],
        holds=[IncidentHold(id=hold.pk, user_id=hold.user_id, withdrawal_id=hold.withdrawal_id, until=hold.until) for hold in look.holds],
        like_it=look.right[1],
        like_it_confirmed=look.right[0],
    )
