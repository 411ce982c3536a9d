"""Opening an incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from auditlog.events import Event
from auditlog.models import LIVE, DetectionMethod, IncidentLog, IncidentSeverity, IncidentType
from port444.kit.clock import now

from .recording import record


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


@transaction.atomic
def open_incident(finding: Finding, *, actor: Any | None = None, method: DetectionMethod = DetectionMethod.AUTOMATED) -> IncidentLog:
    """The live incident for the finding's fingerprint: a new one, or the one that is open already with the evidence renewed."""
    moment = now()
    values: dict[str, Any] = {
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
        "updated_at": moment,
    }
    live = IncidentLog.objects.filter(fingerprint=finding.fingerprint, status__in=LIVE)
    created = IncidentLog(fingerprint=finding.fingerprint, detection_method=method, detected_at=moment, created_at=moment, **values)
    # One open row a fingerprint is the partial unique index's promise; ON CONFLICT leaves the winner in place.
    IncidentLog.objects.bulk_create([created], ignore_conflicts=True)
    incident = live.select_for_update(of=("self",), no_key=True).get()
    if incident.pk == created.pk:
        record(Event.INCIDENT_OPENED, actor=actor, target=incident, fingerprint=finding.fingerprint, severity=finding.severity)
        return incident
    before = {name: getattr(incident, name) for name, value in values.items() if getattr(incident, name) != value and name != "updated_at"}
    for name, value in values.items():
        setattr(incident, name, value)
    incident.save(update_fields=list(values))
    if before:
        after = {name: values[name] for name in before}
        record(Event.INCIDENT_RENEWED, actor=actor, target=incident, before=before, after=after, fingerprint=finding.fingerprint)
    return incident
