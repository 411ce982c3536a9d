"""Who moves the money in the world outside: one protocol, an embedded test wallet, and none."""

from __future__ import annotations

from django.conf import settings

from .nobody import Nobody
from .protocol import Answer, Outcome, Provider, Refused, Report, Unavailable
from .sandbox import Sandbox

__all__ = ["Answer", "Outcome", "Provider", "Refused", "Report", "Unavailable", "current", "named"]

_providers: dict[str, type[Provider]] = {"sandbox": Sandbox, "none": Nobody}


def named(name: str) -> Provider:
    """The provider that a payment names."""
    return _providers[name]()


def current() -> Provider:
    """The provider for new payments, as settings choose."""
    return named(settings.PAYMENT_PROVIDER)
