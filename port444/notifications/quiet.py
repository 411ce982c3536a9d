"""Quiet hours: when a person is not to be disturbed, on the wall clock of their own zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .models import QuietHours


def is_quiet(at: time, hours: QuietHours) -> bool:
    """Whether the wall clock time `at` is inside `hours`; equal ends mean never."""
    if not hours.enabled or hours.starts == hours.ends:
        return False
    if hours.starts < hours.ends:
        return hours.starts <= at < hours.ends
    return at >= hours.starts or at < hours.ends


def release_at(moment: datetime, hours: QuietHours, zone: ZoneInfo) -> datetime:
    """When something ready at `moment` may be sent: then, or at the end of the quiet hours it falls into.

    The end is a time on the wall clock. Where clocks go back it may come twice, and the one after `moment` counts; where they
    go forward it may not come at all, and then it is as far after the gap as it would have been into it.
    """
    local = moment.astimezone(zone)
    if not is_quiet(local.time(), hours):
        return moment
    for days in range(3):
        for fold in (0, 1):
            end = datetime.combine(local.date() + timedelta(days=days), hours.ends.replace(fold=fold), zone).astimezone(UTC)
            if end > moment and not is_quiet(end.astimezone(zone).time(), hours):
                return end
    return moment
