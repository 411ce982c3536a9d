"""What the row witness saw and no action told of: somebody changed rows past the actions.

A transaction that changed a watched table and recorded nothing is looked at again some time after it was sealed. A request and a
run of a job may take several transactions; one event tells of all of them.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from auditlog.events import Event
from auditlog.models import ActorType, AuditSeal, CheckKind, IncidentSeverity, IncidentType
from auditlog.models.log import ROW
from auditlog.queries import rows_of
from auditlog.seals import is_genuine
from port444.kit.clock import now

from .incidents import TAMPERING, Finding, Reason, open_incident
from .keeping import keep_check, last_look
from .recording import record
from .sealing import Forged

LOOK_BACK = timedelta(minutes=2)  # longer than any request takes: by then all of its events are there
MOST_SEALS, MOST_FOUND = 100, 200
LOCK = 0x7769746E  # the number of the lock by which those who look know of each other

# Transactions without an event of their own, which are few. A transaction with very many rows can lie in two seals.
SILENT = """
WITH silent AS MATERIALIZED (
  SELECT xid, min(id) AS first_id, count(*) AS changes, min(timestamp) AS at, array_agg(DISTINCT target_type) AS models,
         array_agg(DISTINCT event_type) AS kinds, min(actor_type) AS actor_type, min(actor_email) AS actor,
         bool_or(event_category IN ('financial', 'security')) AS grave, min(request_id::text)::uuid AS request_id
    FROM audit_log WHERE {range} GROUP BY xid HAVING bool_and(starts_with(event_type, %s))
)
SELECT xid, first_id, changes, at, models, kinds, actor_type, actor, grave, request_id FROM silent
 WHERE NOT EXISTS (
   SELECT FROM audit_log AS event WHERE event.xid = silent.xid AND NOT starts_with(event.event_type, %s)
      AND event.timestamp BETWEEN silent.at - interval '1 day' AND silent.at + interval '1 day')
 ORDER BY first_id
"""
# Which of these requests an event tells of. By the copy that is searched, which has an index for it, and behind it by the log.
TOLD = """
SELECT request_id FROM audit_find
 WHERE request_id = ANY (%(requests)s) AND timestamp BETWEEN %(since)s AND %(until)s AND NOT starts_with(event_type, %(row)s)
UNION
SELECT log.request_id FROM audit_log log, audit_find_mark mark
 WHERE (log.xid, log.id) > (mark.xid, mark.id) AND log.id > mark.floor_id AND log.request_id = ANY (%(requests)s)
   AND log.timestamp BETWEEN %(since)s AND %(until)s AND NOT starts_with(log.event_type, %(row)s)
"""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """One transaction that changed rows and recorded nothing."""

    xid: int
    first_id: int
    changes: int
    at: datetime
    models: list[str]
    kinds: list[str]
    actor_type: str
    actor: str
    grave: bool

    @property
    def way(self) -> tuple[str, str, str]:
        return self.actor_type, self.actor, ", ".join(self.models)

    @property
    def words(self) -> str:
        return f"{self.changes} changes of {', '.join(self.models)} by {self.actor or self.actor_type}"

    @property
    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


def find_unexplained(first: AuditSeal, last: AuditSeal) -> list[Unexplained]:
    """The transactions under the seals from `first` to `last`, of one epoch, that changed rows and that no event tells of."""
    where, params = rows_of(first, last)
    with connection.cursor() as cursor:
        cursor.execute(SILENT.replace("{range}", where), [*params, ROW, ROW])
        silent = [(Unexplained(*facts), request) for *facts, request in cursor.fetchall()]
        requests = [request for _, request in silent if request]
        told: set[UUID] = set()
        if requests:
            moments = [one.at for one, _ in silent]
            near = {"since": min(moments) - timedelta(days=1), "until": max(moments) + timedelta(days=1)}
            cursor.execute(TOLD, {"requests": requests, "row": ROW, **near})
            told = {request for (request,) in cursor.fetchall()}
    return [one for one, request in silent if request not in told]


@transaction.atomic
def look_past_actions() -> list[Unexplained]:
    """Look at the seals that nobody has looked at yet; what was found is recorded and becomes an incident for each way in.

    Raises Forged at a seal that is none: behind its places rows could hide.
    """
    moment, began = now(), time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return []
    before = last_look(CheckKind.ACTIONS)
    looked = before.last_seal if before is not None else 0
    seals = _genuine(list(AuditSeal.objects.filter(seq__gt=looked, sealed_at__lt=moment - LOOK_BACK, rows__gt=0).order_by("seq")[:MOST_SEALS]))
    if not seals:
        return []
    found = find_unexplained(seals[0], seals[-1])
    while len(found) > MOST_FOUND and len(seals) > 1:  # none is left out: what does not fit into one look is for the next
        seals = seals[: len(seals) // 2]
        found = find_unexplained(seals[0], seals[-1])
    ways: dict[tuple[str, str, str], list[Unexplained]] = {}
    for one in found:
        ways.setdefault(one.way, []).append(one)
    for way, ones in ways.items():
        _report(way, ones)
    keep_check(
        CheckKind.ACTIONS,
        first_seal=looked + 1,
        last_seal=seals[-1].seq,
        seals=seals[-1].seq - looked,
        rows=sum(seal.rows for seal in seals),
        ok=not found,
        problems=[f"transaction {one.xid}: {one.words}" for one in found],
        milliseconds=round((time.monotonic() - began) * 1000),
        checked_at=moment,
    )
    return found


def _genuine(waiting: list[AuditSeal]) -> list[AuditSeal]:
    """The first of these seals, of one epoch, as far as they are ours. Where their epoch ends is for one of ours to say as well."""
    taken = list(takewhile(lambda seal: seal.epoch == waiting[0].epoch and is_genuine(seal), waiting))
    if waiting and not taken:
        raise Forged(waiting[0].seq)
    later = AuditSeal.objects.filter(epoch__gt=taken[-1].epoch).order_by("seq").first() if taken else None
    if later is not None and not is_genuine(later):
        raise Forged(later.seq)
    return taken


def _reasons(changes: int, models: str, *, unknown: bool) -> list[Reason]:
    found = Reason(50, f"{changes} rows changed and no action says why", models)
    return [found, Reason(40, "Nobody who is known to the site wrote it")] if unknown else [found]


def _report(way: tuple[str, str, str], found: list[Unexplained]) -> None:
    """One incident for each way in, which further transactions renew, and a record of each transaction."""
    actor_type, actor, models = way
    unknown, grave = actor_type == ActorType.UNKNOWN, any(one.grave for one in found)
    changes = sum(one.changes for one in found)
    incident = open_incident(
        Finding(
            f"audit-log:unexplained:{actor_type}:{actor}:{models}"[:200],
            IncidentType.SUSPICIOUS_ACTIVITY,
            (IncidentSeverity.CRITICAL if grave else IncidentSeverity.HIGH) if unknown else IncidentSeverity.MEDIUM,
            90 if unknown else 50,
            f"{changes} changes of {models} by {actor or actor_type}, past the actions. The audit log has each row before and after, "
            f"from entry {found[0].first_id} on.",
            pattern="past_the_actions",
            reasons=_reasons(changes, models, unknown=unknown),
            detector=TAMPERING,
            evidence={"transactions": len(found), "first": [one.facts for one in found[:20]]},
        )
    )
    for one in found:
        record(Event.UNEXPLAINED_CHANGE, actor=None, target=incident, description=one.words, found=one.facts)
