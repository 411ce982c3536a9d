"""Reads of calls."""

from .absences import AbsencePanel, absence_of
from .busy import STALE, is_stale, known_since
from .calls import CallPage, calls_of, chips, facts, paid_back, read_cursor
from .connections import Connections, connections_of, copies_of, links_of
from .meetings import meeting_choices
from .reminders import reminders_are_late, reminders_late_since
from .timeline import Happened, timeline
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
    "STALE",
    "WEEK",
    "AbsencePanel",
    "Away",
    "CallPage",
    "Connections",
    "Day",
    "Happened",
    "Week",
    "absence_of",
    "booked_hours",
    "call_settings",
    "calls_of",
    "calls_of_days",
    "chips",
    "connections_of",
    "copies_of",
    "facts",
    "for_booking",
    "hours_of",
    "is_clear",
    "is_stale",
    "known_since",
    "links_of",
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
    "timeline",
    "week_of",
    "window_of",
    "windows_of",
]
