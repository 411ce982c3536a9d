"""The room of a call."""

from __future__ import annotations

from datetime import datetime

from consultations.models import Consultation


def want_room(consultation: Consultation, moment: datetime) -> None:
    """Say that the call needs a room as it now stands, or none any more."""
