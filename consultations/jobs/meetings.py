"""Rooms of calls, and who came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef

from consultations import actions
from consultations.models import ASK_AFTER, CalendarLink, CalendarProvider, LinkedCalendar, LinkStatus, MeetingRoom, PushChannel, RoomStatus
from port444.kit.clock import now
from port444.kit.jobs import each

BATCH = 50
SECONDS = 40.0  # the queue ends a job after a minute; what is left is taken by the next sweep


def make_room(room_id: str) -> None:
    """Make, move or close one room."""
    actions.make_room(UUID(room_id))


def make_rooms() -> int:
    """Each minute: the rooms whose time to be tried has come, because a job was lost or a provider asked for patience; how many."""
    due = MeetingRoom.objects.filter(status__in=[RoomStatus.WANTED, RoomStatus.UNWANTED], next_try_at__lte=now())
    return _while_there_is_time(actions.make_room, due.order_by("next_try_at").values_list("pk", flat=True)[:BATCH])


def ask_who_came() -> int:
    """Each minute: the rooms of calls that have just ended; how many."""
    moment = now()
    due = MeetingRoom.objects.filter(status=RoomStatus.READY, next_try_at__lte=moment, consultation__ends_at__lte=moment - ASK_AFTER)
    return _while_there_is_time(actions.ask_presence, due.order_by("next_try_at").values_list("pk", flat=True)[:BATCH])


def _while_there_is_time(action: Callable[[UUID], None], ids: Iterable[UUID]) -> int:
    ends, done = time.monotonic() + SECONDS, 0
    for pk in list(ids):
        if time.monotonic() > ends:
            break
        done += each(action, [pk])
    return done


def read_cal_com(link_id: str, uid: str) -> None:
    """A hint of Cal.com."""
    actions.read_cal_com(UUID(link_id), uid)


def watch_accounts() -> int:
    """Every few minutes: Cal.com accounts that do not post to us yet; how many."""
    watched = PushChannel.objects.filter(calendar__link=OuterRef("pk"))
    read = LinkedCalendar.objects.filter(link=OuterRef("pk"), is_read=True)
    waiting = CalendarLink.objects.filter(~Exists(watched), Exists(read), provider=CalendarProvider.CAL_COM, status=LinkStatus.ACTIVE)
    return _while_there_is_time(actions.watch_cal_com, waiting.order_by("connected_at").values_list("pk", flat=True)[:BATCH])
