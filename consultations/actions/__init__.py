"""Every write of calls: when a builder takes them, booking one, and holding or ending it."""

from .availability import set_availability
from .booking import call_paid, call_unpaid, hold_slot, lock_for_payment
from .conduct import cancel_call, complete_call, complete_unattended
from .reminders import send_reminder

__all__ = [
    "call_paid",
    "call_unpaid",
    "cancel_call",
    "complete_call",
    "complete_unattended",
    "hold_slot",
    "lock_for_payment",
    "send_reminder",
    "set_availability",
]
