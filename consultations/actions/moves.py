"""Moving a call: the old row ends, a new one follows it, and claim, invoice and escrow go along.

Lock order: the builder, the client, the call, its claim, its proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import emails
from consultations.models import ClaimStatus, Consultation, ConsultationStatus, Proposal, ProposalStatus, SlotClaim
from consultations.queries import call_settings, offers
from consultations.slots import Span
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify

from .booking import A_YEAR, NOT_OFFERED, TAKEN, ask_calendars, claiming, clear_stale
from .follow import follow

C = ConsultationStatus
NOT_FREE = _("That time is taken. The call stays where it is.")


def move_call(consultation_id: UUID, *, actor: Any, starts_at: datetime, live: Sequence[Span] | None = None) -> Consultation:
    """The client moves the call to another time on offer, without asking and without paying again.

    Possible until `move_until` and `move_limit` times, both frozen at booking; after that they propose. Gives the row that
    follows. Raises WrongState `moved` when the row was moved already, Conflict `slot_taken` when the time is gone.

    The builder's calendars are asked before the transaction, so this talks to a network; a caller with a transaction of its own asks
    before that and gives their answer as `live`.
    """
    plain = Consultation.objects.select_related("builder__call_settings").get(pk=consultation_id)
    plain.require_client(actor)
    heard = ask_around_move(plain, starts_at) if live is None else live
    return moving(lambda: _move_directly(consultation_id, actor, starts_at, heard))


def ask_around_move(consultation: Consultation, starts_at: datetime) -> list[Span]:
    """What stands in the builder's calendars around the new time, but for the call itself."""
    own = (int(consultation.scheduled_at.timestamp()), int(consultation.ends_at.timestamp()))
    return ask_calendars(consultation.builder, starts_at, consultation.duration, ignore=own)


def moving(write: Callable[[], Consultation]) -> Consultation:
    """Run a transaction that moves a call, with what the database refuses worded for somebody who has a call already."""
    try:
        return claiming(write)
    except Conflict as error:
        if error.code == TAKEN:
            raise Conflict(NOT_FREE, code=TAKEN) from error
        raise


@transaction.atomic
def _move_directly(consultation_id: UUID, actor: Any, starts_at: datetime, live: Sequence[Span]) -> Consultation:
    consultation = lock_parties(consultation_id)
    consultation.require_client(actor)
    moment = now()
    check_movable(consultation, starts_at, moment)
    if consultation.moves_left == 0:
        raise NotAllowed(gettext("You have moved this call as often as you can by yourself. Propose a time instead."), code="move_limit")
    if moment >= consultation.move_until:
        raise NotAllowed(
            gettext("A call moves without asking until %(hours)s hours before. Propose a time instead.") % {"hours": consultation.move_hours},
            code="move_late",
        )
    offered, is_open = offers(
        consultation.builder,
        client_id=consultation.client_id,
        minutes=consultation.duration,
        starts_at=starts_at,
        moment=moment,
        ignoring=consultation.pk,
        live=live,
    )
    if not offered:
        raise Invalid(NOT_OFFERED, code="slot_not_offered")
    if not is_open:
        raise Conflict(NOT_FREE, code=TAKEN)
    return move(consultation, starts_at, moment, actor=actor, wished_by=actor, counts=True)


def lock_parties(consultation_id: UUID) -> Consultation:
    """The call under lock, its builder and its client locked before it: whoever moves a call takes time from both."""
    builder_id, client_id = Consultation.objects.values_list("builder_id", "client_id").get(pk=consultation_id)
    Builder.objects.lock(builder_id)
    User.objects.lock(client_id)
    return Consultation.objects.lock(consultation_id)


def check_scheduled(consultation: Consultation, moment: datetime) -> None:
    """Whether anything about the time of the call can change at all."""
    if consultation.status == C.RESCHEDULED:
        raise WrongState(gettext("This call was moved meanwhile. Look at its new time first."), code="moved")
    if consultation.status != C.SCHEDULED:
        raise WrongState(gettext("This call is %(status)s and cannot be moved.") % {"status": consultation.status_words()})
    if consultation.scheduled_at <= moment:
        raise WrongState(gettext("This call has started and cannot be moved."), code="started")


def check_movable(consultation: Consultation, starts_at: datetime, moment: datetime) -> None:
    check_scheduled(consultation, moment)
    if starts_at == consultation.scheduled_at:
        raise Invalid(gettext("The call is at that time already."), code="same_time")
    if not moment < starts_at < moment + A_YEAR or starts_at.second or starts_at.microsecond:
        raise Invalid(gettext("Pick a time that is still ahead."), code="slot_not_offered")
    for person in (consultation.client, consultation.builder.user):
        if person.is_suspended or not person.is_active:
            raise NotAllowed(
                gettext("The account of %(name)s is closed at the moment, so the call cannot be moved.") % {"name": person.first_name},
                code="suspended",
            )


def move(consultation: Consultation, starts_at: datetime, moment: datetime, *, actor: Any, wished_by: Any, counts: bool = False) -> Consultation:
    """Write the move, under the locks of `lock_parties` and after every question has been asked; the row that follows.

    `wished_by` is who wanted the other time: a client whose free time to cancel was over gets no new one by it. `counts` takes
    one of the moves that the client has.
    """
    terms = call_settings(consultation.builder)
    ends_at = starts_at + timedelta(minutes=consultation.duration)
    busy = DateTimeTZRange(starts_at, ends_at + timedelta(minutes=terms.gap_minutes if terms else 0), "[)")
    if not clear_stale(consultation.builder, consultation.client_id, busy, moment):
        raise Conflict(NOT_FREE, code=TAKEN)
    consultation.move_to(C.RESCHEDULED, rescheduled_at=moment, updated_at=moment)
    follower = _follower(consultation, starts_at, ends_at, moment, wished_by)
    follower.move_count += counts
    follower.save(force_insert=True)
    claim = SlotClaim.objects.select_for_update(of=("self",), no_key=True).get(consultation=consultation, status=ClaimStatus.CONFIRMED)
    claim.busy, claim.consultation = busy, follower
    claim.save(update_fields=["busy", "consultation"])  # the constraints decide, and its own old time is not in the way
    withdraw_open(consultation, moment)
    follow(follower, moment)
    record(
        Event.CALL_MOVED,
        actor=actor,
        target=follower,
        starts_at=starts_at,
        moved_from=consultation.scheduled_at,
        earlier=consultation.pk,
        moves=follower.move_count,
    )
    notice = emails.moved_notice(follower, consultation, wished_by)
    post_notice(follower.conversation_id, body=notice, icon="calendar-clock", subject=follower.subject)
    for reader in (follower.client, follower.builder.user):
        said = emails.moved(follower, consultation, reader, wished_by)
        notify(
            reader,
            "call_moved",
            title=said.title,
            body=said.body,
            url=follower.url,
            dedupe_key=f"call_moved:{follower.pk}:{reader.pk}",
            context=emails.context(follower, reader),
            moment=moment,
        )
    return follower


def _follower(consultation: Consultation, starts_at: datetime, ends_at: datetime, moment: datetime, wished_by: Any) -> Consultation:
    """The row that continues the chain. What was agreed is copied; only the time, and what depends on it, is new."""
    free = consultation.free_until
    over = free is not None and free <= moment
    return Consultation(
        id=uuid7(),
        chain=consultation.chain,
        rescheduled_from=consultation,
        builder=consultation.builder,
        client=consultation.client,
        conversation_id=consultation.conversation_id,
        invoice_id=consultation.invoice_id,
        duration=consultation.duration,
        price=consultation.price,
        client_fee=consultation.client_fee,
        builder_fee_bps=consultation.builder_fee_bps,
        scheduled_at=starts_at,
        ends_at=ends_at,
        client_zone=consultation.client_zone,
        builder_zone=consultation.builder_zone,
        refund_policy=consultation.refund_policy,
        free_hours=consultation.free_hours,
        free_ended_at=free if over and wished_by.pk == consultation.client_id else None,
        move_limit=consultation.move_limit,
        move_hours=consultation.move_hours,
        move_count=consultation.move_count,
        status=C.SCHEDULED,
        meeting_url=consultation.meeting_url,
        meeting_provider=consultation.meeting_provider,
        meeting_id=consultation.meeting_id,
        ical_sequence=consultation.ical_sequence + 1,
        client_notes=consultation.client_notes,
        paid_at=consultation.paid_at,
        created_at=moment,
        updated_at=moment,
    )


def withdraw_open(consultation: Consultation, moment: datetime) -> None:
    """What was proposed for a call that has ended or moved needs no answer any more. The call must be locked."""
    for proposal in Proposal.objects.filter(consultation=consultation).open().select_for_update(of=("self",), no_key=True):
        proposal.move_to(ProposalStatus.WITHDRAWN, answered_at=moment)
