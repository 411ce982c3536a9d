"""Reads of calls."""

from .absences import AbsencePanel, absence_of
from .calls import CallPage, calls_of, chips, facts, paid_back, read_cursor
from .meetings import meeting_choices
from .reminders import reminders_are_late, reminders_late_since
from .times import (
    WEEK,
    Away,
    Day,
    Week,
    booked_hours,
    call_settings,
    calls_of_days,
    for_booking,
    hours_of,
    is_clear,
    monday_of,
    nearest,
    offers,
    open_starts,
    taken,
    week_of,
    window_of,
    windows_of,
)

__all__ = [
    "WEEK",
    "AbsencePanel",
    "Away",
    "CallPage",
    "Day",
    "Week",
    "absence_of",
    "booked_hours",
    "call_settings",
    "calls_of",
    "calls_of_days",
    "chips",
    "facts",
    "for_booking",
    "hours_of",
    "is_clear",
    "meeting_choices",
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
    "window_of",
    "windows_of",
]
