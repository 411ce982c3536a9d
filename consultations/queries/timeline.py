"""What happened to a call, told to one of its two people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from consultations.models import (
    Absence,
    AbsenceStatus,
    Attendance,
    Consultation,
    ConsultationStatus,
    Party,
    Proposal,
    ProposalKind,
    ProposalStatus,
    Reminder,
    ReminderKind,
    ReminderStatus,
)
from port444.kit.moments import short
from port444.kit.money import usd
from port444.payments.models import Refund, RefundStatus

C, P = ConsultationStatus, ProposalStatus
MOST_SESSIONS = 50  # of people who go in and out of a room; the first of each side is told


@dataclass(frozen=True, slots=True)
class Happened:
    """One line: who did what, when. `buoy` marks what still waits for somebody or went wrong."""

    at: datetime
    icon: str
    who: str
    text: str
    buoy: bool = False


def timeline(call: Consultation, reader: Any) -> list[Happened]:
    """Everything that happened to the call, from its booking through every move, in order. Six queries, however long the story."""
    rows = list(Consultation.objects.filter(chain=call.chain).order_by("created_at", "pk"))
    for row in rows:
        row.builder, row.client = call.builder, call.client
    proposals = list(Proposal.objects.filter(consultation__in=rows).order_by("created_at").select_related("made_by"))
    told = [*_booked_and_moved(rows, proposals, reader), *_proposed(call, proposals, reader)]
    told += [*_reminded(rows, reader), *_joined(call, reader), *_absences(call, reader), *_ended(call, reader), *_refunds(call, reader)]
    return sorted(told, key=lambda line: line.at)


def _did(at: datetime, icon: str, person: Any, reader: Any, yours: str, theirs: str, *, buoy: bool = False) -> Happened:
    """The two differ where a language says "you have" and "she has"."""
    you = person.pk == reader.pk
    return Happened(at, icon, _("You") if you else person.first_name, yours if you else theirs, buoy)


def _side(call: Consultation, party: str) -> Any:
    return call.client if party == Party.CLIENT else call.builder.user


def _booked_and_moved(rows: Sequence[Consultation], proposals: Sequence[Proposal], reader: Any) -> Iterator[Happened]:
    first = rows[0]
    zone = first.zone_of(reader)
    if first.paid_at is not None:
        booked = {"at": short(first.scheduled_at, zone), "total": usd(first.total)}
        yours, theirs = pgettext("after You", "booked %(at)s and paid %(total)s") % booked, _("booked %(at)s and paid %(total)s") % booked
        yield _did(first.paid_at, "calendar-check", first.client, reader, yours, theirs)
    accepted = {proposal.consultation_id: proposal for proposal in proposals if proposal.status == P.ACCEPTED}
    following = {row.rescheduled_from_id: row for row in rows}
    for row in rows:
        if row.rescheduled_at is None:
            continue
        to = following[row.pk].scheduled_at
        proposal = accepted.get(row.pk)
        facts = {"earlier": short(row.scheduled_at, zone), "at": short(to, zone)}
        mover = row.client
        yours, theirs = pgettext("after You", "moved it from %(earlier)s to %(at)s"), _("moved it from %(earlier)s to %(at)s")
        if proposal is not None:
            mover = row.other(proposal.made_by)
            yours = pgettext("after You", "accepted: the call moved from %(earlier)s to %(at)s")
            theirs = _("accepted: the call moved from %(earlier)s to %(at)s")
        yield _did(row.rescheduled_at, "calendar-clock", mover, reader, yours % facts, theirs % facts)


def _proposed(call: Consultation, proposals: Sequence[Proposal], reader: Any) -> Iterator[Happened]:
    zone, is_builder = call.zone_of(reader), reader.pk == call.builder.user_id
    for proposal in proposals:
        if proposal.kind == ProposalKind.CANCEL:
            if is_builder:  # between the builder and their calendar, until the call is called off
                yield Happened(proposal.created_at, "calendar-off", "", _("The call vanished from your calendar."), proposal.status == P.OPEN)
                if proposal.answered_at and proposal.status == P.DECLINED:
                    yield Happened(proposal.answered_at, "calendar-check", _("You"), pgettext("after You", "said that it takes place"))
            continue
        assert proposal.starts_at is not None  # a move has a time, by constraint
        if proposal.from_calendar:
            yours, theirs = pgettext("after You", "proposed %(at)s in the calendar."), _("proposed %(at)s in the calendar.")
        else:
            yours, theirs = pgettext("after You", "proposed %(at)s."), _("proposed %(at)s.")
        note = " " + _("“%(text)s”") % {"text": proposal.note} if proposal.note else ""
        yours, theirs = (words % {"at": short(proposal.starts_at, zone)} + note for words in (yours, theirs))
        yield _did(proposal.created_at, "hourglass", proposal.made_by, reader, yours, theirs, buoy=proposal.status == P.OPEN)
        if proposal.answered_at is None:
            continue
        if proposal.status == P.DECLINED:
            yours, theirs = pgettext("after You", "declined the proposed time"), _("declined the proposed time")
            yield _did(proposal.answered_at, "x", call.other(proposal.made_by), reader, yours, theirs)
        elif proposal.status == P.LAPSED:
            yield Happened(proposal.answered_at, "clock", "", _("The proposed time was not accepted in time."))
        elif proposal.status == P.WITHDRAWN:
            yield Happened(proposal.answered_at, "undo-2", "", _("The proposed time was taken back."))


def _reminded(rows: Sequence[Consultation], reader: Any) -> Iterator[Happened]:
    said = {
        ReminderKind.DAY: pgettext("after You", "were reminded, a day before"),
        ReminderKind.HOUR: pgettext("after You", "were reminded, an hour before"),
    }
    for reminder in Reminder.objects.filter(consultation__in=rows, recipient=reader, status=ReminderStatus.SENT):
        if reminder.settled_at is not None:
            yield Happened(reminder.settled_at, "bell", _("You"), said[ReminderKind(reminder.kind)])


def _joined(call: Consultation, reader: Any) -> Iterator[Happened]:
    seen: set[str] = set()
    for session in Attendance.objects.filter(consultation=call).order_by("joined_at")[:MOST_SESSIONS]:
        if session.party not in seen:
            seen.add(session.party)
            yours, theirs = pgettext("after You", "joined"), pgettext("call", "joined")
            yield _did(session.joined_at, "video", _side(call, session.party), reader, yours, theirs)


def _absences(call: Consultation, reader: Any) -> Iterator[Happened]:
    for absence in Absence.objects.filter(consultation=call).exclude(status=AbsenceStatus.SUGGESTED):
        missing = _side(call, absence.party)
        other = call.other(missing)
        if absence.reported_at:
            yours = pgettext("after You", "said that %(name)s did not come") % {"name": missing.first_name}
            waits = absence.status == AbsenceStatus.REPORTED
            yield _did(absence.reported_at, "user-x", other, reader, yours, _("said that you did not come"), buoy=waits)
        if absence.disputed_at:
            yours, theirs = pgettext("after You", "disagreed. Support looks at it"), _("disagreed. Support looks at it")
            yield _did(absence.disputed_at, "gavel", missing, reader, yours, theirs, buoy=absence.decided_at is None)
        if absence.decided_at and absence.status == AbsenceStatus.DISMISSED:
            yield Happened(absence.decided_at, "circle-check", "", _("It counts as attended."))


def _ended(call: Consultation, reader: Any) -> Iterator[Happened]:
    if call.completed_at:
        yield Happened(call.completed_at, "circle-check", "", _("The call is complete."))
    if call.cancelled_at:
        if call.cancelled_by_id:
            who = call.client if call.cancelled_by_id == call.client_id else call.builder.user
            yours, theirs = pgettext("after You", "cancelled the call"), _("cancelled the call")
            yield _did(call.cancelled_at, "calendar-x-2", who, reader, yours, theirs)
        else:
            yield Happened(call.cancelled_at, "calendar-x-2", "", _("The call was cancelled."))
    if call.no_show_at:
        missing = _side(call, call.no_show_party)
        yours = pgettext("after You", "did not come. The call is settled that way")
        yield _did(call.no_show_at, "user-x", missing, reader, yours, _("did not come. The call is settled that way"))


def _refunds(call: Consultation, reader: Any) -> Iterator[Happened]:
    mine, name = reader.pk == call.client_id, {"name": call.client.first_name}
    for refund in Refund.objects.filter(payment__invoice=call.invoice_id):
        if refund.completed_at:
            yield Happened(
                refund.completed_at, "banknote", usd(refund.amount), _("was sent back to you") if mine else _("was sent back to %(name)s") % name
            )
        elif refund.status == RefundStatus.REQUESTED:
            yield Happened(refund.requested_at, "banknote", usd(refund.amount), _("goes back to you") if mine else _("goes back to %(name)s") % name)
