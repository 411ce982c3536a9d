"""Graph's events read, and ours written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from consultations.calendars.protocol import Booking, Event, Written
from port444.kit import lazy

if TYPE_CHECKING:
    import icalendar
else:
    icalendar = lazy.load("icalendar")

FREE = {"free", "workingelsewhere"}  # tentative, busy, oof and whatever is not known block
FIELDS = "id,start,end,showAs,isAllDay,isCancelled,responseStatus,originalStartTimeZone,type,seriesMasterId,transactionId"
OF_SERIES = ("showAs", "isAllDay", "isCancelled", "responseStatus", "originalStartTimeZone")
AGAIN = "-again"
MARK = "String {7a1f0f5c-5d0e-4a55-9d0b-4d1f2c0f4444} Name Call"  # the property by which our event is found again


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA or a Windows name, None for a custom one."""
    name = (name or "").removeprefix("tzone://Microsoft/").strip()
    if name.casefold() in ("utc", "coordinated universal time"):
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(icalendar.timezone.windows_to_olson.WINDOWS_TO_OLSON.get(name, name)) if name else None
    except (ValueError, OSError, LookupError):
        return None


def instant(value: Mapping[str, Any], fallback: tzinfo) -> datetime:
    """A dateTimeTimeZone as aware UTC. Graph writes seven digits of a second, of which six are kept."""
    moment = datetime.fromisoformat(str(value["dateTime"]))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone_of(value.get("timeZone")) or fallback)
    return moment.astimezone(UTC)


def event_of(item: Mapping[str, Any], calendar_zone: ZoneInfo | None) -> Event:
    """One single event or occurrence. Raises KeyError, TypeError or ValueError for one without readable times."""
    fallback = calendar_zone or zone_of(item.get("originalStartTimeZone")) or ZoneInfo("UTC")
    all_day = bool(item.get("isAllDay"))
    if all_day:
        starts_at, ends_at = (_midnight(item[end], fallback) for end in ("start", "end"))
    else:
        starts_at, ends_at = (instant(item[end], fallback) for end in ("start", "end"))
    return Event(
        str(item["id"]),
        starts_at,
        max(starts_at, ends_at),
        is_busy=is_busy(item),
        is_all_day=all_day,
        etag=str(item.get("@odata.etag") or ""),
        chain=chain_of(item),
    )


def is_busy(item: Mapping[str, Any]) -> bool:
    declined = (item.get("responseStatus") or {}).get("response") == "declined"
    return not (item.get("isCancelled") or declined or str(item.get("showAs") or "").casefold() in FREE)


def names_of(chain: UUID) -> tuple[str, str]:
    """The transactionIds under which a chain's event is made: one, and another where Graph still remembers the first of a deleted event."""
    return str(chain), f"{chain}{AGAIN}"


def chain_of(item: Mapping[str, Any]) -> UUID | None:
    """The chain that our transactionId names. Other programs set ids of their own there, though hardly of this version."""
    try:
        found = UUID(str(item.get("transactionId") or "").removesuffix(AGAIN))
    except ValueError:
        return None
    return found if found.version == 7 else None


def body_of(booking: Booking) -> dict[str, Any]:
    """The event as it should stand. Without attendees: Outlook would mail them, and the invitation is ours."""
    return {
        "subject": booking.title,
        "body": {"contentType": "text", "content": booking.description},
        "start": {"dateTime": _wall(booking.starts_at), "timeZone": "UTC"},
        "end": {"dateTime": _wall(booking.ends_at), "timeZone": "UTC"},
        "location": {"displayName": booking.location},
        "showAs": "busy",
        "isAllDay": False,
    }


def identity_of(chain: UUID, name: str) -> dict[str, Any]:
    """What makes a repeat of the same creation find the first one."""
    return {"transactionId": name, "singleValueExtendedProperties": [{"id": MARK, "value": str(chain)}]}


def filter_of(chain: UUID) -> str:
    return f"singleValueExtendedProperties/any(ep: ep/id eq '{MARK}' and ep/value eq '{chain}')"


def stands_at(item: Mapping[str, Any], booking: Booking) -> bool:
    """Whether the event has the booking's times."""
    try:
        times = instant(item["start"], UTC), instant(item["end"], UTC)
    except (KeyError, TypeError, ValueError):
        return False
    return times == (booking.starts_at.astimezone(UTC), booking.ends_at.astimezone(UTC)) and not item.get("isCancelled")


def written_of(item: Mapping[str, Any]) -> Written:
    return Written(str(item["id"]), etag=str(item.get("@odata.etag") or ""))


def stamp(moment: datetime) -> str:
    return f"{_wall(moment)}Z"


def _wall(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _midnight(value: Mapping[str, Any], zone: ZoneInfo) -> datetime:
    """When the day begins in the calendar's zone. Graph gives the date as midnight, whatever zone it names beside it;
    a time that is not midnight is one that was converted, and belongs to the nearest day there."""
    moment = datetime.fromisoformat(str(value["dateTime"]))
    day: date = moment.date()
    if moment.time() != datetime.min.time():
        day = (instant(value, zone).astimezone(zone) + timedelta(hours=12)).date()
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)  # where midnight is jumped over: the end of the gap
