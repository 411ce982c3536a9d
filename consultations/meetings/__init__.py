"""Rooms for calls, behind one protocol. Nothing here touches the database or runs inside a transaction."""

from .protocol import FullToday, MeetingClient, MeetingError, NotAvailable, OpenRoom, Presence, RoomWish, TryLater

__all__ = ["FullToday", "MeetingClient", "MeetingError", "NotAvailable", "OpenRoom", "Presence", "RoomWish", "TryLater"]
