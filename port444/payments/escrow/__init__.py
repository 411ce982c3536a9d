"""Money held between payment and acceptance.

`current()` gives the backend that is configured. An operation names its deal by purpose and id; what follows from it is done by
whoever registered with `handlers.on_escrow`.
"""

from __future__ import annotations

from django.conf import settings

from .asking import Asking
from .deals import Deal, Escrow, Lent, Position
from .in_ledger import LedgerEscrow
from .standing import place_of
from .web3 import Web3Escrow

__all__ = ["Deal", "Escrow", "LedgerEscrow", "Lent", "Position", "Web3Escrow", "current", "place_of"]


def current() -> Escrow:
    """The escrow that settings choose."""
    return Asking.backends[settings.ESCROW_BACKEND]()
