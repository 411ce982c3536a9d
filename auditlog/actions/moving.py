"""Months of the log that leave the database for cold storage, and come back for reading.

Only the owner of the tables can do this. A month leaves after every row of it was read back from cold storage, held to the seals,
and compared with the row in the database byte for byte. Each step may be the last of a process: the next run finds how far it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import batched, zip_longest
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from auditlog import files, lines, seals
from auditlog.events import Event
from auditlog.models import AuditExport, AuditMove, AuditSeal, MoveKind
from auditlog.queries import rows_of
from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.locks import alone

from .exporting import check_seals, pass_through, temporary
from .recording import record

BLOCK = 1 << 20

type Progress = Callable[[int], object]

STATE = """
SELECT CASE WHEN part IS NULL THEN 'gone' WHEN inhrelid IS NULL THEN 'detached' WHEN inhdetachpending THEN 'half detached' ELSE 'here' END
FROM (SELECT to_regclass(%s)::oid AS part) AS named LEFT JOIN pg_inherits ON inhrelid = part AND inhparent = 'audit_log'::regclass
"""
# As closed as the partitions that are made ahead. The triggers of rows come with attaching.
CLOSE = """
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {part} FOR EACH STATEMENT EXECUTE FUNCTION audit_reject();
ALTER TABLE {part} ENABLE ALWAYS TRIGGER no_truncate;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE ALL ON {part} FROM port444_app;
    GRANT SELECT ON {part} TO port444_app;
  END IF;
END $$;
"""


class Different(Conflict):
    """What lies in cold storage and what is in the database are not the same. Nothing was removed."""

    code = "different"


def drop_month(month: date, *, actor: Any | None, tell: Progress | None = None, only_check: bool = False) -> AuditMove | None:
    """Remove a month from the database once it is certain that all of it lies in cold storage; with `only_check` just make sure.

    Connected as the owner. Raises WrongState when it is too early or the month is not there, Different when one byte differs, and
    what reading raises (Changed, Damaged) when rows or files are not what was sealed. `tell` hears how many rows are done.
    """
    part = _partition(month)
    with _alone():
        _make_whole(part, month)
        _refuse_early(month)
        exports = _exports(month)
        rows = 0
        for export in exports:
            with _fetched(export, month, tell or _nobody) as file:
                rows += _compare(file, export, part)
        _refuse_more(part, rows, exports)
        if only_check:
            return None
        # Concurrently, so that writers and readers of the other months do not wait; it cannot be done inside a transaction.
        _execute(f"ALTER TABLE audit_log DETACH PARTITION {part} CONCURRENTLY")
        with transaction.atomic():
            _execute(f"LOCK TABLE {part} IN ACCESS EXCLUSIVE MODE")
            found = _count(part)
            if found == rows:
                _execute(f"DROP TABLE {part}")
                _execute(f"SELECT audit_find_forget('{month.isoformat()}')")
                return _keep(month, MoveKind.DROPPED, rows, Event.AUDIT_DROPPED, actor, exports)
        _make_whole(part, month)
        raise Different(f"{month:%Y-%m} has {found} rows, but {rows} had been compared a moment before. It stays.")


def restore_month(month: date, *, actor: Any | None, tell: Progress | None = None) -> AuditMove:
    """Bring a month back from cold storage, as closed to everybody as it was; connected as the owner.

    Raises WrongState when it is here or was not dropped, and what reading raises when the files are not what was sealed. `tell`
    hears how many rows are done.
    """
    part = _partition(month)
    with _alone(), ExitStack() as stack:
        if _state(part) != "gone":
            raise WrongState(f"{month:%Y-%m} is in the database.")
        last = AuditMove.objects.filter(month=month).order_by("-moved_at").first()
        if last is None or last.kind != MoveKind.DROPPED:
            raise WrongState(f"{month:%Y-%m} was never in the database, or left it in another way than by audit_drop.")
        exports = _exports(month)
        fetched = [(export, stack.enter_context(_fetched(export, month, tell or _nobody))) for export in exports]
        with transaction.atomic():
            # Filled while it stands alone, so that nobody waits for it.
            _execute(f"CREATE TABLE {part} (LIKE audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)")
            for _, file in fetched:
                _fill(part, file)
            rows = sum(_compare(file, export, part) for export, file in fetched)
            if (rows, _count(part)) != (last.rows, last.rows):
                raise Different(f"{month:%Y-%m} had {last.rows} rows when it was dropped, and has {rows} in cold storage.")
            _execute(CLOSE.format(part=part))
            _attach(part, month)
            _execute(f"SELECT audit_find_build('{month.isoformat()}', {seals.END})")
            move = _keep(month, MoveKind.RESTORED, rows, Event.AUDIT_RESTORED, actor, exports)
        _execute(f"ANALYZE {part}")
        return move


def _nobody(rows: int) -> None:
    pass


@contextmanager
def _alone() -> Iterator[None]:
    """Of two that move months at once, the second is refused: detaching is done outside of transactions."""
    with alone("audit_move") as is_mine:
        if not is_mine:
            raise Conflict("Somebody else drops or restores a month at this moment.")
        yield


def _partition(month: date) -> str:
    return f"audit_log_{month:%Y%m}"


def _bounds(month: date) -> tuple[datetime, datetime]:
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    return start, (start + timedelta(days=31)).replace(day=1)


def _state(part: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(STATE, [part])
        return str(cursor.fetchone()[0])


def _make_whole(part: str, month: date) -> None:
    """Take a month back that a run that was killed, or found a difference, has detached and not dropped."""
    state = _state(part)
    if state == "gone":
        raise WrongState(f"{month:%Y-%m} is not in the database.")
    if state == "half detached":
        _execute(f"ALTER TABLE audit_log DETACH PARTITION {part} FINALIZE")
    if state != "here":
        _attach(part, month)


def _attach(part: str, month: date) -> None:
    start, end = _bounds(month)
    _execute(f"ALTER TABLE audit_log ATTACH PARTITION {part} FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')")


def _refuse_early(month: date) -> None:
    start, end = _bounds(month)
    if end > now() - timedelta(days=settings.AUDIT_HOT_DAYS):
        raise WrongState(f"{month:%Y-%m} is not over for {settings.AUDIT_HOT_DAYS} days yet.")
    exported = AuditExport.objects.filter(first_seal__lte=OuterRef("seq"), last_seal__gte=OuterRef("seq"))
    waiting = AuditSeal.objects.filter(~Exists(exported), first_at__lt=end, last_at__gte=start).order_by("seq").first()
    if waiting is not None:
        raise WrongState(f"Seal {waiting.seq} has rows of {month:%Y-%m} and is not in cold storage yet: run export_audit_logs first.")


def _exports(month: date) -> list[AuditExport]:
    start, end = _bounds(month)
    return list(AuditExport.objects.filter(first_at__lt=end, last_at__gte=start).order_by("first_seal"))


@contextmanager
def _fetched(export: AuditExport, month: date, tell: Progress) -> Iterator[BinaryIO]:
    """The month's lines of an export, on this machine. The whole export was read for it, and is what was sealed."""
    taken = list(AuditSeal.objects.filter(seq__gte=export.first_seal, seq__lte=export.last_seal).order_by("seq"))
    check_seals(taken)
    wanted = f"{month:%Y-%m}-".encode()
    with temporary() as file:

        def keep(piece: list[memoryview], _: bytes) -> None:
            file.writelines(line for line in map(bytes, piece) if line.split(b",", 2)[1].startswith(wanted))

        ended = (memoryview(line + b"\n") for line in files.read_lines(export))
        pass_through(map(list, batched(ended, 500)), taken, keep, tell)
        yield file


def _compare(file: BinaryIO, export: AuditExport, part: str) -> int:
    """Compare the lines in `file` with the rows that the export covers in the month's table; how many they are."""
    ends = AuditSeal.objects.in_bulk([export.first_seal, export.last_seal])
    where, params = rows_of(ends[export.first_seal], ends[export.last_seal])
    rows = 0
    file.seek(0)
    with transaction.atomic():
        here = lines.copy_lines(where, params, table=part)
        for stored, row in zip_longest(lines.split(_blocks(file)), here):
            if stored != row:
                here.close()
                raise Different(_what_differs(stored, row, export))
            rows += 1
    return rows


def _what_differs(stored: bytes | None, row: bytes | None, export: AuditExport) -> str:
    if row is None or (stored is not None and lines.place_of(stored) < lines.place_of(row)):
        return f"Row {lines.id_of(stored or b'')} lies in {export.data_key} and is not in the database."
    if stored is None or lines.place_of(stored) != lines.place_of(row):
        return f"Row {lines.id_of(row)} is in the database and not in {export.data_key}."
    return f"Row {lines.id_of(row)} is another in the database than in {export.data_key}."


def _refuse_more(part: str, rows: int, exports: Sequence[AuditExport]) -> None:
    """Rows of the month that no export covers were put there past the sealer."""
    found = _count(part)
    if found == rows:
        return
    covered, params = [], list[int]()
    for export in exports:
        ends = AuditSeal.objects.in_bulk([export.first_seal, export.last_seal])
        where, values = rows_of(ends[export.first_seal], ends[export.last_seal])
        covered.append(f"NOT ({where})")
        params += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) FROM {part} WHERE {' AND '.join(covered) or 'true'}", params)  # noqa: S608 - written here
        (first,) = cursor.fetchone()
    raise Different(f"{found - rows} rows of {part} are not in cold storage, the first of them row {first}.")


def _fill(part: str, file: BinaryIO) -> None:
    file.seek(0)
    with connection.cursor() as cursor, cursor.copy(f"COPY {part} ({', '.join(lines.COLUMNS)}) FROM STDIN (FORMAT csv)") as copy:
        for block in _blocks(file):
            copy.write(block)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(BLOCK), b"")


def _count(part: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {part}")  # noqa: S608 - written here
        return int(cursor.fetchone()[0])


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _keep(month: date, kind: MoveKind, rows: int, event: Event, actor: Any | None, exports: Sequence[AuditExport]) -> AuditMove:
    move = AuditMove.objects.create(month=month, kind=kind, rows=rows, moved_at=now())
    record(event, actor=actor, target=move, month=f"{month:%Y-%m}", rows=rows, manifests=[export.manifest_key for export in exports])
    return move
