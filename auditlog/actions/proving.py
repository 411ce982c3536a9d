"""Proving one row to somebody who has nothing of ours but the public key."""

from __future__ import annotations

import base64
from typing import Any

from django.db import transaction

from auditlog import cold, filed, lines, merkle, seals, signing
from auditlog.models import AuditAnchor, AuditLeaves, AuditSeal
from port444.kit.errors import Conflict, WrongState

FORMAT = "port444-audit-proof/1"


class NotProvable(Conflict):
    """The row is not as it was sealed, or its seal is not; `audit_verify` says more."""


def prove(row_id: int, store: cold.Store | None = None) -> dict[str, Any]:
    """The proof that a row stands in the log as it was sealed; raises WrongState when no seal covers it (yet)."""
    seal, place, leaves = _leaf(row_id)
    line = _line(row_id, seal, store)
    if line is None or merkle.leaf(line) != leaves[place]:
        raise NotProvable(f"Row {row_id} is not as it was sealed in seal {seal.seq}.")
    if merkle.root(leaves) != bytes(seal.root) or not signing.is_signed(signing.Kind.SEAL, seal.body.encode(), seal.key_id, bytes(seal.signature)):
        raise NotProvable(f"Seal {seal.seq} is not as it was signed.")
    key = signing.public_keys()[seal.key_id]
    anchors = AuditAnchor.objects.filter(seal=seal).order_by("anchored_at")
    return {
        "format": FORMAT,
        "row": {"id": row_id, "columns": list(lines.COLUMNS), "line": line.decode()},
        "path": {"index": place, "rows": len(leaves), "hashes": [hash_.hex() for hash_ in merkle.path(leaves, place)]},
        "seal": {"body": seal.body, "hash": bytes(seal.hash).hex(), "key_id": seal.key_id, "signature": bytes(seal.signature).hex()},
        "public_keys": [base64.b64encode(key.public_bytes_raw()).decode()],
        "anchors": [{"place": a.place, "reference": a.reference, "anchored_at": seals.moment(a.anchored_at)} for a in anchors],
    }


def _leaf(row_id: int) -> tuple[AuditSeal, int, list[bytes]]:
    """The seal of a row, its place there and all leaf hashes."""
    covering = AuditSeal.objects.filter(first_id__lte=row_id, last_id__gte=row_id).order_by("seq")
    wanted = row_id.to_bytes(8, "big") if row_id >= 0 else b""
    for stored in AuditLeaves.objects.filter(seal__in=covering).select_related("seal").order_by("seal_id").iterator(chunk_size=1):
        packed = bytes(stored.leaves)
        ids = [packed[at : at + 8] for at in range(0, len(packed), 40)]
        if wanted in ids:
            return stored.seal, ids.index(wanted), [packed[at + 8 : at + 40] for at in range(0, len(packed), 40)]
    raise WrongState(f"No seal covers row {row_id}: it was written a moment ago, or there is no such row.")


def _line(row_id: int, seal: AuditSeal, store: cold.Store | None) -> bytes | None:
    """The row as it is printed, from the database or from its exported file."""
    with transaction.atomic():
        here = list(lines.copy_lines("id = %s AND timestamp BETWEEN %s AND %s", [row_id, seal.first_at, seal.last_at]))
    if here:
        return here[0]
    there = filed.Shelf(store).find(seal)
    if there is None or row_id not in there[1].ids:
        return None
    return there[2][there[1].ids.index(row_id)]
