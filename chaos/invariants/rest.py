"""What has to come to rest when nobody does anything any more, and the log."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog import cold
from auditlog.actions import anchor_seals, export_rows, look_past_actions, rows_to_export, seal_rows, verify
from auditlog.models import AuditSeal, IncidentLog
from chaos.stuck import LATER, UNDER_WAY

from .check import Check, rows, value

GIVEN_UP = {
    "operations that failed or need a person": (
        "SELECT op_id || ': ' || reason AS id FROM payments_escrowoperation WHERE status IN ('failed', 'needs_review')"
    ),
    "refunds that failed": "SELECT id::text || ': ' || error AS id FROM payments_refund WHERE status = 'failed'",
    "withdrawals that failed": "SELECT id::text || ': ' || error AS id FROM payments_withdrawal WHERE status = 'failed'",
    "messages that were given up": "SELECT id::text || ': ' || error AS id FROM notifications_delivery WHERE status = 'failed'",
    "webhooks that were given up": "SELECT id::text || ': ' || error AS id FROM webhooks_webhookdelivery WHERE status = 'failed'",
    "copies and rooms that were given up": (
        "SELECT id::text FROM consultations_calendarevent WHERE status = 'failed'"
        " UNION ALL SELECT id::text FROM consultations_meetingroom WHERE status = 'failed'"
    ),
    "changes that escrow did not take": "SELECT id::text FROM amendments_amendment WHERE status = 'funding_failed'",
}


def under_way() -> dict[str, list[str]]:
    found = {
        words: [str(row["id"]) for row in rows(f"SELECT * FROM ({sql}) AS found LIMIT 20".replace("%", "%%"))] for words, sql in UNDER_WAY.items()
    }
    return {words: ids for words, ids in found.items() if ids}


def checks() -> Iterator[Check]:
    left = under_way()
    yield Check(
        "nothing is stuck", len(UNDER_WAY), [f"{words}: {', '.join(ids[:5])}" for words, ids in left.items()], f"{value(LATER)} are not due yet"
    )
    lost = {words: [row["id"] for row in rows(f"{sql} LIMIT 20")] for words, sql in GIVEN_UP.items()}
    yield Check("nothing was given up", len(GIVEN_UP), [f"{words}: {'; '.join(ids[:5])}" for words, ids in lost.items() if ids])


def log() -> Iterator[Check]:
    seal_rows()
    anchor_seals(seconds=60)
    while rows_to_export() and export_rows(seconds=60):
        pass
    report = verify(first=1, files=True, store=cold.store())
    wrong = [problem.words for problem in report.problems]
    wrong += [f"{report.valid_seals} of {report.seals} seals are valid"] if report.valid_seals != report.seals else []
    wrong += [f"{report.valid_rows} of {report.rows} rows are valid"] if report.valid_rows != report.rows else []
    yield Check("seals verify, with all that lies in cold storage", report.seals, wrong, f"{report.rows:,} rows under them")
    kept = set(cold.store().names("seals/"))
    yield Check(
        "each seal lies in cold storage", AuditSeal.objects.count(), [] if len(kept) == AuditSeal.objects.count() else [f"{len(kept)} lie there"]
    )
    look_past_actions()
    bad = IncidentLog.objects.filter(severity="critical").exclude(pattern="reorganised").order_by("detected_at")
    wrong = [f"{one.pattern}: {one.description}"[:200] for one in bad]
    yield Check(
        "no critical incident but of reorganisations: no row was changed past the actions, no seal refused", IncidentLog.objects.count(), wrong
    )
