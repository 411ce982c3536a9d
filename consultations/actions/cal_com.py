"""What Cal.com tells about a builder's account: hints, after which the booking is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from consultations.calendars import CalendarError
from consultations.calendars.calcom import MADE_THERE, CalComClient, chain_of, client, instant
from consultations.models import (
    CalendarLink,
    CalendarProvider,
    Consultation,
    ConsultationStatus,
    LinkStatus,
    MeetingProvider,
    MeetingRoom,
    Party,
    ProposalKind,
    PushChannel,
    RoomStatus,
)
from port444.kit.clock import now

from .attendance import note_marked_absent
from .grants import keeper
from .meetings import LONGEST_URL, place
from .proposals import propose_from_calendar
from .reading import nudge_calendar


def _client(link: CalendarLink) -> CalComClient:
    return client(link.credentials, keeper(link))


def watch_cal_com(link_id: UUID) -> None:
    """Ask Cal.com to post to us, once for each account: a calendar that is read carries the channel."""
    link = CalendarLink.objects.filter(pk=link_id, provider=CalendarProvider.CAL_COM, status=LinkStatus.ACTIVE).exclude(hook_secret="").first()
    calendar = link.calendars.filter(is_read=True).order_by("pk").first() if link is not None else None
    if link is None or calendar is None:
        return
    address = settings.SITE_URL + reverse("consultations:calcom_hook", args=[link.pk])
    subscription = _client(link).watch(MADE_THERE, str(link.pk), link.hook_secret, address)
    if subscription is not None:
        PushChannel.objects.get_or_create(calendar=calendar, external_id=subscription.external_id, defaults={"secret": link.hook_secret})


def read_cal_com(link_id: UUID, uid: str) -> None:
    """Something happened to a booking: read the busy times anew, and the call's own booking when this is the room of one.

    What was posted is not believed: the booking that the call knows is read, and the one that it was moved to.
    """
    link = CalendarLink.objects.filter(pk=link_id, provider=CalendarProvider.CAL_COM, status=LinkStatus.ACTIVE).first()
    if link is None:
        return
    for calendar_id in link.calendars.filter(is_read=True).values_list("pk", flat=True):
        nudge_calendar(calendar_id)
    try:
        told = _client(link).booking(uid) if uid else None
        chain = chain_of(told) if told is not None else None
        rooms = MeetingRoom.objects.filter(provider=MeetingProvider.CAL_COM, consultation__builder=link.builder_id).exclude(external_id="")
        room = rooms.filter(chain=chain).first() if chain is not None else None
        booking = _client(link).last(room.external_id) if room is not None else None
        if room is not None and booking is not None:
            _follow_booking(room, booking)
    except CalendarError:
        return  # the next hint, or the next look at the calendar, comes


def _follow_booking(room: MeetingRoom, booking: dict[str, Any]) -> None:
    """Moved or called off outside becomes a proposal; what we did ourselves, coming back, is nothing."""
    moment = now()
    start = instant(booking.get("start"))
    is_gone = booking.get("status") in ("cancelled", "rejected")
    call = _take_over(room, booking, start, moment, is_gone=is_gone)
    if call is None:
        return
    if call.scheduled_at > moment and is_gone:
        propose_from_calendar(call.pk, kind=ProposalKind.CANCEL, moment=moment)
    elif call.scheduled_at > moment and start != call.scheduled_at:
        propose_from_calendar(call.pk, kind=ProposalKind.MOVE, starts_at=start, moment=moment)
    elif call.scheduled_at <= moment:
        attendees = [each for each in booking.get("attendees") or () if isinstance(each, dict)]
        absent = {Party.CLIENT} if any(each.get("absent") for each in attendees) else set()
        note_marked_absent(call.pk, str(booking.get("uid")), absent | ({Party.BUILDER} if booking.get("absentHost") else set()))


@transaction.atomic
def _take_over(room: MeetingRoom, booking: dict[str, Any], start: datetime, moment: datetime, *, is_gone: bool) -> Consultation | None:
    """Write down what the room is now. It does not count as made any more where it differs from what is wanted, so that whoever
    has the call follow again has it made right. None while a job of ours has the room in hand.
    """
    call = Consultation.objects.lock(room.consultation_id)
    row = MeetingRoom.objects.select_for_update(of=("self",), no_key=True).get(pk=room.pk)
    if call.status not in (ConsultationStatus.SCHEDULED, ConsultationStatus.COMPLETED) or row.status != RoomStatus.READY:
        return None
    if row.external_id != room.external_id or row.consultation_id != call.pk:
        return None
    if call.scheduled_at <= moment:
        return call
    address = str(booking.get("location") or "")
    if is_gone:
        row.external_id, row.url, row.made = "", "", -1
        place(call, MeetingProvider.OWN_LINK, call.builder.meeting_url, "")
    elif address.startswith(("https://", "http://")) and len(address) <= LONGEST_URL:
        row.external_id, row.url = str(booking.get("uid")), address
        row.made = row.wanted if start == call.scheduled_at else -1
        place(call, MeetingProvider.CAL_COM, row.url, row.external_id)
    row.updated_at = moment
    row.save(update_fields=["external_id", "url", "made", "updated_at"])
    return call
