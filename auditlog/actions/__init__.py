"""Everything that writes to the log or to what stands beside it."""

from .backtesting import backtest, try_version
from .casework import mark_false_positive
from .copying import copy_rows
from .detecting import forget_sightings, look_back, rows_left, run_detectors, terms_in_force
from .exporting import Changed, export_rows, rows_to_export
from .findings import Problem, Report
from .incidents import ALWAYS_HEARD, DIFFERENCES, TAMPERING, Finding, Outcome, Reason, Taken, ceiling_of, note, open_incident, take_finding
from .moving import Different, drop_month, restore_month
from .proving import NotProvable, prove
from .recording import ensure_partitions, record, record_many
from .sealing import ANCHOR_SECONDS, Behind, Forged, Unreachable, acknowledge_loss, anchor_seals, find_loss, report_refusal, seal_rows
from .searching import INDEX_BATCH, index_rows
from .verifying import keep, verify, verify_history, verify_recent
from .witnessing import Unexplained, find_unexplained, look_past_actions

__all__ = [
    "ALWAYS_HEARD",
    "ANCHOR_SECONDS",
    "DIFFERENCES",
    "INDEX_BATCH",
    "TAMPERING",
    "Behind",
    "Changed",
    "Different",
    "Finding",
    "Forged",
    "NotProvable",
    "Outcome",
    "Problem",
    "Reason",
    "Report",
    "Taken",
    "Unexplained",
    "Unreachable",
    "acknowledge_loss",
    "anchor_seals",
    "backtest",
    "ceiling_of",
    "copy_rows",
    "drop_month",
    "ensure_partitions",
    "export_rows",
    "find_loss",
    "find_unexplained",
    "forget_sightings",
    "index_rows",
    "keep",
    "look_back",
    "look_past_actions",
    "mark_false_positive",
    "note",
    "open_incident",
    "prove",
    "record",
    "record_many",
    "report_refusal",
    "restore_month",
    "rows_left",
    "rows_to_export",
    "run_detectors",
    "seal_rows",
    "take_finding",
    "terms_in_force",
    "try_version",
    "verify",
    "verify_history",
    "verify_recent",
]
