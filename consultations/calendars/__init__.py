"""Calendars of others, behind one protocol. Nothing here touches the database or runs inside a transaction."""

from .protocol import (
    Booking,
    Calendar,
    CalendarClient,
    CalendarError,
    Changes,
    Conflicting,
    Connection,
    Event,
    Gone,
    Limited,
    NotConnected,
    Refused,
    Room,
    Subscription,
    Unreachable,
    Written,
)

__all__ = [
    "Booking",
    "Calendar",
    "CalendarClient",
    "CalendarError",
    "Changes",
    "Conflicting",
    "Connection",
    "Event",
    "Gone",
    "Limited",
    "NotConnected",
    "Refused",
    "Room",
    "Subscription",
    "Unreachable",
    "Written",
]
