"""Google Calendar v3, and who was in a room of Google Meet.

Tokens are renewed by google-auth; everything goes out through our own session, which has limits. No text of an error holds
anything but the status, Google's word for the reason, and what was being done.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import requests
from django.conf import settings
from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials

from consultations.meetings.protocol import Presence
from port444.kit import outbound
from port444.kit.clock import now

from .protocol import (
    Booking,
    Calendar,
    CalendarError,
    Changes,
    Conflicting,
    Connection,
    Event,
    Gone,
    Limited,
    NotConnected,
    Refused,
    Room,
    Subscription,
    Unreachable,
    Written,
)

Keep = Callable[[dict[str, Any]], None]

SCOPE = "https://www.googleapis.com/auth/"
NEEDED = (f"{SCOPE}calendar.calendarlist.readonly", f"{SCOPE}calendar.events", f"{SCOPE}calendar.freebusy")
MEET = f"{SCOPE}meetings.space.readonly"  # who was in the room; calls work without it

OURS = "port444"  # the private property that names the chain of our own events
FREE_TYPES = frozenset({"workingLocation", "birthday"})
WRITERS = frozenset({"owner", "writer"})
LIMITS = {"rateLimitExceeded": 60, "userRateLimitExceeded": 60, "RATE_LIMIT_EXCEEDED": 60, "quotaExceeded": 3600, "dailyLimitExceeded": 3600}
NO_PUSH = ("webhookUrl", "pushNotSupported")  # an address or a calendar for which there are no notifications
MOST_PAGES = 100
BUSY_CALENDARS, BUSY_DAYS = 50, 90  # what one free/busy request may ask for
WATCH_SECONDS = 7 * 86_400

# Titles, notes and guests of other people's events never leave Google.
CALENDAR_FIELDS = "nextPageToken,items(id,summary,summaryOverride,timeZone,primary,accessRole,deleted)"
EVENT_FIELDS = (
    "timeZone,nextPageToken,nextSyncToken,"
    "items(id,status,etag,start,end,transparency,eventType,attendees(self,responseStatus),extendedProperties/private)"
)
WRITTEN_FIELDS = "id,etag,status,hangoutLink,conferenceData"


class _Missing(Refused):
    """404."""


class _Invalid(Refused):
    """400."""


class _Duplicate(Refused):
    """409."""


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
    status, answer = _ask_tokens(urlencode(form).encode())
    if status != 200:
        raise _token_error(answer)
    granted = str(answer.get("scope", "")).split()
    if missing := [scope.removeprefix(SCOPE) for scope in NEEDED if scope not in granted]:
        raise Refused(f"Google was not allowed to share: {', '.join(missing)}")
    if not answer.get("refresh_token"):
        raise Refused("Google gave no lasting permission")
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
    calendars = client(credentials, kept.append).calendars()
    account = credentials["account"] or next((each.external_id for each in calendars if each.is_primary), "")
    if not account:
        raise Refused("Google did not say whose account it is")
    return Connection(account, kept[-1] | {"account": account}, calendars)


def client(credentials: Mapping[str, Any], keep: Keep) -> GoogleCalendar:
    return GoogleCalendar(_Google(credentials, keep))


def event_id(chain: UUID) -> str:
    """Google allows the letters of base32hex in lower case."""
    return base64.b32hexencode(chain.bytes).decode().rstrip("=").lower()


def chain_of(external_id: str) -> UUID | None:
    """The chain whose `event_id` this is. Other events may look alike, so a match is a hint until a row is found."""
    try:
        chain = UUID(bytes=base64.b32hexdecode(external_id.upper() + "======"))
    except (binascii.Error, ValueError):
        return None
    return chain if event_id(chain) == external_id and chain.version == 7 else None


class GoogleCalendar:
    """The `CalendarClient` of one Google account."""

    def __init__(self, google: _Google) -> None:
        self._google = google

    def calendars(self) -> Sequence[Calendar]:
        query = {"maxResults": "250", "fields": CALENDAR_FIELDS}
        return [
            Calendar(
                external_id=item["id"],
                name=item.get("summaryOverride") or item.get("summary") or item["id"],
                time_zone=item.get("timeZone", ""),
                is_primary=item.get("primary", False),
                can_write=item.get("accessRole") in WRITERS,
            )
            for page in self._google.pages(_calendar("users/me/calendarList"), query)
            for item in page.get("items", [])
            if not item.get("deleted")
        ]

    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        spans: set[tuple[datetime, datetime]] = set()
        for first in range(0, len(calendar_ids), BUSY_CALENDARS):
            items = [{"id": each} for each in calendar_ids[first : first + BUSY_CALENDARS]]
            start = since
            while start < until:
                end = min(until, start + timedelta(days=BUSY_DAYS))
                answer = self._google.call("POST", _calendar("freeBusy"), body={"timeMin": _rfc(start), "timeMax": _rfc(end), "items": items})
                for calendar in answer.get("calendars", {}).values():
                    _no_errors(calendar.get("errors", []))
                    spans.update((_moment(span["start"]), _moment(span["end"])) for span in calendar.get("busy", []))
                start = end
        return sorted(spans)

    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        query = {"singleEvents": "true", "showDeleted": "true", "maxAttendees": "1", "maxResults": "2500", "fields": EVENT_FIELDS}
        query |= {"syncToken": token} if token else {"timeMin": _rfc(since), "timeMax": _rfc(until)}
        events: dict[str, Event] = {}
        page: dict[str, Any] = {}
        try:
            for page in self._google.pages(_calendar(_events(calendar_id)), query):
                zone = _zone(page.get("timeZone", ""))
                for item in page.get("items", []):
                    events[item["id"]] = _event(item, zone, since, until)
        except _Invalid:
            if token:
                raise Gone("Google does not know the sync token") from None
            raise
        if not page.get("nextSyncToken"):
            raise Unreachable("Google gave no sync token")
        return Changes(list(events.values()), page["nextSyncToken"], is_full=not token)

    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        try:
            return self._write(calendar_id, booking, known, wants_room=booking.wants_room)
        except _Invalid:
            if not booking.wants_room:
                raise
            return self._write(calendar_id, booking, known, wants_room=False)  # a calendar without Meet still shows the call

    def fetch(self, calendar_id: str, external_id: str) -> Written:
        item = self._google.call("GET", _calendar(_events(calendar_id, external_id)), {"fields": WRITTEN_FIELDS})
        if item.get("status") == "cancelled":
            raise Refused("the event was deleted")
        return _written(item)

    def remove(self, calendar_id: str, external_id: str) -> None:
        try:
            self._google.call("DELETE", _calendar(_events(calendar_id, external_id)), {"sendUpdates": "none"})
        except (_Missing, Gone):
            return

    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        body = {"id": channel_id, "type": "web_hook", "address": address, "token": secret, "params": {"ttl": str(WATCH_SECONDS)}}
        try:
            answer = self._google.call("POST", _calendar(f"{_events(calendar_id)}/watch"), body=body)
        except Refused as refusal:
            if any(word in str(refusal) for word in NO_PUSH):
                return None
            raise
        expires = answer.get("expiration")
        return Subscription(answer["resourceId"], datetime.fromtimestamp(int(expires) / 1000, UTC) if expires else None)

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        try:
            self._google.call("POST", _calendar("channels/stop"), body={"id": channel_id, "resourceId": external_id})
        except (_Missing, Gone):
            return

    def _write(self, calendar_id: str, booking: Booking, known: Written | None, *, wants_room: bool) -> Written:
        if known is None:
            return self._insert(calendar_id, booking, wants_room=wants_room)
        has_room = known.room is not None or known.room_pending
        if wants_room and not has_room:
            # a second request would replace the room that people have been told of
            found = self._found(calendar_id, known.external_id)
            if found is None or found["etag"] != known.etag:
                raise Conflicting("the event was changed in Google Calendar")
            has_room = _has_room(found)
        return self._patch(calendar_id, known.external_id, known.etag, booking, wants_room=wants_room and not has_room)

    def _insert(self, calendar_id: str, booking: Booking, *, wants_room: bool) -> Written:
        external_id = event_id(booking.chain)
        body = {"id": external_id, "reminders": {"useDefault": True}} | _body(booking, wants_room=wants_room)
        try:
            return _written(self._google.call("POST", _calendar(_events(calendar_id)), _write_query(wants_room=wants_room), body))
        except _Duplicate:
            # an earlier attempt whose answer was lost, or an event that was deleted: `status` in the body brings it back
            found = self._found(calendar_id, external_id)
            if found is None:
                raise
            return self._patch(calendar_id, external_id, found["etag"], booking, wants_room=wants_room and not _has_room(found))

    def _patch(self, calendar_id: str, external_id: str, etag: str, booking: Booking, *, wants_room: bool) -> Written:
        body = _body(booking, wants_room=wants_room)
        for edge in ("start", "end"):
            body[edge] = body[edge] | {"date": None}  # somebody may have made it an all-day event
        headers = {"If-Match": etag} if etag else {}
        try:
            address = _calendar(_events(calendar_id, external_id))
            return _written(self._google.call("PATCH", address, _write_query(wants_room=wants_room), body, headers))
        except (_Missing, Gone):
            raise Conflicting("the event is no longer in Google Calendar") from None

    def _found(self, calendar_id: str, external_id: str) -> dict[str, Any] | None:
        try:
            return self._google.call("GET", _calendar(_events(calendar_id, external_id)), {"fields": WRITTEN_FIELDS})
        except (_Missing, Gone):
            return None


def meet_presence(credentials: Mapping[str, Any], keep: Keep, meeting_code: str, since: datetime, until: datetime) -> Sequence[Presence]:
    """Who was in the Meet room between the two moments, each session by itself. Raises CalendarError.

    Meet gives names and no addresses; the `email` is filled for the connected account alone, which Meet names by its number.
    Empty when the builder has not allowed us to look.
    """
    if MEET not in credentials.get("scopes", []):
        return []
    if not re.fullmatch(r"[a-z]{3}-[a-z]{4}-[a-z]{3}", meeting_code):
        raise Refused("not the code of a Meet room")
    google = _Google(credentials, keep)
    asked = {"filter": f'space.meeting_code = "{meeting_code}" AND start_time <= "{_rfc(until)}"', "pageSize": "100"}
    found = []
    for record in google.items("conferenceRecords", asked):
        if record.get("endTime") and _moment(record["endTime"]) < since:
            continue
        for participant in google.items(f"{record['name']}/participants", {"pageSize": "250"}):
            signed_in = participant.get("signedinUser", {})
            person = signed_in or participant.get("anonymousUser") or participant.get("phoneUser") or {}
            is_account = bool(credentials.get("subject")) and signed_in.get("user") == f"users/{credentials['subject']}"
            for session in google.items(f"{participant['name']}/participantSessions", {"pageSize": "100"}):
                joined, left = _moment(session["startTime"]), _moment(session["endTime"]) if session.get("endTime") else None
                if joined < until and (left is None or left > since):
                    email = str(credentials.get("account", "")) if is_account else ""
                    found.append(Presence(session["name"], person.get("displayName", ""), email, joined, left))
    return sorted(found, key=lambda each: each.joined_at)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """What google-auth takes as an answer of its transport."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Google:
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
        if response.status_code == 401 and not any(word in _reason(response) for word in NO_PUSH):
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
    status, answer = _ask_tokens(body or b"")
    if status != 200:
        raise _token_error(answer)
    return _Tokens(status, {}, json.dumps(answer).encode())


def _ask_tokens(form: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the token endpoint; Unreachable and Limited are raised."""
    try:
        response = outbound.session().post(settings.GOOGLE_TOKEN_URL, data=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
    except requests.RequestException as error:
        raise Unreachable(f"no answer from Google ({type(error).__name__})") from None
    if response.status_code == 429 or response.status_code >= 500:
        raise _error(response)
    return response.status_code, _json(response)


def _token_error(answer: Mapping[str, Any]) -> CalendarError:
    """`invalid_grant` is the builder's to mend. Everything else is ours, and must not cost every builder the connection."""
    word = _word(answer.get("error"))
    return NotConnected("Google no longer accepts the permission") if word == "invalid_grant" else Unreachable(f"Google gives no token ({word})")


def _error(response: requests.Response) -> CalendarError:
    status, reason = response.status_code, _reason(response)
    text = f"Google answered {status} ({reason})"
    if status == 429 or (status == 403 and reason in LIMITS):
        return Limited(text, _seconds(response.headers.get("Retry-After", ""), LIMITS.get(reason, 60)))
    if status >= 500 or status < 400:
        return Unreachable(text)
    if status == 401 and not any(word in reason for word in NO_PUSH):
        return NotConnected(text)
    kinds: dict[int, type[CalendarError]] = {400: _Invalid, 404: _Missing, 409: _Duplicate, 410: Gone, 412: Conflicting}
    return kinds.get(status, Refused)(text)


def _reason(response: requests.Response) -> str:
    """Calendar says it in `errors[0].reason`, Meet in `status`; anything else is not repeated."""
    try:
        error = response.json()["error"]
        return _word(error["errors"][0]["reason"] if error.get("errors") else error.get("status"))
    except (ValueError, TypeError, LookupError, AttributeError):
        return "no reason"


def _word(value: Any) -> str:
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


def _claims(id_token: str) -> dict[str, Any]:
    """Who signed in. It came from Google's token endpoint itself, so its signature adds nothing (OpenID Connect 3.1.3.7)."""
    try:
        payload = id_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) and claims.get("aud") == settings.GOOGLE_CLIENT_ID else {}


def _no_errors(errors: Sequence[Mapping[str, Any]]) -> None:
    """A calendar that could not be read must not look free."""
    for error in errors:
        reason = _word(error.get("reason"))
        text = f"Google could not read a calendar ({reason})"
        if reason in LIMITS:
            raise Limited(text, LIMITS[reason])
        raise Unreachable(text) if reason in {"internalError", "backendError"} else Refused(text)


def _calendar(path: str) -> str:
    return f"{settings.GOOGLE_CALENDAR_URL}/{path}"


def _events(calendar_id: str, external_id: str = "") -> str:
    path = f"calendars/{quote(calendar_id, safe='')}/events"
    return f"{path}/{quote(external_id, safe='')}" if external_id else path


def _write_query(*, wants_room: bool) -> dict[str, str]:
    return {"sendUpdates": "none", "fields": WRITTEN_FIELDS} | ({"conferenceDataVersion": "1"} if wants_room else {})


def _body(booking: Booking, *, wants_room: bool) -> dict[str, Any]:
    """What is ours in the event. No `sequence`: Google counts by itself and refuses one that is behind."""
    body: dict[str, Any] = {
        "status": "confirmed",
        "summary": booking.title,
        "description": html.escape(booking.description, quote=False),  # Google shows it as HTML
        "location": booking.location,
        "start": {"dateTime": _rfc(booking.starts_at)},
        "end": {"dateTime": _rfc(booking.ends_at)},
        "transparency": "opaque",
        "extendedProperties": {"private": {OURS: str(booking.chain)}},
    }
    if wants_room:
        request = {"requestId": str(booking.consultation), "conferenceSolutionKey": {"type": "hangoutsMeet"}}
        body["conferenceData"] = {"createRequest": request}
    return body


def _has_room(item: Mapping[str, Any]) -> bool:
    written = _written(item)
    return item.get("status") != "cancelled" and (written.room is not None or written.room_pending)


def _written(item: Mapping[str, Any]) -> Written:
    conference = item.get("conferenceData", {})
    url = next((each.get("uri", "") for each in conference.get("entryPoints", []) if each.get("entryPointType") == "video"), "")
    url = url or item.get("hangoutLink", "")
    state = conference.get("createRequest", {}).get("status", {}).get("statusCode", "")
    room = Room(url, conference.get("conferenceId", "")) if url else None
    return Written(item["id"], item.get("etag", ""), room, room_pending=room is None and state == "pending")


def _event(item: Mapping[str, Any], zone: ZoneInfo, since: datetime, until: datetime) -> Event:
    external_id, etag = item["id"], item.get("etag", "")
    named = item.get("extendedProperties", {}).get("private", {}).get(OURS, "")
    chain = chain_of(external_id)
    if item.get("status") == "cancelled" or "start" not in item or "end" not in item:
        return Event(external_id, is_gone=True, etag=etag, chain=chain)  # of a deleted event the id alone is certain
    if str(chain) != named:
        chain = None  # somebody's copy of our event is theirs
    starts_at, ends_at = _edge(item["start"], zone), _edge(item["end"], zone)
    if chain is None and (ends_at < since or starts_at >= until):
        return Event(external_id, is_gone=True, etag=etag)  # a sync token also tells of what lies outside the window
    declined = any(each.get("self") and each.get("responseStatus") == "declined" for each in item.get("attendees", []))
    is_busy = item.get("transparency") != "transparent" and item.get("eventType") not in FREE_TYPES and not declined
    return Event(external_id, starts_at, max(starts_at, ends_at), is_busy, is_all_day="date" in item["start"], etag=etag, chain=chain)


def _edge(edge: Mapping[str, str], zone: ZoneInfo) -> datetime:
    """An all-day event has dates, which are days of the calendar's zone."""
    if "date" in edge:
        day = date.fromisoformat(edge["date"])
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    moment = datetime.fromisoformat(edge["dateTime"])
    return (moment if moment.tzinfo else moment.replace(tzinfo=_zone(edge.get("timeZone", "")))).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _rfc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
