"""Whether the worker of the chain is at work, for whoever watches over it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from port444.kit.clock import now
from port444.payments.models import ChainSigner

BEAT = 5  # seconds between two notes of it
LATE = 60


def beat(chain_id: int, address: str) -> None:
    """The worker went round without the node or the database failing it."""
    moment = now()
    fresh = ChainSigner.objects.filter(chain_id=chain_id, address=address, worked_at__gt=moment - timedelta(seconds=BEAT))
    if not fresh.exists():
        ChainSigner.objects.update_or_create(chain_id=chain_id, address=address, defaults={"worked_at": moment})


def is_late() -> bool:
    """Escrow is on a chain, and nobody has carried anything there for a minute."""
    if settings.ESCROW_BACKEND != "web3":
        return False
    return not ChainSigner.objects.filter(chain_id=settings.CHAIN_ID, worked_at__gt=now() - timedelta(seconds=LATE)).exists()
