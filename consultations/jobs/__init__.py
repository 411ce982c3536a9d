"""What the clock and the queue do for calls. One module for each noun; queued paths name the functions here."""

from .absences import look_at_ended, settle_absences
from .calendars import close_link, fetch_room, list_calendars, sweep_calendars, sweep_channels, sync_calendar, tend_channels, write_copy
from .calls import complete_ended
from .meetings import ask_who_came, make_room, make_rooms, read_cal_com, watch_accounts
from .proposals import lapse_proposals
from .reminders import send_reminders

__all__ = [
    "ask_who_came",
    "close_link",
    "complete_ended",
    "fetch_room",
    "lapse_proposals",
    "list_calendars",
    "look_at_ended",
    "make_room",
    "make_rooms",
    "read_cal_com",
    "send_reminders",
    "settle_absences",
    "sweep_calendars",
    "sweep_channels",
    "sync_calendar",
    "tend_channels",
    "watch_accounts",
    "write_copy",
]
