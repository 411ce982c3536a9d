"""What is usual on which chain."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings

LOCAL = (31337, 1337)
OP_STACK = (10, 8453, 11155420, 84532)
ARBITRUM = (42161, 421614)


@dataclass(frozen=True, slots=True)
class Rules:
    """`confirmations`: a block with so many, itself included, is acted on; 0: when the node calls it safe. `line`: transactions of
    ours that may wait for a block at once, which nodes limit for one account."""

    confirmations: int
    bump_seconds: int
    resend_seconds: int = 15
    line: int = 16


def rules_of(chain_id: int) -> Rules:
    """By the settings, or else as is usual for the chain."""
    if chain_id == 1:
        usual = Rules(12, 60)
    elif chain_id in LOCAL:
        usual = Rules(1, 20, resend_seconds=0, line=100)
    elif chain_id in OP_STACK + ARBITRUM:
        usual = Rules(0, 20)
    else:
        usual = Rules(6, 60)
    chosen = {"confirmations": settings.CHAIN_CONFIRMATIONS, "bump_seconds": settings.CHAIN_BUMP_SECONDS}
    return replace(usual, **{name: value for name, value in chosen.items() if value})
