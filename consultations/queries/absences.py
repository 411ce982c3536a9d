"""What the page of a call says about who came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from consultations.models import REPORT_AFTER, Absence, AbsenceStatus, Back, Consultation, ConsultationStatus, Party
from port444.kit.money import fee

A, C = AbsenceStatus, ConsultationStatus


@dataclass(frozen=True, slots=True)
class AbsencePanel:
    """The latest word on who came, for one of the two people.

    `accused` is whether it is said of the reader; `can_report`, `can_answer` and `can_dismiss` are what the page offers.
    """

    absence: Absence | None
    accused: bool
    can_report: bool
    back: Back  # what the client gets if the absent side did not come
    share: Decimal  # what the builder gets then

    @property
    def state(self) -> str:
        return self.absence.status if self.absence is not None else ""

    @property
    def can_answer(self) -> bool:
        return self.accused and self.state == A.REPORTED

    @property
    def can_dismiss(self) -> bool:
        return not self.accused and self.state in (A.SUGGESTED, A.REPORTED, A.DISPUTED)

    @property
    def decided_against(self) -> bool:
        """Staff has looked at it and found that both were there."""
        return self.absence is not None and self.state == A.DISMISSED and self.absence.disputed_at is not None and bool(self.absence.decision_note)


def absence_of(call: Consultation, user: Any, moment: datetime) -> AbsencePanel | None:
    """None when there is nothing to say and nothing to offer."""
    if call.status not in (C.SCHEDULED, C.NO_SHOW, C.COMPLETED) or moment < call.scheduled_at + REPORT_AFTER:
        return None
    me = call.party_of(user)
    said = Absence.objects.filter(consultation=call).order_by("-created_at").first()
    if said is not None and said.status == A.SUGGESTED and said.party == me:
        said = None  # what the evidence suggests about them is not theirs to answer before somebody says it
    absent = Party(said.party) if said is not None else me.other
    back = call.everything if absent == Party.BUILDER else call.late_back
    kept = call.price - back.price
    may = call.status == C.SCHEDULED and (said is None or said.status == A.SUGGESTED or (said.status == A.DISMISSED and said.party == me))
    if said is None and not may:
        return None
    return AbsencePanel(said, said is not None and absent == me, may, back, kept - fee(kept, call.builder_fee_bps))
