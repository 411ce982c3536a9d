"""Google Calendar v3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings

from consultations.calendars.protocol import (
    Booking,
    Calendar,
    Changes,
    Conflicting,
    Event,
    Gone,
    Limited,
    Refused,
    Subscription,
    Unreachable,
    Written,
)

from .account import LIMITS, NO_PUSH, Account, Duplicate, Invalid, Missing, whole, word
from .events import body_of, event, event_id, moment, rfc, room_request, written, zone_of

WRITERS = frozenset({"owner", "writer"})
BUSY_CALENDARS, BUSY_DAYS = 50, 90  # what one free/busy request may ask for
WATCH_SECONDS = 7 * 86_400

# Titles, notes and guests of other people's events never leave Google.
CALENDAR_FIELDS = "nextPageToken,items(id,summary,summaryOverride,timeZone,primary,accessRole,deleted)"
EVENT_FIELDS = (
    "timeZone,nextPageToken,nextSyncToken,"
    "items(id,status,etag,start,end,transparency,eventType,attendees(self,responseStatus),extendedProperties/private)"
)
WRITTEN_FIELDS = "id,etag,status,conferenceData"
WRITING = {"sendUpdates": "none", "conferenceDataVersion": "1", "fields": WRITTEN_FIELDS}  # a patch without conference data leaves the room alone


class GoogleCalendar:
    """The `CalendarClient` of one Google account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @whole()
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
            for page in self._account.pages(_calendar("users/me/calendarList"), query)
            for item in page.get("items", [])
            if not item.get("deleted")
        ]

    @whole()
    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        spans: set[tuple[datetime, datetime]] = set()
        for first in range(0, len(calendar_ids), BUSY_CALENDARS):
            items = [{"id": each} for each in calendar_ids[first : first + BUSY_CALENDARS]]
            start = since
            while start < until:
                end = min(until, start + timedelta(days=BUSY_DAYS))
                answer = self._account.call("POST", _calendar("freeBusy"), body={"timeMin": rfc(start), "timeMax": rfc(end), "items": items})
                for calendar in answer.get("calendars", {}).values():
                    _no_errors(calendar.get("errors", []))
                    spans.update((moment(span["start"]), moment(span["end"])) for span in calendar.get("busy", []))
                start = end
        return sorted(spans)

    @whole()
    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        query = {"singleEvents": "true", "showDeleted": "true", "maxAttendees": "1", "maxResults": "2500", "fields": EVENT_FIELDS}
        query |= {"syncToken": token} if token else {"timeMin": rfc(since), "timeMax": rfc(until)}
        events: dict[str, Event] = {}
        page: dict[str, Any] = {}
        try:
            for page in self._account.pages(_calendar(_events(calendar_id)), query):
                zone = zone_of(page.get("timeZone", ""))
                for item in page.get("items", []):
                    events[item["id"]] = event(item, zone, since, until)
        except Invalid:
            if token:
                raise Gone("Google does not know the sync token") from None
            raise
        if not page.get("nextSyncToken"):
            raise Unreachable("Google gave no sync token")
        return Changes(list(events.values()), page["nextSyncToken"], is_full=not token)

    @whole()
    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        try:
            return self._write(calendar_id, booking, known, wants_room=booking.wants_room)
        except Invalid:
            if not booking.wants_room:
                raise
            return self._write(calendar_id, booking, known, wants_room=False)  # a calendar without Meet still shows the call

    @whole()
    def fetch(self, calendar_id: str, external_id: str) -> Written:
        """A deleted event has no room, and an etag with which `write` brings it back."""
        return written(self._account.call("GET", _calendar(_events(calendar_id, external_id)), {"fields": WRITTEN_FIELDS}))

    def remove(self, calendar_id: str, external_id: str) -> None:
        try:
            self._account.call("DELETE", _calendar(_events(calendar_id, external_id)), {"sendUpdates": "none"})
        except (Missing, Gone):
            return

    @whole()
    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        body = {"id": channel_id, "type": "web_hook", "address": address, "token": secret, "params": {"ttl": str(WATCH_SECONDS)}}
        try:
            answer = self._account.call("POST", _calendar(f"{_events(calendar_id)}/watch"), body=body)
        except Refused as refusal:
            if any(part in str(refusal) for part in NO_PUSH):
                return None
            raise
        expires = answer.get("expiration")
        return Subscription(answer["resourceId"], datetime.fromtimestamp(int(expires) / 1000, UTC) if expires else None)

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        try:
            self._account.call("POST", _calendar("channels/stop"), body={"id": channel_id, "resourceId": external_id})
        except (Missing, Gone):
            return

    def _write(self, calendar_id: str, booking: Booking, known: Written | None, *, wants_room: bool) -> Written:
        if known is None:
            return self._insert(calendar_id, booking, wants_room=wants_room)
        request_id = ""
        if wants_room and known.room is None and not known.room_pending:
            # whoever asks may not have kept the room, and a second request would replace the one that people have been told of
            found = self._found(calendar_id, known.external_id)
            if found is None:
                return self._insert(calendar_id, booking, wants_room=True)
            if found["etag"] != known.etag:
                raise Conflicting("the event was changed in Google Calendar")
            request_id = room_request(found, booking)
        try:
            return self._patch(calendar_id, known.external_id, known.etag, booking, request_id)
        except (Missing, Gone):
            return self._insert(calendar_id, booking, wants_room=wants_room)

    def _insert(self, calendar_id: str, booking: Booking, *, wants_room: bool) -> Written:
        external_id = event_id(booking.chain)
        request_id = str(booking.consultation) if wants_room else ""
        body = {"id": external_id, "reminders": {"useDefault": True}} | body_of(booking, request_id)
        try:
            return written(self._account.call("POST", _calendar(_events(calendar_id)), WRITING, body))
        except Duplicate:
            # an earlier attempt whose answer was lost, or an event that was deleted: `status` in the body brings it back
            found = self._found(calendar_id, external_id)
            if found is None:
                raise
            return self._patch(calendar_id, external_id, found["etag"], booking, room_request(found, booking) if wants_room else "")

    def _patch(self, calendar_id: str, external_id: str, etag: str, booking: Booking, request_id: str) -> Written:
        body = body_of(booking, request_id)
        for edge in ("start", "end"):
            body[edge] = body[edge] | {"date": None}  # somebody may have made it an all-day event
        headers = {"If-Match": etag} if etag else {}
        return written(self._account.call("PATCH", _calendar(_events(calendar_id, external_id)), WRITING, body, headers))

    def _found(self, calendar_id: str, external_id: str) -> dict[str, Any] | None:
        try:
            return self._account.call("GET", _calendar(_events(calendar_id, external_id)), {"fields": WRITTEN_FIELDS})
        except (Missing, Gone):
            return None


def _no_errors(errors: Sequence[Mapping[str, Any]]) -> None:
    """A calendar that could not be read must not look free."""
    for error in errors:
        reason = word(error.get("reason"))
        text = f"Google could not read a calendar ({reason})"
        if reason in LIMITS:
            raise Limited(text, LIMITS[reason])
        raise Unreachable(text) if reason in {"internalError", "backendError"} else Refused(text)


def _calendar(path: str) -> str:
    return f"{settings.GOOGLE_CALENDAR_URL}/{path}"


def _events(calendar_id: str, external_id: str = "") -> str:
    path = f"calendars/{quote(calendar_id, safe='')}/events"
    return f"{path}/{quote(external_id, safe='')}" if external_id else path
