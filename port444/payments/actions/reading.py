"""No withdrawal leaves before the detectors have read that it was asked for, and before what they want held is held."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from auditlog import queries
from auditlog.actions import Finding, Reason, open_incident, run_detectors
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType
from port444.kit.clock import now
from port444.payments.models import Withdrawal, WithdrawalStatus

log = logging.getLogger(__name__)

STANDING_STILL = "detectors:standing_still"
RUN_SECONDS = 20.0
MOST_LOOKED_AT = 500
PATIENCE, PAUSE = 4.0, 0.1  # seconds: for a run beside this one, and for what was begun before the request and is not over


def unread(withdrawals: Collection[Withdrawal]) -> set[UUID]:
    """Those that have to wait: all while the detectors stand still, else what they have not read yet or want held.

    To be asked within the transaction that sends them, with their rows locked. How far was read comes first: what was found by then is
    there when holds are asked about.
    """
    found, moment = queries.detected(), now()
    if found.is_late(moment):
        return {one.pk for one in withdrawals}
    people, held = queries.holds_wanted((one.user_id for one in withdrawals), (one.pk for one in withdrawals))
    return {one.pk for one in withdrawals if one.pk in held or one.user_id in people or not found.has_read(one.asked_xid)}


def have_read(withdrawals: Collection[Withdrawal], patience: float = PATIENCE) -> None:
    """Have the detectors read the log as far as these need it. Not in a transaction; what could not be read waits for the next time."""
    if not withdrawals:
        return
    ends = time.monotonic() + patience
    while not all(map(queries.detected().has_read, [one.asked_xid for one in withdrawals])) or queries.detected().is_late(now()):
        try:
            run_detectors(seconds=RUN_SECONDS)
        except Exception:
            log.exception("The detectors could not run; nothing is sent without them")
            return
        if time.monotonic() >= ends:
            return
        time.sleep(PAUSE)


def report_standing_still(moment: datetime) -> IncidentLog | None:
    """Open an incident when withdrawals wait and no run of the detectors has got past them in time; no other as long as that is open."""
    since, found = moment - queries.LATE_DETECTION, queries.detected()
    requested = Withdrawal.objects.filter(status=WithdrawalStatus.REQUESTED, due_at__lte=moment, user__suspended_at__isnull=True)
    waiting = list(requested.order_by("due_at").only("asked_xid", "requested_at", "due_at")[:MOST_LOOKED_AT])
    unread_too_long = [one for one in waiting if max(one.requested_at, one.due_at) <= since and not found.has_read(one.asked_xid)]
    holds_overdue = IncidentLog.objects.live().filter(hold_wanted_at__lte=since).exists()
    if not (waiting and found.is_late(moment)) and not unread_too_long and not holds_overdue:
        return None
    live = IncidentLog.objects.live().filter(fingerprint=STANDING_STILL).first()
    if live is not None:
        return live
    last = f"The last run was at {found.looked_at:%Y-%m-%d %H:%M} UTC." if found.looked_at else "They have never run."
    if not found.is_late(moment):
        last += " They run, and do not get on." if unread_too_long else " They run, and what they want held is not held."
    return open_incident(
        Finding(
            fingerprint=STANDING_STILL,
            incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
            severity=IncidentSeverity.HIGH,
            confidence=100,
            description="Detectors stand still, and withdrawals wait for them. None is sent until they have read the log.",
            pattern="detectors_stand_still",
            reasons=[Reason(100, last, f"{len(waiting)} {'withdrawal waits' if len(waiting) == 1 else 'withdrawals wait'}")],
        )
    )
