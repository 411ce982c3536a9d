"""The contracts: their artifacts, and how the books' names and amounts are written on a chain."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings

from port444.kit.money import CENT

DECIMALS = 6
CENT_UNITS = 10_000  # amounts of the books have two places, so whatever escrow moves is a multiple of this


@cache
def artifact(name: str) -> dict[str, Any]:
    """What the compiler made of `OrderEscrow` or `MockUSDC`: `abi`, `bytecode`, `deployedBytecode`."""
    path = settings.BASE_DIR / "contracts" / "artifacts" / f"{name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def to_units(amount: Decimal) -> int:
    """An amount of the books as the token counts it. Raises for anything but a whole number of cents, zero or more."""
    if not isinstance(amount, Decimal):
        raise TypeError("an amount is a Decimal")
    units = amount.scaleb(DECIMALS) if amount.is_finite() else Decimal(-1)
    if units < 0 or units % CENT_UNITS:
        raise ValueError(f"not a whole number of cents: {amount}")
    return int(units)


def from_units(units: int) -> Decimal:
    """What the token counts as an amount of the books. Raises for a part of a cent, which escrow never holds."""
    if not isinstance(units, int) or isinstance(units, bool):
        raise TypeError("units are an int")
    if units % CENT_UNITS:
        raise ValueError(f"not a whole number of cents: {units} units")
    return Decimal(units // CENT_UNITS).scaleb(-2).quantize(CENT)


def order_key(subject_id: UUID) -> int:
    """The contract's number for a deal."""
    return subject_id.int


def op_key(chain_id: int, escrow: str, kind: str, op_id: str) -> bytes:
    """The contract's key for an operation, which it takes once for ever: the same for whoever asks again, on this contract only."""
    from eth_utils import keccak

    made: bytes = keccak(text=f"port444:v1:{chain_id}:{escrow.lower()}:{kind}:{op_id}")
    return made
