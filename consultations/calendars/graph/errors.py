"""Microsoft's answers in the words of the protocol. Texts hold a status and a code: never a token, an address or anything of an event."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from consultations.calendars.protocol import CalendarError, Conflicting, Gone, Limited, Refused, Unreachable
from port444.kit.clock import now

USUAL_WAIT = 60.0  # seconds, where the answer names none
LONGEST_WAIT = 24 * 3600.0
CODE = re.compile(r"[A-Za-z0-9_.]{1,60}")
TOKEN_TOO_OLD = {"syncstatenotfound", "syncstateinvalid", "resyncrequired", "errorinvalidsyncstatedata", "fullsyncrequired"}


class Missing(Refused):
    """It is not there, or not any more."""


def error_of(what: str, response: requests.Response) -> CalendarError:
    """The error that an answer means, except 401, which may only want a new token."""
    status, code = response.status_code, code_of(response)
    text = f"{what}: {status} {code}".rstrip()
    if status == 429 or (status == 503 and "Retry-After" in response.headers):
        return limited(text, response)
    if status == 410 or (status == 400 and code.casefold() in TOKEN_TOO_OLD):
        return Gone(text)
    if status == 404:
        return Missing(text)
    if status in (409, 412):
        return Conflicting(text)
    if 400 <= status < 500 and status not in (408, 423):
        return Refused(text)
    return Unreachable(text)


def limited(text: str, response: requests.Response) -> Limited:
    """Retry-After is a number of seconds or a date."""
    said = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            moment = parsedate_to_datetime(said)
            seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now()).total_seconds()
        except ValueError:
            seconds = USUAL_WAIT
    return Limited(text, min(max(seconds, 1.0), LONGEST_WAIT) if seconds == seconds else USUAL_WAIT)


def lost(what: str, failure: requests.RequestException) -> Unreachable:
    """No answer. The failure's own text names addresses and is left out."""
    return Unreachable(f"{what}: no answer ({type(failure).__name__})")


def code_of(response: requests.Response) -> str:
    """The error code, of Graph's nested or of OAuth's flat form; empty if it does not look like one."""
    try:
        found = response.json().get("error", "")
        code = found.get("code", "") if isinstance(found, dict) else found
    except (ValueError, AttributeError, RecursionError):
        return ""
    return code if isinstance(code, str) and CODE.fullmatch(code) else ""


def read(what: str, response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer."""
    try:
        found = response.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"{what}: an answer that cannot be read")
    return found
