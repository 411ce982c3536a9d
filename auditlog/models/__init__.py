"""The ground floor: what happened, for ever; the proof of it; where it lies; and what looks wrong.

The log knows no other app: actors and targets are typed ids, not foreign keys, so nothing done to a person or an order can
reach back into its history.
"""

from .detection import DetectorMark, DetectorMemory, DetectorVersion
from .incidents import (
    DUE,
    LIVE,
    RANK,
    ActionTaken,
    Channel,
    DetectionMethod,
    EventKind,
    IncidentAlert,
    IncidentEvent,
    IncidentLog,
    IncidentQuerySet,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
    Suppression,
    Verdict,
)
from .log import ActorType, AuditLog, AuditLogQuerySet, Category, Severity
from .proof import AuditAnchor, AuditCheck, AuditLeaves, AuditSeal, CheckKind
from .storage import AuditExport, AuditMove, Format, MoveKind
from .watched import Watched

__all__ = [
    "DUE",
    "LIVE",
    "RANK",
    "ActionTaken",
    "ActorType",
    "AuditAnchor",
    "AuditCheck",
    "AuditExport",
    "AuditLeaves",
    "AuditLog",
    "AuditLogQuerySet",
    "AuditMove",
    "AuditSeal",
    "Category",
    "Channel",
    "CheckKind",
    "DetectionMethod",
    "DetectorMark",
    "DetectorMemory",
    "DetectorVersion",
    "EventKind",
    "Format",
    "IncidentAlert",
    "IncidentEvent",
    "IncidentLog",
    "IncidentQuerySet",
    "IncidentSeverity",
    "IncidentStatus",
    "IncidentType",
    "MoveKind",
    "Severity",
    "Suppression",
    "Verdict",
    "Watched",
]
