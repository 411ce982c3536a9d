"""Our copies of calls in connected calendars."""

from __future__ import annotations

from datetime import datetime

from consultations.models import Consultation


def want_copies(consultation: Consultation, moment: datetime) -> None:
    """Say that the builder's calendar should show the call as it now stands, or not at all."""
