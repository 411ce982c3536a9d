"""What lies in cold storage, held to the database: exported files with their manifests, and seals."""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, timedelta
from hashlib import sha256
from typing import Any

from auditlog import cold, filed, merkle, seals
from auditlog.models import AuditAnchor, AuditExport, AuditLeaves, AuditSeal
from auditlog.queries import COLD, last_seal
from auditlog.signing import Kind
from port444.kit.clock import now

from .holding import Rows, unpacked

type Loss = tuple[AuditSeal, dict[str, Any]]


class Outside:
    """What lies outside of the seals from `first` to `last`, or to the end."""

    def __init__(self, rows: Rows, first: int, last: int | None, *, losses: Sequence[Loss], seconds: float, tell: Callable[[int, int], None]) -> None:
        self.rows, self.report, self.store = rows, rows.report, rows.store
        self.first, self.last, self.losses, self.seconds, self.tell = first, last, losses, seconds, tell
        self.given_up: list[dict[str, Any]] | None = None

    def exports(self) -> None:
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
                        leaves = unpacked(AuditLeaves.objects.filter(seal=seal).first())
                        self.rows.hold(seal, found, leaves, f" of {export.data_key}")
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
        elif seals.read_signed(Kind.MANIFEST, content) is None:
            add("manifest.signature", f"{name} in cold storage is not signed with a known key.", seal=export.first_seal)

    def anchors(self, *, each: bool) -> None:
        """The seals in cold storage, which whoever changes the database cannot change with it; `each` of them, or the last that counts."""
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
        if each:
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
                if (signed := seals.read_signed(Kind.SEAL, content)) is None or signed[1].get("seq") != seq:
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


def _hash_of(content: bytes) -> str:
    """The hash that a seal in cold storage has; nothing when it is none of ours."""
    signed = seals.read_signed(Kind.SEAL, content)
    return signed[0] if signed is not None else ""
