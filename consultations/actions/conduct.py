"""Holding a call, and calling it off."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import emails
from consultations.models import Back, ClaimStatus, Consultation, ConsultationStatus, SlotClaim
from consultations.models.words import ACCOUNT_CLOSED
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.kit.sentences import say
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify

from .absences import close_absence, require_nothing_said
from .conversion import give_credit
from .follow import follow
from .moves import withdraw_open
from .settling import settle

C = ConsultationStatus


@transaction.atomic
def complete_call(consultation_id: UUID, *, actor: Any, notes: str = "") -> Consultation:
    """The builder says that the call took place; the price is released to them.

    Possible from the end: until then the client, who may be alone in the room, can still say that nobody came. Raises Conflict
    while they say so, and while what the builder said of the client keeps them from it.
    """
    consultation = Consultation.objects.lock(consultation_id)
    consultation.require_builder(actor)
    moment = now()
    if consultation.status == C.SCHEDULED and consultation.scheduled_at > moment:
        raise WrongState(_("This call has not started yet."), code="not_started")
    if consultation.status == C.SCHEDULED and consultation.ends_at > moment:
        raise WrongState(_("This call is not over yet. Complete it from its end on."), code="not_over")
    if consultation.status == C.SCHEDULED:
        require_nothing_said(consultation, moment)
    if len(notes) > 3000:
        raise Invalid(_("Notes have at most 3000 characters."), code="notes_long")
    _complete(consultation, actor, moment, builder_notes=notes)
    return consultation


@transaction.atomic
def complete_unattended(consultation_id: UUID) -> Consultation:
    """The call ended long ago and nobody said anything: it counts as held.

    Unless its builder was suspended before it ended: they could not come, and the client gets everything back.
    """
    consultation = Consultation.objects.lock(consultation_id)
    moment = now()
    if not Consultation.objects.unattended(moment).filter(pk=consultation.pk).exists():
        raise WrongState(_("This call is not waiting to be completed."))
    suspended_at = consultation.builder.user.suspended_at
    if suspended_at is not None and suspended_at < consultation.ends_at:
        cancel_locked(consultation, None, moment, ACCOUNT_CLOSED, consultation.everything)
    else:
        _complete(consultation, None, moment)
    return consultation


def _complete(consultation: Consultation, actor: Any | None, moment: Any, **stamps: Any) -> None:
    consultation.move_to(C.COMPLETED, completed_at=moment, updated_at=moment, **stamps)
    close_absence(consultation, actor, moment)
    credit = give_credit(consultation, moment, actor=actor)
    settled = settle(consultation, Back(), actor=actor)
    follow(consultation, moment)
    record(Event.CALL_COMPLETED, actor=actor, target=consultation, amount=consultation.price)
    post_notice(consultation.conversation_id, body=emails.completed_notice(consultation), icon="circle-check", subject=consultation.subject)
    for reader in (consultation.client, consultation.builder.user):
        said = emails.completed(consultation, reader, credit, settled=settled)
        notify(
            reader,
            "call_completed",
            title=said.title,
            body=said.body,
            url=consultation.url,
            dedupe_key=f"call_completed:{consultation.pk}:{reader.pk}",
            context=emails.summary(consultation, reader),
            moment=moment,
        )


@transaction.atomic
def cancel_call(consultation_id: UUID, *, actor: Any, reason: str = "") -> Consultation:
    """Call it off. The money is divided by the policy that was frozen at booking; a builder who cancels gives everything back."""
    consultation = Consultation.objects.lock(consultation_id)
    consultation.require_party(actor)
    moment = now()
    if consultation.status != C.SCHEDULED:
        if consultation.status == C.RESCHEDULED:
            raise WrongState(_("This call was moved meanwhile. Look at its new time first."), code="moved")
        raise WrongState(_("This call is %(status)s and cannot be cancelled.") % {"status": consultation.status_words()})
    by_client = actor.pk == consultation.client_id
    if by_client and consultation.scheduled_at <= moment:
        raise NotAllowed(_("This call has started. Write to the builder, who can still cancel it."), code="started")
    if len(reason) > 300:
        raise Invalid(_("The reason has at most 300 characters."), code="reason_long")
    cancel_locked(consultation, actor, moment, reason, consultation.back_if_cancelled_by(actor, moment))
    return consultation


def cancel_locked(consultation: Consultation, actor: Any | None, moment: datetime, reason: str, back: Back) -> None:
    """Write the end of a call that is locked, after every question has been asked; `back` goes to the client."""
    claim = SlotClaim.objects.select_for_update(of=("self",), no_key=True).get(consultation=consultation)
    claim.move_to(ClaimStatus.RELEASED)
    consultation.move_to(
        C.CANCELLED,
        cancelled_at=moment,
        cancelled_by=actor,
        cancellation_reason=reason,
        ical_sequence=consultation.ical_sequence + 1,
        updated_at=moment,
    )
    close_absence(consultation, actor, moment)
    withdraw_open(consultation, moment)
    settle(consultation, back, actor=actor, reason=say("Call cancelled"))
    follow(consultation, moment)
    by_client = actor is not None and actor.pk == consultation.client_id
    record(Event.CALL_CANCELLED, actor=actor, target=consultation, amount=back.total, reason=reason, by_client=by_client)
    post_notice(consultation.conversation_id, body=emails.cancelled_notice(consultation, back), icon="calendar-x-2", subject=consultation.subject)
    for reader in (consultation.client, consultation.builder.user):
        said = emails.cancelled(consultation, reader, back)
        notify(
            reader,
            "call_cancelled",
            title=said.title,
            body=said.body,
            url=consultation.url,
            dedupe_key=f"call_cancelled:{consultation.pk}:{reader.pk}",
            context=emails.context(consultation, reader),
            moment=moment,
        )
