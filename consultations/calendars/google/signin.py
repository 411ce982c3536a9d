"""How a builder lets us in: OAuth with PKCE, and an answer that says whose account it is."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consultations.calendars.protocol import Connection, Refused
from port444.kit.clock import now

from .account import Account, ask_tokens, token_error, whole
from .calendar import GoogleCalendar

SCOPE = "https://www.googleapis.com/auth/"
NEEDED = {
    f"{SCOPE}calendar.calendarlist.readonly": _("the list of your calendars"),
    f"{SCOPE}calendar.events": _("your events"),
    f"{SCOPE}calendar.freebusy": _("when you are busy"),
}
MEET = f"{SCOPE}meetings.space.readonly"  # who was in the room; calls work without it


def authorize_url(state: str, redirect_uri: str, verifier: str) -> str:
    """Where the builder is sent to allow us in. `verifier` is the PKCE secret that `connect` needs again."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return f"{settings.GOOGLE_AUTHORIZE_URL}?" + urlencode(
        {
            "client_id": settings.GOOGLE_CLIENT_ID,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(["openid", "email", *NEEDED, MEET]),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",  # without it a second connection gets no refresh token
        }
    )


@whole()
def connect(code: str, redirect_uri: str, verifier: str) -> Connection:
    """Exchange the code of the redirect. Refused when the builder has unticked something that calls need."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
        "client_id": settings.GOOGLE_CLIENT_ID,
        "client_secret": settings.GOOGLE_CLIENT_SECRET,
    }
    status, answer = ask_tokens(urlencode(form).encode())
    if status != 200:
        raise token_error(answer)
    granted = str(answer.get("scope", "")).split()
    if missing := [str(words) for scope, words in NEEDED.items() if scope not in granted]:
        raise Refused(gettext("calls need %(what)s. Connect again and leave every box ticked.") % {"what": gettext(" and ").join(missing)})
    if not answer.get("refresh_token"):
        raise Refused(_("Google gave no lasting permission"))
    who = _claims(str(answer.get("id_token", "")))
    credentials = {
        "refresh_token": answer["refresh_token"],
        "token": answer.get("access_token", ""),
        "expiry": (now() + timedelta(seconds=int(answer.get("expires_in", 0)))).isoformat(),
        "scopes": granted,
        "account": str(who.get("email", "")),
        "subject": str(who.get("sub", "")),
    }
    kept: list[dict[str, Any]] = [credentials]
    calendars = GoogleCalendar(Account(credentials, kept.append)).calendars()
    account = credentials["account"] or next((each.external_id for each in calendars if each.is_primary), "")
    if not account:
        raise Refused(_("Google did not say whose account it is"))
    return Connection(account, kept[-1] | {"account": account}, calendars)


def _claims(id_token: str) -> dict[str, Any]:
    """Who signed in. It came from Google's token endpoint itself, so its signature adds nothing (OpenID Connect 3.1.3.7)."""
    try:
        payload = id_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) and claims.get("aud") == settings.GOOGLE_CLIENT_ID else {}
