"""The private calendar address of a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from consultations.models import CalendarFeed

NOTED_EVERY = timedelta(hours=1)


@transaction.atomic
def renew_feed(*, actor: Any) -> CalendarFeed:
    """Make the address of `actor`, or another one in its place: whoever has the old one reads nothing any more."""
    feed, made = CalendarFeed.objects.select_for_update(no_key=True).get_or_create(user=actor)
    if not made:
        feed.generation += 1
        feed.read_at = None
        feed.save(update_fields=["generation", "read_at"])
    record(Event.CALENDAR_FEED_RENEWED, actor=actor, target=actor, again=not made)
    return feed


def note_feed_read(feed: CalendarFeed, moment: datetime) -> None:
    """Remember that a calendar asks for it, to the hour: programs ask every few minutes."""
    if feed.read_at is None or feed.read_at <= moment - NOTED_EVERY:
        CalendarFeed.objects.filter(pk=feed.pk, generation=feed.generation).update(read_at=moment)
