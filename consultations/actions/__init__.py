"""Every write of calls: when a builder takes them, booking one, holding or ending it, and what follows them in calendars."""

from .absences import (
    admit_absence,
    confirm_unanswered,
    decide_absence,
    dismiss_absence,
    dispute_absence,
    drop_suggestion,
    look_at_attendance,
    report_absence,
)
from .attendance import Sighting, ask_presence, host_url, join_call, note_zoom_sighting
from .availability import set_availability
from .booking import ask_calendars, call_paid, call_unpaid, hold_slot, lock_for_payment, payment_begun
from .cal_com import read_cal_com, watch_cal_com
from .calendars import live_busy
from .channels import end_channel, tend_channels, told_providers
from .conduct import cancel_call, complete_call, complete_unattended
from .conversion import convert_call, credit_returned, credit_used, lock_source
from .copies import fetch_room, queue_copies, retry_copy, want_copies, write_copy
from .feeds import note_feed_read, renew_feed
from .links import choose_calendars, close_link, connect_calendar, disconnect_calendar, list_calendars, read_soon
from .meetings import make_room, room_made
from .moves import ask_around_move, move_call
from .proposals import accept_proposal, decline_proposal, lapse_proposal, propose_from_calendar, propose_move, withdraw_proposal
from .reading import due_calendars, nudge_calendar, sync_calendar, warn_stale
from .reminders import send_reminder
from .settling import lock_for_escrow

__all__ = [
    "Sighting",
    "accept_proposal",
    "admit_absence",
    "ask_around_move",
    "ask_calendars",
    "ask_presence",
    "call_paid",
    "call_unpaid",
    "cancel_call",
    "choose_calendars",
    "close_link",
    "complete_call",
    "complete_unattended",
    "confirm_unanswered",
    "connect_calendar",
    "convert_call",
    "credit_returned",
    "credit_used",
    "decide_absence",
    "decline_proposal",
    "disconnect_calendar",
    "dismiss_absence",
    "dispute_absence",
    "drop_suggestion",
    "due_calendars",
    "end_channel",
    "fetch_room",
    "hold_slot",
    "host_url",
    "join_call",
    "lapse_proposal",
    "list_calendars",
    "live_busy",
    "lock_for_escrow",
    "lock_for_payment",
    "lock_source",
    "look_at_attendance",
    "make_room",
    "move_call",
    "note_feed_read",
    "note_zoom_sighting",
    "nudge_calendar",
    "payment_begun",
    "propose_from_calendar",
    "propose_move",
    "queue_copies",
    "read_cal_com",
    "read_soon",
    "renew_feed",
    "report_absence",
    "retry_copy",
    "room_made",
    "send_reminder",
    "set_availability",
    "sync_calendar",
    "tend_channels",
    "told_providers",
    "want_copies",
    "warn_stale",
    "watch_cal_com",
    "withdraw_proposal",
    "write_copy",
]
