"""Where a message for the next page waits: in a cookie under the same prefix as the others, and in the session when it is too long."""

from __future__ import annotations

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class _Cookie(CookieStorage):
    cookie_name = f"{settings.COOKIE_PREFIX}messages"


class Storage(FallbackStorage):
    """Named by MESSAGE_STORAGE."""

    storage_classes = (_Cookie, SessionStorage)
