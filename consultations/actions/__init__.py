"""Every write of calls: when a builder takes them, booking one, and holding or ending it."""

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
from .availability import set_availability
from .booking import call_paid, call_unpaid, hold_slot, lock_for_payment
from .conduct import cancel_call, complete_call, complete_unattended
from .reminders import send_reminder

__all__ = [
    "admit_absence",
    "call_paid",
    "call_unpaid",
    "cancel_call",
    "complete_call",
    "complete_unattended",
    "confirm_unanswered",
    "decide_absence",
    "dismiss_absence",
    "dispute_absence",
    "drop_suggestion",
    "hold_slot",
    "lock_for_payment",
    "look_at_attendance",
    "report_absence",
    "send_reminder",
    "set_availability",
]
