"""What incidents are called, and who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.urls import reverse

from auditlog.detectors.registry import DETECTORS
from auditlog.models import (
    IncidentLog,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
)
from port444.accounts.models import User

SHOWN, MOST_SHOWN = 50, 200  # rows of a page
SAMPLE = "sample"
S = IncidentStatus
SEVERITY_TONES = {IncidentSeverity.CRITICAL: "bad", IncidentSeverity.HIGH: "bad", IncidentSeverity.MEDIUM: "wait", IncidentSeverity.LOW: ""}
STATUS_TONES = {S.OPEN: "go", S.INVESTIGATING: "go", S.RESOLVED: "", S.FALSE_POSITIVE: ""}
TYPE_WORDS = {
    IncidentType.MULTI_ACCOUNTING: "multi-accounting",
    IncidentType.FAST_WITHDRAWAL: "fast withdrawal",
    IncidentType.SUSPICIOUS_ACTIVITY: "suspicious activity",
    IncidentType.FRAUD_ATTEMPT: "fraud attempt",
}
OTHER_SOURCES = {"audit_tampering": "The log's own checks", "escrow_differences": "Books, providers and chain", SAMPLE: "Random sample"}
DETECTOR_WORDS = {**{one.name: one.words for one in DETECTORS}, **OTHER_SOURCES, "": "People and the platform"}
# What to look into before deciding, by type: a key that stays, and the question.
GUIDES: dict[str, tuple[tuple[str, str], ...]] = {
    IncidentType.MULTI_ACCOUNTING: (
        ("whose", "Whose is the strongest thing that they share?"),
        ("papers", "Do the identity papers differ?"),
        ("trade", "Do they order from each other?"),
        ("household", "Asked whether they are a team or a household?"),
    ),
    IncidentType.FAST_WITHDRAWAL: (
        ("client", "Who paid, and how old is that account?"),
        ("work", "Was anything delivered?"),
        ("address", "Is the payout address new?"),
        ("habit", "Do they always take their money out at once?"),
    ),
    IncidentType.FRAUD_ATTEMPT: (
        ("owner", "Is the owner of the account the one who acts?"),
        ("money", "What money can still leave?"),
        ("others", "Who else was met by the same?"),
    ),
}
USUAL_GUIDE = (
    ("facts", "Do the facts hold, seen in the records?"),
    ("innocent", "What harmless thing would look the same?"),
    ("others", "Does it concern others as well?"),
)


@dataclass(frozen=True, slots=True)
class Face:
    """Somebody in an incident."""

    pk: UUID
    name: str
    email: str = ""
    opened_at: datetime | None = None
    is_staff: bool = False
    is_suspended: bool = False

    @property
    def initials(self) -> str:
        parts = self.name.split()
        return "".join(part[0] for part in (parts[:1] + parts[1:][-1:])).upper() or "?"

    @property
    def url(self) -> str:
        return reverse("support:person", args=[self.pk])


def age_words(age: timedelta) -> str:
    return f"{age.days} d" if age.days else f"{max(0, int(age.total_seconds()) // 3600)} h"


def faces_of(ids: Iterable[UUID]) -> dict[UUID, Face]:
    """In one query."""
    rows = User.objects.filter(pk__in=set(ids)).only("name", "email", "created_at", "is_staff", "suspended_at")
    return {row.pk: Face(row.pk, row.name, row.email, row.created_at, row.is_staff, row.is_suspended) for row in rows}


def type_words(incident: IncidentLog) -> str:
    return TYPE_WORDS.get(IncidentType(incident.incident_type), incident.get_incident_type_display().lower())


def status_words(incident: IncidentLog) -> str:
    return incident.get_status_display().replace("_", " ").capitalize()


def find_incident(incident_number: int, user: User) -> IncidentLog | None:
    return IncidentLog.objects.visible_to(user).select_related("merged_into", "previous").filter(number=incident_number).first()


def name_of(faces: Mapping[UUID, Face], person: UUID) -> str:
    found = faces.get(person)
    return found.name if found else f"…{str(person)[-6:]}"


def address(incident: IncidentLog) -> str:
    return reverse("support:incident", args=[incident.number])
