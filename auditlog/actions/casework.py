"""What a person does with an incident, from taking it to closing it. What becomes of the people whom it is about is for the apps above.

Who may work on incidents at all, the caller knows; here nobody sees, takes or decides what is about themselves. The database keeps
that as well, whoever writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from auditlog.events import Event
from auditlog.models import (
    LIVE,
    RANK,
    ActionTaken,
    EventKind,
    IncidentLog,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
    Suppression,
    Verdict,
)
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, word_constraint, words

from .incidents import ALWAYS_HEARD, Finding, ceiling_of, note
from .recording import record

S = IncidentStatus
LONGEST = 2000  # characters of a reason or a note
LONGEST_SUPPRESSION_REASON = 600
USUAL_QUIET, LONGEST_QUIET = 90, 180  # days
MOST_AT_ONCE = 200
LONGEST_NOTES = 20_000
HARMLESS = (Verdict.HOUSEHOLD, Verdict.TEAM, Verdict.HARMLESS)

OWN = NotAllowed("Nobody works on what is about themselves.", code="own_case")
word_constraint("incident_taken_by_another", OWN)
word_constraint("incident_decided_by_another", OWN)
word_constraint("incident_asked_by_another", OWN)
word_constraint("incident_approved_by_another", OWN)
word_constraint("incident_one_live_per_fingerprint", Conflict("The same was found again meanwhile, and that incident is open.", code="open_again"))
word_constraint("suppression_one_standing", Conflict("This is kept quiet already.", code="quiet_already"))


def lock_incident(incident_id: UUID, actor: Any) -> IncidentLog:
    """The incident, locked, for somebody whom it is not about. Raises NotAllowed."""
    incident = IncidentLog.objects.lock(incident_id)
    if actor.pk in incident.people:
        raise NotAllowed(OWN.message, code=OWN.code)
    return incident


def worded(text: str, *, what: str = "reason") -> str:
    text = text.strip()
    if not text:
        raise Invalid("Say why. Whoever looks at this later reads it." if what == "reason" else "Write something.", code=f"{what}_missing")
    if len(text) > LONGEST:
        raise Invalid(f"That is more than {LONGEST:,} characters.", code=f"{what}_long")
    return text


# Whose it is ------------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_next(*, actor: Any, weak: bool = False) -> IncidentLog | None:
    """Take what is due first of what nobody has; None when nothing waits. Two who ask at once get two incidents."""
    waiting = IncidentLog.objects.visible_to(actor).filter(status=S.OPEN, assigned_to__isnull=True)
    waiting = waiting.filter(severity=IncidentSeverity.LOW) if weak else waiting.exclude(severity=IncidentSeverity.LOW)
    free = waiting.order_by("due_at", "number").select_for_update(of=("self",), no_key=True, skip_locked=True)[:1]
    for incident in free:
        return give(incident, actor, actor)
    return None


@transaction.atomic
def take(incident_id: UUID, *, actor: Any) -> IncidentLog:
    """Take what nobody has. Quiet when it is one's own already."""
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    if incident.assigned_to == actor.pk:
        return incident
    if incident.assigned_to is not None:
        raise WrongState("Somebody else took it already.", code="taken")
    return give(incident, actor, actor)


@transaction.atomic
def hand_over(incident_id: UUID, *, actor: Any, to: Any) -> IncidentLog:
    """Give it to somebody, who may be oneself. Whether `to` works on incidents, the caller knows."""
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    if incident.assigned_to == to.pk:
        return incident
    return give(incident, actor, to)


def give(incident: IncidentLog, actor: Any, to: Any) -> IncidentLog:
    moment, had = now(), incident.assigned_to
    values = {"assigned_to": to.pk, "investigated_at": incident.investigated_at or moment, "updated_at": moment}
    with words():
        if incident.status == S.OPEN:
            incident.move_to(S.INVESTIGATING, **values)
        else:
            save(incident, **values)
    event, kind = (Event.INCIDENT_TAKEN, EventKind.TAKEN) if to.pk == actor.pk else (Event.INCIDENT_HANDED_OVER, EventKind.ASSIGNED)
    record(event, actor=actor, target=incident, assigned_to=to.pk, had=had)
    note(incident, kind, actor=actor, to=to.pk, had=had)
    return incident


@transaction.atomic
def put_back(incident_id: UUID, *, actor: Any) -> IncidentLog:
    """Nobody has it any more: it waits again."""
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    if incident.assigned_to is None:
        raise WrongState("Nobody has it.", code="nobody_has_it")
    had = incident.assigned_to
    incident.move_to(S.OPEN, assigned_to=None, updated_at=now())
    record(Event.INCIDENT_LEFT, actor=actor, target=incident, had=had)
    note(incident, EventKind.LEFT, actor=actor, had=had)
    return incident


# What is found out ------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_note(incident_id: UUID, *, actor: Any, text: str) -> IncidentLog:
    """Write down what was found out, closed or not."""
    text = worded(text, what="note")
    incident = lock_incident(incident_id, actor)
    moment = now()
    notes = f"{incident.investigation_notes}\n{moment:%Y-%m-%d %H:%M} {text}".strip()
    save(incident, investigation_notes=notes[-LONGEST_NOTES:], updated_at=moment)
    record(Event.INCIDENT_NOTED, actor=actor, target=incident)
    note(incident, EventKind.NOTED, text, actor=actor)
    return incident


@transaction.atomic
def check_item(incident_id: UUID, *, actor: Any, item: str, done: bool, text: str = "") -> IncidentLog:
    """Say that a question of the checklist was looked into, or was not. `text` is the question as it stood there."""
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    record(Event.INCIDENT_CHECKED, actor=actor, target=incident, item=item, done=done)
    note(incident, EventKind.CHECKED, text, actor=actor, item=item, done=done)
    return incident


# Deciding ---------------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def keep_held(incident_id: UUID, *, actor: Any, until: datetime, reason: str, accounts: int) -> IncidentLog:
    """Withdrawals stay held until then, and by then somebody decides: the incident stays open and whoever said so has it."""
    reason = worded(reason)
    incident = to_decide(incident_id, actor)
    if incident.assigned_to is None:
        incident = give(incident, actor, actor)
    save(incident, action_taken=ActionTaken.PAYOUTS_HELD, due_at=until, closing_asked_by=None, updated_at=now())
    record(Event.INCIDENT_HELD, actor=actor, target=incident, until=until, accounts=accounts, description=reason)
    note(incident, EventKind.HELD, reason, actor=actor, until=until, accounts=accounts)
    return incident


@transaction.atomic
def resolve(
    incident_id: UUID,
    *,
    actor: Any,
    verdict: Verdict,
    reason: str,
    action: ActionTaken = ActionTaken.NO_ACTION,
    actual_loss: Decimal | None = None,
    approved_by: Any | None = None,
) -> IncidentLog:
    """Close it as what it looked like, or as what cannot be told. What is harmless is a false positive instead. `approved_by` has agreed."""
    if verdict in HARMLESS:
        raise Invalid("What is harmless is closed as a false positive, so that it is not found again.", code="verdict")
    incident = to_decide(incident_id, actor)
    return _close(incident, S.RESOLVED, actor, verdict, worded(reason), action, actual_loss, approved_by)


@transaction.atomic
def mark_false_positive(
    incident_id: UUID, *, actor: Any, reason: str, verdict: Verdict = Verdict.HARMLESS, days: int = USUAL_QUIET, approved_by: Any | None = None
) -> Suppression | None:
    """Close it as harmless, and keep what was found quiet for some days, as long as nobody and nothing is added to it. `approved_by` has
    agreed.

    None for what no detector found, which is not found again by itself, and for what is always heard.
    """
    if verdict not in HARMLESS:
        raise Invalid("Say why it is harmless.", code="verdict")
    if not 1 <= days <= LONGEST_QUIET:
        raise Invalid(f"It stays quiet for 1 to {LONGEST_QUIET} days.", code="days")
    reason = worded(reason)
    incident = to_decide(incident_id, actor)
    _close(incident, S.FALSE_POSITIVE, actor, verdict, reason, ActionTaken.NO_ACTION, None, approved_by)
    return _keep_quiet(incident, actor, reason, days)


def to_decide(incident_id: UUID, actor: Any) -> IncidentLog:
    incident = lock_incident(incident_id, actor)
    require_live(incident)
    if incident.assigned_to not in (None, actor.pk):
        raise WrongState("Somebody else has it. Take it over first.", code="taken")
    return incident


def _close(
    incident: IncidentLog,
    status: IncidentStatus,
    actor: Any,
    verdict: Verdict,
    reason: str,
    action: ActionTaken,
    actual_loss: Decimal | None,
    approved_by: Any | None = None,
) -> IncidentLog:
    second = approved_by.pk if approved_by is not None else None
    _turn(incident, status, actor, reason, verdict=verdict, action_taken=action, actual_loss=actual_loss, approved_by=second, closing_asked_by=None)
    facts: dict[str, Any] = {"verdict": verdict, "action": action, "detector": incident.detector, "actual_loss": actual_loss}
    if second is not None:
        facts["approved_by"] = second
    record(Event.INCIDENT_CLOSED, actor=actor, target=incident, description=reason, status=status, people=incident.people, **facts)
    note(incident, EventKind.FALSE_POSITIVE if status == S.FALSE_POSITIVE else EventKind.RESOLVED, reason, actor=actor, **facts)
    return incident


def _turn(incident: IncidentLog, status: IncidentStatus, actor: Any, reason: str, **more: Any) -> None:
    moment = now()
    closing = {"resolution": reason, "resolved_by": actor.pk, "resolved_at": moment, "updated_at": moment}
    with words():
        incident.move_to(status, **closing, investigated_at=incident.investigated_at or moment, **more)


@transaction.atomic
def reopen(incident_id: UUID, *, actor: Any, reason: str) -> IncidentLog:
    """Open what was closed again, for oneself; what it kept quiet is heard again."""
    reason = worded(reason)
    incident = lock_incident(incident_id, actor)
    if incident.status in LIVE:
        raise WrongState("It is open.", code="open")
    moment, was = now(), incident.merged_into_id
    for suppression in Suppression.objects.filter(incident=incident, ended_at__isnull=True):
        _end(suppression, actor, moment)
    with words():
        incident.move_to(
            S.INVESTIGATING,
            verdict="",
            resolution="",
            action_taken="",
            actual_loss=None,
            resolved_by=None,
            resolved_at=None,
            approved_by=None,
            merged_into=None,
            assigned_to=actor.pk,
            due_at=moment + timedelta(days=1),
            updated_at=moment,
        )
    record(Event.INCIDENT_REOPENED, actor=actor, target=incident, description=reason, merged_into=was)
    note(incident, EventKind.REOPENED, reason, actor=actor)
    return incident


@transaction.atomic
def merge(incident_id: UUID, *, actor: Any, into: UUID, reason: str) -> IncidentLog:
    """Close an incident as a part of another, which is from now on about everybody of both. Gives the other one."""
    reason = worded(reason)
    if incident_id == into:
        raise Invalid("Choose another incident.", code="same")
    locked = {pk: lock_incident(pk, actor) for pk in sorted((incident_id, into))}
    part, whole = locked[incident_id], locked[into]
    for one in (part, whole):
        require_live(one)
    moment = now()
    people = [person for person in dict.fromkeys([*whole.people, *part.people]) if person != whole.user_id]
    worse = max((part.severity, whole.severity), key=lambda one: RANK[IncidentSeverity(one)])
    losses = [one.potential_loss for one in (part, whole) if one.potential_loss is not None]
    before = {"severity": whole.severity, "confidence": whole.confidence}
    with words():
        save(
            whole,
            related_users=people,
            severity=worse,
            confidence=max(part.confidence, whole.confidence),
            potential_loss=max(losses, default=None),
            hits=whole.hits + part.hits,
            due_at=min(part.due_at, whole.due_at),
            ip_addresses=list(dict.fromkeys([*whole.ip_addresses, *part.ip_addresses])),
            device_fingerprints=list(dict.fromkeys([*whole.device_fingerprints, *part.device_fingerprints])),
            updated_at=moment,
        )
        _turn(part, S.RESOLVED, actor, reason, action_taken=ActionTaken.NO_ACTION, merged_into=whole, assigned_to=None, closing_asked_by=None)
    after = {"severity": whole.severity, "confidence": whole.confidence}
    record(Event.INCIDENT_MERGED, actor=actor, target=part, description=reason, into=whole.pk)
    record(Event.INCIDENT_MERGED, actor=actor, target=whole, before=before, after=after, description=reason, part=part.pk)
    note(part, EventKind.MERGED, reason, actor=actor, into=whole.number)
    note(whole, EventKind.MERGED, reason, actor=actor, part=part.number)
    return whole


@dataclass(slots=True)
class Closed:
    """What became of many at once."""

    closed: list[IncidentLog] = field(default_factory=list)
    left: list[IncidentLog] = field(default_factory=list)  # closed meanwhile, or somebody else's
    for_two: list[IncidentLog] = field(default_factory=list)  # serious and with a hold: not for one person alone


@transaction.atomic
def close_many(incident_ids: Iterable[UUID], *, actor: Any, verdict: Verdict, reason: str, days: int = USUAL_QUIET) -> Closed:
    """Close several with one reason, each with its own record. What is not for the actor to close stays as it is."""
    wanted = set(incident_ids)
    if not wanted:
        raise Invalid("Choose what to close.", code="nothing_chosen")
    if len(wanted) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE} at once.", code="too_many")
    reason, done = worded(reason), Closed()
    rows = IncidentLog.objects.visible_to(actor).filter(pk__in=wanted).order_by("pk").select_for_update(of=("self",), no_key=True)
    for incident in rows:
        if incident.status not in LIVE or incident.assigned_to not in (None, actor.pk):
            done.left.append(incident)
            continue
        harmless = verdict in HARMLESS
        _close(incident, S.FALSE_POSITIVE if harmless else S.RESOLVED, actor, verdict, reason, ActionTaken.NO_ACTION, None)
        if harmless:
            _keep_quiet(incident, actor, reason, days)
        done.closed.append(incident)
    return done


# Keeping quiet ----------------------------------------------------------------------------------------------------------------------


def accepted(incident: IncidentLog) -> dict[str, Any]:
    """The facts that whoever calls an incident harmless accepts."""
    return ceiling_of(
        Finding(
            fingerprint=incident.fingerprint,
            incident_type=IncidentType(incident.incident_type),
            severity=IncidentSeverity(incident.severity),
            confidence=incident.confidence,
            description=incident.description,
            user_id=incident.user_id,
            related_users=incident.related_users,
            potential_loss=incident.potential_loss,
            evidence=incident.evidence,
        )
    )


def _keep_quiet(incident: IncidentLog, actor: Any, reason: str, days: int) -> Suppression | None:
    """None for what no detector found, and for what is always heard."""
    if not incident.detector or incident.detector in ALWAYS_HEARD:
        return None
    moment = now()
    for older in Suppression.objects.filter(fingerprint=incident.fingerprint, ended_at__isnull=True):
        _end(older, actor, moment)
    with words():
        suppression = Suppression.objects.create(
            fingerprint=incident.fingerprint,
            detector=incident.detector,
            incident=incident,
            reason=reason[:LONGEST_SUPPRESSION_REASON],
            ceiling=accepted(incident),
            made_by=actor.pk,
            made_at=moment,
            expires_at=moment + timedelta(days=days),
        )
    record(Event.SUPPRESSION_MADE, actor=actor, target=suppression, incident=incident.pk, fingerprint=incident.fingerprint, days=days)
    return suppression


@transaction.atomic
def end_suppression(suppression_id: UUID, *, actor: Any) -> Suppression:
    """What was kept quiet is heard again. Quiet when it has ended."""
    suppression = Suppression.objects.select_for_update(of=("self",), no_key=True).select_related("incident").get(pk=suppression_id)
    if actor.pk in suppression.incident.people:
        raise NotAllowed(OWN.message, code=OWN.code)
    if suppression.ended_at is None:
        _end(suppression, actor, now())
        note(suppression.incident, EventKind.ACTED, "What was found is not kept quiet any more.", actor=actor)
    return suppression


def _end(suppression: Suppression, actor: Any, moment: datetime) -> None:
    suppression.ended_at, suppression.ended_by = moment, actor.pk
    suppression.save(update_fields=["ended_at", "ended_by"])
    record(Event.SUPPRESSION_ENDED, actor=actor, target=suppression, incident=suppression.incident_id, fingerprint=suppression.fingerprint)


def require_live(incident: IncidentLog) -> None:
    if incident.status not in LIVE:
        raise WrongState(f"This incident is {incident.status_words()} already.")


def save(incident: IncidentLog, **values: Any) -> None:
    for name, value in values.items():
        setattr(incident, name, value)
    incident.save(update_fields=list(values))


def flagged(user_ids: Sequence[UUID]) -> set[UUID]:
    """Of these people those whom any incident is or was about."""
    rows = IncidentLog.objects.filter(Q(user_id__in=user_ids) | Q(related_users__overlap=list(user_ids)))
    return {person for first, others in rows.values_list("user_id", "related_users") for person in (first, *others) if person} & set(user_ids)
