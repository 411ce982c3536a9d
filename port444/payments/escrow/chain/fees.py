"""What a transaction offers for its gas, and what it takes to replace one that is stuck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

GWEI = 10**9
LEAST_TIP = 10**6
MANY_BUMPS = 6  # attempts with one nonce, from which on a person should look


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei for a unit of gas: at most, and of that for whoever makes the block."""

    most: int
    tip: int


def suggested(latest: dict[str, Any], tip: Any) -> Fees:
    """For the next blocks: twice the base fee covers six full ones. `latest` and `tip` are as a node says them."""
    base = int(latest.get("baseFeePerGas") or "0x0", 16)
    offered = max(int(tip, 16) if isinstance(tip, str) else 0, LEAST_TIP)
    return capped(Fees(2 * base + offered, offered))


def capped(fees: Fees) -> Fees:
    cap: int = settings.CHAIN_MAX_FEE_GWEI * GWEI
    most = min(fees.most, cap)
    return Fees(most, min(fees.tip, most))


def raised(value: int) -> int:
    """The least that replaces an offer of `value` everywhere: an eighth more (most nodes ask for a tenth), rounded up."""
    return -(-value * 9 // 8)


def replacing(last: Fees, now: Fees) -> Fees | None:
    """The offer that replaces `last`, both parts raised by an eighth or to what is usual now; None when that is beyond the cap."""
    fees = Fees(max(raised(last.most), now.most), max(raised(last.tip), now.tip))
    fees = Fees(max(fees.most, fees.tip), fees.tip)
    return fees if fees.most <= settings.CHAIN_MAX_FEE_GWEI * GWEI else None
