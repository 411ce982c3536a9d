"""The worker of a chain without a chain: it confirms what is queued, in the order that a deal's operations have."""

from __future__ import annotations

from typing import Any

from port444.payments.escrow import books
from port444.payments.models import EscrowOperation

PLATFORM, TREASURY, CONTRACT = "0x" + "1" * 40, "0x" + "2" * 40, "0x" + "c" * 40


def use_chain(settings: Any) -> None:
    """Settings of a marketplace whose escrow is in a contract."""
    settings.ESCROW_BACKEND, settings.CHAIN_ID, settings.ESCROW_ADDRESS = "web3", 31337, CONTRACT
    settings.CHAIN_PLATFORM_ADDRESS, settings.CHAIN_TREASURY_ADDRESS = PLATFORM, TREASURY


def ready() -> list[EscrowOperation]:
    """What may be confirmed next: nothing of its deals is before it."""
    return [one for one in EscrowOperation.objects.open().order_by("number") if not books.earlier(one).exists()]


def confirm_one(turn: int = 0) -> bool:
    """Confirm one of what may be confirmed next; False when there is nothing."""
    found = ready()
    if found:
        books.confirm(found[turn % len(found)].pk, tx_hash=f"0x{turn:064x}", block_number=turn)
    return bool(found)


def confirm_all() -> int:
    """Confirm everything, and what follows from that."""
    done = 0
    while confirm_one(done):
        done += 1
    return done
