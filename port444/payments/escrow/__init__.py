"""Money held between payment and acceptance.

`current()` gives the backend that is configured. An operation names its deal by purpose and id; what follows from it is done by
whoever registered with `handlers.on_escrow`.
"""

from __future__ import annotations

from django.conf import settings

from .books import LedgerEscrow
from .deals import Deal, Escrow, Lent, Position

__all__ = ["Deal", "Escrow", "LedgerEscrow", "Lent", "Position", "current"]

_backends: dict[str, type[LedgerEscrow]] = {"ledger": LedgerEscrow}


def current() -> LedgerEscrow:
    """The escrow that settings choose."""
    return _backends[settings.ESCROW_BACKEND]()
