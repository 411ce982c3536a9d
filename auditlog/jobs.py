from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction

from port444.kit.clock import now
from port444.kit.jobs import SWEEP_SECONDS, drain, enqueue

from . import actions
from .actions import (
    ANCHOR_SECONDS,
    INDEX_BATCH,
    Behind,
    Forged,
    Unreachable,
    anchor_seals,
    ensure_partitions,
    export_rows,
    index_rows,
    look_past_actions,
    report_refusal,
    rows_to_export,
    seal_rows,
)

SIGHTINGS_KEPT = timedelta(days=180)
log = logging.getLogger(__name__)

EXPORT_SECONDS = 7200  # for one file, which goes to the store and is read back: a slow line takes much longer than a job has


def partitions() -> None:
    """Daily: keep three months of partitions ahead."""
    ensure_partitions()


def seal() -> None:
    """Every minute: seal what was committed, and put the seals into cold storage."""
    try:
        seal_rows()
        anchor_seals(seconds=ANCHOR_SECONDS)
    except (Behind, Forged) as refusal:
        report_refusal(refusal)
    except Unreachable as error:  # the next run catches up; `/readyz` says so when it goes on for long
        log.warning("Seals wait to be put into cold storage: %s", error)


def export() -> None:
    """Daily: have rows put into cold storage that are old enough."""
    with transaction.atomic():
        enqueue("auditlog.jobs.export_file", seconds=EXPORT_SECONDS)


def export_file() -> None:
    """Put a file of rows into cold storage; when more are due, another job does the next. Of two at once one does it."""
    made = export_rows(seconds=1)  # a file is begun only within this time
    if made and rows_to_export():
        export()


def index() -> None:
    """Every minute: take committed rows into the copy that the log is searched by."""
    drain(index_rows, INDEX_BATCH)


def verify_recent() -> None:
    """Every ten minutes: look through the last day of the log."""
    actions.verify_recent(seconds=SWEEP_SECONDS)


def verify_history(through: int | str = 0) -> None:
    """Nightly: look through a thirtieth of the whole log, with what lies of it in cold storage."""
    rest = actions.verify_history(int(through), seconds=SWEEP_SECONDS / 3)  # files and anchored seals are read after the rows
    if rest:
        with transaction.atomic():
            enqueue("auditlog.jobs.verify_history", rest)


def witness() -> None:
    """Every minute: look for rows that were changed past the actions."""
    try:
        look_past_actions()
    except Forged as refusal:
        report_refusal(refusal)


def detect() -> None:
    """Every five minutes, and when a withdrawal is asked for: look for what is wrong in what was recorded since the last time."""
    actions.run_detectors(seconds=SWEEP_SECONDS)


def forget_sightings() -> None:
    """Nightly: forget where people were seen half a year ago."""
    actions.forget_sightings(now() - SIGHTINGS_KEPT)
