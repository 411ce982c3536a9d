"""Pages of calls: booking one, the calls of a person, one call, and a builder's hours."""

from .absences import admit_absence, dismiss_absence, dispute_absence, report_absence
from .booking import book, hold, quote, times
from .calendar_hooks import google_hook, graph_hook
from .calls import call_list, cancel, complete, detail, ics
from .connections import calendar_callback, calendars, choose_calendars, connect_calendar, disconnect_calendar, read_calendars, retry_copy, why
from .conversion import convert
from .feeds import feed, feed_file, renew_feed
from .hooks import calcom_hook, zoom_hook
from .hours import availability
from .moves import accept, decline, move, withdraw
from .room import join, room_state

__all__ = [
    "accept",
    "admit_absence",
    "availability",
    "book",
    "calcom_hook",
    "calendar_callback",
    "calendars",
    "call_list",
    "cancel",
    "choose_calendars",
    "complete",
    "connect_calendar",
    "convert",
    "decline",
    "detail",
    "disconnect_calendar",
    "dismiss_absence",
    "dispute_absence",
    "feed",
    "feed_file",
    "google_hook",
    "graph_hook",
    "hold",
    "ics",
    "join",
    "move",
    "quote",
    "read_calendars",
    "renew_feed",
    "report_absence",
    "retry_copy",
    "room_state",
    "times",
    "why",
    "withdraw",
    "zoom_hook",
]
