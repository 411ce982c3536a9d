"""Escrow in the ledger: an operation is carried out at once, in the caller's transaction."""

from __future__ import annotations

from typing import Any

from port444.payments.models import EscrowOperation, EscrowStatus

from . import books
from .asking import Asking


class LedgerEscrow(Asking):
    backend = "ledger"

    def _carry_out(self, operation: EscrowOperation, actor: Any | None) -> None:
        if operation.status == EscrowStatus.QUEUED:
            books.apply_confirmed(operation, actor=actor)
