"""What Cal.com tells about a builder's account: hints, after which the booking is read."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from consultations.calendars import CalendarError
from consultations.calendars.calcom import MADE_THERE, CalComClient, client
from consultations.models import CalendarLink, CalendarProvider, LinkedCalendar, LinkStatus, PushChannel
from port444.kit.clock import now

from .grants import keeper


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
    """Something happened to a booking: read the busy times anew, and the booking itself when it is the room of a call."""
    link = CalendarLink.objects.filter(pk=link_id, provider=CalendarProvider.CAL_COM, status=LinkStatus.ACTIVE).first()
    if link is None:
        return
    LinkedCalendar.objects.filter(link=link, is_read=True).update(next_sync_at=now())
    try:
        booking = _client(link).booking(uid) if uid else None
    except CalendarError:
        return  # the next poll sees it
    if booking is None:
        return
