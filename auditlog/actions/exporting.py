"""Into cold storage: the rows of whole seals, checked against the seals on the way, and copies of rows for somebody.

An export goes through these steps, and a process may die between any two of them: rows into a file of its own on this machine,
the file into cold storage under a name made of its content, that read back, its manifest under a name made of the seals, a row
in the ledger of exports. The next run finds a manifest that the ledger does not know and goes on from there; a file without a
manifest counts for nothing and is written again under the same name.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Buffer, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import batched, chain, islice
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from isal import isal_zlib

from auditlog import cold, files, lines, merkle, seals, signing
from auditlog.events import Event
from auditlog.files import Damaged, Manifest
from auditlog.models import AuditExport, AuditSeal, IncidentSeverity, IncidentType
from auditlog.queries import rows_of
from auditlog.roots import Roots
from auditlog.signing import Kind
from port444.kit.clock import now
from port444.kit.locks import alone

from .incidents import TAMPERING, Finding, Reason, open_incident
from .recording import record

FILE_ROWS = 1_000_000  # in a file, about; no seal is cut
FILE_SEALS = 1_440  # a day of them
LEVEL = 1  # of gzip: more takes more time than it saves room
BLOCK = 1 << 20
DIFFER = "its rows differ from what was sealed"

type Progress = Callable[[int], object]


class Changed(Exception):
    """Rows are not what their seal says. Nothing of theirs is exported."""

    def __init__(self, seal: AuditSeal, what: str) -> None:
        super().__init__(f"seal {seal.seq}: {what}")
        self.seal, self.what = seal, what


def export_rows(*, progress: Progress | None = None, seconds: float | None = None) -> list[AuditExport]:
    """Put all rows whose seals are older than AUDIT_HOT_DAYS into cold storage; what was added to the ledger of exports.

    Of two at once one does it. After `seconds` no further file is begun. Raises Changed or Damaged, after opening an incident,
    when rows or files are not as they were sealed or written. `progress` is told how many rows are done, bit by bit.
    """
    made: list[AuditExport] = []
    ends = time.monotonic() + seconds if seconds is not None else None
    with alone("audit_export") as is_mine:
        while is_mine and (ends is None or time.monotonic() < ends):
            try:
                export = _export_next(progress or _nothing)
            except (Changed, Damaged) as error:
                open_incident(
                    Finding(
                        f"audit.export:{error}"[:200],
                        IncidentType.SUSPICIOUS_ACTIVITY,
                        IncidentSeverity.CRITICAL,
                        100,
                        f"The audit log was not exported any further: {error}",
                        pattern="export_refused",
                        reasons=[Reason(100, "Rows or files are not as they were sealed or written", str(error)[:200])],
                        detector=TAMPERING,
                    )
                )
                raise
            if export is None:
                break
            made.append(export)
    return made


def rows_to_export() -> int:
    """How many rows the next run would export."""
    return int(_due(AuditExport.objects.order_by("-last_seal").first()).aggregate(rows=Sum("rows"))["rows"] or 0)


def _nothing(rows: int) -> None:
    pass


def _export_next(progress: Progress) -> AuditExport | None:
    last = AuditExport.objects.order_by("-last_seal").first()
    if last is not None:
        files.manifest_of(last)  # or it is none of ours, and what it claims to be exported is not
    store = cold.store()
    following = AuditSeal.objects.filter(seq__gt=last.last_seal if last else 0).order_by("seq").first()
    if following is None:
        return None
    begun = next(store.names(files.prefix(following.seq)), None)
    if begun is not None:
        return _finish(store, begun, last, progress)
    taken = _fitting(_due(last)[:FILE_SEALS])
    if not taken:
        return None
    check_seals(taken)
    with temporary() as file:
        packed = _pack(file, taken, progress)
        day = taken[0].first_at or taken[0].sealed_at
        key = f"rows/{day:%Y/%m}/{taken[0].seq:012d}-{taken[-1].seq:012d}-{packed['data_sha256'][:16]}.csv.gz"
        file.seek(0)
        store.put(key, file)
    files.check_stored(store, key, packed["data_bytes"], packed["data_sha256"])
    manifest = files.sign(
        "export",
        format="csv",
        compression="gzip",
        data_key=key,
        **packed,
        **_span(taken),
        first_seal=taken[0].seq,
        last_seal=taken[-1].seq,
        epoch=taken[0].epoch,
        from_xid=taken[0].from_xid,
        through_xid=taken[-1].through_xid,
        seals=[files.sealed(seal) for seal in taken],
        previous=last.manifest_sha256 if last else "",
        made_at=seals.moment(now()),
    )
    name = files.manifest_key(taken[0].seq, taken[-1].seq)
    try:
        store.put(name, files.as_file(manifest))
    except cold.Exists:  # somebody else was faster; theirs counts if it is right
        return _finish(store, name, last, progress)
    return _enter(store, manifest, name)


def _due(last: AuditExport | None) -> QuerySet[AuditSeal]:
    """The seals after the last exported one, as far as all are old enough."""
    limit = now() - timedelta(days=settings.AUDIT_HOT_DAYS)
    following = AuditSeal.objects.filter(seq__gt=last.last_seal if last else 0).order_by("seq")
    young = following.alias(age=Coalesce("last_at", "sealed_at")).filter(age__gte=limit).values_list("seq", flat=True).first()
    return following if young is None else following.filter(seq__lt=young)


def _fitting(due: Iterable[AuditSeal]) -> list[AuditSeal]:
    """The first of them, as many as go into one file: of one epoch, and without a gap in their numbers."""
    taken: list[AuditSeal] = []
    rows = 0
    for seal in due:
        rows += seal.rows
        follows = not taken or (seal.epoch == taken[-1].epoch and seal.seq == taken[-1].seq + 1)
        if taken and (rows > FILE_ROWS or not follows):
            break
        taken.append(seal)
    return taken


def check_seals(taken: Sequence[AuditSeal]) -> None:
    """Raise Changed for the first that is not what was signed, or does not follow the one before."""
    before = AuditSeal.objects.filter(seq__lt=taken[0].seq).order_by("-seq").first()
    for seal in taken:
        if not signing.is_signed(Kind.SEAL, seal.body.encode(), seal.key_id, bytes(seal.signature)) or seals.hash_of(seal.body) != bytes(seal.hash):
            raise Changed(seal, "its signature is wrong")
        facts = json.loads(seal.body)
        if any(facts.get(name) != value for name, value in seals.statement(seal).items()):
            raise Changed(seal, "its columns say otherwise than what was signed")
        follows = seal.seq == (before.seq if before else 0) + 1 and bytes(seal.prev_hash) == (bytes(before.hash) if before else seals.FIRST)
        if not follows and "lost" not in facts:
            raise Changed(seal, "it does not follow the seal before")
        before = seal


def _pack(file: BinaryIO, taken: Sequence[AuditSeal], progress: Progress) -> dict[str, Any]:
    """Write the lines of these seals into `file`, comparing them with the roots; how big that is and its hashes."""
    where, params = rows_of(taken[0], taken[-1])
    try:
        return _packed(file, where, params, taken, progress)
    except Changed as error:
        raise (_named(error) if error.what == DIFFER else error) from None


def _packed(file: BinaryIO, where: str, params: list[int], taken: Sequence[AuditSeal], progress: Progress) -> dict[str, Any]:
    with Packer(file) as packer, transaction.atomic():
        packer.write(lines.HEADER + b"\n")
        pieces = lines.copy_pieces(where, params)
        with contextlib.closing(pieces):  # which ends the COPY when a row is wrong
            pass_through(pieces, taken, lambda _, text: packer.write(text), progress)
    return packer.written()


def pass_through(
    pieces: Iterator[list[memoryview]], taken: Sequence[AuditSeal], write: Callable[[list[memoryview], bytes], None], progress: Progress
) -> None:
    """Hand all lines on to `write`, with the text that they make up; raise Changed for the first seal whose root is another."""
    rest: list[memoryview] = []
    with Roots() as roots:
        for seal in taken:
            missing = seal.rows
            while missing > 0:
                piece = rest or next(pieces, [])
                if not piece:
                    raise Changed(seal, f"{missing} of its {seal.rows} rows are missing")
                piece, rest = piece[:missing], piece[missing:]
                text = b"".join(piece)
                roots.add(piece, text)
                missing -= len(piece)
                write(piece, text)
                progress(len(piece))
            roots.end()
        for seal, root in zip(taken, roots.result(), strict=True):
            if root != bytes(seal.root):
                raise Changed(seal, DIFFER)
    for line in chain(rest, *pieces):
        raise Changed(taken[-1], f"row {lines.id_of(bytes(line))} was added")


def _named(error: Changed) -> Changed:
    """The same, with the first row that is not as it was sealed, as far as the leaves that were kept tell."""
    kept = bytes(error.seal.leaves.leaves)
    where, params = rows_of(error.seal, error.seal)
    with transaction.atomic(), contextlib.closing(lines.copy_lines(where, params)) as found:
        for index, line in enumerate(islice(found, error.seal.rows)):
            if kept[40 * index + 8 : 40 * index + 40] != merkle.leaf(line):
                row = int.from_bytes(kept[40 * index : 40 * index + 8], "big")
                return Changed(error.seal, f"{DIFFER}, first in row {row}")
    return error


def _finish(store: cold.Store, name: str, last: AuditExport | None, progress: Progress) -> AuditExport:
    """Enter an export whose manifest lies there already, after checking all of it against the seals of the database."""
    manifest = files.read_manifest(store, name)
    body = manifest.body
    taken = list(AuditSeal.objects.filter(seq__gte=body["first_seal"], seq__lte=body["last_seal"]).order_by("seq"))
    if body["kind"] != "export" or name != files.manifest_key(body["first_seal"], body["last_seal"]) or not files.covers(manifest, taken):
        raise Damaged(name, "names other seals than the database has")
    if body["previous"] != (last.manifest_sha256 if last else ""):
        raise Damaged(name, "does not follow the manifest before")
    check_seals(taken)
    ended = (memoryview(line + b"\n") for line in files.read_data(store, manifest))
    pass_through(map(list, batched(ended, 500)), taken, lambda _, text: None, progress)
    return _enter(store, manifest, name)


def _span(taken: Sequence[AuditSeal]) -> dict[str, Any]:
    full = [seal for seal in taken if seal.rows]
    return {
        "rows": sum(seal.rows for seal in full),
        "first_id": min((seal.first_id for seal in full if seal.first_id is not None), default=None),
        "last_id": max((seal.last_id for seal in full if seal.last_id is not None), default=None),
        "first_at": seals.moment(min((seal.first_at for seal in full if seal.first_at is not None), default=None)),
        "last_at": seals.moment(max((seal.last_at for seal in full if seal.last_at is not None), default=None)),
    }


@transaction.atomic
def _enter(store: cold.Store, manifest: Manifest, name: str) -> AuditExport:
    """Add the export to the ledger."""
    body = manifest.body
    moments = {key: datetime.fromisoformat(body[key]) if body[key] else None for key in ("first_at", "last_at")}
    columns = ("first_seal", "last_seal", "from_xid", "through_xid", "first_id", "last_id", "rows")
    written = ("data_key", "data_bytes", "data_sha256", "lines_sha256")
    export = AuditExport.objects.create(
        **{column: body[column] for column in (*columns, *written)},
        **moments,
        store=store.url,
        manifest_key=name,
        manifest_sha256=manifest.sha256,
        exported_at=now(),
    )
    record(Event.AUDIT_ARCHIVED, actor=None, target=export, seals=[export.first_seal, export.last_seal], rows=export.rows, manifest=name)
    return export


@contextlib.contextmanager
def temporary() -> Iterator[BinaryIO]:
    """A file that has no name, so that it is gone with the process."""
    folder = settings.VAR_DIR / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield cast(BinaryIO, file)


class Packer:
    """Compresses what is written, and hashes it before and after. In another thread: compressing and hashing big blocks needs
    no lock of the interpreter, so that meanwhile the next rows are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.plain, self.packed, self.size = sha256(), sha256(), 0
        self._file = file
        self._gzip = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, files.GZIP)
        self._thread = ThreadPoolExecutor(1, "packer")
        self._running: Future[None] | None = None
        self._waiting: list[bytes] = []
        self._room = BLOCK

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._hand_over()
                self._hand_over()
                self._keep(self._gzip.flush())
        finally:
            self._thread.shutdown()

    def written(self) -> dict[str, Any]:
        """What a manifest says of the file, once it is finished."""
        return {"data_bytes": self.size, "data_sha256": self.packed.hexdigest(), "lines_sha256": self.plain.hexdigest()}

    def write_lines(self, some: Iterable[Buffer]) -> None:
        """Lines with their ends."""
        self.write(b"".join(some))

    def write(self, text: bytes) -> None:
        self._waiting.append(text)
        self._room -= len(text)
        if self._room <= 0:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the thread what waits, once it is through with what it got before."""
        if self._running is not None:
            self._running.result()
        self._running = self._thread.submit(self._work, b"".join(self._waiting))
        self._waiting, self._room = [], BLOCK

    def _work(self, block: bytes) -> None:
        self.plain.update(block)
        self._keep(self._gzip.compress(block))

    def _keep(self, packed: bytes) -> None:
        self.packed.update(packed)
        self.size += len(packed)
        self._file.write(packed)
