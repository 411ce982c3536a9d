"""What connected calendars say about a builder's time, as it was read last."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.postgres.fields import DateTimeRangeField
from django.db.models import F, Func, Min, QuerySet
from django.db.models.functions import Coalesce

from consultations.models import ExternalEvent, LinkedCalendar, LinkStatus
from consultations.slots import Span
from port444.builders.models import Builder
from port444.kit.clock import now

LATE = timedelta(minutes=10)
STALE = timedelta(hours=24)  # a busy list that is older says nothing any more


def calendars_read(builder: Builder) -> QuerySet[LinkedCalendar]:
    """The calendars whose busy times block; those of a broken account do so until their list is too old."""
    return LinkedCalendar.objects.filter(link__builder=builder, is_read=True).exclude(link__status=LinkStatus.OFF)


def events_between(builder: Builder, since: datetime, until: datetime) -> QuerySet[ExternalEvent]:
    """Busy events that touch [since, until)."""
    span = Func(F("starts_at"), F("ends_at"), function="tstzrange", output_field=DateTimeRangeField())
    events = ExternalEvent.objects.filter(builder=builder, is_busy=True).alias(span=span).filter(span__overlap=(since, until))
    return events.filter(calendar__is_read=True).exclude(calendar__link__status=LinkStatus.OFF)


def busy_outside(builder: Builder, since: datetime, until: datetime) -> list[Span]:
    rows = events_between(builder, since, until).values_list("starts_at", "ends_at")
    return [(int(start.timestamp()), int(end.timestamp())) for start, end in rows]


def known_since(builder: Builder) -> datetime | None:
    """How old the oldest busy list is; before a first read, since when there should be one. None: no calendar is read."""
    oldest: datetime | None = calendars_read(builder).aggregate(oldest=Min(Coalesce("synced_at", "link__connected_at")))["oldest"]
    return oldest


def is_stale(builder: Builder, moment: datetime) -> bool:
    """Whether we cannot say any more when the builder is busy. Then no times are offered."""
    oldest = known_since(builder)
    return oldest is not None and oldest <= moment - STALE


def reads_are_late() -> bool:
    """Whether calendars wait to be read for longer than the sweep and the queue ever take, whatever providers do."""
    due = LinkedCalendar.objects.filter(is_read=True, next_sync_at__lte=now() - LATE, link__status=LinkStatus.ACTIVE)
    return due.exists()
