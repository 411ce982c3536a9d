"""Where the money of a call goes when the call ends: the one place, whatever ended it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from consultations.models import Back, Consultation
from port444.builders.models import Builder
from port444.kit.sentences import Said
from port444.payments import escrow


def lock_for_escrow(chain: UUID) -> Consultation:
    """The row at which the call now stands, its builder before it; what payments locks before the escrow of a call."""
    Builder.objects.lock(Consultation.objects.values_list("builder_id", flat=True).get(pk=chain))
    return Consultation.objects.lock(Consultation.objects.live(chain).values_list("pk", flat=True).get())


def settle(consultation: Consultation, back: Back, *, actor: Any | None, reason: str | Said = "") -> bool:
    """Empty the call's escrow: `back` goes to the client, the rest of the price to the builder. Call it under the call's lock.

    Whether that has happened already; on a chain it follows, and with it what goes back to the client's wallet.

    The keys name the chain, so that a call which was moved is settled once, whatever its rows say.
    """
    held, kept = escrow.current(), consultation.price - back.price
    if back.price:
        held.refund(consultation.deal, back.price, f"call:{consultation.chain}:refund", fee=back.fee, reason=reason, actor=actor)
    if kept:
        held.release(consultation.deal, kept, f"call:{consultation.chain}:release", actor=actor)
    return held.position(consultation.deal).settled
