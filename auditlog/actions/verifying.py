"""Looking whether the log is as it was: seals and their chain, rows here and in cold storage, and what was anchored outside.

Nothing is believed because the database says so. A seal counts by its signature, a row by the seal's root, the last seal by what
lies in cold storage.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from django.db import connection, transaction

from auditlog import cold, lines, seals, signing
from auditlog.models import AuditCheck, AuditSeal, CheckKind, IncidentSeverity, IncidentType
from auditlog.queries import BEHIND, SYSTEM, last_seal, place_after, system_of
from auditlog.signing import Kind
from port444.kit.clock import now

from .findings import NAMED, SLACK, Report, said, touch
from .holding import Rows
from .incidents import TAMPERING, Finding, Reason, open_incident
from .keeping import keep_check, last_look
from .outside import Loss, Outside

BATCH_ROWS, BATCH_SEALS = 100_000, 1_000  # read at once
HISTORY_PARTS = 30
Tell = Callable[[int, int], None]

UNSEALED = "(xid, id) > (%s, %s) AND id > %s"
WAITING = f"SELECT count(*) FROM audit_log WHERE {UNSEALED}"  # noqa: S608
FOREIGN = f"""
SELECT id FROM audit_log WHERE {UNSEALED} AND xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint ORDER BY xid, id LIMIT {NAMED}
"""  # noqa: S608
EARLY = f"SELECT id, timestamp FROM audit_log WHERE {UNSEALED} AND xid >= %s AND timestamp < %s ORDER BY xid, id LIMIT %s"  # noqa: S608


def verify(
    *,
    first: int = 1,
    last: int | None = None,
    files: bool = False,
    store: cold.Store | None = None,
    tell: Tell | None = None,
    seconds: float | None = None,
) -> Report:
    """Look through the seals from `first` to `last` (by default the end) with all their rows.

    Rows of months that have left the database are read from cold storage; with `files` every exported file and every anchored
    seal of the range is read as well. `tell` hears how many seals and rows are done. After `seconds` no further rows are begun, and half of
    that is given to files and half to anchored seals: `last_seal` of the report says how far it came. Reads only, and no writer waits.
    """
    began = time.monotonic()
    look = _Look(first, last, files, store or cold.store(), tell or (lambda _seals, _rows: None), seconds if seconds is not None else math.inf)
    look.through()
    look.report.milliseconds = int((time.monotonic() - began) * 1000)
    return look.report


def verify_recent(*, seconds: float | None = None) -> AuditCheck:
    """Look through the seals of the last day and keep what was found. When there was no time for all of them the last time, the look
    goes on there; that some left the day before a look came to them is kept with it."""
    since, rest = _first_since(now() - timedelta(days=1)), _rest_of(last_look(CheckKind.RECENT))
    report = verify(first=max(since, rest), seconds=seconds)
    if 0 < rest < since:
        words = f"There was no time to look at the seals from {rest} to {since - 1} within a day of their making: there are too many rows."
        report.add(BEHIND, words, seal=rest)
    return keep(CheckKind.RECENT, report)


def _rest_of(look: AuditCheck | None) -> int:
    """The first seal to which a look had no time to come; 0 when it came to the end."""
    if look is None or not look.last_seal:
        return 0
    seal = AuditSeal.objects.filter(seq__gt=look.last_seal).order_by("seq").first()
    return seal.seq if seal is not None and seal.sealed_at < look.checked_at else 0


def verify_history(through: int = 0, *, seconds: float | None = None) -> int:
    """Look through a thirtieth of all seals, those after the ones of the last time, with what lies of them in cold storage.

    When there is no time for all of them, gives the seal through which to go on with the next call, otherwise 0.
    """
    end = last_seal()
    if end is None:
        return 0
    before = last_look(CheckKind.HISTORY)
    first = before.last_seal + 1 if before is not None and before.last_seal < end.seq else 1
    through = through if through >= first else min(end.seq, first + end.seq // HISTORY_PARTS)
    check = keep(CheckKind.HISTORY, verify(first=first, last=through, files=True, seconds=seconds))
    return through if 0 < check.last_seal < through else 0


def keep(kind: CheckKind, report: Report) -> AuditCheck:
    """Keep that somebody looked and what was found; what is not as it was is a critical incident."""
    problems = [problem.facts() for problem in report.problems]
    with transaction.atomic():
        check = keep_check(
            kind,
            first_seal=report.first_seal,
            last_seal=report.last_seal,
            seals=report.seals,
            rows=report.rows,
            ok=report.ok,
            problems=problems,
            milliseconds=report.milliseconds,
        )
        tampered = [problem for problem in report.problems if not problem.code.endswith(".unreachable") and problem.code != BEHIND]
        if tampered:
            first, others = tampered[0], len(tampered) - 1 + report.untold
            open_incident(
                Finding(
                    f"audit-log:{first.code}:{first.seal}:{first.row}",
                    IncidentType.SUSPICIOUS_ACTIVITY,
                    IncidentSeverity.CRITICAL,
                    100,
                    f"The audit log is not as it was. {first.words}" + (f" {others} more problems were found." if others else ""),
                    pattern="log_changed",
                    reasons=[Reason(100, "What is in the log is not what was sealed", f"{first.code}, seal {first.seal}, entry {first.row}")],
                    detector=TAMPERING,
                    evidence={"check": str(check.pk), "problems": problems[:NAMED]},
                )
            )
    return check


def _first_since(moment: datetime) -> int:
    """The first seal that was made at `moment` or later; found by halving, since seals are kept by number."""
    end = last_seal()
    low, high = 1, end.seq if end is not None else 1
    while low < high:
        middle = (low + high) // 2
        seal = AuditSeal.objects.filter(seq__gte=middle).order_by("seq").first()
        if seal is None or seal.sealed_at >= moment:
            high = middle
        else:
            low = seal.seq + 1
    return low


class _Look:
    """One go through the log."""

    def __init__(self, first: int, last: int | None, files: bool, store: cold.Store, tell: Tell, seconds: float) -> None:
        self.first, self.last, self.files, self.tell, self.seconds = first, last, files, tell, seconds
        self.report = Report()
        self.rows = Rows(self.report, store)
        self.before: AuditSeal | None = None  # the seal before the one at hand
        self.keys = signing.public_keys()
        self.losses: list[Loss] = []

    def through(self) -> None:
        ends = time.monotonic() + self.seconds
        if self.first > 1:
            self.before = AuditSeal.objects.filter(seq__lt=self.first).order_by("-seq").first()
            self.rows.times.begin(self.before, self.before.through_xid if self.before else 0)
        for batch in self._batches():
            for seal in batch:
                self._chain(seal)
                self.before = seal
                self.rows.times.add(seal)
            self.rows.hold_to(batch)
            self.tell(self.report.seals, self.report.rows)
            if time.monotonic() >= ends:
                self.last = batch[-1].seq
                break
        if self.last is None:
            self._unsealed()
        outside = Outside(self.rows, self.first, self.last, losses=self.losses, seconds=self.seconds, tell=self.tell)
        if self.files:
            outside.exports()
        try:
            outside.anchors(each=self.files)
        except Exception as error:  # noqa: BLE001 - whatever the library of the store raises
            self.report.add("anchor.unreachable", f"Cold storage cannot be read: {error}")

    def _batches(self) -> Iterator[list[AuditSeal]]:
        """The seals of the range in their order, some at once: reading rows seal by seal would take a query a minute of history."""
        after = self.first - 1
        while True:
            wanted = AuditSeal.objects.filter(seq__gt=after).order_by("seq")
            found = list((wanted if self.last is None else wanted.filter(seq__lte=self.last))[:BATCH_SEALS])
            if not found:
                return
            batch: list[AuditSeal] = []
            rows = 0
            for seal in found:
                if batch and (rows + seal.rows > BATCH_ROWS or not touch(batch[-1], seal)):
                    break
                batch.append(seal)
                rows += max(seal.rows, 0)
            yield batch
            after = batch[-1].seq

    def _chain(self, seal: AuditSeal) -> None:
        """The seal is what was signed, says what its columns say, and follows the one before."""
        report = self.report
        problems = len(report.problems) + report.untold
        report.first_seal, report.last_seal = report.first_seal or seal.seq, seal.seq
        report.seals += 1
        says = self._body(seal)
        if says is not None:
            wrong = [name for name, value in seals.statement(seal).items() if says.get(name) != value]
            if wrong:
                report.add("seal.changed", f"Seal {seal.seq} was changed: {', '.join(wrong)} is not what was signed.", seal=seal.seq)
            if says.get("schema") != lines.SCHEMA_VERSION or says.get("columns") != seals.COLUMNS_HASH:
                report.add("seal.schema", f"Seal {seal.seq} is over other columns than the log has.", seal=seal.seq)
        self._follows(seal, says or {})
        report.valid_seals += problems == len(report.problems) + report.untold

    def _body(self, seal: AuditSeal) -> dict[str, Any] | None:
        """What the seal says, when it was signed with a known key."""
        if seals.hash_of(seal.body) != bytes(seal.hash):
            self.report.add("seal.changed", f"Seal {seal.seq} was changed: its body does not have its hash.", seal=seal.seq)
            return None
        if seal.key_id not in self.keys:
            words = f"Seal {seal.seq} is signed by the key {seal.key_id}, which is not one of ours (AUDIT_PUBLIC_KEYS)."
            self.report.add("seal.key", words, seal=seal.seq)
            return None
        try:
            self.keys[seal.key_id].verify(bytes(seal.signature), Kind.SEAL.over(seal.body.encode()))
        except InvalidSignature:
            self.report.add("seal.signature", f"Seal {seal.seq}: the signature is not that of the key {seal.key_id}.", seal=seal.seq)
            return None
        says = json.loads(seal.body)
        return says if isinstance(says, dict) else {}

    def _follows(self, seal: AuditSeal, says: dict[str, Any]) -> None:
        before, report, lost = self.before, self.report, says.get("lost")
        expected = 1 if before is None else before.seq + 1
        if self.first > 1 and before is None:
            expected = self.first
        if lost:  # somebody has put a name to it; what it follows lies in cold storage only
            self.losses.append((seal, lost))
            known = lost.get("after") or {}
            if (known.get("seq"), known.get("hash")) != ((before.seq, bytes(before.hash).hex()) if before else (None, None)):
                report.add("seal.order", f"Seal {seal.seq} acknowledges a loss after another seal than the one before it.", seal=seal.seq)
        elif seal.seq != expected:
            gone = f"Seal {expected} is" if seal.seq == expected + 1 else f"Seals {expected} to {seal.seq - 1} are"
            report.add("seal.removed", f"{gone} gone from the database.", seal=expected)
        elif bytes(seal.prev_hash) != (seals.FIRST if before is None else bytes(before.hash)):
            report.add("seal.order", f"Seal {seal.seq} does not follow seal {expected - 1}: it names another hash.", seal=seal.seq)
        if before is not None and not self._goes_on(before, seal):
            report.add("seal.order", f"Seal {seal.seq} does not begin where seal {before.seq} ends.", seal=seal.seq)

    def _goes_on(self, before: AuditSeal, seal: AuditSeal) -> bool:
        if seal.epoch == before.epoch:
            # The last seal of an epoch is made where transactions are counted anew.
            later = seal.next_xid >= before.next_xid or seal.through_xid == seals.END
            return later and seal.sealed_at >= before.sealed_at - SLACK and seal.floor_id == before.floor_id and touch(before, seal)
        return seal.epoch == before.epoch + 1 and (seal.from_xid, seal.from_id) == (0, 0)

    def _unsealed(self) -> None:
        """Rows behind the last seal: they wait for the next. One that tells a time before its transaction began was dated back."""
        last = self.before
        place = place_after(last)
        params: list[Any] = [place.xid, place.id, place.floor_id]
        with connection.cursor() as cursor:
            cursor.execute(WAITING, params)
            self.report.waiting = cursor.fetchone()[0]
            cursor.execute(SYSTEM)
            # What a seal says that is none of ours is believed in nothing; that it is none has been said.
            if last is not None and (place.epoch != last.epoch or (seals.is_genuine(last) and cursor.fetchone()[0] != system_of(last))):
                return  # the database was moved, and its new transactions have not been sealed yet: these numbers say nothing
            cursor.execute(FOREIGN, params)
            foreign = [id_ for (id_,) in cursor.fetchall()]
            early: list[tuple[int, datetime]] = []
            if last is not None:
                cursor.execute(EARLY, [*params, last.next_xid, last.sealed_at - SLACK, NAMED])
                early = cursor.fetchall()
        for id_ in foreign:
            self.report.add("row.added", f"Row {id_} was added: no transaction of this database has its number yet.", row=id_)
        for id_, moment in early:
            assert last is not None
            words = f"Row {id_}, not sealed yet, says {said(moment)}, but was written after seal {last.seq} of {said(last.sealed_at)}."
            self.report.add("row.backdated", words, row=id_)
