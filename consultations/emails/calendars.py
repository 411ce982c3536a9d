"""What is said in and about a builder's own calendars."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from consultations.models import (
    CalendarEvent,
    CalendarLink,
    Consultation,
    LinkedCalendar,
)
from port444.kit.moments import when

from .calls import join_address
from .words import Words, said_to


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
