"""What a builder did to our event in their own calendar, as a proposal."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from consultations.models import Consultation, ConsultationStatus, Proposal, ProposalKind, ProposalStatus


@transaction.atomic
def propose_from_calendar(consultation_id: UUID, *, starts_at: datetime | None, moment: datetime) -> Proposal | None:
    """Another time for the call, or with `starts_at` None its end, because that is what the builder's calendar shows now."""
    call = Consultation.objects.lock(consultation_id)
    if call.status != ConsultationStatus.SCHEDULED or call.scheduled_at <= moment:
        return None
    for earlier in call.proposals.select_for_update(no_key=True).filter(status=ProposalStatus.OPEN):
        earlier.move_to(ProposalStatus.WITHDRAWN, answered_at=moment)
    return Proposal.objects.create(
        consultation=call,
        kind=ProposalKind.MOVE if starts_at else ProposalKind.CANCEL,
        made_by=call.builder.user,
        from_calendar=True,
        starts_at=starts_at,
        answer_by=min(moment + timedelta(hours=2), max(moment, call.scheduled_at - timedelta(hours=1))),
        created_at=moment,
    )
