"""What is said about a call from its booking to its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from consultations import ical
from consultations.models import (
    JOIN_MINUTES,
    WORTH_UNTIL,
    Back,
    Consultation,
    ConsultationStatus,
    MeetingProvider,
    ReminderKind,
)
from consultations.models.words import OURS
from port444.kit.clock import now
from port444.kit.language import dated
from port444.kit.mail import Attachment
from port444.kit.moments import when
from port444.kit.money import fee, usd
from port444.kit.sentences import Said, say
from port444.payments.handlers import Description, Promise, Step
from port444.payments.models import Credit, Invoice

from .words import Words, money_for, money_notice, other_of, policy_of, quoted, said_to, zone_of


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
    money = money_notice(call, back)
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
