"""Reads of the log and of what proves it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, Q

from port444.kit.clock import now
from port444.kit.metrics import Reading

from .marks import newest
from .models import LIVE, AuditAnchor, AuditMove, AuditSeal, CheckKind, DetectorMark, IncidentLog, IncidentSeverity
from .seals import END, is_genuine

HEARTBEAT = timedelta(hours=1)  # a log in which nothing happens is sealed all the same
LATE_SEAL, LATE_ANCHOR = timedelta(minutes=10), timedelta(minutes=15)
LATE_LOOK = timedelta(hours=1)
LATE_DETECTION = timedelta(minutes=15)  # a run is due every five
COLD = "cold"
BEHIND = "look.behind"  # the code of a problem: not all of the last day was looked at within it
SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
# Rows of transactions that this cluster has not begun yet were written in another one, and so was all that has a lower id.
FOREIGN = "SELECT max(id) FROM audit_log WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
# Bounded above, because rows of another cluster can have higher transaction ids, and there may be millions of them.
OLDEST_WAITING = """
SELECT timestamp FROM audit_log
WHERE (xid, id) > (%s, %s) AND id > %s AND xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint ORDER BY xid, id LIMIT 1
"""
DETECTED = """
SELECT xid, row_id, looked_at,
  greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_current_xact_id_if_assigned()::text::bigint + 1)
FROM detector_mark WHERE name = 'detectors'
"""
TO_ITS_END = 2**62  # the row of a mark that stands behind all rows of its transaction


@dataclass(frozen=True, slots=True)
class Detected:
    """How far the detectors have read the log: all of every transaction up to `xid`, and when they looked last."""

    xid: int = -1
    looked_at: datetime | None = None
    next_xid: int = -1  # transactions from here on were not begun in this cluster when that was asked

    def is_late(self, moment: datetime) -> bool:
        return self.looked_at is None or self.looked_at < moment - LATE_DETECTION

    def has_read(self, xid: int) -> bool:
        """Whether all that a transaction recorded was read, and what followed from it is written."""
        if self.xid >= self.next_xid:  # the mark came along from another cluster, and nothing was read in this one
            return False
        return xid <= self.xid or xid >= self.next_xid  # what came along from another cluster was read with the first run in this one


def detected() -> Detected:
    with connection.cursor() as cursor:
        cursor.execute(DETECTED)
        row = cursor.fetchone()
    if row is None:
        return Detected()
    xid, row_id, looked_at, next_xid = row
    return Detected(xid if row_id == TO_ITS_END else xid - 1, looked_at, next_xid)


def detecting_is_late() -> bool:
    """Detectors have run, and do not any more."""
    mark = DetectorMark.objects.filter(looked_at__isnull=False).order_by("-looked_at").first()
    return mark is not None and mark.looked_at is not None and mark.looked_at < now() - LATE_DETECTION


def holds_wanted(people: Iterable[UUID], withdrawals: Iterable[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Of these people and withdrawals those that open incidents want held, which a job has not done yet. To be asked after `detected`:
    what was read by then has its incidents there."""
    people, withdrawals = set(people), set(withdrawals)
    concerned = Q(withdrawal_id__in=withdrawals) | Q(withdrawal_id__isnull=True) & (Q(user_id__in=people) | Q(related_users__overlap=list(people)))
    goes_on = Q(status__in=LIVE) | Q(merged_into__isnull=False)
    rows = IncidentLog.objects.filter(concerned, goes_on, hold_wanted_at__isnull=False).values_list("withdrawal_id", "user_id", "related_users")
    held_people, held = set[UUID](), set[UUID]()
    for withdrawal, first, others in rows:
        if withdrawal is not None:
            held.add(withdrawal)
        else:
            held_people |= people.intersection([first, *others])
    return held_people, held


@dataclass(frozen=True, slots=True)
class Place:
    """Where sealing goes on: the epoch, the id above which its rows begin, and the last row that is sealed in it."""

    epoch: int = 1
    floor_id: int = 0
    xid: int = 0
    id: int = 0


def last_seal() -> AuditSeal | None:
    return AuditSeal.objects.order_by("-seq").first()


def system_of(seal: AuditSeal) -> str:
    """The cluster whose transactions a seal counts."""
    return str(json.loads(seal.body)["system"])


def place_after(seal: AuditSeal | None) -> Place:
    if seal is None:
        return Place()
    if seal.through_xid == END:  # the last of its epoch: its rows are all below the next floor, and later ones are all above
        return Place(seal.epoch + 1, highest_sealed_id())
    return Place(seal.epoch, seal.floor_id, seal.through_xid, seal.through_id)


def highest_sealed_id() -> int:
    return int(AuditSeal.objects.aggregate(highest=Max("last_id"))["highest"] or 0)


def highest_foreign_id() -> int:
    """The highest id of the rows that can be told to have been written in another cluster; 0 when there are none."""
    with connection.cursor() as cursor:
        cursor.execute(FOREIGN)
        return int(cursor.fetchone()[0] or 0)


def end_of_move() -> int | None:
    """Where the ids end that came along with a database that was moved here and is not sealed to its end; None when it is not so.

    Transactions are counted anew here, so in the places of earlier seals there may be new rows, with higher ids.
    """
    last = last_seal()
    if last is None or last.through_xid == END or not is_genuine(last):
        return None
    with connection.cursor() as cursor:
        cursor.execute(SYSTEM)
        if cursor.fetchone()[0] == system_of(last):
            return None
    return max(highest_sealed_id(), highest_foreign_id())


def last_anchored() -> int:
    """The number of the last seal that lies in cold storage: seals are put there in their order, without gaps."""
    return int(AuditAnchor.objects.filter(place=COLD).aggregate(last=Max("seal_id"))["last"] or 0)


def sealing_is_late() -> bool:
    """Rows wait for their seal, or the log's heart has stopped."""
    seal, moment = last_seal(), now()
    if seal is not None and seal.sealed_at < moment - HEARTBEAT - LATE_SEAL:
        return True
    place = place_after(seal)
    with connection.cursor() as cursor:
        cursor.execute(OLDEST_WAITING, [place.xid, place.id, place.floor_id])
        oldest = cursor.fetchone()
    return oldest is not None and oldest[0] < moment - LATE_SEAL


def anchoring_is_late() -> bool:
    """Seals wait to be put into cold storage."""
    waiting = AuditSeal.objects.filter(seq__gt=last_anchored()).order_by("seq").values_list("sealed_at", flat=True).first()
    return waiting is not None and waiting < now() - LATE_ANCHOR


def looking_is_late() -> bool:
    """The last day of the log is not looked through, or not all of it."""
    check, moment = newest(CheckKind.RECENT)[0], now()
    if check is None:
        return AuditSeal.objects.filter(sealed_at__lt=moment - LATE_LOOK).exists()
    return check.checked_at < moment - LATE_LOOK or any(problem["code"] == BEHIND for problem in check.problems)


def readings() -> Iterator[Reading]:
    """For the metrics: how old the newest seal is, how many lie here alone, and the incidents that are open."""
    seal, moment = last_seal(), now()
    if seal is not None:
        yield Reading("port444_seal_age_seconds", (moment - seal.sealed_at).total_seconds(), "Seconds since the audit log was sealed last")
        waiting = seal.seq - last_anchored()
        yield Reading("port444_seals_waiting", waiting, "Seals of the audit log that are not in cold storage yet")
    live = dict(IncidentLog.objects.filter(status__in=LIVE).values_list("severity").annotate(Count("pk")).order_by())
    for severity in IncidentSeverity.values:
        yield Reading("port444_incidents_open", live.get(severity, 0), "Incidents that nobody has closed", {"severity": severity})


def rows_of(first: AuditSeal, last: AuditSeal) -> tuple[str, list[int]]:
    """The condition that the rows of the seals from `first` to `last`, of one epoch, meet, and its parameters."""
    where = "(xid, id) > (%s, %s) AND (xid, id) <= (%s, %s) AND id > %s"
    params = [first.from_xid, first.from_id, last.through_xid, last.through_id, first.floor_id]
    # Where the epoch has ended, later rows can have the same transaction ids, and always higher ids.
    later = AuditSeal.objects.filter(epoch__gt=last.epoch).order_by("seq").values_list("floor_id", flat=True).first()
    if later is None:
        later = highest_sealed_id() if last.through_xid == END else end_of_move()
    return (where, params) if later is None else (f"{where} AND id <= %s", [*params, later])


def dropped_months(since: date, until: date) -> list[date]:
    """The months with a day from `since` to `until` that have left the database and were not brought back."""
    return [month for month in AuditMove.dropped() if since.replace(day=1) <= month <= until]
