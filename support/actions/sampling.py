"""A few accounts that nothing looked wrong about are looked at all the same: it says what the detectors do not see."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from random import SystemRandom

from django.db import transaction

from auditlog.actions import Finding, Reason, take_finding
from auditlog.actions.casework import flagged
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType
from port444.builders.models import Builder

DETECTOR = PATTERN = "sample"
PART, LEAST, MOST = 0.02, 1, 20
DAY = timedelta(days=1)
LOOKED_AMONG = 5000  # of the newest builders


@transaction.atomic
def sample_accounts(moment: datetime) -> int:
    """Put some of the builders of the last day into the queue of weak signals, by lot; for the daily job. How many."""
    new = list(
        Builder.objects.filter(created_at__gt=moment - DAY, created_at__lte=moment)
        .order_by("-created_at")
        .values_list("user_id", flat=True)[:LOOKED_AMONG]
    )
    if not new:
        return 0
    drawn = IncidentLog.objects.filter(detector=DETECTOR, detected_at__gt=moment - DAY).count()
    wanted = min(MOST, max(LEAST, ceil(PART * len(new)))) - drawn
    known = flagged(new)
    unflagged = [one for one in new if one not in known]
    chosen = SystemRandom().sample(unflagged, min(max(0, wanted), len(unflagged)))
    for user_id in chosen:
        take_finding(
            Finding(
                fingerprint=f"sample:{user_id}",
                incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
                severity=IncidentSeverity.LOW,
                confidence=0,
                description="Chosen by lot among the new builders: nothing looked wrong.",
                user_id=user_id,
                pattern=PATTERN,
                reasons=[Reason(0, "By lot, to learn what detectors do not see", f"{len(chosen)} of {len(unflagged)} new builders")],
                detector=DETECTOR,
            )
        )
    return len(chosen)
