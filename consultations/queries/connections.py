"""A builder's connected calendars, and how well each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch

from consultations.calendars.registry import PROVIDERS, Provider, provider_of
from consultations.models import CalendarEvent, CalendarLink, EventStatus, LinkedCalendar, LinkStatus
from port444.builders.models import Builder

from .busy import STALE

MOST_COPIES = 20


@dataclass(frozen=True, slots=True)
class Account:
    """One connected account with its calendars."""

    link: CalendarLink
    provider: Provider
    calendars: Sequence[LinkedCalendar]

    @property
    def is_broken(self) -> bool:
        return bool(self.link.status == LinkStatus.BROKEN)

    @property
    def read_at(self) -> datetime | None:
        """When the calendars that are read had all been read last."""
        moments = [calendar.synced_at for calendar in self.calendars if calendar.is_read]
        return min((moment for moment in moments if moment), default=None) if all(moments) else None

    @property
    def failing(self) -> Sequence[LinkedCalendar]:
        return [calendar for calendar in self.calendars if calendar.is_read and calendar.failed_at]


@dataclass(frozen=True, slots=True)
class Connections:
    """What the page shows. `stale`: calendars whose list is too old, so that no times are offered."""

    accounts: Sequence[Account]
    providers: Sequence[Provider]
    stale: Sequence[LinkedCalendar]
    waiting: Sequence[CalendarEvent]
    written: LinkedCalendar | None


def read_at(calendar: LinkedCalendar) -> datetime:
    """How old the busy list is; before the first read, since when there should be one."""
    return calendar.synced_at or calendar.link.connected_at


def connections_of(builder: Builder, moment: datetime) -> Connections:
    """The accounts that are not disconnected, their calendars, and copies that are not where they should be."""
    calendars = LinkedCalendar.objects.select_related("link").order_by("-can_write", "name")
    links = CalendarLink.objects.filter(builder=builder).exclude(status=LinkStatus.OFF).prefetch_related(Prefetch("calendars", queryset=calendars))
    accounts = [Account(link, provider_of(link.provider), list(link.calendars.all())) for link in links]
    rows = [calendar for account in accounts for calendar in account.calendars]
    copies = CalendarEvent.objects.filter(calendar__in=[row.pk for row in rows], consultation__ends_at__gt=moment)
    late = copies.filter(status__in=[EventStatus.WANTED, EventStatus.UNWANTED, EventStatus.FAILED])
    return Connections(
        accounts=accounts,
        providers=list(PROVIDERS.values()),
        stale=[row for row in rows if row.is_read and read_at(row) <= moment - STALE],
        waiting=list(late.select_related("consultation__client", "calendar__link").order_by("consultation__scheduled_at")[:MOST_COPIES]),
        written=next((row for row in rows if row.is_written), None),
    )


def links_of(user: Any) -> Any:
    """The accounts that this person can do something about."""
    return CalendarLink.objects.filter(builder__user=user).exclude(status=LinkStatus.OFF)


def copies_of(user: Any) -> Any:
    return CalendarEvent.objects.filter(calendar__link__builder__user=user).exclude(calendar__link__status=LinkStatus.OFF)
