"""Background work on django-q2 with the database as its queue.

A task row is written in the caller's transaction: invisible before commit, gone on rollback. Arguments are ids, never objects.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule
from django_q.tasks import async_task

from . import context, pulses, readonly
from .clock import now
from .errors import Conflict
from .ids import uuid7
from .metrics import Reading

log = logging.getLogger(__name__)
job_log = logging.getLogger("port444.job")

HEARTBEAT = "port444.kit.jobs.heartbeat"
# The row of a job that somebody has taken is locked until it may be given to another.
WAITING = """
SELECT count(*) FILTER (WHERE lock <= moment), count(*) FILTER (WHERE lock > moment),
  coalesce(extract(epoch FROM min(moment) - min(lock) FILTER (WHERE lock <= moment)), 0)::float
FROM django_q_ormq, LATERAL (SELECT clock_timestamp()) AS clock(moment)
"""
_begun: list[float] = []  # when the job that this worker does was begun; the queue knows only when it was put there
SWEEP_SECONDS = 40.0  # for one run of a sweep; well below settings.Q_TIMEOUT


def enqueue(path: str, *ids: UUID | str | int, seconds: int | None = None) -> None:
    """Queue the function at dotted `path` with `ids`, inside the running transaction.

    `seconds` is how long it may take, where that is longer than settings.Q_TIMEOUT. The queue gives a job that takes longer than
    its `retry` to another worker as well, so it has to see for itself that it is at work already, and return.
    """
    readonly.refuse("a task")
    more = {} if seconds is None else {"timeout": seconds}
    async_task(path, *(str(i) if isinstance(i, UUID) else i for i in ids), task_name=path.rpartition(".")[2], **more)


class _Collected:
    """Takes what `async_task` packs in the place of the queue, so that many tasks go in at once."""

    list_key = Conf.CLUSTER_NAME

    def __init__(self) -> None:
        self.packs: list[str] = []

    def enqueue(self, pack: str) -> int:
        self.packs.append(pack)
        return len(self.packs)


def enqueue_many(path: str, ids: Iterable[UUID | str | int]) -> None:
    """Queue the function at dotted `path` once for each of `ids`, in one statement, inside the running transaction."""
    readonly.refuse("a task")
    collected = _Collected()
    for one in ids:
        async_task(path, str(one) if isinstance(one, UUID) else one, task_name=path.rpartition(".")[2], broker=collected)
    moment = now()
    OrmQ.objects.bulk_create(OrmQ(key=collected.list_key, payload=pack, lock=moment) for pack in collected.packs)


def each(action: Callable[[Any], object], ids: Iterable[Any]) -> int:
    """Run `action` for every id, each in its own transaction; how many succeeded.

    A row that somebody else settled meanwhile (Conflict) is passed over; any other failure is logged and passed over, so
    that one bad row cannot stop a sweep.
    """
    done = 0
    for pk in ids:
        try:
            action(pk)
            done += 1
        except Conflict as error:
            log.info("%s passed over %s: %s", action.__name__, pk, error.message)
        except Exception:
            log.exception("%s failed for %s", action.__name__, pk)
    return done


def in_time[T](rows: Iterable[T], seconds: float = SWEEP_SECONDS) -> Iterator[T]:
    """Of `rows` as many as can be begun within `seconds`: the queue ends a job that takes longer, and the next run goes on."""
    ends = time.monotonic() + seconds
    for row in rows:
        if time.monotonic() >= ends:
            break
        yield row


def drain(batch: Callable[[datetime, int], int], size: int) -> int:
    """Call `batch(moment, size)` until one of them is not full or the time of a run is over; how many rows were taken in all."""
    ends, done = time.monotonic() + SWEEP_SECONDS, 0
    while time.monotonic() < ends:
        taken = batch(now(), size)
        done += taken
        if taken < size:
            break
    return done


def begin(task: Mapping[str, Any], **signal: Any) -> None:
    """Name a job to the audit log, all that it does under one id. Connected to the queue's signal before each job."""
    context.begin(source=f"job:{path_of(task)}", actor_type="system", request_id=uuid7())
    _begun[:] = [time.monotonic()]


def note(task: Mapping[str, Any], **signal: Any) -> None:
    """Log how a job went, and count it. Connected to the queue's signal after each job, before `end`."""
    path, succeeded, seconds = path_of(task), bool(task["success"]), time.monotonic() - _begun[0]
    facts = {"job": path, "job_id": task["id"], "succeeded": succeeded, "ms": round(seconds * 1000, 1)}
    job_log.log(logging.INFO if succeeded else logging.ERROR, "%s %s", path, "succeeded" if succeeded else "failed", extra=facts)
    try:
        _touch()
        if path != HEARTBEAT:  # which has noted itself
            pulses.note(path, succeeded=succeeded, seconds=seconds)
    except Exception:  # the queue counts on this to return
        log.exception("how %s went could not be noted", path)


def end(**signal: Any) -> None:
    """A worker goes on to the next job with an empty context."""
    context.begin()


def path_of(task: Mapping[str, Any]) -> str:
    """The dotted path of what a task calls."""
    func = task["func"]
    return func if isinstance(func, str) else f"{func.__module__}.{func.__qualname__}"


def heartbeat() -> None:
    """Prove that the queue executes work: to whoever asks the database, and to the supervisor of this machine by a file."""
    _touch()
    pulses.note(HEARTBEAT, succeeded=True, seconds=0)


def _touch() -> None:
    """This machine has done a job."""
    Path(settings.HEARTBEAT_FILE).parent.mkdir(parents=True, exist_ok=True)
    Path(settings.HEARTBEAT_FILE).touch()


def heartbeat_age() -> float | None:
    """Seconds since a queue on any machine has executed the last heartbeat, or None when there was none."""
    beat = pulses.last_success(HEARTBEAT)
    return None if beat is None else max(0.0, (now() - beat).total_seconds())


def readings() -> Iterator[Reading]:
    """For the metrics: what waits in the queue, and how each kind of job has gone."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        waiting, at_work, age = cursor.fetchone()
    yield Reading("port444_queue_jobs", waiting, "Jobs in the queue", {"state": "waiting"})
    yield Reading("port444_queue_jobs", at_work, "Jobs in the queue", {"state": "taken"})
    yield Reading("port444_queue_age_seconds", age, "Seconds for which the oldest job waits that nobody has taken")
    for pulse in pulses.all_of_them():
        task = {"task": pulse.path}  # not `job`, which Prometheus itself puts on what it asks
        yield Reading("port444_jobs", pulse.succeeded, "Runs of jobs that have ended", {**task, "result": "succeeded"}, counts=True)
        yield Reading("port444_jobs", pulse.failed, "Runs of jobs that have ended", {**task, "result": "failed"}, counts=True)
        yield Reading("port444_job_seconds", pulse.seconds, "Seconds that runs of jobs took", task, counts=True)
        if pulse.succeeded_at is not None:
            at = pulse.succeeded_at.timestamp()
            yield Reading("port444_job_last_success_timestamp_seconds", at, "When a job went well last", task)


@transaction.atomic
def sync_schedules(schedules: Mapping[str, str]) -> None:
    """Make the schedule table equal to `schedules` (dotted path -> cron line in UTC). Raises on an unknown path.

    The table is written here only: one malformed row would stop every schedule.
    """
    for path, cron in schedules.items():
        import_string(path)
        row, created = Schedule.objects.get_or_create(
            name=path, defaults={"func": path, "schedule_type": Schedule.CRON, "cron": cron, "next_run": now() + timedelta(seconds=5)}
        )
        if not created and (row.cron, row.func, row.schedule_type) != (cron, path, Schedule.CRON):
            row.cron, row.func, row.schedule_type, row.next_run = cron, path, Schedule.CRON, now()
            row.save()
    Schedule.objects.exclude(name__in=schedules).delete()
