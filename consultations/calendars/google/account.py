"""One Google account: requests with its token, which google-auth renews, and errors in the words of the protocol.

Everything goes out through our own session, which has limits. No text of an error holds anything but the status and Google's
word for the reason.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from django.conf import settings
from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials

from consultations.calendars.protocol import CalendarError, Conflicting, Gone, Limited, NotConnected, Refused, Unreachable
from port444.kit import outbound
from port444.kit.clock import now

log = logging.getLogger(__name__)

Keep = Callable[[dict[str, Any]], None]

LIMITS = {"rateLimitExceeded": 60, "userRateLimitExceeded": 60, "RATE_LIMIT_EXCEEDED": 60, "quotaExceeded": 3600, "dailyLimitExceeded": 3600}
NO_PUSH = ("webhookUrl", "pushNotSupported")  # an address or a calendar for which there are no notifications
MOST_PAGES = 100
SAYS = {  # what a person can do something about
    "requiredAccessLevel": "this calendar may only be read",
    "notFound": "there is no such calendar or event",
    "accessNotConfigured": "the Calendar API is not enabled in this site's project",
    "insufficientPermissions": "something that calls need was not allowed; connect again",
}


class Missing(Refused):
    """404."""


class Invalid(Refused):
    """400."""


class Duplicate(Refused):
    """409."""


@contextmanager
def whole() -> Iterator[None]:
    """For the reading of an answer: one that lacks what Google promises is a broken answer, not a fault of whoever asked."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        log.warning("an answer of Google could not be read", exc_info=True)
        raise Unreachable("Google's answer is not what was asked for") from error


@dataclass(frozen=True, slots=True)
class _Tokens:
    """What google-auth takes as an answer of its transport."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Account:
    """One account: requests with its token, renewed when it has run out, and errors in the words of the protocol."""

    def __init__(self, credentials: Mapping[str, Any], keep: Keep) -> None:
        self._stored = dict(credentials)
        self._keep = keep
        self._session = outbound.session()
        expiry = credentials.get("expiry")
        self._credentials = Credentials(
            credentials.get("token") or None,
            refresh_token=credentials.get("refresh_token"),
            token_uri=settings.GOOGLE_TOKEN_URL,
            client_id=settings.GOOGLE_CLIENT_ID,
            client_secret=settings.GOOGLE_CLIENT_SECRET,
            expiry=datetime.fromisoformat(expiry).astimezone(UTC).replace(tzinfo=None) if expiry else None,  # google-auth counts without a zone
        )

    def call(
        self, method: str, url: str, query: Mapping[str, str] | None = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer's JSON; an empty answer is an empty dict."""
        if not self._credentials.valid:
            self._renew()
        response = self._send(method, url, query, body, headers)
        if response.status_code == 401 and not any(part in _reason(response) for part in NO_PUSH):
            self._renew()
            response = self._send(method, url, query, body, headers)
        if response.status_code >= 300:
            raise _error(response)
        return _json(response) if response.content else {}

    def pages(self, url: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        asked = dict(query)
        for _ in range(MOST_PAGES):
            page = self.call("GET", url, asked)
            yield page
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]
        raise Unreachable("Google's list has no end")

    def items(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """All of a list of Meet, whose name is the last part of the path."""
        for page in self.pages(f"{settings.GOOGLE_MEET_URL}/v2/{path}", query):
            yield from page.get(path.rpartition("/")[2], [])

    def _send(self, method: str, url: str, query: Mapping[str, str] | None, body: Any, headers: Mapping[str, str] | None) -> requests.Response:
        sent = {"Authorization": f"Bearer {self._credentials.token}", **(headers or {})}
        try:
            return self._session.request(method, url, params=query, json=body, headers=sent)
        except requests.RequestException as error:
            raise Unreachable(f"no answer from Google ({type(error).__name__})") from None

    def _renew(self) -> None:
        if not self._credentials.refresh_token:
            raise NotConnected("there is no permission to renew")
        try:
            self._credentials.refresh(_transport)
        except GoogleAuthError as error:
            raise Unreachable(f"no token from Google ({type(error).__name__})") from None
        expiry = self._credentials.expiry
        self._stored |= {
            "token": self._credentials.token,
            "refresh_token": self._credentials.refresh_token,
            "expiry": expiry.replace(tzinfo=UTC).isoformat() if expiry else "",
        }
        self._keep(dict(self._stored))


def _transport(url: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **options: Any) -> _Tokens:
    """google-auth's way out: ours, and without its own waiting and trying again on errors."""
    status, answer = ask_tokens(body or b"")
    if status != 200:
        raise token_error(answer)
    return _Tokens(status, {}, json.dumps(answer).encode())


def ask_tokens(form: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the token endpoint; Unreachable and Limited are raised."""
    try:
        response = outbound.session().post(settings.GOOGLE_TOKEN_URL, data=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
    except requests.RequestException as error:
        raise Unreachable(f"no answer from Google ({type(error).__name__})") from None
    if response.status_code == 429 or response.status_code >= 500:
        raise _error(response)
    return response.status_code, _json(response)


def token_error(answer: Mapping[str, Any]) -> CalendarError:
    """`invalid_grant` is the builder's to mend. Everything else is ours, and must not cost every builder the connection."""
    error = word(answer.get("error"))
    return NotConnected("Google no longer accepts the permission") if error == "invalid_grant" else Unreachable(f"Google gives no token ({error})")


def _error(response: requests.Response) -> CalendarError:
    status, reason = response.status_code, _reason(response)
    text = f"{SAYS[reason]} ({status} {reason})" if reason in SAYS else f"Google answered {status} ({reason})"
    if status == 429 or (status == 403 and reason in LIMITS):
        return Limited(text, _seconds(response.headers.get("Retry-After", ""), LIMITS.get(reason, 60)))
    if status >= 500 or status < 400:
        return Unreachable(text)
    if status == 401 and not any(part in reason for part in NO_PUSH):
        return NotConnected(text)
    kinds: dict[int, type[CalendarError]] = {400: Invalid, 404: Missing, 409: Duplicate, 410: Gone, 412: Conflicting}
    return kinds.get(status, Refused)(text)


def _reason(response: requests.Response) -> str:
    """Calendar says it in `errors[0].reason`, Meet in `status`; anything else is not repeated."""
    try:
        error = response.json()["error"]
        return word(error["errors"][0]["reason"] if error.get("errors") else error.get("status"))
    except (ValueError, TypeError, LookupError, AttributeError):
        return "no reason"


def word(value: Any) -> str:
    """Google's word for what is wrong, if it is one; anything else is not repeated."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z_.]{1,60}", value) else "no reason"


def _seconds(value: str, otherwise: float) -> float:
    """`Retry-After` is a number of seconds or a date."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return otherwise
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now()).total_seconds())


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        raise Unreachable("Google's answer is not whole") from None
    if not isinstance(answer, dict):
        raise Unreachable("Google's answer is not what was asked for")
    return answer
