"""Spans away as rows, for tests of what follows from them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from port444.away.models import Span
from port444.builders.models import Builder


def leave(builder: Builder, first_on: date, last_on: date, **fields: Any) -> Span:
    """The builder is away from the first day to the last, on their own clock."""
    zone = ZoneInfo(builder.user.time_zone)
    starts_at = datetime.combine(first_on, time(), zone)
    ends_at = datetime.combine(last_on + timedelta(days=1), time(), zone)
    span = Span.objects.create(
        builder=builder, first_on=first_on, last_on=last_on, time_zone=builder.user.time_zone, starts_at=starts_at, ends_at=ends_at, **fields
    )
    builder.away_from, builder.away_until, builder.away_paused_at, builder.away_message = starts_at, ends_at, span.created_at, span.message
    builder.away_stops_orders, builder.away_stops_calls, builder.away_stops_clock = span.stops_orders, span.stops_calls, span.stops_clock
    builder.save()
    return span
