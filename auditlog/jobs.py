from __future__ import annotations

import logging

from django.db import transaction

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

log = logging.getLogger(__name__)


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
    """Daily: put rows into cold storage that are old enough. What does not fit into the time of a job is left to another."""
    made = export_rows(seconds=1)  # a file is begun only within this time, and takes some seconds
    if made and rows_to_export():
        with transaction.atomic():
            enqueue("auditlog.jobs.export")


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
