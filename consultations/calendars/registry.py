"""Which calendar providers there are, whether this site is set up for them, and the client of a connected account.

A provider is a module beside this one. Each offers `client(credentials, keep) -> CalendarClient`, and by its way of signing in:

- OAUTH: `authorize_url(state, redirect_uri, verifier) -> str` and `connect(code, redirect_uri, verifier) -> Connection`
- PASSWORD: `connect(url, name, password) -> Connection`
- KEY: `connect(api_key) -> Connection`

`connect` raises NotConnected for a refused code, password or key, Refused for a consent that lacks a scope, and the other errors of
the protocol as every call does. `keep` takes credentials that the provider renewed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from django.conf import settings

from consultations.models import CalendarLink, CalendarProvider

from .protocol import CalendarClient

Keep = Callable[[dict[str, Any]], None]


class SignIn(Enum):
    """How a builder proves that the account is theirs."""

    OAUTH = "oauth"
    PASSWORD = "password"  # noqa: S105 - the name of a way, not a secret
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Provider:
    """Facts of one provider. `needs` are the settings without which it cannot be offered; `poll` is how often it is asked anyway."""

    key: CalendarProvider
    module: str
    sign_in: SignIn
    poll: timedelta
    needs: tuple[str, ...] = ()
    pushes: bool = False
    address: str = ""  # of the server, where the builder need not type it

    @property
    def label(self) -> str:
        return str(self.key.label)

    @property
    def is_set_up(self) -> bool:
        return all(getattr(settings, name) for name in self.needs) and (self.module in MODULES or find_spec(self.module) is not None)


QUARTER = timedelta(minutes=15)
PROVIDERS = {
    provider.key: provider
    for provider in (
        Provider(
            CalendarProvider.GOOGLE,
            "consultations.calendars.google",
            SignIn.OAUTH,
            QUARTER,
            ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
            pushes=True,
        ),
        Provider(
            CalendarProvider.OUTLOOK,
            "consultations.calendars.graph",
            SignIn.OAUTH,
            QUARTER,
            ("MICROSOFT_CLIENT_ID", "MICROSOFT_CLIENT_SECRET"),
            pushes=True,
        ),
        Provider(
            CalendarProvider.APPLE, "consultations.calendars.caldav", SignIn.PASSWORD, timedelta(minutes=10), address="https://caldav.icloud.com"
        ),
        Provider(CalendarProvider.CALDAV, "consultations.calendars.caldav", SignIn.PASSWORD, timedelta(minutes=10)),
        Provider(CalendarProvider.CAL_COM, "consultations.calendars.calcom", SignIn.KEY, QUARTER, ("CALCOM_URL",)),
    )
}
MODULES: dict[str, Any] = {}


def provider_of(key: str) -> Provider:
    """Raises LookupError for an unknown one."""
    return PROVIDERS[CalendarProvider(key)] if key in CalendarProvider.values else _unknown(key)


def module_of(key: str) -> Any:
    """The provider's module."""
    name = provider_of(key).module
    return MODULES.get(name) or import_module(name)


def client_of(link: CalendarLink, keep: Keep) -> CalendarClient:
    """The client of a connected account. It talks to the network: never inside a transaction."""
    return cast(CalendarClient, module_of(link.provider).client(link.credentials, keep))


def _unknown(key: str) -> Provider:
    raise LookupError(f"no calendar provider {key}")
