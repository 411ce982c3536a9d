"""What is said about a call, to one person and in the conversation. Moments are worded in the reader's own zone of the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from port444.kit.clock import now
from port444.kit.language import dated, speaking_to
from port444.kit.mail import Attachment
from port444.kit.moments import when
from port444.kit.money import fee, usd
from port444.kit.sentences import Day, Said, say
from port444.kit.templatetags.ui import city
from port444.payments.handlers import Description, Promise, Step
from port444.payments.models import Credit, Invoice

from . import ical
from .models import (
    JOIN_MINUTES,
    WORTH_UNTIL,
    Absence,
    Back,
    CalendarEvent,
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
from .models.words import OURS


@dataclass(frozen=True, slots=True)
class Words:
    """A title and a body: what happened, what comes next."""

    title: str
    body: str


def said_to[**P, R](reader: Callable[P, Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Words of a function are those of whom they are for; `reader` finds that person in its arguments."""

    def around(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def worded(*args: P.args, **options: P.kwargs) -> R:
            with speaking_to(reader(*args, **options)):
                return function(*args, **options)

        return worded

    return around


def quoted(words: str) -> str:
    return _("“%(text)s”") % {"text": words}


def zone_of(call: Consultation, reader: Any) -> str:
    return call.zone_of(reader)


def other_of(call: Consultation, reader: Any) -> Any:
    return call.other(reader)


@said_to(lambda call, reader: reader)
def context(call: Consultation, reader: Any) -> dict[str, Any]:
    """What the mail needs beside words: the time on both clocks, and the call for the invitation."""
    other = other_of(call, reader)
    return {
        "at": call.scheduled_at.isoformat(),
        "other_zone": zone_of(call, other),
        "other": other.name,
        "label": gettext_lazy("Open the call"),
        "consultation": str(call.pk),
    }


def policy_words(policy: str, free: datetime | None, zone: str, moment: datetime) -> str:
    """What the client gets back for cancelling from `moment` on, in one sentence; `free` is until when it is everything."""
    half = policy == RefundPolicy.HALF
    if free is None:
        return _("Nothing back if you cancel")
    if free <= moment:
        return _("The free time is over: half back if you cancel") if half else _("The free time is over: nothing back if you cancel")
    until = {"until": when(free, zone)}
    if half:
        return _("Everything back if you cancel until %(until)s, half later") % until
    return _("Everything back if you cancel until %(until)s, nothing later") % until


def policy_of(call: Consultation, moment: datetime) -> str:
    """The refund policy of a call in the words of its client."""
    return policy_words(call.refund_policy, call.free_until, call.client_zone, moment)


@said_to(lambda call, reader: reader)
def scheduled(call: Consultation, reader: Any) -> Words:
    other, at = other_of(call, reader), when(call.scheduled_at, zone_of(call, reader))
    title = _("Call with %(name)s: %(at)s") % {"name": other.first_name, "at": at}
    room = _("The room opens %(ahead)s minutes before. An invitation for your calendar is attached.") % {"ahead": JOIN_MINUTES}
    if reader.pk == call.client_id:
        return Words(
            title,
            _("%(minutes)s minutes, %(total)s paid.") % {"minutes": call.duration, "total": usd(call.total)}
            + f" {room}\n\n{policy_of(call, now())}.",
        )
    named = call.meeting_url or call.meeting_provider != MeetingProvider.OWN_LINK  # another room is made by itself
    link = "" if named else "\n\n" + _("You have not named a meeting room yet. Add its link to your profile before the call.")
    notes = "\n\n" + _("%(name)s writes: “%(words)s”") % {"name": other.first_name, "words": call.client_notes} if call.client_notes else ""
    return Words(
        title, _("%(minutes)s minutes, %(price)s in escrow.") % {"minutes": call.duration, "price": usd(call.price)} + f" {room}{notes}{link}"
    )


@said_to(lambda call, reader, kind: reader)
def reminder(call: Consultation, reader: Any, kind: ReminderKind) -> Words:
    """Worded without "tomorrow" or "in an hour", so that it is true whenever it is read."""
    other, at = other_of(call, reader), when(call.scheduled_at, zone_of(call, reader))
    title = (
        _("Your call with %(name)s: %(at)s") % {"name": other.first_name, "at": at}
        if kind == ReminderKind.DAY
        else _("Soon: your call with %(name)s, %(at)s") % {"name": other.first_name, "at": at}
    )
    body = _("%(minutes)s minutes. The room opens %(ahead)s minutes before, at %(opens)s.") % {
        "minutes": call.duration,
        "ahead": JOIN_MINUTES,
        "opens": when(call.opens_at, zone_of(call, reader)),
    }
    if reader.pk != call.client_id and call.client_notes:
        body += "\n\n" + _("%(name)s writes: “%(words)s”") % {"name": other.first_name, "words": call.client_notes}
    return Words(title, body)


@said_to(lambda call, reader: reader)
def reminder_context(call: Consultation, reader: Any) -> dict[str, Any]:
    """Looking at any of these addresses changes nothing: what acts is a button on the page."""
    join = reverse("consultations:join", args=[call.pk])
    move = reverse("consultations:move", args=[call.pk])
    links = [
        [_("Join the call"), join],
        [pgettext("call", "Move it"), move],
        [pgettext("call", "Cancel it"), f"{call.url}#cancel"],
    ]
    return {**context(call, reader), "links": links}


def reminder_holds(notification: Any) -> bool:
    """Whether a reminder that is about to leave by e-mail or SMS is still true and still early enough."""
    ahead = WORTH_UNTIL[ReminderKind.DAY if notification.kind == "call_reminder_24h" else ReminderKind.HOUR]
    ready = Consultation.objects.filter(pk=notification.context["consultation"], status=ConsultationStatus.SCHEDULED)
    return ready.filter(scheduled_at__gt=now() + ahead).exists()


@said_to(lambda call, amount, free: call.client)
def late(call: Consultation, amount: str, free: Sequence[datetime]) -> Words:
    name = call.builder.user.first_name
    body = _(
        "Your payment arrived after the hold on %(at)s had ended, and the time is gone. %(amount)s goes back to where it "
        "came from, service fee included."
    ) % {"at": when(call.scheduled_at, call.client_zone), "amount": amount}
    if free:
        body += "\n\n" + _("%(name)s is free at:") % {"name": name} + "\n" + "\n".join(when(start, call.client_zone) for start in free)
    return Words(_("Your call with %(name)s could not be booked") % {"name": name}, body)


@said_to(lambda call, reader, credit, *, settled=True: reader)
def completed(call: Consultation, reader: Any, credit: Credit, *, settled: bool = True) -> Words:
    """What was said, what it cost, and what can come next. `settled`: the money has moved already."""
    asked = notes = ""
    if call.client_notes:
        said = _("You wrote before: “%(words)s”") if reader.pk == call.client_id else _("%(name)s wrote before: “%(words)s”")
        asked = "\n\n" + said % {"name": call.client.first_name, "words": call.client_notes}
    if call.builder_notes:
        notes = "\n\n" + _("Notes of %(name)s: “%(words)s”") % {"name": call.builder.user.first_name, "words": call.builder_notes}
    if reader.pk == call.client_id:
        name = call.builder.user.first_name
        facts = {"amount": usd(credit.remaining), "name": name, "price": usd(call.price)}
        if credit.expires_at:
            facts["until"] = day(credit.expires_at, call.client_zone)
            next_ = _("What next: %(amount)s counts towards an order with %(name)s until %(until)s. Choose a package on the page of the call.")
        else:
            next_ = _("What next: %(amount)s counts towards an order with %(name)s. Choose a package on the page of the call.")
        released = _("%(price)s was released to %(name)s.") % facts
        return Words(_("Your call with %(name)s is complete") % facts, f"{released}{asked}{notes}\n\n{next_ % facts}")
    share, name = call.price - fee(call.price, call.builder_fee_bps), call.client.first_name
    facts = {"name": name, "credit": usd(credit.amount), "price": usd(call.price), "share": usd(share)}
    next_ = _("Should %(name)s order from you, %(credit)s of this call counts towards the price.") % facts
    if settled:
        money = _("%(price)s less the platform fee. You can withdraw it now.") % facts
    else:
        money = _("%(price)s less the platform fee. You can withdraw it as soon as escrow has released it, usually within minutes.") % facts
    return Words(_("Call with %(name)s: %(share)s is yours") % facts, f"{money}{asked}{notes}\n\n{next_}")


@said_to(lambda call, reader: reader)
def summary(call: Consultation, reader: Any) -> dict[str, Any]:
    """The facts of a call that took place."""
    mine = reader.pk == call.client_id
    facts = [
        [_("Call"), when(call.scheduled_at, zone_of(call, reader))],
        [_("Length"), _("%(minutes)s minutes") % {"minutes": call.duration}],
        [_("Price"), usd(call.price)],
    ]
    links = [[_("Turn it into an order"), f"{call.url}#convert"]] if mine else []
    return {"label": gettext_lazy("Open the call"), "facts": facts, "links": links}


def day(moment: datetime, zone: str) -> str:
    return dated(moment.astimezone(ZoneInfo(zone)), "j M Y")


@said_to(lambda call: call.client)
def credit_label(call: Consultation) -> str:
    return _("call with %(name)s, %(day)s") % {"name": call.builder.user.name, "day": day(call.scheduled_at, call.client_zone)}


@said_to(lambda call: call.builder.user)
def room_title(call: Consultation) -> str:
    """The name of a room at its provider, where it is the builder's."""
    return _("%(first)s and %(last)s") % {"first": call.builder.user.first_name, "last": call.client.first_name}


@said_to(lambda call, provider: call.builder.user)
def room_missing(call: Consultation, provider: str) -> Words:
    """For the builder: no room could be made, and their profile names no link that could stand in."""
    at = when(call.scheduled_at, call.builder_zone)
    body = _(
        "%(provider)s has not given your call with %(name)s a room yet. We go on trying. To be safe, add a link of your own "
        "to your profile: it stands in at once."
    ) % {"provider": provider, "name": call.client.first_name}
    return Words(_("No room yet for the call of %(at)s") % {"at": at}, body)


@said_to(lambda call, reader, back: reader)
def cancelled(call: Consultation, reader: Any, back: Back) -> Words:
    by_me = call.cancelled_by_id == reader.pk
    facts = {"name": other_of(call, reader).first_name, "at": when(call.scheduled_at, zone_of(call, reader))}
    title = _("%(name)s cancelled the call of %(at)s") if call.cancelled_by_id else _("The call of %(at)s was cancelled")
    if by_me:
        title = _("You cancelled the call of %(at)s")
    reason = " " + quoted(call.cancellation_words) if call.cancellation_reason and not by_me else ""
    return Words(title % facts, f"{money_for(call, reader, back)}{reason}")


def money_for(call: Consultation, reader: Any, back: Back) -> str:
    """Where the money of a call that does not take place goes, said to one side."""
    builder, client = call.builder.user.first_name, call.client.first_name
    kept = call.price - back.price
    yours = kept - fee(kept, call.builder_fee_bps)
    if reader.pk == call.client_id:
        if not back.total:
            return _("By the refund policy nothing goes back, and %(builder)s is paid.") % {"builder": builder}
        if not kept:
            return _("%(total)s goes back to where it came from, service fee included.") % {"total": usd(back.total)}
        return _("%(total)s goes back to where it came from: half the price and half the service fee. The rest of the price goes to %(builder)s.") % {
            "total": usd(back.total),
            "builder": builder,
        }
    if not kept:
        return _("%(client)s gets everything back, and you are not paid.") % {"client": client}
    share = _("%(share)s is yours: %(kept)s less the platform fee.") % {"share": usd(yours), "kept": usd(kept)}
    rest = _("%(amount)s goes back to %(name)s.") % {"amount": usd(back.total), "name": client}
    return f"{share} {rest}" if back.total else share


@said_to(lambda call, came: call.person(came))
def absence_suggested(call: Consultation, came: Party) -> Words:
    reader, absent = call.person(came), call.person(came.other).first_name
    at = when(call.scheduled_at, zone_of(call, reader))
    return Words(
        _("Did %(absent)s come to the call of %(at)s?") % {"absent": absent, "at": at},
        _("Only you were seen in the room. If %(absent)s did not come, say so on the page of the call.") % {"absent": absent},
    )


@said_to(lambda call, party: call.person(party))
def nobody_seen(call: Consultation, party: Party) -> Words:
    reader, other = call.person(party), call.person(party.other).first_name
    at = when(call.scheduled_at, zone_of(call, reader))
    body = _("We saw nobody in the room, which happens when people meet elsewhere. If %(other)s did not come, say so on the page of the call.") % {
        "other": other
    }
    return Words(_("Did the call of %(at)s take place?") % {"at": at}, body)


@said_to(lambda call, absence: call.person(absence.party))
def absence_reported(call: Consultation, absence: Absence) -> Words:
    absent = Party(absence.party)
    reader, other = call.person(absent), call.person(absent.other).first_name
    assert absence.answer_by is not None  # by constraint
    until = when(absence.answer_by, zone_of(call, reader))
    note = "\n\n" + _("%(name)s writes: “%(words)s”") % {"name": other, "words": absence.note} if absence.note else ""
    money = money_for(call, reader, if_absent(call, absent))
    return Words(
        _("%(other)s says that you did not come: answer by %(until)s") % {"other": other, "until": until},
        _("Admit it or say what happened. Without an answer it counts.") + f" {money}{note}",
    )


@said_to(lambda call, absence: call.person(Party(absence.party).other))
def absence_disputed(call: Consultation, absence: Absence) -> Words:
    absent = call.person(absence.party).first_name
    return Words(
        _("%(absent)s says that they did come") % {"absent": absent},
        f"{quoted(absence.dispute_note)}\n\n" + _("Somebody of port444 looks at it and decides. Nothing is paid until then."),
    )


@said_to(lambda call, absence, reader: reader)
def absence_to_decide(call: Consultation, absence: Absence, reader: Any) -> Words:
    facts = {"client": call.client.name, "builder": call.builder.user.name, "price": usd(call.price)}
    words = {"note": absence.note, "dispute": absence.dispute_note}
    return Words(
        _("To decide: did %(name)s come to a call?") % {"name": call.person(absence.party).name},
        _("%(client)s with %(builder)s, %(price)s. “%(note)s” against “%(dispute)s”.") % (facts | words),
    )


@said_to(lambda call, absence, party: call.person(party))
def absence_dismissed(call: Consultation, absence: Absence, party: Party) -> Words:
    if absence.decision_note and absence.disputed_at:
        return Words(
            _("Decided: the call counts as held"), f"{quoted(absence.decision_words)}\n\n" + _("The builder completes it, or it completes by itself.")
        )
    return Words(
        _("%(name)s took it back: the call counts as held") % {"name": call.person(party.other).first_name}, _("There is nothing to answer any more.")
    )


@said_to(lambda call, absence, party, back: call.person(party))
def no_show(call: Consultation, absence: Absence, party: Party, back: Back) -> Words:
    reader = call.person(party)
    facts = {"name": call.person(absence.party).first_name, "at": when(call.scheduled_at, zone_of(call, reader))}
    title = _("You did not come to the call of %(at)s") if party == absence.party else _("%(name)s did not come to the call of %(at)s")
    note = "\n\n" + _("Decided by port444: “%(words)s”") % {"words": absence.decision_words} if absence.decision_note else ""
    return Words(title % facts, f"{money_for(call, reader, back)}{note}")


def if_absent(call: Consultation, absent: Party) -> Back:
    """What goes back when it is true that `absent` did not come."""
    return call.everything if absent == Party.BUILDER else call.late_back


def absence_notice(call: Consultation, absence: Absence) -> Said:
    absent = Party(absence.party)
    return say(
        "%(name)s says that %(absent)s did not come to the call of %(minutes)s minutes.",
        name=call.person(absent.other).first_name,
        absent=call.person(absent).first_name,
        minutes=call.duration,
    )


def dismissed_notice(call: Consultation, absence: Absence) -> Said:
    return say("The call of %(minutes)s minutes counts as held after all.", minutes=call.duration)


def no_show_notice(call: Consultation, back: Back) -> Said:
    missed = say("%(name)s did not come to the call of %(minutes)s minutes.", name=call.person(call.no_show_party).first_name, minutes=call.duration)
    return say("%(what)s %(money)s", what=missed, money=_money_notice(call, back))


def _money_notice(call: Consultation, back: Back) -> Said:
    """Where the money of a call that does not take place goes, said to both."""
    kept, client, builder = call.price - back.price, call.client.first_name, call.builder.user.first_name
    if back.total and kept:
        return say("%(amount)s goes back to %(client)s. %(kept)s goes to %(builder)s.", amount=back.total, client=client, kept=kept, builder=builder)
    if kept:
        return say("%(amount)s goes to %(name)s.", amount=kept, name=builder)
    return say("%(amount)s goes back to %(name)s.", amount=back.total, name=client)


def both_clocks(moment: datetime, call: Consultation) -> Said:
    """A moment for both: "Tue 24 Nov, 04:30 (Amsterdam), Tue 24 Nov, 09:00 (Kolkata)"."""
    client, builder = (
        say("%(at)s (%(city)s)", at=Day(moment.astimezone(ZoneInfo(zone)), "D j M, H:i"), city=city(zone))
        for zone in (call.client_zone, call.builder_zone)
    )
    return client if client == builder else say("%(first)s, %(rest)s", first=client, rest=builder)


@said_to(lambda call, earlier, reader, wished_by: reader)
def moved(call: Consultation, earlier: Consultation, reader: Any, wished_by: Any) -> Words:
    zone, other = zone_of(call, reader), other_of(call, reader)
    facts = {"name": wished_by.first_name, "earlier": when(earlier.scheduled_at, zone), "minutes": call.duration}
    who = _("You moved it from %(earlier)s.") if wished_by.pk == reader.pk else _("%(name)s moved it from %(earlier)s.")
    rest = _("It is %(minutes)s minutes as before, and paid. The attached file moves it in your calendar.")
    body = f"{who % facts} {rest % facts}"
    if reader.pk == call.client_id:
        body += f"\n\n{policy_of(call, now())}."
    return Words(_("Call with %(name)s moved to %(at)s") % {"name": other.first_name, "at": when(call.scheduled_at, zone)}, body)


def moved_notice(call: Consultation, earlier: Consultation, wished_by: Any) -> Said:
    return say(
        "%(name)s moved the call to %(at)s. It was %(earlier)s.",
        name=wished_by.first_name,
        at=both_clocks(call.scheduled_at, call),
        earlier=both_clocks(earlier.scheduled_at, call),
    )


def proposal_context(proposal: Proposal, reader: Any) -> dict[str, Any]:
    """The proposed time on both clocks; for a call that vanished the time that it has."""
    call = proposal.consultation
    other = other_of(call, reader)
    at = proposal.starts_at or call.scheduled_at
    return {"at": at.isoformat(), "other_zone": zone_of(call, other), "other": other.name, "label": gettext_lazy("Open the call")}


def _proposed_at(proposal: Proposal, zone: str) -> str:
    assert proposal.starts_at is not None  # a move has a time, by constraint
    return when(proposal.starts_at, zone)


@said_to(lambda proposal, reader: reader)
def proposed(proposal: Proposal, reader: Any) -> Words:
    call, maker = proposal.consultation, proposal.made_by
    zone = zone_of(call, reader)
    note = " " + quoted(proposal.note) if proposal.note else ""
    body = _("It would move from %(at)s.") % {"at": when(call.scheduled_at, zone)} + note + " "
    body += _("Accept or decline until %(until)s; without an answer the call stays where it is.") % {"until": when(proposal.answer_by, zone)}
    return Words(_("%(name)s proposes %(proposed)s for your call") % {"name": maker.first_name, "proposed": _proposed_at(proposal, zone)}, body)


def proposed_notice(proposal: Proposal) -> Said:
    assert proposal.starts_at is not None
    name, at = proposal.made_by.first_name, both_clocks(proposal.starts_at, proposal.consultation)
    if proposal.note:
        return say("%(name)s proposed another time for the call: %(at)s. “%(note)s”", name=name, at=at, note=proposal.note)
    return say("%(name)s proposed another time for the call: %(at)s.", name=name, at=at)


@said_to(lambda proposal: proposal.made_by)
def declined(proposal: Proposal) -> Words:
    call, reader = proposal.consultation, proposal.made_by
    zone = zone_of(call, reader)
    title = _("%(name)s keeps the call at %(at)s") % {"name": other_of(call, reader).first_name, "at": when(call.scheduled_at, zone)}
    return Words(title, _("%(proposed)s does not suit. The call stays where it was.") % {"proposed": _proposed_at(proposal, zone)})


@said_to(lambda proposal: other_of(proposal.consultation, proposal.made_by))
def withdrawn(proposal: Proposal) -> Words:
    call = proposal.consultation
    zone = zone_of(call, other_of(call, proposal.made_by))
    return Words(
        _("%(name)s took the proposed time back") % {"name": proposal.made_by.first_name},
        _("The call stays at %(at)s; you need to do nothing.") % {"at": when(call.scheduled_at, zone)},
    )


@said_to(lambda proposal: proposal.made_by)
def lapsed(proposal: Proposal) -> Words:
    call, reader = proposal.consultation, proposal.made_by
    zone = zone_of(call, reader)
    return Words(
        _("The call stays at %(at)s") % {"at": when(call.scheduled_at, zone)},
        _("%(proposed)s was not accepted in time.") % {"proposed": _proposed_at(proposal, zone)},
    )


@said_to(lambda proposal: proposal.consultation.builder.user)
def vanished(proposal: Proposal) -> Words:
    call = proposal.consultation
    zone = call.builder_zone
    body = _(
        "It is still booked and paid. Say until %(until)s that it takes place and it is written into your calendar again. "
        "Otherwise it is cancelled then, and %(name)s gets everything back."
    ) % {"until": when(proposal.answer_by, zone), "name": call.client.first_name}
    return Words(_("Does the call of %(at)s take place? It is gone from your calendar") % {"at": when(call.scheduled_at, zone)}, body)


@said_to(lambda call, wanted: call.builder.user)
def kept(call: Consultation, wanted: datetime) -> Words:
    """The builder moved the call in their calendar to where it cannot be."""
    zone, name = call.builder_zone, call.client.first_name
    body = _(
        "You moved it to %(wanted)s in your calendar, but that time is not free for both of you. %(name)s was not asked. "
        "Propose another time on the page of the call."
    ) % {"wanted": when(wanted, zone), "name": name}
    return Words(_("The call with %(name)s stays at %(at)s") % {"name": name, "at": when(call.scheduled_at, zone)}, body)


def scheduled_notice(call: Consultation) -> Said:
    return say(
        "%(name)s booked a call of %(minutes)s minutes. %(price)s went into escrow.",
        name=call.client.first_name,
        minutes=call.duration,
        price=call.price,
    )


def completed_notice(call: Consultation) -> Said:
    return say(
        "The call of %(minutes)s minutes is complete. %(price)s was released to %(name)s.",
        minutes=call.duration,
        price=call.price,
        name=call.builder.user.first_name,
    )


def cancelled_notice(call: Consultation, back: Back) -> Said:
    money = _money_notice(call, back)
    if call.cancelled_by_id is None:
        what = say("The call of %(minutes)s minutes was cancelled.", minutes=call.duration)
        why = Said(call.cancellation_reason) if call.cancellation_reason in OURS else call.cancellation_reason
        return say("%(what)s %(why)s %(money)s", what=what, why=why, money=money)
    who = call.client if call.cancelled_by_id == call.client_id else call.builder.user
    what = say("%(name)s cancelled the call of %(minutes)s minutes.", name=who.first_name, minutes=call.duration)
    return say("%(what)s %(money)s", what=what, money=money)


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
        title=_("%(minutes)s minute video call") % {"minutes": call.duration},
        kind=_("Call with %(name)s") % {"name": call.builder.user.name},
        icon="video",
        heading=_("Pay for your call"),
        lede=_("%(at)s, %(theirs)s for %(name)s.")
        % {"at": when(call.scheduled_at, call.client_zone), "theirs": when(call.scheduled_at, call.builder_zone), "name": name},
        thing=pgettext("what is paid for", "call"),
        held=_("This time is held"),
        paid_note=_("The price waits in escrow until the call took place. %(name)s is paid after it.") % {"name": name},
        back_url=reverse("consultations:book", args=[call.builder.slug]),
        back_text=_("Pick another time"),
        steps=(
            Step(_("The call is confirmed"), _("Both of you get an invitation for the calendar.")),
            Step(_("You meet"), _("The room opens %(ahead)s minutes before.") % {"ahead": JOIN_MINUTES}),
            Step(_("%(name)s is paid") % {"name": name}, _("After the call, out of escrow.")),
        ),
        promises=(free, Promise("shield-check", _("Everything back if %(name)s cancels") % {"name": name})),
    )


def join_address(call: Consultation) -> str:
    """Where to join: an address of ours, behind which the room can be made or repaired later."""
    return f"{settings.SITE_URL}{reverse('consultations:join', args=[call.pk])}"


@said_to(lambda call: call.builder.user)
def calendar_copy(call: Consultation) -> Words:
    """The call in the builder's own calendar."""
    at = when(call.scheduled_at, call.client_zone)
    name = call.client.first_name
    lines = [_("Join: %(link)s") % {"link": join_address(call)}, _("The call: %(link)s") % {"link": f"{settings.SITE_URL}{call.url}"}]
    lines += ["", _("%(at)s for %(name)s.") % {"at": at, "name": name}]
    if call.client_notes:
        lines += ["", _("%(name)s writes: %(words)s") % {"name": name, "words": call.client_notes}]
    lines += ["", _("Move or delete it here and we ask before anything changes for the other side.")]
    return Words(_("Call with %(name)s") % {"name": call.client.name}, "\n".join(lines))


@said_to(lambda link: link.builder.user)
def calendar_broken(link: CalendarLink) -> Words:
    label = link.get_provider_display()
    return Words(
        _("%(label)s has to be connected again") % {"label": label},
        _(
            "%(label)s (%(account)s) does not let us in any more. For 24 hours we go on with what it said last, so that clients "
            "can still book you; after that no times are offered, because we could not tell when you are busy. Connecting again "
            "takes a minute and keeps your choices."
        )
        % {"label": label, "account": link.account},
    )


@said_to(lambda calendar, read_at: calendar.link.builder.user)
def calendar_stale(calendar: LinkedCalendar, read_at: datetime) -> Words:
    zone = calendar.link.builder.user.time_zone
    return Words(
        _("Clients cannot book you at the moment"),
        _(
            "Your calendar %(name)s (%(label)s) could not be read since %(since)s. We do not know any more when you are busy, "
            "so no times are offered until it can be read again. Calls that are booked are not touched."
        )
        % {"name": calendar.name, "label": calendar.link.get_provider_display(), "since": when(read_at, zone)},
    )


@said_to(lambda call, calendar_name: call.builder.user)
def calendar_conflict(call: Consultation, calendar_name: str) -> Words:
    at = when(call.scheduled_at, call.builder_zone)
    return Words(
        _("Your calendar is busy during your call of %(at)s") % {"at": at},
        _(
            "Something new in %(calendar_name)s lies over your call with %(name)s. The call stays booked: move one of the two, "
            "or propose another time on the page of the call."
        )
        % {"calendar_name": calendar_name, "name": call.client.first_name},
    )


@said_to(lambda call, copy, *, gone: call.builder.user)
def copy_failed(call: Consultation, copy: CalendarEvent, *, gone: bool) -> Words:
    at = when(call.scheduled_at, call.builder_zone)
    title = _("The call of %(at)s is still in your calendar, although it was called off") if gone else _("The call of %(at)s is not in your calendar")
    rest = _("We have stopped trying. You can start another attempt on the page of your calendars. The call itself is not touched.")
    return Words(title % {"at": at}, f"{copy.error_words} {rest}")
