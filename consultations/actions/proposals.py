"""What needs the other side's yes: another time, or the end of a call whose copy vanished from the builder's calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import emails
from consultations.models import Consultation, ConsultationStatus, Proposal, ProposalKind, ProposalStatus
from consultations.models.words import OFF_THE_CALENDAR
from consultations.queries import is_clear
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, TooMany, WrongState, word_constraint
from port444.kit.states import meet
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify

from .booking import TAKEN
from .conduct import cancel_locked
from .follow import follow
from .moves import check_movable, check_scheduled, lock_parties, move, moving

C, P = ConsultationStatus, ProposalStatus
A_DAY = timedelta(days=1)
MOST_A_DAY = 10  # for one call: each is a mail to the other side
CANCEL_WITHIN = timedelta(hours=2)
CANCEL_BEFORE = timedelta(hours=1)
CANCEL_LEAST = timedelta(minutes=15)

word_constraint("proposal_one_open", Conflict(_("Something is proposed for this call already. Answer that first."), code="proposal_open"))


@transaction.atomic
def propose_move(consultation_id: UUID, *, actor: Any, starts_at: datetime, note: str = "") -> Proposal:
    """Ask the other side to move the call to `starts_at`. The time is not held; it is looked at again when they say yes.

    Proposing replaces one's own open proposal, and says no to that of the other side. The same time again gives the open
    proposal again.
    """
    consultation = lock_parties(consultation_id)
    consultation.require_party(actor)
    moment = now()
    check_movable(consultation, starts_at, moment)
    if len(note) > 300:
        raise Invalid(gettext("The note has at most 300 characters."), code="note_long")
    standing = _open(consultation)
    if standing is not None and standing.kind == ProposalKind.CANCEL:
        raise WrongState(gettext("First say whether this call takes place."), code="cancel_proposed")
    if standing is not None and standing.starts_at == starts_at:
        if standing.made_by_id == actor.pk:
            return standing
        raise WrongState(gettext("That time is proposed to you already. Accept it."), code="proposed_to_you")
    if Proposal.objects.filter(consultation__chain=consultation.chain, created_at__gt=moment - A_DAY).count() >= MOST_A_DAY:
        raise TooMany(gettext("Enough times were proposed for this call today. Write to each other instead."), code="too_many_proposals")
    if not _is_clear(consultation, starts_at, moment):
        raise Conflict(gettext("That time is taken. Pick another one."), code=TAKEN)
    _supersede(consultation, standing, actor, moment)
    if standing is not None and standing.from_calendar:
        follow(consultation, moment)  # the copy goes back to where the call still is
    return _propose(consultation, actor, starts_at, note, moment)


def _is_clear(consultation: Consultation, starts_at: datetime, moment: datetime) -> bool:
    return is_clear(
        consultation.builder,
        client_id=consultation.client_id,
        minutes=consultation.duration,
        starts_at=starts_at,
        moment=moment,
        ignoring=consultation.pk,
    )


def _open(consultation: Consultation) -> Proposal | None:
    """What is proposed for a call, under lock."""
    return Proposal.objects.filter(consultation=consultation).open().select_for_update(of=("self",), no_key=True).first()


def _supersede(consultation: Consultation, standing: Proposal | None, actor: Any, moment: datetime) -> None:
    """A newer proposal takes the place of the one that stands: one's own is withdrawn, that of the other side declined."""
    if standing is None:
        return
    standing.consultation = consultation
    standing.move_to(P.WITHDRAWN if standing.made_by_id == actor.pk else P.DECLINED, answered_at=moment)
    _note_answer(standing, actor, "superseded")


def _propose(consultation: Consultation, maker: Any, starts_at: datetime, note: str, moment: datetime, *, from_calendar: bool = False) -> Proposal:
    proposal = Proposal.objects.create(
        consultation=consultation,
        kind=ProposalKind.MOVE,
        made_by=maker,
        from_calendar=from_calendar,
        starts_at=starts_at,
        note=note,
        answer_by=min(moment + timedelta(hours=settings.PROPOSAL_HOURS), consultation.scheduled_at, starts_at),
        created_at=moment,
    )
    record(Event.CALL_PROPOSED, actor=maker, target=consultation, starts_at=starts_at, proposal=proposal.pk, from_calendar=from_calendar)
    notice = emails.proposed_notice(proposal)
    post_notice(consultation.conversation_id, body=notice, icon="hourglass", subject=consultation.subject)
    reader = consultation.other(maker)
    _tell(proposal, reader, "call_proposed", emails.proposed(proposal, reader), moment)
    return proposal


def _tell(proposal: Proposal, reader: Any, kind: str, said: emails.Words, moment: datetime) -> None:
    notify(
        reader,
        kind,
        title=said.title,
        body=said.body,
        url=proposal.consultation.url,
        dedupe_key=f"{kind}:{proposal.pk}:{reader.pk}",
        context=emails.proposal_context(proposal, reader),
        moment=moment,
    )


def accept_proposal(proposal_id: UUID, *, actor: Any) -> Consultation:
    """Say yes: the call moves (the row that follows), or is called off with everything back. Needs no notice, only free time."""
    return moving(lambda: _accept(proposal_id, actor))


@transaction.atomic
def _accept(proposal_id: UUID, actor: Any) -> Consultation:
    consultation, proposal, moment = _to_answer(proposal_id, actor)
    if proposal.kind == ProposalKind.CANCEL:
        proposal.move_to(P.ACCEPTED, answered_at=moment)
        _note_answer(proposal, actor, "accepted")
        cancel_locked(consultation, actor, moment, "", consultation.everything)
        return consultation
    assert proposal.starts_at is not None  # a move has a time, by constraint
    check_movable(consultation, proposal.starts_at, moment)
    if not _is_clear(consultation, proposal.starts_at, moment):
        raise Conflict(gettext("That time is taken by now. Decline it, or propose another one."), code="time_gone")
    proposal.move_to(P.ACCEPTED, answered_at=moment)
    _note_answer(proposal, actor, "accepted")
    return move(consultation, proposal.starts_at, moment, actor=actor, wished_by=proposal.made_by)


def _to_answer(proposal_id: UUID, actor: Any) -> tuple[Consultation, Proposal, datetime]:
    """Call and proposal under lock, for somebody whose answer it is and who is in time."""
    consultation, proposal = _lock(proposal_id)
    consultation.require_party(actor)
    if proposal.answerer_id != actor.pk:
        raise NotAllowed(gettext("It is for the other side to answer this."))
    moment = now()
    if proposal.status != P.OPEN:
        raise WrongState(gettext("This is %(status)s already.") % {"status": proposal.status_words()}, code="answered")
    check_scheduled(consultation, moment)
    if proposal.answer_by <= moment:
        raise WrongState(gettext("The time to answer has passed."), code="lapsed")
    return consultation, proposal, moment


def _lock(proposal_id: UUID) -> tuple[Consultation, Proposal]:
    call_id = Proposal.objects.values_list("consultation_id", flat=True).get(pk=proposal_id)
    consultation = lock_parties(call_id)
    proposal = meet(Proposal.objects.select_for_update(of=("self",), no_key=True).select_related("made_by").get(pk=proposal_id))
    proposal.consultation = consultation
    return consultation, proposal


def _note_answer(proposal: Proposal, actor: Any | None, answer: str) -> None:
    record(Event.CALL_PROPOSAL_ANSWERED, actor=actor, target=proposal.consultation, proposal=proposal.pk, kind=proposal.kind, answer=answer)


@transaction.atomic
def decline_proposal(proposal_id: UUID, *, actor: Any) -> Proposal:
    """Say no: the call stays as it is. When a calendar proposed it, the call's copy there is written again."""
    consultation, proposal, moment = _to_answer(proposal_id, actor)
    proposal.move_to(P.DECLINED, answered_at=moment)
    _note_answer(proposal, actor, "declined")
    if proposal.kind == ProposalKind.MOVE:
        _tell(proposal, proposal.made_by, "call_proposal_answered", emails.declined(proposal), moment)
    if proposal.from_calendar:
        follow(consultation, moment)
    return proposal


@transaction.atomic
def withdraw_proposal(proposal_id: UUID, *, actor: Any) -> Proposal:
    """Take one's own proposal back; the call stays as it is."""
    consultation, proposal = _lock(proposal_id)
    if proposal.made_by_id != actor.pk or proposal.kind == ProposalKind.CANCEL:
        raise NotAllowed(gettext("Only whoever proposed this can take it back."))
    moment = now()
    if proposal.status != P.OPEN:
        raise WrongState(gettext("This is %(status)s already.") % {"status": proposal.status_words()}, code="answered")
    proposal.move_to(P.WITHDRAWN, answered_at=moment)
    _note_answer(proposal, actor, "withdrawn")
    _tell(proposal, consultation.other(actor), "call_proposal_answered", emails.withdrawn(proposal), moment)
    if proposal.from_calendar and consultation.status == C.SCHEDULED:
        follow(consultation, moment)
    return proposal


@transaction.atomic
def lapse_proposal(proposal_id: UUID) -> Proposal:
    """Nobody answered in time. A proposed time lapses without effect; a call that vanished from the builder's calendar is cancelled.

    Unless it has begun by now: then whoever came is in the room, and who did not come is another question.
    """
    consultation, proposal = _lock(proposal_id)
    moment = now()
    if proposal.status != P.OPEN or proposal.answer_by > moment:
        raise WrongState(gettext("This proposal is not over."))
    proposal.move_to(P.LAPSED, answered_at=moment)
    _note_answer(proposal, None, "lapsed")
    if consultation.status != C.SCHEDULED:
        return proposal
    if proposal.kind == ProposalKind.CANCEL:
        if consultation.scheduled_at > moment:
            cancel_locked(consultation, None, moment, OFF_THE_CALENDAR, consultation.everything)
        return proposal
    _tell(proposal, proposal.made_by, "call_proposal_answered", emails.lapsed(proposal), moment)
    if proposal.from_calendar:
        follow(consultation, moment)
    return proposal


@transaction.atomic
def propose_from_calendar(consultation_id: UUID, *, kind: str, starts_at: datetime | None = None, moment: datetime) -> Proposal | None:
    """The builder changed the call's copy in their calendar, which moves no money and no client by itself.

    A move is proposed to the client when the time is free; when it is not, the builder is told that the call stays, and its
    copy is put back. A deletion asks the builder whether the call takes place. Quiet, with None, when there is nothing to
    propose; the same change again gives the same proposal.
    """
    consultation = lock_parties(consultation_id)
    if consultation.status != C.SCHEDULED or consultation.scheduled_at <= moment:
        return None
    standing = _open(consultation)
    builder = consultation.builder.user
    if kind == ProposalKind.CANCEL:
        return _ask_whether_it_takes_place(consultation, standing, moment)
    assert starts_at is not None
    if standing is not None and standing.from_calendar and standing.kind == kind and standing.starts_at == starts_at:
        return standing
    if starts_at == consultation.scheduled_at:
        if standing is not None and standing.from_calendar:  # put back where it was
            standing.consultation = consultation
            standing.move_to(P.WITHDRAWN, answered_at=moment)
            _note_answer(standing, builder, "withdrawn")
        return None
    try:
        check_movable(consultation, starts_at, moment)
        free = _is_clear(consultation, starts_at, moment)
    except DomainError:
        free = False
    if not free:
        said = emails.kept(consultation, starts_at)
        notify(
            builder,
            "call_kept",
            title=said.title,
            body=said.body,
            url=consultation.url,
            dedupe_key=f"call_kept:{consultation.pk}:{starts_at:%Y%m%dT%H%M%S}",
            moment=moment,
        )
        follow(consultation, moment)
        return None
    _supersede(consultation, standing, builder, moment)
    return _propose(consultation, builder, starts_at, "", moment, from_calendar=True)


def _ask_whether_it_takes_place(consultation: Consultation, standing: Proposal | None, moment: datetime) -> Proposal:
    if standing is not None and standing.kind == ProposalKind.CANCEL:
        return standing
    builder, start = consultation.builder.user, consultation.scheduled_at
    _supersede(consultation, standing, builder, moment)
    proposal = Proposal.objects.create(
        consultation=consultation,
        kind=ProposalKind.CANCEL,
        made_by=builder,
        from_calendar=True,
        answer_by=min(max(min(moment + CANCEL_WITHIN, start - CANCEL_BEFORE), moment + CANCEL_LEAST), start),
        created_at=moment,
    )
    record(Event.CALL_PROPOSED, actor=builder, target=consultation, proposal=proposal.pk, kind=ProposalKind.CANCEL, from_calendar=True)
    _tell(proposal, builder, "call_vanished", emails.vanished(proposal), moment)
    return proposal
