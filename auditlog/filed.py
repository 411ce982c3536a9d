"""Reading what was exported: the rows of seals in the files of cold storage, held to nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import files, lines, merkle
from .cold import Missing, Store
from .models import AuditExport, AuditSeal


class Unusable(Exception):
    """A file of cold storage is missing or does not unpack; the message says which."""


class Unreachable(Unusable):
    """Cold storage does not answer, which says nothing about what lies there."""


@dataclass(slots=True)
class Found:
    """The rows in a seal's place, in their order."""

    ids: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    moments: list[bytes] = field(default_factory=list)


class Volume:
    """One exported file, read once from its beginning, seal by seal."""

    def __init__(self, export: AuditExport, place: Store | None = None) -> None:
        self.export = export
        self.place = place if place is not None else files.place_of(export)
        self.problem = ""  # what is wrong with the file as a whole, known at its end

    def seals(self) -> Iterator[tuple[AuditSeal, Found, list[bytes]]]:
        """Every seal of the file with what lies in its place, and those lines. Raises Unusable."""
        export = self.export
        covered = AuditSeal.objects.filter(seq__range=(export.first_seal, export.last_seal)).order_by("seq").defer("body", "signature")
        source = self._lines()
        if next(source, b"") != lines.HEADER:
            raise Unusable(f"{export.data_key} does not begin with the columns of the log")
        line = next(source, None)
        following = covered.iterator(chunk_size=500)
        seal = next(following, None)
        while seal is not None:
            after = next(following, None)
            found, held = Found(), list[bytes]()
            while line is not None and (after is None or _is_before(line, seal, after)):
                found.ids.append(lines.id_of(line))
                found.hashes.append(merkle.leaf(line))
                found.moments.append(line.split(b",", 2)[1])
                held.append(line)
                line = next(source, None)
            yield seal, found, held
            seal = after

    def _lines(self) -> Iterator[bytes]:
        name = self.export.data_key
        try:
            with self.place.open(name) as file:
                text = files.Unpacked(file)
                yield from lines.split(text)
        except Missing:
            raise Unusable(f"{name} is gone from cold storage") from None
        except files.NotGzip as error:
            raise Unusable(f"{name} in cold storage does not unpack: {error}") from error
        except ValueError as error:
            raise Unusable(f"{name} in cold storage is cut off: {error}") from error
        except Exception as error:
            raise Unreachable(f"{name} cannot be read: {error}") from error
        if any(getattr(self.export, fact) != found for fact, found in text.facts().items()):
            self.problem = f"{name} is not the file that was exported"


class Shelf:
    """The exported files as they are asked for by seals in their order: each is opened once."""

    def __init__(self, place: Store | None = None) -> None:
        self.place = place
        self.volume: Volume | None = None
        self.reading: Iterator[tuple[AuditSeal, Found, list[bytes]]] = iter(())
        self.failed: Unusable | None = None

    def find(self, seal: AuditSeal) -> tuple[Volume, Found, list[bytes]] | None:
        """What lies in the place of a seal in its file; None when it was not exported. Raises Unusable."""
        volume = self.volume
        if volume is None or not volume.export.first_seal <= seal.seq <= volume.export.last_seal:
            export = AuditExport.objects.filter(first_seal__lte=seal.seq, last_seal__gte=seal.seq).first()
            if export is None:
                return None
            volume = self.volume = Volume(export, self.place)
            self.reading, self.failed = volume.seals(), None
        if self.failed is not None:
            raise self.failed
        try:
            for other, found, held in self.reading:
                if other.seq == seal.seq:
                    return volume, found, held
        except Unusable as error:
            self.failed = error
            raise
        raise Unusable(f"{volume.export.data_key} says nothing of seal {seal.seq}")


def _is_before(line: bytes, seal: AuditSeal, after: AuditSeal) -> bool:
    """Whether a line stands in the place of `seal` rather than in that of the one after it."""
    printed, _, counted, _ = line.split(b",", 3)
    if after.epoch != seal.epoch:
        return int(printed) <= after.floor_id
    return (int(counted), int(printed)) <= (seal.through_xid, seal.through_id)
