"""Where a builder's calls can take place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consultations.meetings import zoom
from consultations.models import (
    JOIN_MINUTES,
    CalendarLink,
    CalendarProvider,
    Consultation,
    ConsultationStatus,
    LinkStatus,
    MeetingProvider,
    MeetingRoom,
    RoomStatus,
)
from port444.builders.models import Builder
from port444.kit.clock import now

JOIN_AFTER_MINUTES = 30  # after the end, while a call that ran over can still be joined again
MARGIN = timedelta(minutes=JOIN_MINUTES)
LATE = timedelta(minutes=10)
C = ConsultationStatus

TEXTS = {
    MeetingProvider.OWN_LINK: _("One link for all calls. It also stands in when another room cannot be made."),
    MeetingProvider.GOOGLE_MEET: _("A new Meet room for each call, in your Google Calendar."),
    MeetingProvider.ZOOM: _("A new Zoom meeting for each call. You need no Zoom account."),
    MeetingProvider.CAL_COM: _("A booking in your Cal.com account for each call, with its video room."),
}


@dataclass(frozen=True, slots=True)
class MeetingChoice:
    """A place for calls, and why it cannot be chosen; `note` is what to know although it can."""

    provider: MeetingProvider
    text: str
    why_not: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        return str(self.provider.label)

    @property
    def is_open(self) -> bool:
        return not self.why_not


def meeting_choices(builder: Builder) -> list[MeetingChoice]:
    """Every provider, with the reason why this builder cannot choose it where they cannot. One query."""
    links = list(
        CalendarLink.objects.filter(builder=builder, provider__in=[CalendarProvider.GOOGLE, CalendarProvider.CAL_COM])
        .exclude(status=LinkStatus.OFF)
        .annotate(written=Count("calendars", filter=Q(calendars__is_written=True)))
    )
    no_zoom = "" if zoom.is_set_up() else gettext("Zoom is not set up on this site.")
    missing = "" if builder.meeting_url else gettext("Your profile names no link yet.")
    return [
        MeetingChoice(MeetingProvider.OWN_LINK, str(TEXTS[MeetingProvider.OWN_LINK]), note=missing),
        MeetingChoice(MeetingProvider.GOOGLE_MEET, str(TEXTS[MeetingProvider.GOOGLE_MEET]), _google(links)),
        MeetingChoice(MeetingProvider.ZOOM, str(TEXTS[MeetingProvider.ZOOM]), no_zoom),
        MeetingChoice(MeetingProvider.CAL_COM, str(TEXTS[MeetingProvider.CAL_COM]), _cal_com(links)),
    ]


def why_not(builder: Builder, provider: str) -> str:
    """Why the builder's calls cannot take place there; empty when they can."""
    return next(choice.why_not for choice in meeting_choices(builder) if choice.provider == provider)


def _google(links: Sequence[CalendarLink]) -> str:
    if not (settings.GOOGLE_CLIENT_ID and settings.GOOGLE_CLIENT_SECRET):
        return gettext("Google is not set up on this site.")
    mine = [link for link in links if link.provider == CalendarProvider.GOOGLE]
    if not mine:
        return gettext("Connect your Google Calendar first.")
    if all(link.status == LinkStatus.BROKEN for link in mine):
        return gettext("Connect your Google Calendar again first.")
    written = any(getattr(link, "written", 0) for link in mine if link.status == LinkStatus.ACTIVE)
    return "" if written else gettext("Let us write your calls into a Google Calendar first.")


def _cal_com(links: Sequence[CalendarLink]) -> str:
    mine = [link for link in links if link.provider == CalendarProvider.CAL_COM]
    if not mine:
        return gettext("Connect your Cal.com account first.")
    return "" if any(link.status == LinkStatus.ACTIVE for link in mine) else gettext("Connect your Cal.com account again first.")


def free_hosts(call: Consultation, *, but: MeetingRoom) -> list[str]:
    """Zoom hosts without another room of ours at the time of the call; the room's own host first, then those with the fewest that day."""
    rooms = MeetingRoom.objects.filter(provider=MeetingProvider.ZOOM, host__in=settings.ZOOM_HOSTS).exclude(pk=but.pk)
    live = rooms.filter(status__in=[RoomStatus.WANTED, RoomStatus.READY], consultation__status=ConsultationStatus.SCHEDULED)
    taken = set(
        live.filter(consultation__scheduled_at__lt=call.ends_at + MARGIN, consultation__ends_at__gt=call.scheduled_at - MARGIN)
        .order_by()
        .values_list("host", flat=True)
    )
    midnight = call.scheduled_at.replace(hour=0, minute=0, second=0, microsecond=0)
    that_day = rooms.filter(consultation__scheduled_at__gte=midnight, consultation__scheduled_at__lt=midnight + timedelta(days=1))
    count = dict(that_day.order_by().values_list("host").annotate(Count("pk")))
    free = [host for host in settings.ZOOM_HOSTS if host not in taken]
    return sorted(free, key=lambda host: (host != but.host or not but.external_id, count.get(host, 0), settings.ZOOM_HOSTS.index(host)))


def live_call(chain: UUID) -> Consultation | None:
    """The row of a chain that has not been moved on."""
    return Consultation.objects.exclude(status=ConsultationStatus.RESCHEDULED).filter(chain=chain).first()


def joinable_until(call: Consultation) -> datetime:
    """Until when the room can be joined."""
    return call.ends_at + timedelta(minutes=JOIN_AFTER_MINUTES)


def room_state(call: Consultation, moment: datetime) -> str:
    """early, open, waiting (open, but no room yet), over, moved, cancelled, or unpaid."""
    if call.status == C.RESCHEDULED:
        return "moved"
    if call.status == C.CANCELLED:
        return "cancelled"
    if call.status in (C.HELD, C.EXPIRED):
        return "unpaid"
    if call.status == C.NO_SHOW or moment >= joinable_until(call):
        return "over"
    if moment < call.opens_at:
        return "early"
    return "open" if room_url(call) else "waiting"


def room_url(call: Consultation) -> str:
    """Where the call takes place now; empty while there is no room. An own link is the one that the profile names at this moment, so
    that mending it there is enough.
    """
    own = call.builder.meeting_url if call.meeting_provider == MeetingProvider.OWN_LINK else ""
    return own or call.meeting_url


def rooms_are_late() -> bool:
    """Whether rooms wait to be asked for, longer than the sweep ever takes."""
    waiting = MeetingRoom.objects.filter(status__in=[RoomStatus.WANTED, RoomStatus.UNWANTED])
    return waiting.filter(next_try_at__lte=now() - LATE).exists()


def wants_meet(chain: UUID) -> bool:
    """Whether the chain's calendar event should bring a room of Google Meet; also while the own link stands in for it."""
    rooms = MeetingRoom.objects.filter(chain=chain, provider=MeetingProvider.GOOGLE_MEET)
    return rooms.filter(status__in=[RoomStatus.WANTED, RoomStatus.READY, RoomStatus.FAILED]).exists()
