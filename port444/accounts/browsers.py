"""What a browser says of itself, so that two sign-ins can be told to come from the same kind of browser."""

from __future__ import annotations

import hashlib
import hmac
import re

from django.conf import settings
from django.http import HttpRequest

SAYS = ("User-Agent", "Accept-Language", "Sec-CH-UA", "Sec-CH-UA-Mobile", "Sec-CH-UA-Platform")
COUNTRY = re.compile(r"[A-Z]{2}")
NOWHERE = frozenset({"XX", "T1"})  # what proxies write for an unknown country, and for Tor


def fingerprint(request: HttpRequest) -> str:
    """The same for browsers that say the same, and not what they say; empty for one that does not name itself.

    Many people share one, so it says little alone. The key follows from SECRET_KEY: after that is changed, all are new.
    """
    if not request.headers.get("User-Agent", "").strip():
        return ""
    told = "\0".join(request.headers.get(name, "") for name in SAYS)
    key = hashlib.sha256(b"browser:" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()[:32]


def country(request: HttpRequest) -> str:
    """The country of the caller, as a trusted proxy has worked it out; empty without one."""
    if not settings.COUNTRY_HEADER or not settings.TRUSTED_PROXIES:
        return ""
    code = request.headers.get(settings.COUNTRY_HEADER, "").strip().upper()
    return code if COUNTRY.fullmatch(code) and code not in NOWHERE else ""
