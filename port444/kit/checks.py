"""What must not go into production, found by `manage.py check` and by every command there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

LEAST_KEY = 50


def production(app_configs: Any = None, **options: Any) -> Sequence[CheckMessage]:
    """Errors of the settings; none in development and tests."""
    return [] if settings.DEVELOPMENT else [error for wrong, error in _found() if wrong]


def _found() -> list[tuple[bool, CheckMessage]]:
    key = settings.SECRET_KEY
    return [
        (settings.DEBUG, Error("DEBUG is on.", hint="Unset DEBUG: error pages would show settings and code.", id="port444.E001")),
        (
            len(key) < LEAST_KEY or len(set(key)) < 5 or "insecure" in key,
            Error(
                "SECRET_KEY is short or a default.",
                hint=f"Set SECRET_KEY to {LEAST_KEY} random characters or more: python -c 'import secrets; print(secrets.token_urlsafe(60))'",
                id="port444.E002",
            ),
        ),
        (
            "sandbox" in settings.PAYMENT_PROVIDERS,
            Error(
                "PAYMENT_PROVIDERS names the sandbox, in which nobody pays.",
                hint="Set PAYMENT_PROVIDERS to real ones, or to none: then the site says that paying is not possible.",
                id="port444.E003",
            ),
        ),
        (
            any(host in ("*", ".") for host in settings.ALLOWED_HOSTS) or not settings.ALLOWED_HOSTS,
            Error("ALLOWED_HOSTS is empty or takes any host.", hint="Name the hosts that you serve, separated by commas.", id="port444.E004"),
        ),
        (
            settings.SMS_PROVIDER == "captured",
            Error("SMS_PROVIDER captures messages, which nobody gets.", hint="Set SMS_PROVIDER to a real one or to none.", id="port444.E005"),
        ),
        (
            urlsplit(settings.SITE_URL).scheme != "https",
            Error("SITE_URL is not https.", hint="Set SITE_URL to the address that people type; links in mails begin with it.", id="port444.E007"),
        ),
        (
            not settings.STAFF_SECOND_FACTOR,
            Error("Staff may sign in without a second factor.", hint="Unset STAFF_SECOND_FACTOR.", id="port444.E008"),
        ),
        (
            settings.OUTBOUND_ALLOW_LOOPBACK,
            Error(
                "OUTBOUND_ALLOW_LOOPBACK lets addresses that people type lead to this machine, and without encryption.",
                hint="Unset OUTBOUND_ALLOW_LOOPBACK; it is for tests and for trying things out.",
                id="port444.E010",
            ),
        ),
    ]
