"""Keeping that somebody looked, and what they found."""

from __future__ import annotations

from typing import Any

from auditlog import marks
from auditlog.models import AuditCheck, CheckKind, IncidentSeverity, IncidentType
from port444.kit.clock import now

from .incidents import TAMPERING, Finding, Reason, open_incident


def keep_check(kind: CheckKind, **facts: Any) -> AuditCheck:
    """Keep a check, signed."""
    check = marks.sign(AuditCheck(**{"kind": kind, "checked_at": now(), **facts}))
    check.save(force_insert=True)
    return check


def last_look(kind: CheckKind) -> AuditCheck | None:
    """The newest check of this kind that is ours. That others were written by somebody else is an incident."""
    check, forged = marks.newest(kind)
    if forged:
        open_incident(
            Finding(
                f"audit-log:check:{kind}",
                IncidentType.SUSPICIOUS_ACTIVITY,
                IncidentSeverity.CRITICAL,
                100,
                f"Somebody has written that the audit log was looked at ({CheckKind(kind).label}), and it was not: check {forged[0].pk} is not signed"
                " with a known key. It counts for nothing. The owner of the tables removes it by hand; whoever wrote it has the database's password.",
                pattern="check_forged",
                reasons=[Reason(100, "A check of the log bears a signature of no known key", str(forged[0].pk))],
                detector=TAMPERING,
                evidence={"checks": [str(one.pk) for one in forged[:20]], "last_seal": forged[0].last_seal},
            )
        )
    return check
