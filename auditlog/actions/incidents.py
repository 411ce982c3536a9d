"""Opening incidents, and finding them again. What a person does with one is in `casework`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from auditlog import handlers
from auditlog.events import Event
from auditlog.models import (
    DUE,
    LIVE,
    RANK,
    DetectionMethod,
    EventKind,
    IncidentEvent,
    IncidentLog,
    IncidentQuerySet,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
    Suppression,
)
from port444.kit.clock import now

from .recording import record, record_many

# What finds that the log or the books are not as they were: nobody can have that kept quiet.
TAMPERING, DIFFERENCES = "audit_tampering", "escrow_differences"
ALWAYS_HEARD = frozenset({TAMPERING, DIFFERENCES})

ROOM = 2000  # characters of an event's text
TOGETHER = 500  # rows in one statement
AMOUNT_ROOM = 2  # a suppressed amount may grow by this factor


# What is written of an incident that was found again.
FOUND = """incident_type severity confidence description user_id related_users pattern ip_addresses device_fingerprints potential_loss evidence
    reasons withdrawal_id group detector detector_version last_hit_at updated_at hits due_at"""
RENEW = """
UPDATE incident_log SET {} FROM jsonb_populate_recordset(NULL::incident_log, %s::jsonb) AS fresh WHERE incident_log.id = fresh.id
""".format(", ".join(f'"{name}" = fresh."{name}"' for name in FOUND.split()))


@dataclass(frozen=True, slots=True)
class Reason:
    """What a part of the confidence comes from; the points of all reasons add up to it."""

    points: int
    text: str
    fact: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector or a person found; `fingerprint` names the case, so that a second look finds the same incident."""

    fingerprint: str
    incident_type: IncidentType
    severity: IncidentSeverity
    confidence: int
    description: str
    user_id: UUID | None = None
    related_users: Iterable[UUID] = ()
    pattern: str = ""
    ip_addresses: Iterable[str] = ()
    device_fingerprints: Iterable[UUID] = ()
    potential_loss: Decimal | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    reasons: Sequence[Reason] = ()
    withdrawal_id: UUID | None = None
    group: str = ""
    detector: str = ""
    detector_version: int = 0
    hold_at: int | None = None  # from this confidence on, withdrawals of those concerned wait


class Taken(StrEnum):
    """What became of a finding."""

    OPENED = "opened"
    RAISED = "raised"  # found again, and worse or surer than before
    REPEATED = "repeated"
    SUPPRESSED = "suppressed"  # looked at before and found harmless


@dataclass(frozen=True, slots=True)
class Outcome:
    taken: Taken
    incident: IncidentLog | None


def open_incident(finding: Finding, *, actor: Any | None = None, method: DetectionMethod = DetectionMethod.AUTOMATED) -> IncidentLog:
    """The live incident for the finding's fingerprint: a new one, or the one that is open already with the evidence renewed.

    For what no detector found, and for what is always heard: it is never suppressed.
    """
    incident = take_finding(finding, actor=actor, method=method).incident
    assert incident is not None, "of detectors only what is always heard"
    return incident


def take_finding(finding: Finding, *, actor: Any | None = None, method: DetectionMethod = DetectionMethod.AUTOMATED) -> Outcome:
    """Open an incident or renew the one that is open: its evidence is the newer one's, severity and confidence only rise.

    What was found harmless before is only counted, as long as it is still the same.
    """
    return take_findings([finding], actor=actor, method=method)[0]


@transaction.atomic
def take_findings(findings: Iterable[Finding], *, actor: Any | None = None, method: DetectionMethod = DetectionMethod.AUTOMATED) -> list[Outcome]:
    """The same for many, as if they came one after the other, with a few questions for all of them together."""
    outcomes: list[Outcome] = []
    part: dict[str, Finding] = {}
    for finding in findings:
        if finding.fingerprint in part:  # found again by what was found with it
            outcomes += _taken(part, actor, method)
            part = {}
        part[finding.fingerprint] = finding
    return outcomes + _taken(part, actor, method)


def _taken(findings: dict[str, Finding], actor: Any | None, method: DetectionMethod) -> list[Outcome]:
    moment = now()
    outcomes = dict.fromkeys(_suppressed(findings.values(), moment), Outcome(Taken.SUPPRESSED, None))
    heard = {name: finding for name, finding in findings.items() if name not in outcomes}
    opened, standing = dict[str, IncidentEvent](), dict[str, IncidentLog]()
    while left := {name: finding for name, finding in heard.items() if name not in opened and name not in standing}:
        standing |= _live(left)
        previous = _previous(left.keys() - standing.keys())
        standing |= _wholes(previous, standing)
        fresh = {name: _fresh(finding, previous.get(name), moment, method) for name, finding in left.items() if name not in standing}
        opened |= _opened(fresh, heard, actor)  # where somebody else was first, theirs is asked for again: it may be closed by now
    renewed = _renewed({name: (incident, heard[name]) for name, incident in standing.items()}, moment, actor)
    for name, finding in heard.items():
        event = opened.get(name) or renewed[name]
        if event is not None:
            handlers.tell(event, finding.hold_at)
        taken = Taken(event.kind) if event is not None else Taken.REPEATED
        outcomes[name] = Outcome(taken, standing[name] if name in standing else opened[name].incident)
    return [outcomes[name] for name in findings]


def _fresh(finding: Finding, previous: IncidentLog | None, moment: datetime, method: DetectionMethod) -> IncidentLog:
    return IncidentLog(
        fingerprint=finding.fingerprint,
        detection_method=method,
        detected_at=moment,
        created_at=moment,
        due_at=moment + DUE[finding.severity],
        previous=previous,
        **_values(finding, moment),
    )


def _locked(incidents: IncidentQuerySet) -> IncidentQuerySet:
    """Those that are live, locked in the order of their ids."""
    return incidents.filter(status__in=LIVE).select_for_update(of=("self",), no_key=True).order_by("pk")


def _live(fingerprints: Iterable[str]) -> dict[str, IncidentLog]:
    names = list(fingerprints)
    return {one.fingerprint: one for one in _locked(IncidentLog.objects.filter(fingerprint__in=names))} if names else {}


def _previous(fingerprints: Iterable[str]) -> dict[str, IncidentLog]:
    """The last closed incident of each fingerprint."""
    closed = IncidentLog.objects.filter(fingerprint__in=list(fingerprints)).exclude(status__in=LIVE)
    return {one.fingerprint: one for one in closed.order_by("fingerprint", "-number").distinct("fingerprint")}


def _wholes(previous: dict[str, IncidentLog], known: dict[str, IncidentLog]) -> dict[str, IncidentLog]:
    """Of what was closed as a part of another that is live, that other."""
    parts = {name: old.merged_into_id for name, old in previous.items() if old.merged_into_id is not None}
    at_hand = {one.pk: one for one in known.values()}
    wanted = set(parts.values()) - at_hand.keys()
    if wanted:
        at_hand |= {one.pk: one for one in _locked(IncidentLog.objects.filter(pk__in=wanted))}
    return {name: at_hand[whole] for name, whole in parts.items() if whole in at_hand}


def _opened(fresh: dict[str, IncidentLog], findings: dict[str, Finding], actor: Any | None) -> dict[str, IncidentEvent]:
    """Put new incidents in; of those that came to be, by fingerprint, the event that says so."""
    if not fresh:
        return {}
    # One open row a fingerprint is the partial unique index's promise; ON CONFLICT leaves the winner in place.
    IncidentLog.objects.bulk_create(fresh.values(), ignore_conflicts=True, batch_size=TOGETHER)
    numbers = dict(IncidentLog.objects.filter(pk__in=[one.pk for one in fresh.values()]).values_list("pk", "number"))
    events = {}
    for name, incident in fresh.items():
        if incident.pk in numbers:
            incident.number, finding = numbers[incident.pk], findings[name]
            facts = {"confidence": finding.confidence, "severity": finding.severity}
            events[name] = event_of(incident, EventKind.OPENED, finding.description, actor=actor, **facts)
    records = [(event.incident, {"fingerprint": name, "severity": findings[name].severity}) for name, event in events.items()]
    record_many(Event.INCIDENT_OPENED, records, actor=actor)
    IncidentEvent.objects.bulk_create(events.values(), batch_size=TOGETHER)
    return events


def _renewed(found: dict[str, tuple[IncidentLog, Finding]], moment: datetime, actor: Any | None) -> dict[str, IncidentEvent | None]:
    """Put what is newly known into live incidents; by fingerprint, the event that says so, or None when nothing is new but that it was
    found again."""
    parts = _people_of_parts({incident.pk for incident, _ in found.values()}) if found else {}
    renewals: dict[str, _Renewal | None] = {}
    for name, (incident, finding) in found.items():
        values = _values(finding, moment)
        if incident.fingerprint != name:
            values = _of_a_part(incident, values)
        renewals[name] = _renew(incident, values, parts.get(incident.pk, ()), moment, actor)
    _write({incident.pk: incident for incident, _ in found.values()}.values())
    told = [one for one in renewals.values() if one is not None]
    rows = [(one.event.incident, {"fingerprint": one.event.incident.fingerprint}, one.before, one.after) for one in told]
    record_many(Event.INCIDENT_RENEWED, rows, actor=actor)
    IncidentEvent.objects.bulk_create([one.event for one in told], batch_size=TOGETHER)
    return {name: one.event if one is not None else None for name, one in renewals.items()}


def _write(incidents: Collection[IncidentLog]) -> None:
    """All of them by one statement: there may be thousands."""
    rows = [{name: getattr(one, name) for name in ("id", *FOUND.split())} for one in incidents]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(RENEW, [json.dumps(rows, default=str)])


def _of_a_part(whole: IncidentLog, values: dict[str, Any]) -> dict[str, Any]:
    """What a part of an incident that is found again says about the whole: who and how bad, and not what it is about."""
    people = [values["user_id"], *values["related_users"]]
    losses = [loss for loss in (whole.potential_loss, values["potential_loss"]) if loss is not None]
    return {
        **{name: getattr(whole, name) for name in values},
        "severity": values["severity"],
        "confidence": values["confidence"],
        "reasons": values["reasons"] if values["confidence"] > whole.confidence else whole.reasons,
        "related_users": [*whole.related_users, *(one for one in people if one is not None and one not in whole.people)],
        "potential_loss": max(losses, default=None),
        "last_hit_at": values["last_hit_at"],
        "updated_at": values["updated_at"],
    }


def _people_of_parts(incidents: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Whom the parts of incidents were about: whoever was brought in by a merge stays in."""
    found: dict[UUID, list[UUID]] = {}
    parts = IncidentLog.objects.filter(merged_into__in=incidents).order_by("number")
    for whole, first, others in parts.values_list("merged_into_id", "user_id", "related_users"):
        found.setdefault(whole, []).extend(person for person in (first, *others) if person is not None)
    return found


def _values(finding: Finding, moment: datetime) -> dict[str, Any]:
    return {
        "incident_type": finding.incident_type,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "description": finding.description,
        "user_id": finding.user_id,
        "related_users": list(finding.related_users),
        "pattern": finding.pattern,
        "ip_addresses": list(finding.ip_addresses),
        "device_fingerprints": list(finding.device_fingerprints),
        "potential_loss": finding.potential_loss,
        "evidence": dict(finding.evidence),
        "reasons": [asdict(reason) for reason in finding.reasons],
        "withdrawal_id": finding.withdrawal_id,
        "group": finding.group,
        "detector": finding.detector,
        "detector_version": finding.detector_version,
        "last_hit_at": moment,
        "updated_at": moment,
    }


@dataclass(frozen=True, slots=True)
class _Renewal:
    event: IncidentEvent
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def _renew(incident: IncidentLog, values: dict[str, Any], brought: Iterable[UUID], moment: datetime, actor: Any | None) -> _Renewal | None:
    """Put what is newly known into an incident that is open, for `_write` to write. None when nothing is new but that it was found again."""
    old = (RANK[IncidentSeverity(incident.severity)], incident.confidence)
    if RANK[values["severity"]] < old[0]:
        values["severity"] = incident.severity
    # The reasons are those of the confidence that stands.
    if values["confidence"] < incident.confidence:
        values["confidence"], values["reasons"] = incident.confidence, incident.reasons
    known = {values["user_id"], *values["related_users"]}
    values["related_users"] = [*values["related_users"], *dict.fromkeys(person for person in brought if person not in known)]
    stamps = ("updated_at", "last_hit_at")
    before = {name: getattr(incident, name) for name, value in values.items() if getattr(incident, name) != value and name not in stamps}
    values["hits"] = incident.hits + 1
    rises = RANK[IncidentSeverity(values["severity"])] > old[0]
    if rises:
        values["due_at"] = min(incident.due_at, moment + DUE[IncidentSeverity(values["severity"])])
    if incident.assigned_to in (values["user_id"], *values["related_users"]) and incident.assigned_to is not None:
        _take_from(incident, moment)
    for name, value in values.items():
        setattr(incident, name, value)
    if not before:
        return None
    kind = EventKind.RAISED if rises or incident.confidence > old[1] else EventKind.REPEATED
    facts = {"confidence": incident.confidence, "severity": incident.severity, "was": old[1]}
    event = event_of(incident, kind, incident.description, actor=actor, **facts)
    return _Renewal(event, before, {name: values[name] for name in before})


def _take_from(incident: IncidentLog, moment: datetime) -> None:
    """Whoever works on it turns out to be a part of it: it waits for somebody else."""
    had = incident.assigned_to
    incident.move_to(IncidentStatus.OPEN, assigned_to=None, updated_at=moment)
    record(Event.INCIDENT_LEFT, actor=None, target=incident, had=had)
    note(incident, EventKind.LEFT, "Whoever had it turned out to be a part of it.")


def note(incident: IncidentLog, kind: EventKind, text: str = "", *, actor: Any | None = None, **facts: Any) -> IncidentEvent:
    """Write down what happened to an incident, within the caller's transaction."""
    event = event_of(incident, kind, text, actor=actor, **facts)
    event.save(force_insert=True)
    return event


def event_of(incident: IncidentLog, kind: EventKind, text: str = "", *, actor: Any | None = None, **facts: Any) -> IncidentEvent:
    """What is to be written down."""
    said = {name: str(value) if isinstance(value, UUID | Decimal | datetime) else value for name, value in facts.items()}
    return IncidentEvent(incident=incident, kind=kind, text=text[:ROOM], actor_id=actor.pk if actor is not None else None, facts=said, at=now())


def _suppressed(findings: Iterable[Finding], moment: datetime) -> set[str]:
    """Which of them are kept quiet, and counted: somebody found the same harmless, and no fact goes beyond what they saw."""
    heard = {finding.fingerprint: finding for finding in findings if finding.detector and finding.detector not in ALWAYS_HEARD}
    standing = Suppression.objects.filter(fingerprint__in=list(heard), ended_at__isnull=True, expires_at__gt=moment) if heard else ()
    quiet = {one.pk: one.fingerprint for one in standing if within(one.ceiling, ceiling_of(heard[one.fingerprint]))}
    if quiet:
        Suppression.objects.filter(pk__in=quiet).update(hits=F("hits") + 1, last_hit_at=moment)
    return set(quiet.values())


def ceiling_of(finding: Finding) -> dict[str, Any]:
    """The facts of a finding that a person accepts when they call it harmless."""
    people = [finding.user_id, *finding.related_users]
    kinds = {str(value.get("kind")) for value in finding.evidence.get("values", ()) if not value.get("too_common")}
    return {
        "people": sorted({str(one) for one in people if one is not None}),
        "kinds": sorted(kinds),
        "amount": str(finding.potential_loss) if finding.potential_loss is not None else None,
    }


def within(ceiling: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether facts are no more than what was accepted: nobody new, no new kind of link, at most twice the amount."""
    if not set(facts["people"]) <= set(ceiling.get("people", facts["people"])):
        return False
    if not set(facts["kinds"]) <= set(ceiling.get("kinds", facts["kinds"])):
        return False
    accepted, amount = ceiling.get("amount"), facts.get("amount")
    return accepted is None or amount is None or Decimal(amount) <= AMOUNT_ROOM * Decimal(accepted)
