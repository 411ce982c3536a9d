"""Somebody did not come: suggested by evidence, said by the side that came, admitted, disputed, decided.

Every write happens under the call's lock, so that a report, an answer, a completion and a sweep come one after the other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auditlog.actions import record
from auditlog.events import Event
from consultations import emails
from consultations.models import (
    ANSWER_TIME,
    PRESENT,
    REPORT_AFTER,
    Absence,
    AbsenceStatus,
    Attendance,
    Consultation,
    ConsultationStatus,
    Party,
    Source,
)
from consultations.models.words import OPPOSITE, TAKEN_BACK
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.sentences import say
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify

from .follow import follow
from .settling import settle

A, C = AbsenceStatus, ConsultationStatus
LONGEST_NOTE = 600
MOST_STAFF = 50


@transaction.atomic
def look_at_attendance(consultation_id: UUID) -> Consultation:
    """After a call: suggest that one side did not come when only the other was seen, ask both when nobody was. Once for a call.

    Raises WrongState for a call that is not waiting for it.
    """
    call = Consultation.objects.lock(consultation_id)
    moment = now()
    if not Consultation.objects.unlooked(moment).filter(pk=call.pk).exists():
        raise WrongState(_("Nobody has to look at this call."))
    call.attendance_looked_at = moment
    call.save(update_fields=["attendance_looked_at"])
    if not (call.meeting_url or call.builder.meeting_url) or _open(call) is not None:
        return call  # without a room nobody could be seen, and who has spoken already need not be asked
    seen, present = _seen(call)
    if len(present) == 1 and seen == present:
        came = present.pop()
        absence = Absence.objects.create(consultation=call, party=came.other, status=A.SUGGESTED, created_at=moment)
        record(Event.ABSENCE_SUGGESTED, actor=None, target=absence, call=call.pk, party=came.other)
        _tell(call, call.person(came), "call_absence_asked", emails.absence_suggested(call, came), moment)
    elif not seen:
        for party in Party:
            _tell(call, call.person(party), "call_absence_asked", emails.nobody_seen(call, party), moment)
    return call


def _seen(call: Consultation) -> tuple[set[Party], set[Party]]:
    """Who was seen at all, and who long enough to have come. Our own page does not see people leave, so whoever joined there came."""
    seen, present = set(), set()
    for row in Attendance.objects.filter(consultation=call):
        party = Party(row.party)
        seen.add(party)
        if row.source == Source.JOIN or row.left_at is None or row.left_at - row.joined_at >= PRESENT:
            present.add(party)
    return seen, present


def _open(call: Consultation) -> Absence | None:
    return Absence.objects.filter(consultation=call).open().select_for_update(of=("self",), no_key=True).first()


@transaction.atomic
def report_absence(consultation_id: UUID, *, actor: Any, note: str = "") -> Absence:
    """The side that came says that the other did not. The other has two days to admit or to dispute it; silence confirms it."""
    call, moment = Consultation.objects.lock(consultation_id), now()
    call.require_party(actor)
    note = _checked(note)
    if call.status != C.SCHEDULED:
        raise WrongState(_("This call is %(status)s; who came is settled.") % {"status": call.status_words()})
    if moment < call.scheduled_at + REPORT_AFTER:
        raise WrongState(_("Give them five minutes after the start."), code="too_early")
    me = call.party_of(actor)
    absent = call.person(me.other)
    current = _open(call)
    if current is not None and current.status != A.SUGGESTED:
        if current.party == me.other:
            raise WrongState(_("You have said so already."))
        raise Conflict(_("%(name)s says that you did not come. Answer that first.") % {"name": absent.first_name}, code="answer_first")
    if Absence.objects.filter(consultation=call, party=me.other, status=A.DISMISSED, reported_at__isnull=False).exists():
        raise WrongState(_("This was said before and is settled."))
    facts = {"note": note, "reported_at": moment, "answer_by": moment + ANSWER_TIME}
    if current is not None and current.party == me.other:
        current.move_to(A.REPORTED, **facts)
        absence = current
    else:
        if current is not None:
            current.move_to(A.DISMISSED, decided_at=moment, decision_note=OPPOSITE)
        absence = Absence.objects.create(consultation=call, party=me.other, status=A.REPORTED, created_at=moment, **facts)
    absence.consultation = call
    record(Event.ABSENCE_REPORTED, actor=actor, target=absence, call=call.pk, party=absence.party, note=note)
    post_notice(call.conversation_id, body=emails.absence_notice(call, absence), icon="user-x", subject=call.subject)
    _tell(call, absent, "call_absence_reported", emails.absence_reported(call, absence), moment)
    return absence


def _checked(note: str) -> str:
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise Invalid(_("A note has at most %(most)s characters.") % {"most": LONGEST_NOTE}, code="note_long")
    return note


def _answerable(call: Consultation, actor: Any) -> Absence:
    """The report that `actor` has to answer."""
    call.require_party(actor)
    absence = _open(call)
    if absence is None or absence.status != A.REPORTED or absence.party != call.party_of(actor):
        raise WrongState(_("There is nothing to answer here any more."))
    absence.consultation = call
    return absence


@transaction.atomic
def admit_absence(consultation_id: UUID, *, actor: Any) -> Absence:
    """The side that is said to have stayed away says that it did."""
    call = Consultation.objects.lock(consultation_id)
    absence = _answerable(call, actor)
    _confirm(absence, call, actor, now(), "")
    return absence


@transaction.atomic
def dispute_absence(consultation_id: UUID, *, actor: Any, note: str) -> Absence:
    """The side that is said to have stayed away says that it came; staff decides."""
    call, moment = Consultation.objects.lock(consultation_id), now()
    absence = _answerable(call, actor)
    note = _checked(note)
    if not note:
        raise Invalid(_("Say what happened, so that it can be decided."), code="note_missing")
    if absence.answer_by is not None and absence.answer_by <= moment:
        raise WrongState(_("The time to dispute this has passed."), code="too_late")
    absence.move_to(A.DISPUTED, disputed_at=moment, dispute_note=note)
    record(Event.ABSENCE_DISPUTED, actor=actor, target=absence, call=call.pk, party=absence.party, note=note)
    reporter = call.person(Party(absence.party).other)
    _tell(call, reporter, "call_absence_disputed", emails.absence_disputed(call, absence), moment)
    for person in User.objects.filter(is_staff=True, is_active=True).order_by("pk")[:MOST_STAFF]:
        said = emails.absence_to_decide(call, absence, person)
        notify(
            person,
            "call_absence_to_decide",
            title=said.title,
            body=said.body,
            url=f"/console/consultations/absence/{absence.pk}/change/",
            dedupe_key=f"call_absence_to_decide:{absence.pk}",
            moment=moment,
        )
    return absence


@transaction.atomic
def dismiss_absence(consultation_id: UUID, *, actor: Any) -> Absence:
    """The side that came takes it back: the other was there after all."""
    call, moment = Consultation.objects.lock(consultation_id), now()
    call.require_party(actor)
    absence = _open(call)
    if absence is None:
        raise WrongState(_("There is nothing to take back any more."))
    if absence.party == call.party_of(actor):
        raise NotAllowed(_("Only the side that came can take this back."))
    _dismiss(absence, call, actor, moment, TAKEN_BACK)
    return absence


@transaction.atomic
def decide_absence(absence_id: UUID, *, actor: Any, outcome: str, note: str) -> Absence:
    """Staff decides a dispute: `outcome` is `confirmed` or `dismissed`, `note` is read by both people."""
    call = Consultation.objects.lock(Absence.objects.values_list("consultation_id", flat=True).get(pk=absence_id))
    absence = Absence.objects.select_for_update(of=("self",), no_key=True).get(pk=absence_id)
    absence.consultation = call
    if not actor.is_staff:
        raise NotAllowed(_("Only staff can decide this."))
    if actor.pk in (call.client_id, call.builder.user_id):
        raise NotAllowed(_("Nobody decides about a call of their own."))
    if absence.status != A.DISPUTED:
        raise WrongState(_("This is not waiting for a decision."))
    note, moment = " ".join(note.split()), now()
    if not 10 <= len(note) <= LONGEST_NOTE:
        raise Invalid(_("Give a reason of 10 to %(most)s characters. Both people read it.") % {"most": LONGEST_NOTE}, code="reason")
    if outcome not in (A.CONFIRMED, A.DISMISSED):
        raise Invalid(_("Decide that they did not come, or that they did."), code="outcome")
    if outcome == A.CONFIRMED:
        _confirm(absence, call, actor, moment, note)
    else:
        _dismiss(absence, call, actor, moment, note)
    record(Event.ABSENCE_DECIDED, actor=actor, target=absence, call=call.pk, party=absence.party, outcome=outcome, description=note)
    return absence


@transaction.atomic
def confirm_unanswered(absence_id: UUID) -> Absence:
    """Nobody answered a report in time: it counts as true. For the sweep."""
    call = Consultation.objects.lock(Absence.objects.values_list("consultation_id", flat=True).get(pk=absence_id))
    moment = now()
    waiting = Absence.objects.unanswered(moment).select_for_update(of=("self",), no_key=True)
    absence = waiting.filter(pk=absence_id).first()
    if absence is None:
        raise WrongState(_("This report was answered."))
    _confirm(absence, call, None, moment, "")
    return absence


@transaction.atomic
def drop_suggestion(absence_id: UUID) -> Absence:
    """Nobody took a suggestion up for days: it is dropped, and the call can complete. For the sweep."""
    call = Consultation.objects.lock(Absence.objects.values_list("consultation_id", flat=True).get(pk=absence_id))
    moment = now()
    waiting = Absence.objects.ignored(moment).select_for_update(of=("self",), no_key=True)
    absence = waiting.filter(pk=absence_id).first()
    if absence is None:
        raise WrongState(_("This suggestion was taken up."))
    close_absence(call, None, moment)
    return absence


def close_absence(call: Consultation, actor: Any | None, moment: datetime) -> None:
    """What is open about who came has no object any more: the call ended otherwise. Inside the action that ends it, under its lock."""
    absence = _open(call)
    if absence is not None:
        absence.move_to(A.DISMISSED, decided_at=moment, decided_by=actor)
        record(Event.ABSENCE_DISMISSED, actor=actor, target=absence, call=call.pk, party=absence.party)


def require_nothing_said(call: Consultation, moment: datetime) -> None:
    """Raises Conflict while what was said about who came keeps the builder from completing the call.

    Also what they said themselves: it is in the way of the client's own word, so it may not be the last one.
    """
    client = call.client.first_name
    for said in Absence.objects.filter(consultation=call):
        if not said.keeps_open(moment):
            continue
        if said.party == Party.BUILDER:
            words = _("Answer that first.") if said.status == A.REPORTED else _("It is being decided.")
            raise Conflict(_("%(client)s says that you did not come. %(words)s") % {"client": client, "words": words}, code="answer_first")
        if said.status == A.DISMISSED:
            raise Conflict(
                _("%(client)s has a day to say what happened. After that the call completes by itself.") % {"client": client}, code="heard_first"
            )
        raise Conflict(
            _("You say that %(client)s did not come. A call that did not take place is not completed.") % {"client": client}, code="said_absent"
        )


def _dismiss(absence: Absence, call: Consultation, actor: Any, moment: datetime, note: str) -> None:
    absence.move_to(A.DISMISSED, decided_at=moment, decided_by=actor, decision_note=note)
    record(Event.ABSENCE_DISMISSED, actor=actor, target=absence, call=call.pk, party=absence.party)
    if absence.reported_at is None:
        return  # only a suggestion, which the other side has never heard of
    post_notice(call.conversation_id, body=emails.dismissed_notice(call, absence), icon="user-round-check", subject=call.subject)
    for party in Party:
        if call.person(party).pk != actor.pk:
            _tell(call, call.person(party), "call_absence_dismissed", emails.absence_dismissed(call, absence, party), moment)


def _confirm(absence: Absence, call: Consultation, actor: Any | None, moment: datetime, note: str) -> None:
    """The call is a no-show, and its money goes where the policy says: to the client when the builder stayed away, else as after a late cancel."""
    absent = Party(absence.party)
    absence.move_to(A.CONFIRMED, decided_at=moment, decided_by=actor, decision_note=note)
    back = call.everything if absent == Party.BUILDER or _could_not_come(call) else call.late_back
    call.move_to(C.NO_SHOW, no_show_at=moment, no_show_party=absent, updated_at=moment)
    settle(call, back, actor=actor, reason=say("The call did not take place"))
    follow(call, moment)
    record(Event.CALL_NO_SHOW, actor=actor, target=call, amount=back.total, party=absent, absence=absence.pk)
    post_notice(call.conversation_id, body=emails.no_show_notice(call, back), icon="user-x", subject=call.subject)
    for party in Party:
        _tell(call, call.person(party), "call_no_show", emails.no_show(call, absence, party, back), moment)


def _could_not_come(call: Consultation) -> bool:
    """A builder who was suspended before the end could not hold the call, whoever was absent."""
    suspended_at = call.builder.user.suspended_at
    return suspended_at is not None and suspended_at < call.ends_at


def _tell(call: Consultation, person: Any, kind: str, said: emails.Words, moment: datetime) -> None:
    notify(
        person,
        kind,
        title=said.title,
        body=said.body,
        url=call.url,
        dedupe_key=f"{kind}:{call.pk}:{person.pk}",
        context={"label": gettext_lazy("Open the call")},
        moment=moment,
    )
