"""What is said when a call moves, or should."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consultations.models import (
    Consultation,
    Proposal,
)
from port444.kit.clock import now
from port444.kit.moments import when
from port444.kit.sentences import Day, Said, say
from port444.kit.templatetags.ui import city

from .words import Words, other_of, policy_of, quoted, said_to, zone_of


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
