"""Rooms at Cal.com: a booking of the builder's own account, made for the call, with the video address that Cal.com gives it.

Bookings are made on an event type that is found or made once and remembered in the credentials. A booking carries the chain in its
metadata; before a request is repeated whose outcome is unknown, it is looked for there. Moving makes a new booking with a new uid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from consultations.calendars import CalendarError, Limited, Refused, Unreachable
from consultations.calendars.calcom import BOOKINGS, EVENT_TYPES, OURS, SCHEDULES, Api, CalComClient, chain_of, instant, objects, refused_with

from .protocol import NotAvailable, OpenRoom, Presence, RoomWish, TryLater

SLUG = "port444-call"
LENGTHS = [15, 30, 60]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
A_DAY = timedelta(days=1)
Keep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class CalComRooms:
    """`seek`: an earlier request may have made the booking already. `keep` takes credentials that now name the event type.

    `attendee_email` is an address of ours: Cal.com would show the client's own to the builder, and write to it.
    """

    credentials: dict[str, Any]
    keep: Keep
    attendee_email: str = ""
    seek: bool = False

    @property
    def api(self) -> Api:
        return Api(str(self.credentials.get("api_key", "")))

    def open(self, wish: RoomWish) -> OpenRoom:
        with _worded():
            found = self._find(wish) if self.seek else None
            return _room(found if found is not None else self._book(wish))

    def find(self, wish: RoomWish) -> OpenRoom | None:
        with _worded():
            found = self._find(wish)
            return _room(found) if found is not None else None

    def move(self, room: OpenRoom, wish: RoomWish) -> OpenRoom:
        with _worded():
            booking = CalComClient(self.api).last(room.external_id)
            if booking is None or booking.get("status") == "cancelled":
                return _room(self._find(wish) or self._book(wish))
            if instant(booking.get("start")) == wish.starts_at:
                return _room(booking)  # moved already, by a request whose answer was lost
            path = f"/v2/bookings/{quote(str(booking['uid']), safe='')}/reschedule"
            body = {"start": _text(wish.starts_at), "reschedulingReason": "Moved on port444"}
            return _room(self.api.post(path, body, version=BOOKINGS))

    def close(self, room: OpenRoom) -> None:
        with _worded():
            booking = CalComClient(self.api).last(room.external_id)
            if booking is None or booking.get("status") in ("cancelled", "rejected"):
                return
            path = f"/v2/bookings/{quote(str(booking['uid']), safe='')}/cancel"
            self.api.post(path, {"cancellationReason": "Called off on port444"}, version=BOOKINGS)

    def host_url(self, room: OpenRoom) -> str:
        return ""

    def presence(self, room: OpenRoom) -> Sequence[Presence]:
        """Cal.com knows who was marked absent, not who was there."""
        return []

    def _find(self, wish: RoomWish) -> dict[str, Any] | None:
        """The live booking of the chain at the wish's time."""
        query = {
            "status": "upcoming,unconfirmed,past",
            "afterStart": _text(wish.starts_at - A_DAY),
            "beforeEnd": _text(wish.ends_at + A_DAY),
        }
        for row in self.api.pages("/v2/bookings", query, version=BOOKINGS):
            if chain_of(row) == wish.chain and row.get("status") in ("accepted", "pending") and instant(row.get("start")) == wish.starts_at:
                return row
        return None

    def _book(self, wish: RoomWish) -> dict[str, Any]:
        body = {
            "start": _text(wish.starts_at),
            "eventTypeId": self._event_type(),
            "lengthInMinutes": int((wish.ends_at - wish.starts_at).total_seconds() // 60),
            "attendee": {"name": wish.attendee_name, "email": self.attendee_email, "timeZone": wish.attendee_zone, "language": "en"},
            "metadata": {OURS: str(wish.chain), "consultation": str(wish.consultation)},
        }
        try:
            made = self.api.post("/v2/bookings", body, version=BOOKINGS)
        except Refused as error:
            if refused_with(error) == 404 and "event_type_id" in self.credentials:  # deleted there since
                self.keep({name: value for name, value in self.credentials.items() if name != "event_type_id"})
                raise Unreachable("the event type at Cal.com is gone") from None
            raise
        if not isinstance(made, dict):
            raise Unreachable("Cal.com sent a broken answer")
        return made

    def _event_type(self) -> int:
        """The event type that takes every length of call: remembered, found, or made."""
        known = self.credentials.get("event_type_id")
        if isinstance(known, int):
            return known
        rows = objects(self.api.get("/v2/event-types", {"username": self.credentials.get("username", "")}, version=EVENT_TYPES))
        found = next((row for row in rows if row.get("slug") == SLUG), None) or next((row for row in rows if _takes_all(row)), None)
        if found is None:
            found = self._make_event_type()
        number = found.get("id")
        if not isinstance(number, int):
            raise Unreachable("Cal.com sent an event type without its number")
        self.keep({**self.credentials, "event_type_id": number})
        return number

    def _make_event_type(self) -> dict[str, Any]:
        """Hidden, and open around the clock, because the time has been agreed on here already."""
        zone = self.credentials.get("time_zone", "UTC")
        hours = [{"days": DAYS, "startTime": "00:00", "endTime": "23:59"}]
        schedules = objects(self.api.get("/v2/schedules", version=SCHEDULES))
        schedule = next((row for row in schedules if row.get("name") == SLUG), None)
        if schedule is None:
            body = {"name": SLUG, "timeZone": zone, "isDefault": False, "availability": hours}
            schedule = self.api.post("/v2/schedules", body, version=SCHEDULES)
        made = self.api.post(
            "/v2/event-types",
            {
                "title": "Call booked on port444",
                "slug": SLUG,
                "lengthInMinutes": 30,
                "lengthInMinutesOptions": LENGTHS,
                "minimumBookingNotice": 0,
                "beforeEventBuffer": 0,
                "afterEventBuffer": 0,
                "scheduleId": schedule.get("id"),
                "hidden": True,
            },
            version=EVENT_TYPES,
        )
        if not isinstance(made, dict):
            raise Unreachable("Cal.com sent a broken answer")
        return made


def _takes_all(event_type: dict[str, Any]) -> bool:
    """Whether an event type of the builder's own takes calls of every length, at once and for nothing."""
    return (
        set(LENGTHS) <= set(event_type.get("lengthInMinutesOptions") or ())
        and not event_type.get("price")
        and not (event_type.get("confirmationPolicy") or {}).get("type")
    )


def _room(booking: dict[str, Any]) -> OpenRoom:
    address = str(booking.get("location") or booking.get("meetingUrl") or "")
    if not booking.get("uid"):
        raise Unreachable("Cal.com sent a booking without its uid")
    if address.startswith("integrations:"):
        raise Unreachable("Cal.com is still making the address")
    if not address.startswith(("https://", "http://")):
        raise Refused("Cal.com gave the booking no address")
    return OpenRoom(address, str(booking["uid"]))


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def _worded() -> Iterator[None]:
    """Errors of the account's client in the words of rooms."""
    try:
        yield
    except Limited as error:
        raise TryLater(error.args[0], error.seconds) from None
    except Unreachable as error:
        raise TryLater(error.args[0]) from None
    except CalendarError as error:
        raise NotAvailable(error.args[0]) from None
