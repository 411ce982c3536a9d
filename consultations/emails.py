"""What is said about a call, to one person and in the conversation. Moments are worded in the reader's own zone of the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from port444.kit.clock import now
from port444.kit.mail import Attachment
from port444.kit.moments import when
from port444.kit.money import fee, usd
from port444.payments.handlers import Description, Promise, Step
from port444.payments.models import Credit, Invoice

from . import ical
from .models import (
    JOIN_MINUTES,
    WORTH_UNTIL,
    Absence,
    Back,
    CalendarLink,
    Consultation,
    ConsultationStatus,
    LinkedCalendar,
    MeetingProvider,
    Party,
    Proposal,
    RefundPolicy,
    ReminderKind,
)


@dataclass(frozen=True, slots=True)
class Words:
    """A title and a body: what happened, what comes next."""

    title: str
    body: str


def zone_of(call: Consultation, reader: Any) -> str:
    return call.zone_of(reader)


def other_of(call: Consultation, reader: Any) -> Any:
    return call.other(reader)


def context(call: Consultation, reader: Any) -> dict[str, Any]:
    """What the mail needs beside words: the time on both clocks, and the call for the invitation."""
    other = other_of(call, reader)
    return {
        "at": call.scheduled_at.isoformat(),
        "other_zone": zone_of(call, other),
        "other": other.name,
        "label": "Open the call",
        "consultation": str(call.pk),
    }


def policy_words(policy: str, free: datetime | None, zone: str, moment: datetime) -> str:
    """What the client gets back for cancelling from `moment` on, in one sentence; `free` is until when it is everything."""
    late = "half" if policy == RefundPolicy.HALF else "nothing"
    if free is None:
        return "Nothing back if you cancel"
    if free > moment:
        return f"Everything back if you cancel until {when(free, zone)}, {late} later"
    return f"The free time is over: {late} back if you cancel"


def policy_of(call: Consultation, moment: datetime) -> str:
    """The refund policy of a call in the words of its client."""
    return policy_words(call.refund_policy, call.free_until, call.client_zone, moment)


def scheduled(call: Consultation, reader: Any) -> Words:
    other, at = other_of(call, reader), when(call.scheduled_at, zone_of(call, reader))
    title = f"Call with {other.first_name}: {at}"
    room = f"The room opens {JOIN_MINUTES} minutes before. An invitation for your calendar is attached."
    if reader.pk == call.client_id:
        return Words(title, f"{call.duration} minutes, {usd(call.total)} paid. {room}\n\n{policy_of(call, now())}.")
    named = call.meeting_url or call.meeting_provider != MeetingProvider.OWN_LINK  # another room is made by itself
    link = "" if named else "\n\nYou have not named a meeting room yet. Add its link to your profile before the call."
    notes = f"\n\n{other.first_name} writes: “{call.client_notes}”" if call.client_notes else ""
    return Words(title, f"{call.duration} minutes, {usd(call.price)} in escrow. {room}{notes}{link}")


def reminder(call: Consultation, reader: Any, kind: ReminderKind) -> Words:
    """Worded without "tomorrow" or "in an hour", so that it is true whenever it is read."""
    other, at = other_of(call, reader), when(call.scheduled_at, zone_of(call, reader))
    title = f"Your call with {other.first_name}: {at}" if kind == ReminderKind.DAY else f"Soon: your call with {other.first_name}, {at}"
    body = f"{call.duration} minutes. The room opens {JOIN_MINUTES} minutes before, at {when(call.opens_at, zone_of(call, reader))}."
    if reader.pk != call.client_id and call.client_notes:
        body += f"\n\n{other.first_name} writes: “{call.client_notes}”"
    return Words(title, body)


def reminder_context(call: Consultation, reader: Any) -> dict[str, Any]:
    """Looking at any of these addresses changes nothing: what acts is a button on the page."""
    join = reverse("consultations:join", args=[call.pk])
    move = reverse("consultations:move", args=[call.pk])
    links = [["Join the call", join], ["Move it", move], ["Cancel it", f"{call.url}#cancel"]]
    return {**context(call, reader), "links": links}


def reminder_holds(notification: Any) -> bool:
    """Whether a reminder that is about to leave by e-mail or SMS is still true and still early enough."""
    ahead = WORTH_UNTIL[ReminderKind.DAY if notification.kind == "call_reminder_24h" else ReminderKind.HOUR]
    ready = Consultation.objects.filter(pk=notification.context["consultation"], status=ConsultationStatus.SCHEDULED)
    return ready.filter(scheduled_at__gt=now() + ahead).exists()


def late(call: Consultation, amount: str, free: Sequence[datetime]) -> Words:
    name = call.builder.user.first_name
    body = (
        f"Your payment arrived after the hold on {when(call.scheduled_at, call.client_zone)} had ended, and the time is gone. "
        f"{amount} goes back to where it came from, service fee included."
    )
    if free:
        body += f"\n\n{name} is free at:\n" + "\n".join(when(start, call.client_zone) for start in free)
    return Words(f"Your call with {name} could not be booked", body)


def completed(call: Consultation, reader: Any, credit: Credit, *, settled: bool = True) -> Words:
    """What was said, what it cost, and what can come next. `settled`: the money has moved already."""
    writer = "You" if reader.pk == call.client_id else call.client.first_name
    asked = f"\n\n{writer} wrote before: “{call.client_notes}”" if call.client_notes else ""
    notes = f"\n\nNotes of {call.builder.user.first_name}: “{call.builder_notes}”" if call.builder_notes else ""
    if reader.pk == call.client_id:
        name = call.builder.user.first_name
        until = f" until {day(credit.expires_at, call.client_zone)}" if credit.expires_at else ""
        next_ = f"\n\nWhat next: {usd(credit.remaining)} counts towards an order with {name}{until}. Choose a package on the page of the call."
        return Words(f"Your call with {name} is complete", f"{usd(call.price)} was released to {name}.{asked}{notes}{next_}")
    share, name = call.price - fee(call.price, call.builder_fee_bps), call.client.first_name
    next_ = f"\n\nShould {name} order from you, {usd(credit.amount)} of this call counts towards the price."
    when_ = "now" if settled else "as soon as escrow has released it, usually within minutes"
    money = f"{usd(call.price)} less the platform fee. You can withdraw it {when_}."
    return Words(f"Call with {name}: {usd(share)} is yours", f"{money}{asked}{notes}{next_}")


def summary(call: Consultation, reader: Any) -> dict[str, Any]:
    """The facts of a call that took place."""
    mine = reader.pk == call.client_id
    facts = [["Call", when(call.scheduled_at, zone_of(call, reader))], ["Length", f"{call.duration} minutes"], ["Price", usd(call.price)]]
    links = [["Turn it into an order", f"{call.url}#convert"]] if mine else []
    return {"label": "Open the call", "facts": facts, "links": links}


def day(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y}"


def credit_label(call: Consultation) -> str:
    return f"call with {call.builder.user.name}, {day(call.scheduled_at, call.client_zone)}"


def room_missing(call: Consultation, provider: str) -> Words:
    """For the builder: no room could be made, and their profile names no link that could stand in."""
    at = when(call.scheduled_at, call.builder_zone)
    body = (
        f"{provider} has not given your call with {call.client.first_name} a room yet. We go on trying. To be safe, add a link of your own "
        "to your profile: it stands in at once."
    )
    return Words(f"No room yet for the call of {at}", body)


def cancelled(call: Consultation, reader: Any, back: Back) -> Words:
    by_me = call.cancelled_by_id == reader.pk
    who = "You" if by_me else other_of(call, reader).first_name
    at = when(call.scheduled_at, zone_of(call, reader))
    title = f"{who} cancelled the call of {at}" if call.cancelled_by_id else f"The call of {at} was cancelled"
    reason = f" “{call.cancellation_reason}”" if call.cancellation_reason and not by_me else ""
    return Words(title, f"{money_for(call, reader, back)}{reason}")


def money_for(call: Consultation, reader: Any, back: Back) -> str:
    """Where the money of a call that does not take place goes, said to one side."""
    builder, client = call.builder.user.first_name, call.client.first_name
    kept = call.price - back.price
    yours = kept - fee(kept, call.builder_fee_bps)
    if reader.pk == call.client_id:
        if not back.total:
            return f"By the refund policy nothing goes back, and {builder} is paid."
        if not kept:
            return f"{usd(back.total)} goes back to where it came from, service fee included."
        return f"{usd(back.total)} goes back to where it came from: half the price and half the service fee. The rest of the price goes to {builder}."
    if not kept:
        return f"{client} gets everything back, and you are not paid."
    share = f"{usd(yours)} is yours: {usd(kept)} less the platform fee."
    return f"{share} {usd(back.total)} goes back to {client}." if back.total else share


def absence_suggested(call: Consultation, came: Party) -> Words:
    reader, absent = call.person(came), call.person(came.other).first_name
    at = when(call.scheduled_at, zone_of(call, reader))
    return Words(
        f"Did {absent} come to the call of {at}?", f"Only you were seen in the room. If {absent} did not come, say so on the page of the call."
    )


def nobody_seen(call: Consultation, party: Party) -> Words:
    reader, other = call.person(party), call.person(party.other).first_name
    at = when(call.scheduled_at, zone_of(call, reader))
    body = f"We saw nobody in the room, which happens when people meet elsewhere. If {other} did not come, say so on the page of the call."
    return Words(f"Did the call of {at} take place?", body)


def absence_reported(call: Consultation, absence: Absence) -> Words:
    absent = Party(absence.party)
    reader, other = call.person(absent), call.person(absent.other).first_name
    assert absence.answer_by is not None  # by constraint
    until = when(absence.answer_by, zone_of(call, reader))
    note = f"\n\n{other} writes: “{absence.note}”" if absence.note else ""
    money = money_for(call, reader, if_absent(call, absent))
    return Words(
        f"{other} says that you did not come: answer by {until}", f"Admit it or say what happened. Without an answer it counts. {money}{note}"
    )


def absence_disputed(call: Consultation, absence: Absence) -> Words:
    absent = call.person(absence.party).first_name
    return Words(
        f"{absent} says that they did come", f"“{absence.dispute_note}”\n\nSomebody of port444 looks at it and decides. Nothing is paid until then."
    )


def absence_to_decide(call: Consultation, absence: Absence) -> Words:
    return Words(
        f"To decide: did {call.person(absence.party).name} come to a call?",
        f"{call.client.name} with {call.builder.user.name}, {usd(call.price)}. “{absence.note}” against “{absence.dispute_note}”.",
    )


def absence_dismissed(call: Consultation, absence: Absence, party: Party) -> Words:
    if absence.decision_note and absence.disputed_at:
        return Words("Decided: the call counts as held", f"“{absence.decision_note}”\n\nThe builder completes it, or it completes by itself.")
    return Words(f"{call.person(party.other).first_name} took it back: the call counts as held", "There is nothing to answer any more.")


def no_show(call: Consultation, absence: Absence, party: Party, back: Back) -> Words:
    reader = call.person(party)
    who = "You" if party == absence.party else call.person(absence.party).first_name
    at = when(call.scheduled_at, zone_of(call, reader))
    note = f"\n\nDecided by port444: “{absence.decision_note}”" if absence.decision_note else ""
    return Words(f"{who} did not come to the call of {at}", f"{money_for(call, reader, back)}{note}")


def if_absent(call: Consultation, absent: Party) -> Back:
    """What goes back when it is true that `absent` did not come."""
    return call.everything if absent == Party.BUILDER else call.late_back


def absence_notice(call: Consultation, absence: Absence) -> str:
    absent = Party(absence.party)
    return f"{call.person(absent.other).first_name} says that {call.person(absent).first_name} did not come to the call of {call.duration} minutes."


def dismissed_notice(call: Consultation, absence: Absence) -> str:
    return f"The call of {call.duration} minutes counts as held after all."


def no_show_notice(call: Consultation, back: Back) -> str:
    who, kept, parts = call.person(call.no_show_party).first_name, call.price - back.price, []
    if back.total:
        parts.append(f"{usd(back.total)} goes back to {call.client.first_name}.")
    if kept:
        parts.append(f"{usd(kept)} goes to {call.builder.user.first_name}.")
    return f"{who} did not come to the call of {call.duration} minutes. {' '.join(parts)}"


def both_clocks(moment: datetime, call: Consultation) -> str:
    """A moment for both: "Tue 24 Nov, 04:30 (Amsterdam), Tue 24 Nov, 09:00 (Kolkata)"."""
    return ", ".join(dict.fromkeys(when(moment, zone) for zone in (call.client_zone, call.builder_zone)))


def moved(call: Consultation, earlier: Consultation, reader: Any, wished_by: Any) -> Words:
    zone, other = zone_of(call, reader), other_of(call, reader)
    who = "You" if wished_by.pk == reader.pk else wished_by.first_name
    body = (
        f"{who} moved it from {when(earlier.scheduled_at, zone)}. It is {call.duration} minutes as before, and paid. "
        "The attached file moves it in your calendar."
    )
    if reader.pk == call.client_id:
        body += f"\n\n{policy_of(call, now())}."
    return Words(f"Call with {other.first_name} moved to {when(call.scheduled_at, zone)}", body)


def moved_notice(call: Consultation, earlier: Consultation, wished_by: Any) -> str:
    return f"{wished_by.first_name} moved the call to {both_clocks(call.scheduled_at, call)}. It was {both_clocks(earlier.scheduled_at, call)}."


def proposal_context(proposal: Proposal, reader: Any) -> dict[str, Any]:
    """The proposed time on both clocks; for a call that vanished the time that it has."""
    call = proposal.consultation
    other = other_of(call, reader)
    at = proposal.starts_at or call.scheduled_at
    return {"at": at.isoformat(), "other_zone": zone_of(call, other), "other": other.name, "label": "Open the call"}


def _proposed_at(proposal: Proposal, zone: str) -> str:
    assert proposal.starts_at is not None  # a move has a time, by constraint
    return when(proposal.starts_at, zone)


def proposed(proposal: Proposal, reader: Any) -> Words:
    call, maker = proposal.consultation, proposal.made_by
    zone = zone_of(call, reader)
    note = f" “{proposal.note}”" if proposal.note else ""
    body = (
        f"It would move from {when(call.scheduled_at, zone)}.{note} Accept or decline until {when(proposal.answer_by, zone)}; "
        "without an answer the call stays where it is."
    )
    return Words(f"{maker.first_name} proposes {_proposed_at(proposal, zone)} for your call", body)


def proposed_notice(proposal: Proposal) -> str:
    assert proposal.starts_at is not None
    note = f" “{proposal.note}”" if proposal.note else ""
    return f"{proposal.made_by.first_name} proposed another time for the call: {both_clocks(proposal.starts_at, proposal.consultation)}.{note}"


def declined(proposal: Proposal) -> Words:
    call, reader = proposal.consultation, proposal.made_by
    zone = zone_of(call, reader)
    title = f"{other_of(call, reader).first_name} keeps the call at {when(call.scheduled_at, zone)}"
    return Words(title, f"{_proposed_at(proposal, zone)} does not suit. The call stays where it was.")


def withdrawn(proposal: Proposal) -> Words:
    call = proposal.consultation
    zone = zone_of(call, other_of(call, proposal.made_by))
    return Words(
        f"{proposal.made_by.first_name} took the proposed time back",
        f"The call stays at {when(call.scheduled_at, zone)}; you need to do nothing.",
    )


def lapsed(proposal: Proposal) -> Words:
    call, reader = proposal.consultation, proposal.made_by
    zone = zone_of(call, reader)
    return Words(f"The call stays at {when(call.scheduled_at, zone)}", f"{_proposed_at(proposal, zone)} was not accepted in time.")


def vanished(proposal: Proposal) -> Words:
    call = proposal.consultation
    zone = call.builder_zone
    body = (
        f"It is still booked and paid. Say until {when(proposal.answer_by, zone)} that it takes place and it is written into your calendar "
        f"again. Otherwise it is cancelled then, and {call.client.first_name} gets everything back."
    )
    return Words(f"Does the call of {when(call.scheduled_at, zone)} take place? It is gone from your calendar", body)


def kept(call: Consultation, wanted: datetime) -> Words:
    """The builder moved the call in their calendar to where it cannot be."""
    zone, name = call.builder_zone, call.client.first_name
    body = (
        f"You moved it to {when(wanted, zone)} in your calendar, but that time is not free for both of you. "
        f"{name} was not asked. Propose another time on the page of the call."
    )
    return Words(f"The call with {name} stays at {when(call.scheduled_at, zone)}", body)


def scheduled_notice(call: Consultation) -> str:
    return f"{call.client.first_name} booked a call of {call.duration} minutes. {usd(call.price)} went into escrow."


def completed_notice(call: Consultation) -> str:
    return f"The call of {call.duration} minutes is complete. {usd(call.price)} was released to {call.builder.user.first_name}."


def cancelled_notice(call: Consultation, back: Back) -> str:
    who = call.client if call.cancelled_by_id == call.client_id else call.builder.user
    kept, parts = call.price - back.price, []
    if back.total:
        parts.append(f"{usd(back.total)} goes back to {call.client.first_name}.")
    if kept:
        parts.append(f"{usd(kept)} goes to {call.builder.user.first_name}.")
    money = " ".join(parts)
    if call.cancelled_by_id is None:
        return f"The call of {call.duration} minutes was cancelled. {call.cancellation_reason} {money}"
    return f"{who.first_name} cancelled the call of {call.duration} minutes. {money}"


def invitation(notification: Any) -> list[Attachment]:
    """The calendar file of a notification about a call, as the call stands when the mail goes out."""
    key = notification.context.get("consultation")
    call = Consultation.objects.select_related("client", "builder__user").filter(pk=key).first() if key else None
    if call is not None and call.status == ConsultationStatus.RESCHEDULED:  # moved since the mail was written
        call = Consultation.objects.live(call.chain).select_related("client", "builder__user").first()
    if call is None or call.status not in (ConsultationStatus.SCHEDULED, ConsultationStatus.CANCELLED):
        return []
    method = "CANCEL" if call.status == ConsultationStatus.CANCELLED else "REQUEST"
    return [Attachment("call.ics", ical.calendar(call, notification.user), f"text/calendar; method={method}; charset=utf-8")]


def describe(invoice: Invoice) -> Description:
    """How the checkout speaks of a call."""
    call = Consultation.objects.live(invoice.subject_id).select_related("builder__user").get()
    name = call.builder.user.first_name
    moment = now()
    free = Promise("undo-2" if call.free_until and call.free_until > moment else "info", policy_of(call, moment))
    return Description(
        title=f"{call.duration} minute video call",
        kind=f"Call with {call.builder.user.name}",
        icon="video",
        heading="Pay for your call",
        lede=f"{when(call.scheduled_at, call.client_zone)}, {when(call.scheduled_at, call.builder_zone)} for {name}.",
        thing="call",
        held="This time is held",
        paid_note=f"The price waits in escrow until the call took place. {name} is paid after it.",
        back_url=reverse("consultations:book", args=[call.builder.slug]),
        back_text="Pick another time",
        steps=(
            Step("The call is confirmed", "Both of you get an invitation for the calendar."),
            Step("You meet", f"The room opens {JOIN_MINUTES} minutes before."),
            Step(f"{name} is paid", "After the call, out of escrow."),
        ),
        promises=(free, Promise("shield-check", f"Everything back if {name} cancels")),
    )


def join_address(call: Consultation) -> str:
    """Where to join: an address of ours, behind which the room can be made or repaired later."""
    return f"{settings.SITE_URL}{reverse('consultations:join', args=[call.pk])}"


def calendar_copy(call: Consultation) -> Words:
    """The call in the builder's own calendar."""
    at = when(call.scheduled_at, call.client_zone)
    lines = [f"Join: {join_address(call)}", f"The call: {settings.SITE_URL}{call.url}", "", f"{at} for {call.client.first_name}."]
    if call.client_notes:
        lines += ["", f"{call.client.first_name} writes: {call.client_notes}"]
    lines += ["", "Move or delete it here and we ask before anything changes for the other side."]
    return Words(f"Call with {call.client.name}", "\n".join(lines))


def calendar_broken(link: CalendarLink) -> Words:
    label = link.get_provider_display()
    return Words(
        f"{label} has to be connected again",
        f"{label} ({link.account}) does not let us in any more. For 24 hours we go on with what it said last, so that clients can still book you; "
        "after that no times are offered, because we could not tell when you are busy. Connecting again takes a minute and keeps your choices.",
    )


def calendar_stale(calendar: LinkedCalendar, read_at: datetime) -> Words:
    zone = calendar.link.builder.user.time_zone
    return Words(
        "Clients cannot book you at the moment",
        f"Your calendar {calendar.name} ({calendar.link.get_provider_display()}) could not be read since {when(read_at, zone)}. "
        "We do not know any more when you are busy, so no times are offered until it can be read again. "
        "Calls that are booked are not touched.",
    )


def calendar_conflict(call: Consultation, calendar_name: str) -> Words:
    at = when(call.scheduled_at, call.builder_zone)
    return Words(
        f"Your calendar is busy during your call of {at}",
        f"Something new in {calendar_name} lies over your call with {call.client.first_name}. The call stays booked: "
        "move one of the two, or propose another time on the page of the call.",
    )


def copy_failed(call: Consultation, *, gone: bool, error: str) -> Words:
    at = when(call.scheduled_at, call.builder_zone)
    what = "is still in your calendar, although it was called off" if gone else "is not in your calendar"
    body = f"{error} We have stopped trying. You can start another attempt on the page of your calendars. The call itself is not touched."
    return Words(f"The call of {at} {what}", body)
