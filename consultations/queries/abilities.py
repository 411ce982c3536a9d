"""What one of the two people of a call can do about it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consultations.models import Consultation, ConsultationStatus

from .absences import AbsencePanel
from .meetings import joinable_until

C = ConsultationStatus


@dataclass(frozen=True, slots=True)
class Abilities:
    """`can_move`: at least by proposing a time; `moves_directly`: without asking."""

    can_pay: bool
    can_join: bool
    can_cancel: bool
    can_complete: bool
    can_move: bool
    moves_directly: bool


def abilities(call: Consultation, user: Any, moment: datetime, absence: AbsencePanel | None) -> Abilities:
    """`absence` is what `absence_of` says of the call. The actions decide again, under lock."""
    is_builder = user.pk == call.builder.user_id
    scheduled = call.status == C.SCHEDULED
    kept_open = absence is not None and absence.absence is not None and absence.absence.keeps_open(moment)
    return Abilities(
        can_pay=call.status == C.HELD and not is_builder and call.claim.hold_expires_at is not None and call.claim.hold_expires_at > moment,
        can_join=scheduled and call.opens_at <= moment < joinable_until(call),
        can_cancel=scheduled and (is_builder or call.scheduled_at > moment),
        can_complete=scheduled and is_builder and call.ends_at <= moment and not kept_open,
        can_move=call.can_move(moment),
        moves_directly=call.moves_without_asking(user, moment),
    )
