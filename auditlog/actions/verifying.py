"""Looking whether the log is as it was: seals and their chain, rows here and in cold storage, and what was anchored outside.

Nothing is believed because the database says so. A seal counts by its signature, a row by the seal's root, the last seal by what
lies in cold storage. The stored leaves only serve to say which row it is, and are themselves held to the root first.
"""

from __future__ import annotations

import json
import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from django.db import OperationalError, connection, transaction
from django.db.models import Min

from auditlog import cold, filed, lines, merkle, seals, signing
from auditlog.filed import Found
from auditlog.models import (
    AuditAnchor,
    AuditCheck,
    AuditExport,
    AuditLeaves,
    AuditMove,
    AuditSeal,
    CheckKind,
    IncidentSeverity,
    IncidentType,
)
from auditlog.queries import BEHIND, COLD, SYSTEM, end_of_move, last_seal, place_after, system_of
from auditlog.signing import Kind
from port444.kit.clock import now

from .incidents import Finding, open_incident
from .keeping import keep_check, last_look

BATCH_ROWS, BATCH_SEALS = 100_000, 1_000  # read at once
NAMED = 20  # rows that are named in one seal
KEPT = 100  # problems that are told; the others are counted
# The clocks of a row and of a seal are the server's, which may be set.
SLACK = timedelta(minutes=1)
HISTORY_PARTS = 30
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was. `code` is for programs, `words` for people."""

    code: str
    words: str
    seal: int | None = None
    row: int | None = None

    def facts(self) -> dict[str, Any]:
        return {"code": self.code, "words": self.words, "seal": self.seal, "row": self.row}


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found."""

    first_seal: int = 0
    last_seal: int = 0
    seals: int = 0
    valid_seals: int = 0
    rows: int = 0  # that the seals cover
    valid_rows: int = 0
    waiting: int = 0  # rows that no seal covers yet
    problems: list[Problem] = field(default_factory=list)
    untold: int = 0
    milliseconds: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, code: str, words: str, *, seal: int | None = None, row: int | None = None) -> None:
        if len(self.problems) < KEPT:
            self.problems.append(Problem(code, words, seal, row))
        else:
            self.untold += 1


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
                    pattern="audit log changed",
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
        self.first, self.last, self.files, self.store, self.tell, self.seconds = first, last, files, store, tell, seconds
        self.report = Report()
        self.before: AuditSeal | None = None  # the seal before the one at hand
        self.ceilings = _ceilings()
        self.dropped: set[date] = set()
        self.here: set[date] = set()
        self.times = _Times()
        self.keys = signing.public_keys()
        self.leaves: dict[int, AuditLeaves] = {}
        self.shelf = filed.Shelf(self.store)
        self.missed: set[date] = set()
        self.losses: list[tuple[AuditSeal, dict[str, Any]]] = []
        self.given_up: list[dict[str, Any]] | None = None
        self.unusable: set[str] = set()

    def through(self) -> None:
        ends = time.monotonic() + self.seconds
        if self.first > 1:
            self.before = AuditSeal.objects.filter(seq__lt=self.first).order_by("-seq").first()
            self.times.begin(self.before, self.before.through_xid if self.before else 0)
        for batch in self._batches():
            for seal in batch:
                self._chain(seal)
                self.before = seal
                self.times.add(seal)
            self._rows(batch)
            if time.monotonic() >= ends:
                self.last = batch[-1].seq
                break
        if self.last is None:
            self._unsealed()
        if self.files:
            self._exports()
        try:
            self._anchors()
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
                if batch and (rows + seal.rows > BATCH_ROWS or not _touch(batch[-1], seal)):
                    break
                batch.append(seal)
                rows += max(seal.rows, 0)
            yield batch
            after = batch[-1].seq

    # --- seals ---------------------------------------------------------------------------------------------------------------

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
            return later and seal.sealed_at >= before.sealed_at - SLACK and seal.floor_id == before.floor_id and _touch(before, seal)
        return seal.epoch == before.epoch + 1 and (seal.from_xid, seal.from_id) == (0, 0)

    # --- rows ----------------------------------------------------------------------------------------------------------------

    def _rows(self, batch: Sequence[AuditSeal]) -> None:
        """The rows of consecutive seals of one epoch."""
        report, months, mark = self.report, self._look_at_months(), self.times.mark()
        self.leaves = AuditLeaves.objects.in_bulk([seal.seq for seal in batch])
        wrong, problems = self._read(batch)
        if wrong:
            self._wait_for_move([month for seal, _ in wrong for month in self._months_gone(seal)])
            if self._look_at_months() != months:  # a month was taken out or brought back meanwhile
                self.times.go_back(mark)
                wrong, problems = self._read(batch)
        report.rows += sum(seal.rows for seal in batch)
        report.valid_rows += sum(seal.rows for seal in batch) - sum(seal.rows for seal, _ in wrong)
        for problem in problems:
            report.add(problem.code, problem.words, seal=problem.seal, row=problem.row)
        # Looking closer asks the database, which is not possible while it sends rows.
        for seal, found in wrong:
            leaves = _unpacked(self.leaves.get(seal.seq))
            if gone := self._months_gone(seal):
                self._hold_away(seal, found, leaves, gone)
            else:
                self._hold(seal, found, leaves)
        self.tell(report.seals, report.rows)

    def _read(self, batch: Sequence[AuditSeal]) -> tuple[list[tuple[AuditSeal, Found]], list[Problem]]:
        """Read the rows of all these seals in one go and tell them apart by their places: the seals whose root they do not give,
        with what was found, and what else is wrong."""
        at, found = 0, Found()
        wrong: list[tuple[AuditSeal, Found]] = []
        problems: list[Problem] = []
        latest = [_printed(seal.sealed_at + SLACK) for seal in batch]

        def settle(seal: AuditSeal) -> None:
            if len(found.ids) != seal.rows or merkle.root(found.hashes) != bytes(seal.root):
                wrong.append((seal, found))
            elif _unpacked(self.leaves.get(seal.seq)) != list(zip(found.ids, found.hashes, strict=True)):
                words = f"The leaves of seal {seal.seq} were changed; its rows are as they were."
                problems.append(Problem("leaves.changed", words, seal.seq))

        for line in self._copied(*self._place(batch)):
            printed, moment, counted, _ = line.split(b",", 3)
            id_, xid = int(printed), int(counted)
            while (xid, id_) > (batch[at].through_xid, batch[at].through_id):
                settle(batch[at])
                at, found = at + 1, Found()
            found.ids.append(id_)
            found.hashes.append(merkle.leaf(line))
            if self.times.is_early(xid, moment):
                words = f"Row {id_} in seal {batch[at].seq} says {moment.decode()}, but was written after {self.times.why}."
                problems.append(Problem("row.backdated", words, batch[at].seq, id_))
            elif moment > latest[at]:
                words = f"Row {id_} says {moment.decode()}, but was sealed before that, in seal {batch[at].seq} of {_said(batch[at].sealed_at)}."
                problems.append(Problem("row.postdated", words, batch[at].seq, id_))
        for seal in batch[at:]:
            settle(seal)
            found = Found()
        return wrong, problems

    def _place(self, batch: Sequence[AuditSeal], more: str = "true", values: Sequence[Any] = ()) -> tuple[str, list[Any]]:
        """Where the rows of consecutive seals are. An epoch has no rows before its first seal, nor the log any before its first
        epoch, so there the place is open to what was put in front."""
        start, end = batch[0], batch[-1]
        where, params = "(xid, id) <= (%s, %s)", [end.through_xid, end.through_id]
        if (start.from_xid, start.from_id) != (0, 0):
            where, params = f"(xid, id) > (%s, %s) AND {where}", [start.from_xid, start.from_id, *params]
        if start.epoch > 1:
            where, params = f"{where} AND id > %s", [*params, start.floor_id]
        if (ceiling := self.ceilings.get(start.epoch)) is not None:
            where, params = f"{where} AND id <= %s", [*params, ceiling]
        return f"{where} AND {more}", [*params, *values]

    def _copied(self, where: str, params: list[Any]) -> Iterator[bytes]:
        with transaction.atomic():
            yield from lines.copy_lines(where, params)

    def _hold(self, seal: AuditSeal, found: Found, leaves: Leaves | None, place: str = "", gone: str = "") -> None:
        """Say what is wrong with the rows of a seal: which they are, when the leaves, here or in the exported file, can tell."""
        root = bytes(seal.root)
        if leaves is None or _root(leaves) != root:
            leaves = None if place else self._filed_leaves(seal)
        if leaves is not None:
            self._name(seal, found, leaves, place, gone)
            return
        span = f" (ids {seal.first_id} to {seal.last_id})" if seal.first_id else ""
        words = f"The rows of seal {seal.seq}{span}{place} are not those that were sealed: {seal.rows} were, {len(found.ids)} are there{gone}"
        words += ". Its leaves are not as they were either, so the row cannot be named."
        self.report.add("rows.changed", words, seal=seal.seq, row=seal.first_id)

    def _filed_leaves(self, seal: AuditSeal) -> Leaves | None:
        """The leaves of a seal from its exported file, when that gives the seal's root."""
        try:
            there = filed.Shelf(self.store).find(seal)
        except filed.Unusable:
            return None
        leaves = list(zip(there[1].ids, there[1].hashes, strict=True)) if there else []
        return leaves if there and _root(leaves) == bytes(seal.root) else None

    def _name(self, seal: AuditSeal, found: Found, leaves: Leaves, place: str, gone: str) -> None:
        """Say which rows are wrong, the first first."""
        sealed, here = dict(leaves), set(found.ids)
        removed = [id_ for id_, _ in leaves if id_ not in here]
        seen: set[int] = set()
        added, changed = [], []
        for id_, hash_ in zip(found.ids, found.hashes, strict=True):
            if id_ not in sealed or id_ in seen:
                added.append(id_)
            elif sealed[id_] != hash_:
                changed.append(id_)
            seen.add(id_)
        order = {id_: at for at, (id_, _) in enumerate(leaves)}
        moved = set() if removed or added else {id_ for at, id_ in enumerate(found.ids) if order[id_] != at}
        if not place:
            moved |= self._swapped(seal, changed, sealed)
        changed = [id_ for id_ in changed if id_ not in moved]
        self.report.valid_rows += 0 if place else max(seal.rows - len({*removed, *changed, *moved}), 0)
        where = {id_: at for at, id_ in enumerate(found.ids)} | order
        kinds = [
            ("row.changed", "was changed", changed, ""),
            ("row.removed", "was removed", removed, gone),
            ("row.added", "was added", added, ""),
            ("row.reordered", "changed places with another", sorted(moved, key=where.__getitem__), ""),
        ]
        for code, did, ids, why in sorted(kinds, key=lambda kind: where[kind[2][0]] if kind[2] else 0):
            if ids:
                self.report.add(code, _words(seal, did, ids, place, why), seal=seal.seq, row=ids[0])

    def _swapped(self, seal: AuditSeal, changed: list[int], sealed: dict[int, bytes]) -> set[int]:
        """Of the changed rows those that say what another of them said: under another id, and perhaps moment and transaction."""
        if not 2 <= len(changed) <= NAMED:
            return set()
        texts = {lines.id_of(line): line.split(b",", 3) for line in self._copied(*self._place([seal], "id = ANY(%s)", [changed]))}
        swapped = set()
        for id_, text in texts.items():
            for other_id, other in texts.items():
                tries = (b",".join([*other[:taken], *text[taken:]]) for taken in (1, 2, 3))
                if other_id != id_ and sealed[other_id] in map(merkle.leaf, tries):
                    swapped.add(id_)
        return swapped

    # --- months that are not in the database ---------------------------------------------------------------------------------

    def _look_at_months(self) -> tuple[set[date], set[date]]:
        """Which months were taken out, and which have a table; that changes while months are moved."""
        self.dropped, self.here = set(AuditMove.dropped()), _tables()
        return self.dropped, self.here

    def _wait_for_move(self, gone: list[date]) -> None:
        """A month that is being taken out is gone a moment before that is said."""
        if any(month not in self.dropped for month in gone):
            with suppress(OperationalError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '10s'")
                cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext('audit_move'))")

    def _months_gone(self, seal: AuditSeal) -> list[date]:
        """The months of a seal's rows that have no table in the database."""
        if seal.first_at is None or seal.last_at is None:
            return []
        months, month = [], _month(seal.first_at)
        while month <= _month(seal.last_at):
            months.append(month)
            month = _month_after(month)
        return [month for month in months if month not in self.here]

    def _hold_away(self, seal: AuditSeal, found: Found, leaves: Leaves | None, gone: list[date]) -> None:
        """Rows of months that were taken out are in cold storage; a month that is gone without that was removed."""
        report = self.report
        unsaid = [month for month in gone if month not in self.dropped]
        for month in unsaid:
            if month not in self.missed:
                self.missed.add(month)
                words = (
                    f"{month:%Y-%m} is gone from the database, and nothing says that it was taken out; seal {seal.seq} is the first that covers it."
                )
                report.add("month.removed", words, seal=seal.seq, row=seal.first_id)
        try:
            there = self.shelf.find(seal)
        except filed.Unusable as error:
            self._unusable(error, seal)
            return
        if there is None:
            self._hold(seal, found, leaves, gone=f" with {gone[0]:%Y-%m}, which is not in cold storage")
            return
        volume, filed_rows, _ = there
        if len(filed_rows.ids) != seal.rows or merkle.root(filed_rows.hashes) != bytes(seal.root):
            self._hold(seal, filed_rows, leaves, f" of {volume.export.data_key}")
            return
        # The file holds the whole seal: what is here too has to be the same, and the rest has to be of months that were taken out.
        taken = {f"{month:%Y-%m}".encode() for month in gone if month in self.dropped}
        here = dict(zip(found.ids, found.hashes, strict=True))
        rows = zip(filed_rows.ids, filed_rows.hashes, filed_rows.moments, strict=True)
        expected = [(id_, hash_) for id_, hash_, moment in rows if id_ in here or moment[:7] not in taken]
        if [id_ for id_, _ in expected] == found.ids and [hash_ for _, hash_ in expected] == found.hashes:
            report.valid_rows += seal.rows
        else:
            self._name(seal, found, expected, "", f" with {unsaid[0]:%Y-%m}" if unsaid else "")

    def _unusable(self, error: filed.Unusable, seal: AuditSeal) -> None:
        words = str(error)
        if words not in self.unusable:
            self.unusable.add(words)
            code = "file.unreachable" if isinstance(error, filed.Unreachable) else "file.unusable"
            self.report.add(code, f"{words}; seal {seal.seq} is the first that cannot be read.", seal=seal.seq, row=seal.first_id)

    # --- what no seal covers yet ---------------------------------------------------------------------------------------------

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
            words = f"Row {id_}, not sealed yet, says {_said(moment)}, but was written after seal {last.seq} of {_said(last.sealed_at)}."
            self.report.add("row.backdated", words, row=id_)

    # --- cold storage --------------------------------------------------------------------------------------------------------

    def _exports(self) -> None:
        """Every exported file of the range: its bytes, its manifest, and its rows against the seals."""
        ends = time.monotonic() + self.seconds / 2
        covering = AuditExport.objects.filter(last_seal__gte=self.first)
        if self.last is not None:
            covering = covering.filter(first_seal__lte=self.last)
        for export in covering.order_by("first_seal").iterator(chunk_size=100):
            self._manifest(export)
            volume = filed.Volume(export, self.store)
            begun = len(self.report.problems)
            try:
                for seal, found, _ in volume.seals():
                    self.tell(self.report.seals, self.report.rows)
                    if len(found.ids) != seal.rows or merkle.root(found.hashes) != bytes(seal.root):
                        leaves = _unpacked(AuditLeaves.objects.filter(seal=seal).first())
                        self._hold(seal, found, leaves, f" of {export.data_key}")
            except filed.Unusable as error:
                code = "file.unreachable" if isinstance(error, filed.Unreachable) else "file.unusable"
                self.report.add(code, f"{error}.", seal=export.first_seal)
            if volume.problem and len(self.report.problems) == begun:
                self.report.add("file.changed", f"{volume.problem}, though its rows are those that were sealed.", seal=export.first_seal)
            if self._is_over(ends, export.last_seal):
                break

    def _is_over(self, ends: float, seal: int) -> bool:
        """Whether the time is up; then what comes after this seal was not looked at, and is left to the next look."""
        if time.monotonic() < ends:
            return False
        self.report.last_seal = min(self.report.last_seal, seal)
        return True

    def _manifest(self, export: AuditExport) -> None:
        """The manifest is the one that was written, and signed with a known key."""
        name, add = export.manifest_key, self.report.add
        try:
            with self.store.open(name) as file:
                content = file.read()
        except cold.Missing:
            add("manifest.removed", f"{name} is gone from cold storage.", seal=export.first_seal)
            return
        except Exception as error:  # noqa: BLE001 - whatever the library of the store raises
            add("file.unreachable", f"{name} cannot be read: {error}", seal=export.first_seal)
            return
        if sha256(content).hexdigest() != export.manifest_sha256:
            add("manifest.changed", f"{name} in cold storage is not the manifest that was written.", seal=export.first_seal)
        elif _signed(Kind.MANIFEST, content) is None:
            add("manifest.signature", f"{name} in cold storage is not signed with a known key.", seal=export.first_seal)

    def _anchors(self) -> None:
        """The seals in cold storage, which whoever changes the database cannot change with it."""
        lying: dict[int, list[str]] = {}
        for seq, name in self._anchor_names():
            lying.setdefault(seq, []).append(name)
        end = last_seal()  # after the names were read: what lies there was committed here before
        last = end.seq if end is not None else 0
        if beyond := [seq for seq in sorted(lying) if seq > last]:
            gone = f"seal {beyond[0]} and its rows are" if len(beyond) == 1 else f"seals {beyond[0]} to {beyond[-1]} and their rows are"
            self.report.add("log.cut", f"The database ends at seal {last}, cold storage at {beyond[-1]}: {gone} gone.", seal=beyond[0])
        for seal, lost in self.losses:
            copies = [self._content(name) for name in lying.get(lost["last"], ())]
            if bytes(seal.prev_hash).hex() not in [_hash_of(copy) for copy in copies] and self.first <= 1:
                words = f"Seal {seal.seq} follows seal {lost['last']}, which was lost here and is not what lies in cold storage."
                self.report.add("seal.order", words, seal=seal.seq)
        ours = AuditSeal.objects.filter(seq__gte=self.first, seq__lte=self.last or last)
        sent = AuditAnchor.objects.filter(place=COLD, seal__in=ours).order_by("seal_id").values_list("seal_id", flat=True)
        removed = [seq for seq in sent.iterator() if seq not in lying]
        if removed:
            others = f", and {len(removed) - 1} others" if len(removed) > 1 else ""
            self.report.add("anchor.removed", f"Seal {removed[0]} is gone from cold storage{others}.", seal=removed[0])
        both = [seq for seq in ours.order_by("seq").values_list("seq", flat=True).iterator() if seq in lying]
        # Seals hang together by their hashes, so the last one that is the same here and there vouches for those before it.
        if self.files:
            ends = time.monotonic() + self.seconds / 2
            for seq in both:
                self._hold_anchor(seq, lying[seq])
                if self._is_over(ends, seq):
                    break
        elif both and self._hold_anchor(both[-1], lying[both[-1]], quietly=True) is False:
            first = both[bisect_left(both, True, key=lambda seq: not self._hold_anchor(seq, lying[seq], quietly=True))]
            self._hold_anchor(first, lying[first])

    def _anchor_names(self) -> Iterator[tuple[int, str]]:
        """All of them; or those of the days of the seals that are looked at, and of the days since the database's last seal."""
        if self.first <= 1 and self.last is None:
            yield from seals.anchors(self.store)
            return
        looked_at = AuditSeal.objects.filter(seq__gte=self.first).order_by("seq")
        if self.last is not None:
            looked_at = looked_at.filter(seq__lte=self.last)
        today, days = now().date() + timedelta(days=1), set[date]()
        for first, last in ((looked_at.first(), looked_at.last() if self.last is not None else None), (last_seal(), None)):
            day = first.sealed_at.astimezone(UTC).date() if first is not None else today
            end = last.sealed_at.astimezone(UTC).date() if last is not None else today
            days.update(day + timedelta(days=number) for number in range((end - day).days + 1))
        for day in sorted(days):
            yield from seals.anchors(self.store, day)

    def _hold_anchor(self, seq: int, names: list[str], *, quietly: bool = False) -> bool:
        """Whether every copy of a seal is the seal that the database has, or one that was given up for lost."""
        seal = AuditSeal.objects.get(seq=seq)
        for name in names:
            content = self._content(name)
            if content == seals.anchor_content(seal) or self._is_given_up(seq):
                continue
            if not quietly:
                if (says := _signed(Kind.SEAL, content)) is None or says.get("seq") != seq:
                    self.report.add("anchor.changed", f"{name} in cold storage was replaced: it is not signed with a known key.", seal=seq)
                else:
                    words = f"Seal {seq} in the database is not the one in cold storage ({name}): the log was rewritten from there on, or before."
                    self.report.add("seal.rewritten", words, seal=seq)
            return False
        return True

    def _content(self, name: str) -> bytes:
        with self.store.open(name) as file:
            return file.read()

    def _is_given_up(self, seq: int) -> bool:
        """Whether a later seal says that this one was lost, and what is in its place is of after that."""
        if self.given_up is None:
            saying = AuditSeal.objects.filter(body__contains='"lost":')
            self.given_up = [json.loads(seal.body)["lost"] for seal in saying if seals.is_genuine(seal)]
        return any(lost["first"] <= seq <= lost["last"] for lost in self.given_up)


Leaves = list[tuple[int, bytes]]

UNSEALED = "(xid, id) > (%s, %s) AND id > %s"
WAITING = f"SELECT count(*) FROM audit_log WHERE {UNSEALED}"  # noqa: S608
FOREIGN = f"""
SELECT id FROM audit_log WHERE {UNSEALED} AND xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint ORDER BY xid, id LIMIT {NAMED}
"""  # noqa: S608
EARLY = f"SELECT id, timestamp FROM audit_log WHERE {UNSEALED} AND xid >= %s AND timestamp < %s ORDER BY xid, id LIMIT %s"  # noqa: S608
MONTHS = """
SELECT to_date(right(relname, 6), 'YYYYMM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'audit_log'::regclass AND relname ~ '^audit_log_[0-9]{6}$'
"""


class _Times:
    """When rows may have been written: none of a transaction that had not begun when a seal was made is from before that seal."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, bytes, str]] = []  # the transaction not begun yet, the moment, and the seal in words
        self.at, self.low, self.why = 0, b"", ""
        self.epoch: int | None = None

    def begin(self, before: AuditSeal | None, from_xid: int) -> None:
        """Take up the marks that rows after `before` can be held to."""
        earlier: list[AuditSeal] = []
        if before is not None:
            for seal in AuditSeal.objects.filter(seq__lte=before.seq, epoch=before.epoch).order_by("-seq").defer("body")[:BATCH_SEALS]:
                earlier.append(seal)
                if seal.next_xid <= from_xid:
                    break
        for seal in reversed(earlier):
            self.add(seal)

    def add(self, seal: AuditSeal) -> None:
        if seal.epoch != self.epoch:
            self.epoch, self.marks, self.at, self.low, self.why = seal.epoch, [], 0, b"", ""
        if seal.through_xid != seals.END:
            self.marks.append((seal.next_xid, _printed(seal.sealed_at - SLACK), f"seal {seal.seq} of {_said(seal.sealed_at)}"))

    def mark(self) -> tuple[int, bytes, str]:
        return self.at, self.low, self.why

    def go_back(self, mark: tuple[int, bytes, str]) -> None:
        self.at, self.low, self.why = mark

    def is_early(self, xid: int, moment: bytes) -> bool:
        """Whether a row says an earlier moment than it can be of; rows are asked about in the order of their transactions."""
        while self.at < len(self.marks) and xid >= self.marks[self.at][0]:
            _, self.low, self.why = self.marks[self.at]
            self.at += 1
        return moment < self.low


def _touch(before: AuditSeal, seal: AuditSeal) -> bool:
    """Whether the place of a seal begins where that of another ends."""
    return seal.epoch == before.epoch and (seal.from_xid, seal.from_id) == (before.through_xid, before.through_id)


def _unpacked(row: AuditLeaves | None) -> Leaves | None:
    """The stored leaves of a seal; None when there are none, or they are no leaves."""
    packed = bytes(row.leaves) if row is not None else b""
    if row is None or len(packed) % 40:
        return None
    return [(int.from_bytes(packed[at : at + 8], "big"), packed[at + 8 : at + 40]) for at in range(0, len(packed), 40)]


def _root(leaves: Leaves) -> bytes:
    return merkle.root([hash_ for _, hash_ in leaves])


def _words(seal: AuditSeal, did: str, ids: list[int], place: str, why: str) -> str:
    """`Row 7 in seal 3 was removed, and 2 others (8, 9).`"""
    others = len(ids) - 1
    some = ", ".join(map(str, ids[1:NAMED])) + (", .." if others >= NAMED else "")
    more = f", and {others} other{'s' if others > 1 else ''} ({some})" if others else ""
    return f"Row {ids[0]} in seal {seal.seq}{place} {did}{why}{more}."


def _signed(kind: Kind, content: bytes) -> dict[str, Any] | None:
    """What a signed file of cold storage says; None when it is none, or not signed with a known key."""
    try:
        facts = json.loads(content)
        text = facts["body"].encode()
        if sha256(text).hexdigest() != facts["hash"] or not signing.is_signed(kind, text, facts["key_id"], bytes.fromhex(facts["signature"])):
            return None
        says = json.loads(text)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return says if isinstance(says, dict) else None


def _hash_of(content: bytes) -> str:
    """The hash that a seal in cold storage has; nothing when it is none of ours."""
    return str(json.loads(content)["hash"]) if _signed(Kind.SEAL, content) is not None else ""


def _ceilings() -> dict[int, int]:
    """The highest id of every epoch that has ended, or ends where it is moved from."""
    floors = dict(AuditSeal.objects.values_list("epoch").annotate(floor=Min("floor_id")).order_by("epoch"))
    last = last_seal()
    if last is not None and (place := place_after(last)).epoch != last.epoch:
        floors[place.epoch] = place.floor_id
    elif last is not None and (end := end_of_move()) is not None:
        floors[last.epoch + 1] = end
    return {epoch - 1: floor for epoch, floor in floors.items() if epoch - 1 in floors}


def _tables() -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(MONTHS)
        return {month for (month,) in cursor.fetchall()}


def _month(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)


def _month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _printed(moment: datetime) -> bytes:
    """As COPY prints it, so that texts compare as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00").encode()


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
