"""What is said when somebody did not come."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from consultations.models import (
    Absence,
    Back,
    Consultation,
    Party,
)
from port444.kit.moments import when
from port444.kit.money import usd
from port444.kit.sentences import Said, say

from .words import Words, money_for, money_notice, quoted, said_to, zone_of


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
    return say("%(what)s %(money)s", what=missed, money=money_notice(call, back))
