"""Signing in with Microsoft: authorization code with PKCE, and refresh tokens that rotate.

Written out rather than through an OAuth2Session: that brings a session of its own, without our limits of time and size, and takes a
scope which the provider spells otherwise for a failure.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from consultations.calendars.protocol import CalendarError, NotConnected, Refused, Unreachable
from port444.kit.clock import now

from .errors import code_of, limited, lost, read

Keep = Callable[[dict[str, Any]], None]

SCOPES = ("offline_access", "User.Read", "Calendars.ReadWrite")
WHAT = "signing in"
EARLY = timedelta(minutes=2)  # a token that ends so soon is renewed first
# What only the person can mend, by signing in again. The rest of the 4xx answers are about this site's registration.
PERSONAL = {"invalid_grant", "interaction_required", "consent_required", "login_required"}


def authorize_url(state: str, redirect_uri: str, verifier: str) -> str:
    """Where the builder agrees. `verifier` stays here and proves later that the code was asked for by us."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": settings.MICROSOFT_CLIENT_ID,
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": redirect_uri,
        "scope": " ".join(SCOPES),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": "select_account",  # people are signed in with their employer's account more often than they know
    }
    return f"{settings.MICROSOFT_LOGIN_URL}/authorize?{urlencode(asked)}"


def exchange(session: requests.Session, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
    """Credentials for the code of a consent. Raises Refused when the person agreed to less than was asked."""
    answer = _ask(session, {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier})
    granted = {scope.rsplit("/", 1)[-1].casefold() for scope in str(answer.get("scope", "")).split()}
    if "calendars.readwrite" not in granted or not answer.get("refresh_token"):
        raise Refused(_("the consent does not cover the calendars"))
    return _credentials(answer, {})


def renew(session: requests.Session, credentials: dict[str, Any]) -> dict[str, Any]:
    """Fresh credentials. Microsoft gives a new refresh token each time and leaves the old one valid, so two at once do no harm."""
    token = credentials.get("refresh_token")
    if not token:
        raise NotConnected("there is no refresh token")
    answer = _ask(session, {"grant_type": "refresh_token", "refresh_token": token, "scope": " ".join(SCOPES)})
    return _credentials(answer, credentials)


def is_stale(credentials: dict[str, Any]) -> bool:
    """Whether the access token has ended or is about to."""
    return not credentials.get("access_token") or float(credentials.get("expires_at", 0)) <= (now() + EARLY).timestamp()


def _credentials(answer: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    try:
        seconds = float(answer.get("expires_in") or 3600)
        found = {"access_token": str(answer["access_token"]), "expires_at": int(now().timestamp() + seconds)}
    except (KeyError, TypeError, ValueError):
        raise Unreachable(f"{WHAT}: an answer without a token") from None
    return {**before, **found, "refresh_token": str(answer.get("refresh_token") or before.get("refresh_token", ""))}


def _ask(session: requests.Session, form: dict[str, str]) -> dict[str, Any]:
    form = {**form, "client_id": settings.MICROSOFT_CLIENT_ID, "client_secret": settings.MICROSOFT_CLIENT_SECRET}
    try:
        response = session.post(f"{settings.MICROSOFT_LOGIN_URL}/token", data=form)
    except requests.RequestException as failure:
        raise lost(WHAT, failure) from None
    if response.ok:
        return read(WHAT, response)
    raise _refusal(response)


def _refusal(response: requests.Response) -> CalendarError:
    code = code_of(response)
    text = f"{WHAT}: {response.status_code} {code}".rstrip()
    if response.status_code == 429 or (response.status_code == 503 and "Retry-After" in response.headers):
        return limited(text, response)
    if code in PERSONAL:
        return NotConnected(text)
    # invalid_client and its like are this site's fault and end when the operator mends them; no builder can.
    return Unreachable(text)
