"""Events as Google writes them: ours on the way out, everybody's on the way in."""

from __future__ import annotations

import base64
import binascii
import html
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from consultations.calendars.protocol import Booking, Event, Room, Written
from port444.kit.ids import uuid7

OURS = "port444"  # the private property that names the chain of our own events
FREE_TYPES = frozenset({"workingLocation", "birthday"})


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


def body_of(booking: Booking, request_id: str) -> dict[str, Any]:
    """What is ours in the event, and with `request_id` the wish for a room. No `sequence`: Google counts by itself and refuses one that is behind."""
    body: dict[str, Any] = {
        "status": "confirmed",
        "summary": booking.title,
        "description": html.escape(booking.description, quote=False),  # Google shows it as HTML
        "location": booking.location,
        "start": {"dateTime": rfc(booking.starts_at)},
        "end": {"dateTime": rfc(booking.ends_at)},
        "transparency": "opaque",
        "extendedProperties": {"private": {OURS: str(booking.chain)}},
    }
    if request_id:
        request = {"requestId": request_id, "conferenceSolutionKey": {"type": "hangoutsMeet"}}
        body["conferenceData"] = {"createRequest": request}
    return body


def room_request(item: Mapping[str, Any], booking: Booking) -> str:
    """The id of the request for a room that the event needs; empty when it has one or will have. Google ignores an id that it knows."""
    found = written(item)
    if found.room is not None or found.room_pending:
        return ""
    asked = item.get("conferenceData", {}).get("createRequest", {}).get("requestId", "")
    return str(booking.consultation) if asked != str(booking.consultation) else str(uuid7())


def written(item: Mapping[str, Any]) -> Written:
    is_gone = item.get("status") == "cancelled"
    conference = {} if is_gone else item.get("conferenceData", {})
    links = [each.get("uri", "") for each in conference.get("entryPoints", []) if each.get("entryPointType") == "video"]
    url = next((link for link in links if link.startswith("https://")), "")
    state = conference.get("createRequest", {}).get("status", {}).get("statusCode", "")
    room = Room(url, conference.get("conferenceId", "")) if url else None
    return Written(item["id"], item.get("etag", ""), room, room_pending=room is None and state == "pending")


def event(item: Mapping[str, Any], zone: ZoneInfo, since: datetime, until: datetime) -> Event:
    external_id, etag = item["id"], item.get("etag", "")
    named = item.get("extendedProperties", {}).get("private", {}).get(OURS, "")
    chain = chain_of(external_id)
    if item.get("status") == "cancelled" or "start" not in item or "end" not in item:
        return Event(external_id, is_gone=True, etag=etag, chain=chain)  # of a deleted event the id alone is certain
    if str(chain) != named:
        chain = None  # somebody's copy of our event is theirs
    try:
        starts_at, ends_at = _edge(item["start"], zone), _edge(item["end"], zone)
    except (ValueError, OverflowError):  # in a year that has no room here: one such event must not hide all others
        return Event(external_id, is_gone=True, etag=etag)
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
    at = datetime.fromisoformat(edge["dateTime"])
    return (at if at.tzinfo else at.replace(tzinfo=zone_of(edge.get("timeZone", "")))).astimezone(UTC)


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def rfc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
