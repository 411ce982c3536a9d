"""Who moves the money in the world outside: one protocol, an embedded test wallet, and none."""

from __future__ import annotations

from django.conf import settings

from .nobody import Nobody
from .protocol import Answer, Outcome, Provider, Refused, Report, Unavailable, chain_hash
from .sandbox import Sandbox
from .wallet import Wallet

__all__ = ["Answer", "Outcome", "Provider", "Refused", "Report", "Unavailable", "chain_hash", "for_payouts", "named", "names", "offered"]

_providers: dict[str, type[Provider]] = {"sandbox": Sandbox, "wallet": Wallet, "none": Nobody}


def named(name: str) -> Provider:
    """The provider that a payment names."""
    return _providers[name]()


def names() -> list[str]:
    """Of all, those that take no payments any more included."""
    return sorted(_providers)


def offered() -> list[Provider]:
    """The providers for new payments, as settings name them: those that take payments now, or the first when none does."""
    named_ones = [named(name) for name in settings.PAYMENT_PROVIDERS or ["none"]]
    return [one for one in named_ones if _takes(one)] or named_ones[:1]


def _takes(provider: Provider) -> bool:
    try:
        provider.require()
    except Refused:
        return False
    return True


def for_payouts() -> Provider:
    """The provider that sends to a wallet: with escrow on a chain the chain, because the contract holds the money."""
    return named("wallet") if settings.ESCROW_BACKEND == "web3" else offered()[0]
