"""What is usual on which chain."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

LOCAL = (31337, 1337)
OP_STACK = (10, 8453, 11155420, 84532)
ARBITRUM = (42161, 421614)


@dataclass(frozen=True, slots=True)
class Rules:
    """`confirmations`: a block with so many, itself included, is acted on; 0: when the node calls it safe."""

    confirmations: int
    bump_seconds: int


def rules_of(chain_id: int) -> Rules:
    """By the settings, or else as is usual for the chain."""
    if chain_id == 1:
        usual = Rules(12, 60)
    elif chain_id in LOCAL:
        usual = Rules(1, 20)
    elif chain_id in OP_STACK + ARBITRUM:
        usual = Rules(0, 20)
    else:
        usual = Rules(6, 60)
    return Rules(settings.CHAIN_CONFIRMATIONS or usual.confirmations, settings.CHAIN_BUMP_SECONDS or usual.bump_seconds)
