"""Cal.com, API v2: busy times of the calendars that a builder has connected there, and of the bookings made there.

Nothing is written: Cal.com has no events of its own, only bookings, and those are made as rooms (`consultations.meetings.calcom`).
It keeps no list of changes either, so every read is the whole window, and a busy span is named by its two ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import requests
from django.conf import settings

from port444.kit.clock import now
from port444.kit.outbound import session

from .protocol import Booking, Calendar, Changes, Connection, Event, Limited, NotConnected, Refused, Subscription, Unreachable, Written

Keep = Callable[[dict[str, Any]], None]

BOOKINGS, EVENT_TYPES, SCHEDULES = "2024-08-13", "2024-06-14", "2024-06-11"  # without these an older version answers, in another shape
OURS = "port444"  # the key of a booking's metadata that names our chain
MADE_THERE = "bookings"  # the calendar of what was booked at Cal.com itself
TRIGGERS = ["BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_CANCELLED", "BOOKING_REJECTED", "BOOKING_REQUESTED", "BOOKING_NO_SHOW_UPDATED"]
PAGE = 100
MOST_PAGES = 20
MOST_MOVES = 20
WINDOW = 60.0  # seconds after which a limit that names no time is over
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Api:
    """Requests with one key. Raises the errors of the calendar protocol; their texts never hold the key."""

    key: str

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, version: str = "") -> Any:
        return self.ask("GET", path, version=version, params=query).get("data")

    def post(self, path: str, body: Mapping[str, Any], *, version: str = "") -> Any:
        return self.ask("POST", path, version=version, json=body).get("data")

    def pages(self, path: str, query: Mapping[str, Any], *, version: str) -> Iterator[dict[str, Any]]:
        """All rows of a list that is read by `take` and `skip`."""
        for page in range(MOST_PAGES):
            rows = objects(self.get(path, {**query, "take": PAGE, "skip": page * PAGE}, version=version))
            yield from rows
            if len(rows) < PAGE:
                return

    def ask(self, method: str, path: str, *, version: str = "", **options: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
        if version:
            headers["cal-api-version"] = version
        try:
            with session() as outbound:
                response = outbound.request(method, f"{settings.CALCOM_URL}{path}", headers=headers, **options)
        except (requests.RequestException, ValueError) as error:  # a key with odd characters is refused before it is sent
            raise Unreachable(f"Cal.com did not answer ({type(error).__name__})") from None
        return _read(response)


def _read(response: requests.Response) -> dict[str, Any]:
    status = response.status_code
    if status == 429:
        raise Limited("Cal.com asks for fewer requests", _reset(response.headers))
    if status in (401, 498):
        raise NotConnected("Cal.com refuses the key")
    if status >= 500:
        raise Unreachable(f"Cal.com has a fault ({status})")
    if status >= 400:
        raise Refused(f"Cal.com refused the request ({status})", status)
    if status >= 300:
        raise Unreachable(f"Cal.com answered with {status}")
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("status", "success") != "success":
        raise Unreachable("Cal.com sent a broken answer")
    return answer


def _reset(headers: Mapping[str, str]) -> float:
    """Seconds until the limit that was hit is over; every limit has headers of its own name."""
    waits = []
    for name, value in headers.items():
        low = name.lower()
        if low == "retry-after" and value.isdigit():
            return max(1.0, min(float(value), 3600.0))
        if low.startswith("x-ratelimit-reset") and value.isdigit():
            left = headers.get("X-RateLimit-Remaining" + name[len("X-RateLimit-Reset") :])
            if left in (None, "0"):
                waits.append(float(value) - now().timestamp() if float(value) > 1e9 else float(value))
    return max(1.0, min(max(waits, default=WINDOW), 3600.0))


def refused_with(error: Refused) -> int:
    """The HTTP status behind a refusal."""
    return next((each for each in error.args if isinstance(each, int)), 0)


def objects(value: Any) -> list[dict[str, Any]]:
    """The rows of an answer. Raises Unreachable when they are none."""
    if not isinstance(value, list):
        raise Unreachable("Cal.com sent a broken answer")
    return [row for row in value if isinstance(row, dict)]


def instant(value: Any) -> datetime:
    """A moment of an answer. Raises Unreachable when it is none."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise Unreachable("Cal.com sent a broken time") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)


def chain_of(booking: Mapping[str, Any]) -> UUID | None:
    """The chain whose room a booking is; None for everybody else's."""
    metadata = booking.get("metadata")
    try:
        return UUID(str(metadata.get(OURS))) if isinstance(metadata, dict) else None
    except ValueError:
        return None


def client(credentials: dict[str, Any], keep: Keep) -> CalComClient:
    return CalComClient(Api(str(credentials.get("api_key", ""))))


def connect(api_key: str) -> Connection:
    """Whose account a key opens, and its calendars. Raises NotConnected for a key that is refused."""
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise NotConnected("that is no key of Cal.com")
    api = Api(key)
    me = api.get("/v2/me")
    if not isinstance(me, dict) or not me.get("email"):
        raise Unreachable("Cal.com sent a broken answer")
    credentials = {
        "api_key": key,
        "username": str(me.get("username") or ""),
        "email": str(me["email"]),
        "time_zone": str(me.get("timeZone") or "UTC"),
    }
    return Connection(str(me["email"]), credentials, CalComClient(api).calendars())


@dataclass(frozen=True, slots=True)
class CalComClient:
    """A Cal.com account as a calendar client."""

    api: Api

    def calendars(self) -> Sequence[Calendar]:
        """What was booked at Cal.com, and every calendar that the builder has connected there."""
        found = [Calendar(MADE_THERE, "Booked at Cal.com", is_primary=True, can_write=False)]
        data = self.api.get("/v2/calendars")
        for account in objects(data.get("connectedCalendars") if isinstance(data, dict) else None):
            for calendar in account.get("calendars") or ():
                external = f"{account.get('credentialId')}/{calendar.get('externalId')}"
                found.append(Calendar(external, str(calendar.get("name") or calendar.get("externalId")), can_write=False))
        return found

    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        spans = [span for span, _ in self._booked(since, until)] if MADE_THERE in calendar_ids else []
        others = [each for each in calendar_ids if each != MADE_THERE]
        return spans + (self._busy_times(others, since, until) if others else [])

    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        """The whole window, whatever the token. Our own calls, which come back through the calendars there, are left out."""
        booked = list(self._booked(since, until))
        if calendar_id == MADE_THERE:
            events = [Event(str(row.get("uid")), start, end) for (start, end), row in booked if chain_of(row) is None]
            return Changes(events, "", is_full=True)
        ours = {span for span, row in booked if chain_of(row) is not None}
        spans = sorted(set(self._busy_times([calendar_id], since, until)) - ours)
        return Changes([Event(f"{start:%Y%m%dT%H%M%S}/{end:%Y%m%dT%H%M%S}", start, end) for start, end in spans], "", is_full=True)

    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        raise Refused("Cal.com calendars cannot be written")

    def fetch(self, calendar_id: str, external_id: str) -> Written:
        raise Refused("Cal.com calendars cannot be written")

    def remove(self, calendar_id: str, external_id: str) -> None:
        """Nothing was ever written."""

    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        """One webhook tells of the whole account; asked for again, the one at this address gets the new secret."""
        wanted = {"subscriberUrl": address, "triggers": TRIGGERS, "active": True, "secret": secret}
        for hook in self.api.get("/v2/webhooks", {"take": 250}) or ():
            if hook.get("subscriberUrl") == address:
                self.api.ask("PATCH", f"/v2/webhooks/{quote(str(hook['id']), safe='')}", json=wanted)
                return Subscription(str(hook["id"]), None)
        made = self.api.post("/v2/webhooks", wanted)
        if not isinstance(made, dict) or not made.get("id"):
            raise Unreachable("Cal.com sent a broken answer")
        return Subscription(str(made["id"]), None)

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        try:
            self.api.ask("DELETE", f"/v2/webhooks/{quote(external_id, safe='')}")
        except Refused as error:
            if refused_with(error) != 404:
                raise

    def booking(self, uid: str) -> dict[str, Any] | None:
        """A booking as it is now; None when it is not in this account."""
        try:
            found = self.api.get(f"/v2/bookings/{quote(uid, safe='')}", version=BOOKINGS)
        except Refused as error:
            if refused_with(error) == 404:
                return None
            raise
        return found if isinstance(found, dict) else None

    def last(self, uid: str) -> dict[str, Any] | None:
        """The booking, or the last of those that it was moved to."""
        found = self.booking(uid)
        for _ in range(MOST_MOVES):
            following = found.get("rescheduledToUid") if found is not None else None
            if not following:
                break
            found = self.booking(str(following))
        return found

    def _busy_times(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
        query: dict[str, Any] = {
            "timeZone": "UTC",
            "dateFrom": f"{since.astimezone(UTC):%Y-%m-%d}",
            "dateTo": f"{until.astimezone(UTC) + A_DAY:%Y-%m-%d}",
        }
        for n, calendar in enumerate(calendar_ids):
            credential, _, external = calendar.partition("/")
            query[f"calendarsToLoad[{n}][credentialId]"] = credential
            query[f"calendarsToLoad[{n}][externalId]"] = external
        rows = objects(self.api.get("/v2/calendars/busy-times", query))
        spans = [(instant(row.get("start")), instant(row.get("end"))) for row in rows]
        return [(start, end) for start, end in spans if start < until and end > since and start < end]

    def _booked(self, since: datetime, until: datetime) -> Iterator[tuple[tuple[datetime, datetime], dict[str, Any]]]:
        """Bookings that take time in the window, with their spans. The list is asked a day wider: it is bounded by whole bookings."""
        query = {
            "status": "upcoming,recurring,unconfirmed,past",
            "afterStart": f"{since - A_DAY:%Y-%m-%dT%H:%M:%SZ}",
            "beforeEnd": f"{until + A_DAY:%Y-%m-%dT%H:%M:%SZ}",
        }
        for row in self.api.pages("/v2/bookings", query, version=BOOKINGS):
            if row.get("status") in ("accepted", "pending"):
                start, end = instant(row.get("start")), instant(row.get("end"))
                if start < until and end > since:
                    yield (start, end), row
