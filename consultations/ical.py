"""The call as a calendar event (RFC 5545, RFC 5546)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from port444.kit import lazy
from port444.kit.clock import now
from port444.kit.language import dated, speaking_to
from port444.kit.templatetags.ui import city

from .calendars.protocol import Booking
from .models import JOIN_MINUTES, Consultation, ConsultationStatus

if TYPE_CHECKING:
    import icalendar
else:
    icalendar = lazy.load("icalendar")


def uid(call: Consultation) -> str:
    """The name of the event in every calendar, for as long as the call lives."""
    return uid_of(call.chain)


def uid_of(chain: UUID) -> str:
    return f"call-{chain}@{settings.MAIL_DOMAIN}"


def chain_of(name: str) -> UUID | None:
    """The chain whose event has this UID; None for everybody else's."""
    try:
        chain = UUID(name.removeprefix("call-").partition("@")[0])
    except ValueError:
        return None
    return chain if name == uid_of(chain) else None


def file_name(chain: UUID) -> str:
    """What we call the event's resource in a builder's calendar."""
    return f"{chain}.ics"


def chain_of_file(name: str) -> UUID | None:
    try:
        chain = UUID(name.removesuffix(".ics"))
    except ValueError:
        return None
    return chain if name == file_name(chain) else None


def calendar(call: Consultation, reader: Any) -> bytes:
    """The invitation of `reader` to `call`, or its withdrawal when it is cancelled. A higher SEQUENCE replaces a lower one."""
    gone = call.status == ConsultationStatus.CANCELLED
    join = settings.SITE_URL.rstrip("/") + reverse("consultations:join", args=[call.pk])
    event = icalendar.Event()
    event.add("uid", uid(call))
    event.add("sequence", call.ical_sequence)
    event.add("dtstamp", now())
    event.add("dtstart", call.scheduled_at.astimezone(UTC))
    event.add("dtend", call.ends_at.astimezone(UTC))
    with speaking_to(reader):
        summary = _("Call: %(client)s and %(builder)s") % {"client": call.client.name, "builder": call.builder.user.name}
        description, alarm = _description(call, join), _alarm()
    event.add("summary", summary)
    event.add("location", join)
    event.add("url", join)
    event.add("description", description)
    event.add("status", "CANCELLED" if gone else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if gone else "OPAQUE")
    organizer = icalendar.vCalAddress(f"mailto:calls@{settings.MAIL_DOMAIN}")
    organizer.params["cn"] = icalendar.vText("port444")
    event["organizer"] = organizer
    for person in (call.client, call.builder.user):
        # A calendar knows its owner by the address; the other side's address is nobody's business, so they stand there by name.
        address = person.email if person.pk == reader.pk else f"{person.pk}@calls.{settings.MAIL_DOMAIN}"
        attendee = icalendar.vCalAddress(f"mailto:{address}")
        attendee.params["cn"] = icalendar.vText(person.name)
        attendee.params["role"] = icalendar.vText("REQ-PARTICIPANT")
        attendee.params["partstat"] = icalendar.vText("ACCEPTED")
        attendee.params["rsvp"] = icalendar.vText("FALSE")
        event.add("attendee", attendee, encode=0)
    if not gone:
        event.add_component(alarm)
    book = _book(event)
    book.add("method", "CANCEL" if gone else "REQUEST")
    return bytes(book.to_ical())


def entry(booking: Booking, *, owner: str = "") -> bytes:
    """The call as an entry of the builder's own calendar, which `owner` (a mailto address) keeps and may move.

    It is no invitation: without METHOD, and with SCHEDULE-AGENT=CLIENT its server mails nobody. The UID is that of the invitation,
    so that the two are one event wherever they meet.
    """
    event = icalendar.Event()
    event.add("uid", uid_of(booking.chain))
    event.add("sequence", booking.sequence)
    event.add("dtstamp", now())
    event.add("dtstart", booking.starts_at.astimezone(UTC))
    event.add("dtend", booking.ends_at.astimezone(UTC))
    event.add("summary", booking.title)
    event.add("location", booking.location)
    event.add("url", booking.location)
    event.add("description", booking.description)
    event.add("status", "CONFIRMED")
    event.add("transp", "OPAQUE")
    if owner and booking.attendee_name:
        organizer = icalendar.vCalAddress(owner)
        organizer.params["schedule-agent"] = icalendar.vText("CLIENT")
        event["organizer"] = organizer
        attendee = icalendar.vCalAddress(f"mailto:{booking.chain}@calls.{settings.MAIL_DOMAIN}")
        attendee.params["cn"] = icalendar.vText(booking.attendee_name)
        attendee.params["partstat"] = icalendar.vText("ACCEPTED")
        attendee.params["schedule-agent"] = icalendar.vText("CLIENT")
        event.add("attendee", attendee, encode=0)
    event.add_component(_alarm())
    return bytes(_book(event).to_ical())


def feed(calls: Iterable[Consultation], reader: Any) -> bytes:
    """All of these calls, to subscribe to. The same calls give the same bytes. It names the other side and where to join, no more."""
    with speaking_to(reader):
        book = _book(*(_listed(call, reader) for call in calls))
        name = _("port444 calls")
    book.add("method", "PUBLISH")
    book.add("x-wr-calname", name)
    book.add("x-published-ttl", "PT1H")
    book.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    return bytes(book.to_ical())


def _listed(call: Consultation, reader: Any) -> icalendar.Event:
    gone = call.status == ConsultationStatus.CANCELLED
    other = call.builder.user if reader.pk == call.client_id else call.client
    site = settings.SITE_URL.rstrip("/")
    join = site + reverse("consultations:join", args=[call.pk])
    event = icalendar.Event()
    event.add("uid", uid(call))
    event.add("sequence", call.ical_sequence)
    event.add("dtstamp", call.updated_at.astimezone(UTC))
    event.add("dtstart", call.scheduled_at.astimezone(UTC))
    event.add("dtend", call.ends_at.astimezone(UTC))
    event.add("summary", _("Call with %(name)s") % {"name": other.name})
    event.add("status", "CANCELLED" if gone else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if gone else "OPAQUE")
    event.add("url", site + call.url)
    if not gone:
        event.add("location", join)
        event.add("description", _("Join: %(link)s") % {"link": join})
    return event


def _alarm() -> icalendar.Alarm:
    alarm = icalendar.Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", _("Your call starts soon"))
    alarm.add("trigger", -timedelta(minutes=JOIN_MINUTES))
    return alarm


def _book(*events: icalendar.Event) -> icalendar.Calendar:
    book = icalendar.Calendar()
    book.add("prodid", "-//port444//calls//EN")
    book.add("version", "2.0")
    book.add("calscale", "GREGORIAN")
    for event in events:
        book.add_component(event)
    return book


def _description(call: Consultation, join: str) -> str:
    lines = [
        _("Join: %(link)s") % {"link": join},
        "",
        *(_span(call, zone) for zone in _zones(call)),
    ]
    if call.client_notes:
        lines += ["", _("%(name)s writes: %(words)s") % {"name": call.client.first_name, "words": call.client_notes}]
    return "\n".join(lines)


def _zones(call: Consultation) -> list[str]:
    return list(dict.fromkeys([call.client_zone, call.builder_zone]))


def _span(call: Consultation, zone: str) -> str:
    begin, end = (moment.astimezone(ZoneInfo(zone)) for moment in (call.scheduled_at, call.ends_at))
    return _("%(from)s to %(to)s in %(city)s") % {"from": dated(begin, "D d M Y, H:i"), "to": f"{end:%H:%M}", "city": city(zone)}
