"""Rows held to their seals: those in the database, and those of months that have left it, from their files.

The stored leaves only serve to say which row it is, and are themselves held to the root first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Min

from auditlog import cold, filed, lines, merkle, seals
from auditlog.filed import Found
from auditlog.models import AuditLeaves, AuditMove, AuditSeal
from auditlog.queries import end_of_move, last_seal, place_after

from .findings import NAMED, SLACK, Problem, Report, printed, said

BATCH_SEALS = 1_000  # of which the times are taken up
type Leaves = list[tuple[int, bytes]]

MONTHS = """
SELECT to_date(right(relname, 6), 'YYYYMM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'audit_log'::regclass AND relname ~ '^audit_log_[0-9]{6}$'
"""


class Rows:
    """The rows of one go through the log."""

    def __init__(self, report: Report, store: cold.Store) -> None:
        self.report, self.store = report, store
        self.times = Times()
        self.ceilings = _ceilings()
        self.dropped: set[date] = set()
        self.here: set[date] = set()
        self.leaves: dict[int, AuditLeaves] = {}
        self.shelf = filed.Shelf(store)
        self.missed: set[date] = set()
        self.unusable: set[str] = set()

    def hold_to(self, batch: Sequence[AuditSeal]) -> None:
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
            leaves = unpacked(self.leaves.get(seal.seq))
            if gone := self._months_gone(seal):
                self._hold_away(seal, found, leaves, gone)
            else:
                self.hold(seal, found, leaves)

    def _read(self, batch: Sequence[AuditSeal]) -> tuple[list[tuple[AuditSeal, Found]], list[Problem]]:
        """Read the rows of all these seals in one go and tell them apart by their places: the seals whose root they do not give,
        with what was found, and what else is wrong."""
        at, found = 0, Found()
        wrong: list[tuple[AuditSeal, Found]] = []
        problems: list[Problem] = []
        latest = [printed(seal.sealed_at + SLACK) for seal in batch]

        def settle(seal: AuditSeal) -> None:
            if len(found.ids) != seal.rows or merkle.root(found.hashes) != bytes(seal.root):
                wrong.append((seal, found))
            elif unpacked(self.leaves.get(seal.seq)) != list(zip(found.ids, found.hashes, strict=True)):
                words = f"The leaves of seal {seal.seq} were changed; its rows are as they were."
                problems.append(Problem("leaves.changed", words, seal.seq))

        for line in self._copied(*self._place(batch)):
            number, moment, counted, _ = line.split(b",", 3)
            id_, xid = int(number), int(counted)
            while (xid, id_) > (batch[at].through_xid, batch[at].through_id):
                settle(batch[at])
                at, found = at + 1, Found()
            found.ids.append(id_)
            found.hashes.append(merkle.leaf(line))
            if self.times.is_early(xid, moment):
                words = f"Row {id_} in seal {batch[at].seq} says {moment.decode()}, but was written after {self.times.why}."
                problems.append(Problem("row.backdated", words, batch[at].seq, id_))
            elif moment > latest[at]:
                words = f"Row {id_} says {moment.decode()}, but was sealed before that, in seal {batch[at].seq} of {said(batch[at].sealed_at)}."
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

    def hold(self, seal: AuditSeal, found: Found, leaves: Leaves | None, place: str = "", gone: str = "") -> None:
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
            self.hold(seal, found, leaves, gone=f" with {gone[0]:%Y-%m}, which is not in cold storage")
            return
        volume, filed_rows, _ = there
        if len(filed_rows.ids) != seal.rows or merkle.root(filed_rows.hashes) != bytes(seal.root):
            self.hold(seal, filed_rows, leaves, f" of {volume.export.data_key}")
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


class Times:
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
            self.marks.append((seal.next_xid, printed(seal.sealed_at - SLACK), f"seal {seal.seq} of {said(seal.sealed_at)}"))

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


def unpacked(row: AuditLeaves | None) -> Leaves | None:
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
