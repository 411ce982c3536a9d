"""Reads of calls."""

from .calls import CallPage, calls_of, chips, facts, paid_back, read_cursor
from .reminders import reminders_are_late, reminders_late_since
from .times import (
    WEEK,
    Away,
    Day,
    Week,
    booked_hours,
    call_settings,
    for_booking,
    hours_of,
    monday_of,
    nearest,
    offers,
    open_starts,
    taken,
    week_of,
    windows_of,
)

__all__ = [
    "WEEK",
    "Away",
    "CallPage",
    "Day",
    "Week",
    "booked_hours",
    "call_settings",
    "calls_of",
    "chips",
    "facts",
    "for_booking",
    "hours_of",
    "monday_of",
    "nearest",
    "offers",
    "open_starts",
    "paid_back",
    "read_cursor",
    "reminders_are_late",
    "reminders_late_since",
    "taken",
    "week_of",
    "windows_of",
]
