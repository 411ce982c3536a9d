"""Google Calendar v3 with the rooms of Google Meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .account import Account, Keep
from .calendar import GoogleCalendar
from .events import chain_of, event_id
from .meet import meet_presence
from .signin import authorize_url, connect

__all__ = ["GoogleCalendar", "authorize_url", "chain_of", "client", "connect", "event_id", "meet_presence"]


def client(credentials: Mapping[str, Any], keep: Keep) -> GoogleCalendar:
    return GoogleCalendar(Account(credentials, keep))
