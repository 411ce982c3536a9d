"""Reminders of a call."""

from __future__ import annotations

from datetime import datetime

from consultations.models import Consultation


def plan_reminders(consultation: Consultation, moment: datetime) -> None:
    """Write the reminders of a call that has just been scheduled."""
