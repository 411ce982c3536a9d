"""The room of a call."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from consultations.calendars import Room
from consultations.models import Consultation


def want_room(consultation: Consultation, moment: datetime) -> None:
    """Say that the call needs a room as it now stands, or none any more."""


def room_made(chain: UUID, room: Room) -> None:
    """A room came with the calendar event of the chain."""
