"""Channels on which providers tell us of changes. What arrives on them is a hint and nothing more: the calendar is read then."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from consultations.calendars import CalendarError, NotConnected, Refused, Subscription
from consultations.calendars.registry import client_of, provider_of
from consultations.models import CalendarProvider, LinkedCalendar, LinkStatus, PushChannel
from port444.kit.clock import now

from .grants import break_link, keeper

HOOKS = {CalendarProvider.GOOGLE: "consultations:google_hook", CalendarProvider.OUTLOOK: "consultations:graph_hook"}
REFUSED_AGAIN = timedelta(days=1)
UNFINISHED = timedelta(minutes=10)
LASTS = timedelta(days=365)  # what a provider that names no end is believed


@dataclass(frozen=True, slots=True)
class Need:
    """What is to be done for one calendar: whether it needs a new channel, and the rows that are to go."""

    calendar: LinkedCalendar
    channel: PushChannel | None
    old: tuple[PushChannel, ...]


def can_be_told(provider: str) -> bool:
    """Providers post to https addresses alone."""
    return provider_of(provider).pushes and (settings.SITE_URL.startswith("https://") or settings.DEVELOPMENT)


def told_providers() -> list[str]:
    return [key for key in CalendarProvider.values if can_be_told(key)]


def is_fresh(channel: PushChannel, moment: datetime) -> bool:
    """Less than half of its life is over. One without a name was refused and is asked for again at its end."""
    if channel.expires_at is None:
        return True
    half = timedelta(0) if not channel.external_id else (channel.expires_at - channel.created_at) / 2
    return moment < channel.expires_at - half


def tend_channels(calendar_id: UUID) -> None:
    """Give a calendar that is read a fresh channel, and take back what is old or not wanted. The new one comes first: they overlap."""
    need = _look(calendar_id)
    if need is None:
        return
    link, external_id = need.calendar.link, need.calendar.external_id
    client = client_of(link, keeper(link))
    if need.channel is not None:
        address = settings.SITE_URL + reverse(HOOKS[CalendarProvider(link.provider)], args=[need.channel.pk])
        try:
            promise = client.watch(external_id, str(need.channel.pk), need.channel.secret, address)
        except (NotConnected, Refused) as error:
            if isinstance(error, NotConnected):
                break_link(link, error)
            promise = None
        except CalendarError:
            PushChannel.objects.filter(pk=need.channel.pk).delete()  # the next sweep asks again
            return
        _opened(need.channel, promise)
    for channel in need.old:
        if channel.external_id and link.status == LinkStatus.ACTIVE:
            try:
                client.unwatch(external_id, str(channel.pk), channel.external_id)
            except CalendarError:
                continue  # it ends by itself; until then the row stays and is tried again
        PushChannel.objects.filter(pk=channel.pk).delete()


@transaction.atomic(durable=True)
def _look(calendar_id: UUID) -> Need | None:
    moment = now()
    calendar = LinkedCalendar.objects.select_for_update(of=("self",), no_key=True).select_related("link").get(pk=calendar_id)
    if calendar.link.status != LinkStatus.ACTIVE:
        return None
    rows = list(calendar.channels.order_by("-created_at"))
    if any(not row.external_id and row.expires_at is None and row.created_at > moment - UNFINISHED for row in rows):
        return None  # somebody else is at it
    wanted = calendar.is_read and can_be_told(calendar.link.provider)
    fresh = next((row for row in rows if (row.external_id or row.expires_at) and is_fresh(row, moment)), None) if wanted else None
    old = tuple(row for row in rows if row is not fresh)
    channel = None
    if wanted and fresh is None:
        channel = PushChannel.objects.create(calendar=calendar, secret=secrets.token_urlsafe(32), created_at=moment)
    return Need(calendar, channel, old) if channel or old else None


def _opened(channel: PushChannel, promise: Subscription | None) -> None:
    moment = now()
    if promise is None:
        PushChannel.objects.filter(pk=channel.pk).update(expires_at=moment + REFUSED_AGAIN)
    else:
        PushChannel.objects.filter(pk=channel.pk).update(external_id=promise.external_id[:300], expires_at=promise.expires_at or moment + LASTS)


def end_channel(channel_id: UUID) -> None:
    """The provider says that it has dropped the channel: the next sweep makes another."""
    PushChannel.objects.filter(pk=channel_id).update(expires_at=now())
