"""That somebody looked whether the log is as it was, signed.

What was looked at is not looked at again at once, and who serves may add checks to the database. So a check counts by its
signature, and not because the database has it; and as its number is signed too, it counts once.
"""

from __future__ import annotations

from . import seals, signing
from .models import AuditCheck
from .signing import Kind

NEAR, FAR = 20, 1_000  # checks among which the newest of ours is looked for


def statement(check: AuditCheck) -> bytes:
    """What is signed of a check: all that its columns say."""
    columns = ("kind", "first_seal", "last_seal", "seals", "rows", "ok", "problems", "milliseconds")
    facts = {name: getattr(check, name) for name in columns}
    return seals.canonical({"id": str(check.pk), "checked_at": seals.moment(check.checked_at), **facts}).encode()


def sign(check: AuditCheck) -> AuditCheck:
    check.key_id, check.signature = signing.sign(Kind.CHECK, statement(check))
    return check


def is_genuine(check: AuditCheck) -> bool:
    return signing.is_signed(Kind.CHECK, statement(check), check.key_id, bytes(check.signature))


def newest(*kinds: str) -> tuple[AuditCheck | None, list[AuditCheck]]:
    """The newest check of these kinds that is ours, and those in front of it that are not.

    When somebody has buried it under very many it is not found, and all is looked at anew.
    """
    written = AuditCheck.objects.filter(kind__in=kinds).order_by("-checked_at")
    forged: list[AuditCheck] = []
    for part in (written[:NEAR], written[NEAR:FAR]):
        for check in part:
            if is_genuine(check):
                return check, forged
            forged.append(check)
        if len(forged) < NEAR:
            break
    return None, forged
