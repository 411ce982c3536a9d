"""Outlook and Microsoft 365 calendars, through Microsoft Graph v1.0."""

from .client import GraphClient, client, connect
from .notices import Notice, read_notifications, validation_token
from .tokens import authorize_url

__all__ = ["GraphClient", "Notice", "authorize_url", "client", "connect", "read_notifications", "validation_token"]
