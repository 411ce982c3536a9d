"""What pages ask about a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Case, Count, IntegerField, Min, Value, When
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from port444.kit import context
from port444.kit.clock import now
from port444.kit.metrics import Reading

from .models import ApiToken, QueuedMail, Scope, Session, Theme, User, UserDevice

DEVICES_SHOWN = 20
TOKENS = 50
RECENT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Chrome:
    """What the frame around every page knows of its reader: role is one of anonymous, client, builder, both."""

    role: str = "anonymous"
    theme: str = Theme.SYSTEM
    has_console: bool = False


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Context processor; nothing is read before a template asks."""
    return {"chrome": SimpleLazyObject(lambda: _chrome(request))}


def _chrome(request: HttpRequest) -> Chrome:
    user = getattr(request, "user", None)  # absent on the page that says that the site itself failed
    if user is None or not user.is_authenticated:
        return Chrome()
    role = "both" if user.is_client and user.is_builder else "builder" if user.is_builder else "client"
    return Chrome(role, user.theme, user.is_staff)


def has_second_factor(user: User) -> bool:
    """Whether an authenticator app is set up."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists())


def passed_second_factor(request: HttpRequest, user: User) -> bool:
    """Whether a code was given in this session, and the app it came from is still set up. A token for the console was made in a session that
    had passed, and stands for it."""
    token = getattr(request, "api_token", None)
    if token is not None:
        return Scope.CONSOLE in token.scopes and has_second_factor(user)
    gave_code = any(record.get("method") == "mfa" for record in get_authentication_records(request, user))
    return gave_code and has_second_factor(user)


def recently_proved(request: HttpRequest) -> bool:
    """Whether a code was given in this session within the last ten minutes; asked before what weighs most. Who has not is sent to
    `mfa_reauthenticate` with `next`. Where staff need no second factor, nobody is asked."""
    user = request.user
    if not isinstance(user, User):
        return False
    if not settings.STAFF_SECOND_FACTOR:
        return True
    since = (now() - RECENT).timestamp()
    gave_code = any(record.get("method") == "mfa" and record.get("at", 0) >= since for record in get_authentication_records(request, user))
    return gave_code and has_second_factor(user)


@dataclass(frozen=True, slots=True)
class Device:
    """A browser, as its owner recognises it."""

    words: str
    ip_address: str | None
    last_seen_at: datetime
    is_this: bool
    is_signed_in: bool


def devices(user: User, *, moment: datetime) -> list[Device]:
    """The browsers that were signed in last, newest first."""
    rows = UserDevice.objects.filter(user=user).order_by("-last_seen_at")[:DEVICES_SHOWN]
    live = set(Session.objects.filter(user=user, expire_date__gt=moment).values_list("device_id", flat=True))
    this = context.current().device_id
    return [Device(browser_words(row.user_agent), row.ip_address, row.last_seen_at, row.device_id == this, row.device_id in live) for row in rows]


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_words(user_agent: str) -> str:
    """What a User-Agent header says to people, e.g. "Firefox on Linux"."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")


def tokens(user: User, moment: datetime) -> list[ApiToken]:
    """The newest tokens of a person, those that can be used still before the others."""
    live = Case(When(revoked_at__isnull=True, expires_at__gt=moment, then=Value(0)), default=Value(1), output_field=IntegerField())
    return list(ApiToken.objects.filter(user=user).annotate(over=live).order_by("over", "-pk")[:TOKENS])


def readings() -> Iterator[Reading]:
    """For the metrics: mails about accounts that are not sent."""
    moment = now()
    waiting = QueuedMail.objects.unsent().aggregate(count=Count("pk"), oldest=Min("created_at"))
    yield Reading("port444_account_mails_waiting", waiting["count"], "Mails about accounts that are not sent")
    age = (moment - (waiting["oldest"] or moment)).total_seconds()
    yield Reading("port444_account_mails_age_seconds", age, "Seconds for which the oldest of them waits")
