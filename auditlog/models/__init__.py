"""The ground floor: what happened, for ever; the proof of it; where it lies; and what looks wrong.

The log knows no other app: actors and targets are typed ids, not foreign keys, so nothing done to a person or an order can
reach back into its history.
"""

from .incidents import LIVE, ActionTaken, DetectionMethod, IncidentLog, IncidentSeverity, IncidentStatus, IncidentType
from .log import ActorType, AuditLog, AuditLogQuerySet, Category, Severity
from .proof import AuditAnchor, AuditCheck, AuditLeaves, AuditSeal, CheckKind
from .storage import AuditExport, AuditMove, Format, MoveKind
from .watched import Watched

__all__ = [
    "LIVE",
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
    "CheckKind",
    "DetectionMethod",
    "Format",
    "IncidentLog",
    "IncidentSeverity",
    "IncidentStatus",
    "IncidentType",
    "MoveKind",
    "Severity",
    "Watched",
]
