"""A Cal.com account: calendars with busy times, event types, bookings that move and end, webhooks.

`python -m tests.fakes.calcom` runs it alone and prints the settings to use it with.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import json
import sys
import threading
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from .server import Answer, FakeServer, Seen

KEY = "cal_live_0123456789abcdef"
VERSIONS = {"bookings": "2024-08-13", "event-types": "2024-06-14", "schedules": "2024-06-11"}


def good(data: Any, status: int = 200) -> Answer:
    return Answer(status, {"status": "success", "data": data})


def bad(status: int, message: str) -> Answer:
    return Answer(status, {"status": "error", "error": {"code": "Error", "message": message}})


def plus(moment: str, minutes: int) -> str:
    return (datetime.fromisoformat(moment) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class FakeCalCom(FakeServer):
    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.key = KEY
        self.me = {"id": 7, "username": "anaya", "email": "anaya@cal.example", "name": "Anaya", "timeZone": "Asia/Kolkata", "weekStart": "Monday"}
        self.busy: dict[str, list[tuple[str, str]]] = {"11/work@example.com": [], "11/home@example.com": []}
        self.event_types: list[dict[str, Any]] = []
        self.schedules: list[dict[str, Any]] = []
        self.bookings: dict[str, dict[str, Any]] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    @property
    def settings(self) -> dict[str, Any]:
        return {"CALCOM_URL": self.url}

    def signed(self, event: str, payload: dict[str, Any], secret: str, created_at: str = "2026-11-23T03:00:00.000Z") -> tuple[bytes, dict[str, str]]:
        """A delivery as this account would post it: its body and headers."""
        body = json.dumps({"triggerEvent": event, "createdAt": created_at, "payload": payload}).encode()
        return body, {"x-cal-signature-256": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}

    def book(self, start: str, minutes: int, **more: Any) -> dict[str, Any]:
        """A booking that somebody made there."""
        uid = f"uid{next(self._numbers):04d}"
        self.bookings[uid] = {
            "id": len(self.bookings) + 1,
            "uid": uid,
            "status": "accepted",
            "start": plus(start, 0),
            "end": plus(start, minutes),
            "duration": minutes,
            "location": f"https://app.cal.example/video/{uid}",
            "metadata": {},
            "attendees": [],
            "absentHost": False,
            "rescheduledFromUid": None,
            "rescheduledToUid": None,
            **more,
        }
        return self.bookings[uid]

    def move(self, uid: str, start: str) -> dict[str, Any]:
        old = self.bookings[uid]
        made = self.book(start, old["duration"], metadata=old["metadata"], attendees=old["attendees"], rescheduledFromUid=uid)
        old.update(status="cancelled", rescheduledToUid=made["uid"])
        return made

    def answer(self, request: Seen) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return bad(401, "Invalid access token")
        parts = [unquote(part) for part in request.path.removeprefix("/v2/").split("/")]
        if request.headers.get("cal-api-version", "") != VERSIONS.get(parts[0], ""):
            return good({"an older version": "answers in another shape"})
        match request.method, parts:
            case "GET", ["me"]:
                return good(self.me)
            case "GET", ["calendars"]:
                return good(self._calendars())
            case "GET", ["calendars", "busy-times"]:
                return self._busy_times(request)
            case _, ["event-types"]:
                return self._rows(request, self.event_types)
            case _, ["schedules"]:
                return self._rows(request, self.schedules)
            case _, ["bookings", *rest]:
                return self._booking(request, rest)
            case _, ["webhooks", *rest]:
                return self._webhook(request, rest)
        return bad(404, "Not found")

    def _calendars(self) -> dict[str, Any]:
        rows = [
            {"externalId": key.partition("/")[2], "name": key.partition("/")[2].partition("@")[0].title(), "primary": n == 0, "readOnly": False}
            for n, key in enumerate(self.busy)
        ]
        return {
            "connectedCalendars": [{"integration": {"type": "google_calendar"}, "credentialId": 11, "calendars": rows}],
            "destinationCalendar": {},
        }

    def _busy_times(self, request: Seen) -> Answer:
        query = request.query
        if not {"timeZone", "dateFrom", "dateTo"} <= set(query):
            return bad(400, "dateFrom must be a date")
        spans, n = [], 0
        while f"calendarsToLoad[{n}][credentialId]" in query:
            key = f"{query[f'calendarsToLoad[{n}][credentialId]']}/{query[f'calendarsToLoad[{n}][externalId]']}"
            if key not in self.busy:
                return bad(404, "Calendar not found")
            spans += [
                {"start": start, "end": end, "source": key} for start, end in self.busy[key] if query["dateFrom"] <= start[:10] <= query["dateTo"]
            ]
            n += 1
        return good(spans) if n else bad(400, "calendarsToLoad is required")

    def _rows(self, request: Seen, rows: list[dict[str, Any]]) -> Answer:
        if request.method == "POST":
            rows.append({"id": 100 + next(self._numbers), "price": 0, **request.json})
            return good(rows[-1], 201)
        return good(rows)

    def _booking(self, request: Seen, rest: list[str]) -> Answer:
        if not rest:
            return self._create(request.json) if request.method == "POST" else self._list(request)
        booking = self.bookings.get(rest[0])
        if booking is None:
            return bad(404, "Booking with this uid was not found in the database")
        if rest[1:] == ["reschedule"]:
            if booking["status"] == "cancelled":
                return bad(400, "Can't reschedule booking because it has been cancelled")
            return good(self.move(booking["uid"], request.json["start"]), 201)
        if rest[1:] == ["cancel"]:
            if booking["status"] == "cancelled":
                return bad(400, "This booking has already been cancelled")
            booking.update(status="cancelled", cancellationReason=request.json["cancellationReason"])
            return good(booking)
        return good(booking)

    def _create(self, body: dict[str, Any]) -> Answer:
        event_type = next((row for row in self.event_types if row["id"] == body.get("eventTypeId")), None)
        if event_type is None:
            return bad(404, "Event type not found")
        if body["lengthInMinutes"] not in event_type["lengthInMinutesOptions"]:
            return bad(400, "lengthInMinutes is not one of the options")
        attendee = body["attendee"]
        if not attendee.get("name") or not attendee.get("timeZone"):
            return bad(400, "attendee.name should not be empty")
        start = plus(body["start"], 0)
        if any(each["start"] == start and each["status"] == "accepted" for each in self.bookings.values()):
            return bad(409, "User either already has booking at this time or is not available")
        made = self.book(body["start"], body["lengthInMinutes"], metadata=body.get("metadata", {}), attendees=[{**attendee, "absent": False}])
        return good(made, 201)

    def _list(self, request: Seen) -> Answer:
        query = request.query
        asked = set(query.get("status", "upcoming,past").split(","))
        rows = [
            row
            for row in self.bookings.values()
            if (row["status"] != "cancelled" or "cancelled" in asked)
            and row["start"] >= query.get("afterStart", "")
            and row["end"] <= query.get("beforeEnd", "9")
        ]
        skip, take = int(query.get("skip", 0)), int(query.get("take", 100))
        return good(rows[skip : skip + take])

    def _webhook(self, request: Seen, rest: list[str]) -> Answer:
        if rest and rest[0] not in self.webhooks:
            return bad(404, "Webhook not found")
        match request.method:
            case "POST":
                made = {"id": f"hook{next(self._numbers)}", **request.json}
                self.webhooks[made["id"]] = made
                return good(made, 201)
            case "PATCH":
                self.webhooks[rest[0]].update(request.json)
                return good(self.webhooks[rest[0]])
            case "DELETE":
                return good(self.webhooks.pop(rest[0]))
        return good(list(self.webhooks.values()))


if __name__ == "__main__":
    with FakeCalCom(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as fake:
        print(f"CALCOM_URL={fake.url}\nThe key is {fake.key}. Ctrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
