"""What stands for a call elsewhere follows it: reminders, calendars, the meeting room. Rows only; jobs talk to the network."""

from __future__ import annotations

from datetime import datetime

from consultations.models import Consultation

from .copies import want_copies
from .meetings import want_room
from .reminders import plan_reminders


def follow(consultation: Consultation, moment: datetime) -> None:
    """Make everything outside follow `consultation`, whose status or time has just been written in this transaction.

    Scheduled: it is wanted as it now stands, also when it continues a chain. Anything else: it is not wanted any more. A row that
    was moved away (`rescheduled`) is never passed here; its successor is.
    """
    plan_reminders(consultation, moment)
    want_room(consultation, moment)
    want_copies(consultation, moment)
