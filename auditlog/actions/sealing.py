"""Sealing: what was committed is put under a signed seal, and the seal is put where the database's administrators cannot reach.

Writers know nothing of it. A transaction can commit after later ones did, so rows are taken below the horizon only: the oldest
transaction that still runs. Everything below it has ended, and nothing can appear there any more.
"""

from __future__ import annotations

import contextvars
import io
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from auditlog import cold, lines, merkle, seals, signing
from auditlog.events import Event
from auditlog.models import AuditAnchor, AuditLeaves, AuditSeal, IncidentLog, IncidentSeverity, IncidentType
from auditlog.queries import COLD, HEARTBEAT, highest_foreign_id, highest_sealed_id, last_anchored, last_seal, place_after, system_of
from auditlog.signing import Kind
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.jobs import in_time

from .incidents import TAMPERING, Finding, Reason, open_incident
from .recording import record

log = logging.getLogger(__name__)

SECONDS = 20.0  # for one run; the next goes on
ANCHOR_SECONDS = 10.0  # of a run for anchoring, and PATIENCE more: with sealing it stays below settings.Q_TIMEOUT
PATIENCE = 10.0  # seconds, with cold storage that does not answer
LOCK = 0x7365616C  # the number of the lock by which sealers of one database know of each other

UNSEALED = "(xid, id) > (%s, %s) AND id > %s"
NOW = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, clock_timestamp(), system_identifier::text FROM pg_control_system()"
# All ids above one that was just taken belong to transactions that begin to write later.
OWN_XID = "SELECT pg_current_xact_id()::text::bigint"


class Behind(Conflict):
    """Seals lie outside that the database does not know: it was rolled back, or its seals were removed. Nothing is sealed until
    somebody has looked at that and acknowledged it."""

    code = "behind"

    def __init__(self, last: int, name: str) -> None:
        super().__init__(f"The database ends at seal {last}, but {name} lies in cold storage: seals and their rows are gone from the database.")


class Forged(Conflict):
    """Who serves may add seals, and cannot sign them: one is not ours. Nothing is built on it, and it is sent nowhere."""

    code = "forged"

    def __init__(self, seq: int) -> None:
        super().__init__(
            f"Seal {seq} does not say what its columns say, or is not signed with a known key: somebody else has written it, or the public half"
            " of an earlier key is missing in AUDIT_PUBLIC_KEYS."
        )


class Unreachable(Exception):
    """Cold storage does not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Seals that lie in cold storage and not in the database, which goes on after them."""

    first: int
    last: int
    hash: bytes  # of the last


def seal_rows(*, seconds: float = SECONDS) -> list[AuditSeal]:
    """Seal what is committed and below the horizon; the seals that were made. Of two at once one does it.

    Raises Behind when cold storage knows of later seals than the database, and Forged when the last seal is none. When cold storage
    cannot be reached, sealing goes on.
    """
    refuse_if_behind()
    made: list[AuditSeal] = []
    ends = time.monotonic() + seconds
    while (seal := _seal_next()) is not None:
        made.append(seal)
        if (seal.rows < settings.AUDIT_SEAL_ROWS and seal.through_xid != seals.END) or time.monotonic() >= ends:
            break
    return made


def acknowledge_loss(*, actor: Any | None, reason: str) -> AuditSeal:
    """Go on sealing although cold storage knows of seals that the database has lost: the next seal follows the last one that lies
    there, and says which are gone and why. Raises Conflict when nothing is lost."""
    loss = find_loss()
    if loss is None:
        raise Conflict("Nothing is lost: cold storage knows of no seal that is not in the database.")
    seal = _seal_next(loss, actor, reason)
    if seal is None:
        raise Conflict("The log is being sealed at this moment; try again.")
    return seal


def find_loss() -> Loss | None:
    """Which seals of cold storage the database does not know; reads all names there."""
    store = cold.store()
    lying = dict(seals.anchors(store))
    last = max(lying, default=0)
    known = {seal.seq: bytes(seal.hash) for seal in AuditSeal.objects.filter(seq__in=lying).only("seq", "hash").iterator()}
    if not lying or known.get(last) == _hash(store, lying[last]):
        return None
    both = (seq for seq in sorted(lying, reverse=True) if seq in known)
    first = next((seq for seq in both if known[seq] == _hash(store, lying[seq])), 0) + 1
    return Loss(first, last, _hash(store, lying[last]))


def _hash(store: cold.Store, name: str) -> bytes:
    """The hash of a seal that lies in cold storage; Conflict when it is not what was signed."""
    with store.open(name) as file:
        signed = seals.read_signed(Kind.SEAL, file.read())
    if signed is None:
        raise Conflict(f"{name} in cold storage is not signed with a known key.")
    return bytes.fromhex(signed[0])


def _seal_next(loss: Loss | None = None, actor: Any | None = None, reason: str = "") -> AuditSeal | None:
    """One seal in one transaction; None when there is nothing to seal, or somebody else is at it."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return None
        last = last_seal()
        if last is not None and not seals.is_genuine(last):
            raise Forged(last.seq)
        # The horizon first and the rows after it: whatever ended below it is in every later snapshot.
        cursor.execute(NOW)
        horizon, moment, system = cursor.fetchone()
        place = place_after(last)
        foreign = 0
        if last is None:  # a log that was moved before it was ever sealed was counted in a cluster that nobody knows
            foreign = highest_foreign_id()
            counted_in = "" if foreign else system
        else:
            counted_in = system if last.through_xid == seals.END else system_of(last)
        seal = AuditSeal(
            seq=1 if last is None else last.seq + 1,
            epoch=place.epoch,
            floor_id=place.floor_id,
            from_xid=place.xid,
            from_id=place.id,
            prev_hash=seals.FIRST if last is None else last.hash,
            sealed_at=moment,
        )
        more: dict[str, Any] = {}
        if counted_in == system:
            leaves = _take(seal, "xid < %s", horizon, limit=settings.AUDIT_SEAL_ROWS)
            if seal.rows < settings.AUDIT_SEAL_ROWS:
                seal.through_xid, seal.through_id = horizon - 1, seals.END
        else:
            # The database was moved: here transactions are counted anew. What came along unsealed is the last of its epoch.
            ceiling = max(highest_sealed_id(), foreign or highest_foreign_id())
            leaves = _take(seal, "id <= %s", ceiling, limit=settings.AUDIT_SEAL_ROWS)
            if seal.rows < settings.AUDIT_SEAL_ROWS:
                seal.through_xid, seal.through_id = seals.END, seals.END
        if loss is not None:
            seal.seq, seal.prev_hash = loss.last + 1, loss.hash
            here = None if last is None else {"seq": last.seq, "hash": bytes(last.hash).hex()}
            more["lost"] = {"first": loss.first, "last": loss.last, "after": here, "reason": reason}
            event = Event.AUDIT_LOSS_ACKNOWLEDGED
            record(event, actor=actor, target=seal, description=reason, seal=seal.seq, first_lost=loss.first, last_lost=loss.last)
        elif not seal.rows and counted_in == system and last is not None and moment - last.sealed_at < HEARTBEAT:
            return None
        cursor.execute(OWN_XID)
        seal.next_xid = cursor.fetchone()[0] + 1
        if counted_in != system and seal.through_xid != seals.END:
            seal.next_xid = seals.END  # how far the other cluster had counted is not known here
        _sign(seal, system=counted_in, **more)
        seal.save(force_insert=True)
        AuditLeaves.objects.create(seal=seal, leaves=leaves)
        return seal


def _take(seal: AuditSeal, below: str, bound: int, *, limit: int) -> bytes:
    """Read the rows from where the seal begins, fill in what it says of them, and give the leaves."""
    ids: list[int] = []
    hashes: list[bytes] = []
    leaves = bytearray()
    first = last = xid = b""
    start = [seal.from_xid, seal.from_id, seal.floor_id, bound]
    for line in lines.copy_lines(f"{UNSEALED} AND {below}", start, limit=limit):
        id_, at, xid, _ = line.split(b",", 3)
        ids.append(int(id_))
        hashes.append(merkle.leaf(line))
        leaves += ids[-1].to_bytes(8, "big") + hashes[-1]
        # As they are printed, moments of four-digit years sort as texts.
        first, last = (min(first, at), max(last, at)) if first else (at, at)
    seal.rows, seal.root = len(ids), merkle.root(hashes)
    seal.first_id, seal.last_id = (min(ids), max(ids)) if ids else (None, None)
    seal.first_at, seal.last_at = (_moment(first), _moment(last)) if ids else (None, None)
    if ids:
        seal.through_xid, seal.through_id = int(xid), ids[-1]
    return bytes(leaves)


def _moment(printed: bytes) -> datetime:
    return datetime.fromisoformat(printed.decode())


def _sign(seal: AuditSeal, *, system: str, **more: Any) -> None:
    seal.key_id = signing.key_in_use()
    seal.body = seals.body(seal, system=system, **more)
    seal.hash = seals.hash_of(seal.body)
    seal.signature = signing.sign(Kind.SEAL, seal.body.encode())[1]


def refuse_if_behind() -> None:
    """Raise Behind when a seal after the database's last lies in cold storage. While that cannot be reached it says nothing, and
    `anchoring_is_late` does."""
    last = last_seal()
    name = _asked(last)
    while name is not None and (newest := last_seal()) != last:  # another sealer has made it meanwhile
        last, name = newest, _asked(newest)
    if name is not None:
        raise Behind(last.seq if last else 0, name)


def _asked(last: AuditSeal | None) -> str | None:
    """The name of a seal after `last` in cold storage; nothing when there is no answer."""
    try:
        return _in_patience(lambda: _taken(cold.store(), last, last.seq + 1 if last else 1))
    except Unreachable as error:
        log.warning("Cold storage cannot be asked for later seals: %s", error)
        return None


def _in_patience[T](ask: Callable[[], T]) -> T:
    """What comes of talking with cold storage; raises Unreachable. A connection can hang for longer than a job may take, whatever the
    library of the store is told of time, so it is waited for in another thread, which reads nothing of the database."""
    answers: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def work() -> None:
        try:
            answer = ask()
            answers.put(lambda: answer)
        except Exception as error:  # noqa: BLE001 - whatever the library of the store raises
            answers.put(partial(_fail, error))

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
    try:
        answered = answers.get(timeout=PATIENCE)
    except Empty:
        raise Unreachable(f"no answer in {PATIENCE:g} s") from None
    return answered()


def _fail(error: Exception) -> Any:
    if isinstance(error, Behind):
        raise error
    raise Unreachable(f"{type(error).__name__}: {error}") from error


def anchor_seals(*, seconds: float = SECONDS) -> int:
    """Put the seals that are not there yet into cold storage, in their order; how many. Two at once do the same and no harm.

    Ends within `seconds` and PATIENCE. Raises Behind when another seal lies in a seal's place, Forged for one that is none, and
    Unreachable; what was put until then stays put.
    """
    ends = time.monotonic() + seconds
    store, done = _in_patience(cold.store), 0
    after = _last_lying(store)
    previous = AuditSeal.objects.filter(seq=after).first()
    waiting = AuditSeal.objects.filter(seq__gt=after).order_by("seq")
    given_up = [json.loads(body)["lost"] for body in waiting.filter(body__contains='"lost":').values_list("body", flat=True)]
    for seal in in_time(waiting.iterator(chunk_size=100), ends - time.monotonic()):
        if not seals.is_genuine(seal):
            raise Forged(seal.seq)
        # Where a loss was acknowledged, other seals lie in the places of these for good.
        if not any(lost["first"] <= seal.seq <= lost["last"] for lost in given_up):
            name = _in_patience(partial(_put, store, previous, seal))
            AuditAnchor.objects.bulk_create([AuditAnchor(seal=seal, place=COLD, reference=name)], ignore_conflicts=True)
            done += 1
        previous = seal
    return done


def _put(store: cold.Store, previous: AuditSeal | None, seal: AuditSeal) -> str:
    """Put a seal into its place, unless another one lies there or under its number; under which name."""
    name = seals.anchor_name(seal.seq, seal.sealed_at.astimezone(UTC).date())
    if (other := _taken(store, previous, seal.seq, name)) is not None:
        raise Behind(seal.seq, other)
    try:
        store.put(name, io.BytesIO(seals.anchor_content(seal)))
    except cold.Exists:
        raise Behind(seal.seq, name) from None
    return name


def _last_lying(store: cold.Store) -> int:
    """The number of the last seal that lies in cold storage, among those that the database says to lie there.

    Who serves may add anchors, so of the last one cold storage is asked. When it is not there, the one to go on behind is looked
    for in growing steps: seals are put there in their order.
    """
    marked = last_anchored()

    def lies(seal: AuditSeal | None) -> bool:
        if seal is None:
            return True
        return _in_patience(partial(_lies_in, store, seals.anchor_name(seal.seq, seal.sealed_at.astimezone(UTC).date())))

    before = AuditSeal.objects.filter(seq__lte=marked).order_by("-seq")
    if marked == 0 or lies(before.first()):
        return marked
    open_incident(
        Finding(
            "audit-log:anchor",
            IncidentType.SUSPICIOUS_ACTIVITY,
            IncidentSeverity.CRITICAL,
            100,
            f"The database says that seal {marked} lies in cold storage, and it does not: somebody else has written that, or it was removed there."
            " What is missing there is put there.",
            pattern="anchor_missing",
            reasons=[Reason(100, "A seal lies in cold storage for good once it is there, and this one does not", f"seal {marked}")],
            evidence={"seal": marked},
            detector=TAMPERING,
        )
    )
    missing, step = 0, 1  # seals before the last: how many are known to be missing, and how many more are skipped
    while not lies(before[missing + step : missing + step + 1].first()):
        missing, step = missing + step, step * 2
    there = missing + step
    while there - missing > 1:
        middle = (missing + there) // 2
        missing, there = (missing, middle) if lies(before[middle : middle + 1].first()) else (middle, there)
    seal = before[there : there + 1].first()
    return seal.seq if seal is not None else 0


def report_refusal(refusal: Behind | Forged) -> IncidentLog:
    """Have people look at why nothing is sealed."""
    how = " Acknowledge it with manage.py audit_new_epoch." if isinstance(refusal, Behind) else ""
    return open_incident(
        Finding(
            f"audit-log:{refusal.code}",
            IncidentType.SUSPICIOUS_ACTIVITY,
            IncidentSeverity.CRITICAL,
            100,
            f"{refusal.message} Nothing is sealed until somebody has seen to it.{how}",
            pattern="sealing_refused",
            reasons=[Reason(100, "The seals of the log do not follow on each other as they were made", refusal.code)],
            evidence={"code": refusal.code},
            detector=TAMPERING,
        )
    )


def _taken(store: cold.Store, previous: AuditSeal | None, seq: int, own: str = "") -> str | None:
    """The name, other than `own`, under which the seal `seq`, the one after `previous`, lies in cold storage."""
    if previous is None:
        return next((name for number, name in seals.anchors(store) if number >= seq and name != own), None)
    day, today = previous.sealed_at.astimezone(UTC).date(), now().date()
    while day <= today:
        name = seals.anchor_name(seq, day)
        if name != own and _lies_in(store, name):
            return name
        day += timedelta(days=1)
    return None


def _lies_in(store: cold.Store, name: str) -> bool:
    try:
        store.size(name)
    except cold.Missing:
        return False
    return True
