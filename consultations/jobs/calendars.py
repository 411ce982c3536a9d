"""Calendars: reading them, writing into them, and keeping the channels on which they tell us of changes."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from consultations import actions
from consultations.models import CalendarEvent, CalendarLink, EventStatus, LinkedCalendar, LinkStatus, MeetingProvider, MeetingRoom, RoomStatus
from consultations.queries import STALE
from port444.kit.clock import now
from port444.kit.jobs import each, enqueue

BATCH = 200


def sync_calendar(calendar_id: str) -> None:
    actions.sync_calendar(UUID(calendar_id))


def write_copy(copy_id: str) -> None:
    actions.write_copy(UUID(copy_id))


def fetch_room(copy_id: str) -> None:
    actions.fetch_room(UUID(copy_id))


def tend_channels(calendar_id: str) -> None:
    actions.tend_channels(UUID(calendar_id))


def list_calendars(link_id: str) -> None:
    actions.list_calendars(UUID(link_id))


def close_link(link_id: str) -> None:
    actions.close_link(UUID(link_id))


def sweep_calendars() -> int:
    """Queue what is due: reads, writes, rooms that were still being made, and accounts that are to be forgotten; how many."""
    count = each(actions.nudge_calendar, actions.due_calendars(BATCH))
    count += actions.queue_copies(BATCH)
    waiting = MeetingRoom.objects.filter(status=RoomStatus.WANTED, provider=MeetingProvider.GOOGLE_MEET, consultation__ends_at__gt=now())
    rooms = CalendarEvent.objects.filter(status=EventStatus.WRITTEN, next_try_at__lte=now(), chain__in=waiting.values("chain"))
    for pk in rooms.values_list("pk", flat=True)[:BATCH]:
        enqueue("consultations.jobs.fetch_room", pk)
        count += 1
    for pk in CalendarLink.objects.filter(status=LinkStatus.OFF).exclude(hook_secret="").values_list("pk", flat=True)[:BATCH]:
        enqueue("consultations.jobs.close_link", pk)
        count += 1
    return count


def sweep_channels() -> int:
    """Queue the calendars whose channel is missing, past its half life, or not wanted, and warn of lists that have become too old."""
    moment = now()
    half_left = ~Q(channels__external_id="") & Q(channels__expires_at__gt=moment + (moment - F("channels__created_at")))
    fresh = half_left | Q(channels__external_id="", channels__expires_at__gt=moment)
    rows = LinkedCalendar.objects.filter(link__status=LinkStatus.ACTIVE)
    wanted = rows.filter(is_read=True, link__provider__in=actions.told_providers()).exclude(pk__in=rows.filter(fresh).values("pk"))
    unwanted = rows.filter(is_read=False, channels__isnull=False)
    due = {*wanted.values_list("pk", flat=True)[:BATCH], *unwanted.values_list("pk", flat=True)[:BATCH]}
    for pk in due:
        enqueue("consultations.jobs.tend_channels", pk)
    stale = LinkedCalendar.objects.filter(is_read=True).exclude(link__status=LinkStatus.OFF)
    stale = stale.annotate(read_at=Coalesce("synced_at", "link__connected_at")).filter(read_at__lte=moment - STALE)
    each(actions.warn_stale, list(stale.values_list("pk", flat=True)[:BATCH]))
    return len(due)
