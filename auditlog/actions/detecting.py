"""Running the detectors over the log: forward, a chunk of rows at a time, each with what follows from it in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import inf
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from auditlog import handlers
from auditlog.detectors import over_file, rows
from auditlog.detectors.bounded import unswept
from auditlog.detectors.facts import DAY, KINDS
from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS, Detector, Found, Look
from auditlog.detectors.suspicions import Suspicion
from auditlog.models import LIVE, DetectorMark, DetectorVersion, EventKind, IncidentLog, IncidentSeverity, IncidentStatus, IncidentType
from port444.kit.clock import now

from .incidents import Finding, Reason, Taken, note, take_findings

LOCK = 0x64657463  # the number of the lock by which runs of one database know of each other
MARK = "detectors"
CHUNK = 4_000_000  # rows in one transaction at most: who is linked with whom is worked out once for all of them
SHORT = 10_000  # the same where time is short
STRETCH = 60 * DAY  # seconds of the log in one transaction at most: what shows for a while only is not to be passed over
STEP = 2_500  # rows that are learnt together: all that they are about is at hand
Progress = Callable[[int], object]


@dataclass(slots=True)
class Ran:
    """What a run came to."""

    rows: int = 0
    chunks: int = 0
    seconds: float = 0.0
    taken: dict[Taken, int] = field(default_factory=dict)
    busy: bool = False  # another run is at it

    @property
    def opened(self) -> int:
        return self.taken.get(Taken.OPENED, 0)


class DryRun(Exception):
    """Carries out of the transaction what was found, so that nothing of it stays."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log, in the order of transactions."""

    xid: int
    row_id: int
    is_end: bool = False  # nothing was left when it was reached


@unswept()
def run_detectors(
    *,
    names: Iterable[str] | None = None,
    seconds: float | None = None,
    limit: int = CHUNK,
    dry_run: bool = False,
    progress: Progress = lambda rows: None,
) -> Ran:
    """Read the log on from where the last run stopped. Of two at once one does it; what a killed run had not finished, the next does."""
    begun, ran, ends = monotonic(), Ran(), inf
    if seconds is not None:
        ends, limit = begun + seconds, min(limit, SHORT)
    memory, place = rows.Stored(), None
    detectors = [detector for detector in DETECTORS if names is None or detector.name in set(names)]
    while True:
        try:
            with transaction.atomic():
                place = _chunk(memory, place, detectors, limit, ran, progress)
                if dry_run:
                    raise DryRun
        except DryRun:
            break
        if place is None or place.is_end or monotonic() > ends:
            break
    ran.seconds = monotonic() - begun
    return ran


def _chunk(memory: rows.Stored, place: Place | None, detectors: list[Detector], limit: int, ran: Ran, progress: Progress) -> Place | None:
    """One chunk: its facts, what is remembered of them, what follows, and how far the log is read; all or nothing."""
    begun = monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            ran.busy = True
            return None
        cursor.execute("SET LOCAL jit = off")
        mark, _ = DetectorMark.objects.select_for_update().get_or_create(name=MARK)
        if place is None or (place.xid, place.row_id) != (mark.xid, mark.row_id):
            memory.forget_all()  # somebody else has been here since: what is at hand may be old
        values = _left(cursor, mark)
        cursor.execute(rows.LAST, [*values, limit, STRETCH])
        row = cursor.fetchone()
    place = Place(*row) if row else Place(values[3] - 1, 2**62, is_end=True)
    taken: dict[Taken, int] = {}
    try:
        with handlers.telling_once():
            read = _learn_and_judge(memory, detectors, [*values, place.xid, place.row_id], taken, progress)
        memory.write()
        memory.make_room()
    except BaseException:
        memory.forget_all()  # what is at hand was changed, and what lies in the table is not
        raise
    mark.xid, mark.row_id = place.xid, place.row_id
    mark.rows += read
    mark.looked_at, mark.took = now(), monotonic() - begun
    mark.save()
    ran.rows += read
    ran.chunks += 1
    for kind, count in taken.items():
        ran.taken[kind] = ran.taken.get(kind, 0) + count
    return place


def _left(cursor: Any, mark: DetectorMark) -> list[Any]:
    """What picks the rows that are to be read: kinds, place, horizon and floor."""
    cursor.execute(rows.HORIZON)
    (horizon,) = cursor.fetchone()
    cursor.execute(rows.FLOOR)
    (floor,) = cursor.fetchone()
    # In a database that was moved, transactions are counted anew; its rows have numbers above the floor.
    xid, row_id = (mark.xid, mark.row_id) if mark.xid < horizon else (0, 0)
    return [list(KINDS), xid, row_id, horizon, floor]


def rows_left() -> int:
    """About how many rows the next run has before it, as the database guesses."""
    mark = DetectorMark.objects.filter(name=MARK).first() or DetectorMark(name=MARK)
    with connection.cursor() as cursor:
        values = _left(cursor, mark)
        cursor.execute(rows.LEFT, values)
        (plan,) = cursor.fetchone()
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


def _learn_and_judge(memory: rows.Stored, detectors: list[Detector], values: list[Any], taken: dict[Taken, int], progress: Progress) -> int:
    """Read the rows of a chunk, which these values pick, and take what follows. How many rows that were."""
    versions, read = terms_in_force(detectors), 0
    look = Look(detectors, memory, {name: values for name, (_, values) in versions.items()})

    def take(found: Found) -> None:
        for detector, suspicions in found:
            for outcome in _take(suspicions, detector, *versions[detector.name]):
                taken[outcome] = taken.get(outcome, 0) + 1

    with connection.chunked_cursor() as cursor:
        cursor.execute(rows.CHUNK, values)
        while found := cursor.fetchmany(STEP):
            take(look.learn([rows.fact_of(row) for row in found]))
            read += len(found)
            progress(len(found))
    take(look.end())
    return read


def terms_in_force(detectors: Iterable[Detector]) -> dict[str, tuple[int, Terms]]:
    """The version of each detector and its values: those of the version that is active, else what stands in the code."""
    active = {version.detector: version for version in DetectorVersion.objects.filter(activated_at__isnull=False, retired_at__isnull=True)}
    found = {}
    for detector in detectors:
        version = active.get(detector.name)
        found[detector.name] = (version.number, Terms(detector.parameters, version.parameters)) if version else (0, Terms(detector.parameters))
    return found


def _take(found: Sequence[Suspicion], detector: Detector, version: int, terms: Mapping[str, float]) -> list[Taken]:
    """What becomes of suspicions, as if they were taken one after the other: where groups turned out to be one, what comes next waits for it."""
    outcomes: list[Taken] = []
    part: list[Suspicion] = []
    for place, suspicion in enumerate(found, 1):
        part.append(suspicion)
        if suspicion.merges or place == len(found):
            results = take_findings([finding_of(one, detector, version, terms) for one in part])
            outcomes += [result.taken for result in results]
            incident = results[-1].incident
            if suspicion.merges and incident is not None:
                others = IncidentLog.objects.filter(fingerprint__in=suspicion.merges, status__in=LIVE)
                for other in others.select_for_update(of=("self",)).order_by("pk"):
                    _merge(other, incident)
            part = []
    return outcomes


def _merge(other: IncidentLog, incident: IncidentLog) -> None:
    """Two groups turned out to be one: the case of the one goes on in that of the other."""
    moment = now()
    other.move_to(
        IncidentStatus.RESOLVED, merged_into=incident, resolved_at=moment, resolution=f"The same people as in {incident}.", updated_at=moment
    )
    note(other, EventKind.MERGED, f"Goes on in {incident}.", into=incident.number)
    note(incident, EventKind.MERGED, f"Took in {other}.", merged=other.number)


def finding_of(suspicion: Suspicion, detector: Detector, version: int, terms: Mapping[str, float]) -> Finding:
    """A suspicion about our own people."""
    people = [found for one in suspicion.people if (found := _uuid(one)) is not None]
    withdrawal = _uuid(suspicion.withdrawal_id or "")
    # A group has nobody who comes first.
    first = people[0] if people and (len(people) == 1 or withdrawal is not None) else None
    return Finding(
        fingerprint=suspicion.fingerprint[:200],
        incident_type=IncidentType(suspicion.incident_type),
        severity=IncidentSeverity(suspicion.severity),
        confidence=suspicion.confidence,
        description=suspicion.description,
        user_id=first,
        related_users=[one for one in people if one != first],
        pattern=suspicion.pattern,
        ip_addresses=[address.removesuffix("/64") for address in suspicion.addresses],
        device_fingerprints=[found for one in suspicion.devices if (found := _uuid(one)) is not None],
        potential_loss=(Decimal(suspicion.loss) / 1_000_000).quantize(Decimal("0.01")) if suspicion.loss else None,
        evidence=dict(suspicion.evidence),
        reasons=[Reason(reason.points, reason.text, reason.fact) for reason in suspicion.reasons],
        withdrawal_id=withdrawal,
        group=suspicion.group,
        detector=detector.name,
        detector_version=version,
        hold_at=int(terms["hold_at"]) if "hold_at" in terms and suspicion.severity != IncidentSeverity.LOW else None,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def look_back(
    since: datetime,
    until: datetime,
    *,
    names: Iterable[str] | None = None,
    terms: Mapping[str, Terms] | None = None,
    progress: Progress = lambda rows: None,
) -> list[Suspicion]:
    """What the log of a stretch of time leads to by itself. Nothing is written or remembered."""
    detectors = [detector for detector in DETECTORS if names is None or detector.name in set(names)]
    inforce = {name: values for name, (_, values) in terms_in_force(detectors).items()}
    with transaction.atomic():
        facts = rows.facts_since(since, until)
        return over_file.detect(over_file.counted(facts, progress), detectors, {**inforce, **(terms or {})})


# Where people were seen, and what counts within some days. The rest is known as long as the accounts are there: who was suspended, who holds
# a payout address, which browsers an account is used from, whom a client dealt with, and what was said already.
PASSING = ("ip", "device", "fingerprint", "tries", "declines", "grown", "ends", "staff")
LASTING = ("who", "openings", "group", "standing", "payout", "card", "life", "deals", "case", "told", "log")
FORGET = "DELETE FROM detector_memory WHERE seen_at < %s AND split_part(key, ':', 1) = ANY(%s)"
# What was said of an address is known as long as who was seen there, else it would be said once more.
FORGET_SAID = """
DELETE FROM detector_memory AS said WHERE seen_at < %s AND key LIKE 'told:%%'
AND NOT EXISTS (SELECT FROM detector_memory AS about WHERE about.key = substr(said.key, 6))
"""
STRIP = """
UPDATE detector_memory SET data = data::jsonb - '{ip,device,fingerprint,ins}'::text[]
WHERE seen_at < %s AND (key LIKE 'who:%%' OR key LIKE 'life:%%') AND data::jsonb ?| '{ip,device,fingerprint,ins}'
"""


def forget_sightings(before: datetime) -> int:
    """Forget where people were seen before that. What they earned, own and did, since when they are there, and what was said of it stays."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(FORGET, [before, list(PASSING)])
        gone = int(cursor.rowcount)
        cursor.execute(FORGET_SAID, [before])
        gone += int(cursor.rowcount)
        cursor.execute(STRIP, [before])
        return gone + int(cursor.rowcount)
