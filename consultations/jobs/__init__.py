"""What the clock and the queue do for calls. One module for each noun; queued paths name the functions here."""

from .absences import look_at_ended, settle_absences
from .calendars import close_link, fetch_room, sweep_calendars, sweep_channels, sync_calendar, tend_channels, write_copy
from .calls import complete_ended
from .proposals import lapse_proposals
from .reminders import send_reminders

__all__ = [
    "close_link",
    "complete_ended",
    "fetch_room",
    "lapse_proposals",
    "look_at_ended",
    "send_reminders",
    "settle_absences",
    "sweep_calendars",
    "sweep_channels",
    "sync_calendar",
    "tend_channels",
    "write_copy",
]
