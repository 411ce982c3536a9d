"""What the clock and the queue do for calls. One module for each noun; queued paths name the functions here."""

from .absences import look_at_ended, settle_absences
from .calls import complete_ended
from .reminders import send_reminders

__all__ = ["complete_ended", "look_at_ended", "send_reminders", "settle_absences"]
