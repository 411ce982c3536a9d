"""The account at Microsoft as the calendar protocol has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from consultations.calendars.protocol import (
    Booking,
    Calendar,
    CalendarError,
    Changes,
    Conflicting,
    Connection,
    Event,
    Gone,
    Subscription,
    Unreachable,
    Written,
)
from port444.kit import outbound
from port444.kit.clock import now

from . import tokens
from .errors import Missing
from .events import FIELDS, OF_SERIES, body_of, event_of, filter_of, identity_of, names_of, stamp, stands_at, written_of, zone_of
from .wire import Wire

log = logging.getLogger(__name__)

WATCHED_FOR = timedelta(minutes=4200)  # Outlook's resources have had 4,230 at the least
WRITING, WATCHING = "writing our event", "asking to be told of changes"
PAGE = "odata.maxpagesize=200"


def client(credentials: dict[str, Any], keep: tokens.Keep) -> GraphClient:
    """The client of a connected account; `keep` is given the credentials whenever they are renewed."""
    return GraphClient(credentials, keep)


def connect(code: str, redirect_uri: str, verifier: str) -> Connection:
    """Turn the code of a consent into a connection."""
    credentials = tokens.exchange(outbound.session(), code, redirect_uri, verifier)
    wire = Wire(credentials, lambda renewed: None)
    me = wire.send("reading the account", "GET", "/me", _select="id,mail,userPrincipalName")
    account = str(me.get("mail") or me.get("userPrincipalName") or "")
    if not account:
        raise Unreachable("the account has no address")
    found = GraphClient({**wire.credentials, "time_zone": _zone_of_mailbox(wire, account)}, lambda renewed: None)
    calendars = found.calendars()
    return Connection(account, dict(found.credentials), calendars)


def _zone_of_mailbox(wire: Wire, account: str) -> str:
    """The IANA name of the mailbox's zone, if it tells. Its settings would, but need one more consent; the working hours need none."""
    moment = now()
    span = {name: {"dateTime": stamp(at)[:-1], "timeZone": "UTC"} for name, at in (("startTime", moment), ("endTime", moment + timedelta(hours=1)))}
    try:
        answer = wire.send("reading the working hours", "POST", "/me/calendar/getSchedule", body={"schedules": [account], **span})
        name = answer["value"][0]["workingHours"]["timeZone"]["name"]
    except (CalendarError, LookupError, TypeError) as failure:  # personal accounts have no such thing
        log.info("the zone of a mailbox is not known: %s", type(failure).__name__)
        return ""
    zone = zone_of(name)
    return zone.key if zone else ""


class GraphClient:
    """One connected account."""

    def __init__(self, credentials: dict[str, Any], keep: tokens.Keep) -> None:
        self._wire = Wire(credentials, keep)
        self._zone: ZoneInfo | None = zone_of(credentials.get("time_zone"))

    @property
    def credentials(self) -> dict[str, Any]:
        return self._wire.credentials

    def calendars(self) -> Sequence[Calendar]:
        query = {"_select": "id,name,canEdit,isDefaultCalendar", "_top": "100"}
        return [
            Calendar(
                str(item["id"]),
                str(item.get("name") or "Calendar")[:200],
                time_zone=self._zone.key if self._zone else "",
                is_primary=bool(item.get("isDefaultCalendar")),
                can_write=bool(item.get("canEdit")),
            )
            for page in self._wire.pages("reading the calendars", "/me/calendars", **query)
            for item in page.get("value", [])
        ]

    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        # getSchedule would be one request, but it knows the default calendar alone, and personal accounts not at all.
        found: list[tuple[datetime, datetime]] = []
        for calendar_id in calendar_ids:
            query = {"startDateTime": stamp(since), "endDateTime": stamp(until), "_select": FIELDS, "_top": "250"}
            for page in self._wire.pages("reading the busy times", f"{_path(calendar_id)}/calendarView", **query):
                for item in page.get("value", []):
                    event = self._read(item)
                    if event and event.is_busy and event.starts_at and event.ends_at:
                        found.append((event.starts_at, event.ends_at))
        return sorted(found)

    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        if token:
            pages = self._wire.pages("reading the changes", token, prefer=PAGE)
        else:
            window = {"startDateTime": stamp(since), "endDateTime": stamp(until)}
            pages = self._wire.pages("reading the changes", f"{_path(calendar_id)}/calendarView/delta", prefer=PAGE, **window)
        items: dict[str, Mapping[str, Any]] = {}
        link = ""
        for page in pages:
            for item in page.get("value", []):
                items[str(item.get("id"))] = item  # an id may come again, and the last one counts
            link = str(page.get("@odata.deltaLink") or "")
        if not link:
            raise Unreachable("reading the changes: no token at the end")
        masters = {id_: item for id_, item in items.items() if item.get("type") == "seriesMaster"}
        events = [event for item in items.values() if (event := self._changed(calendar_id, item, masters))]
        return Changes(events, link, is_full=not token)

    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        if known is not None:
            with suppress(Missing):  # deleted outside; but the call stands, and so its event has to
                return self._update(calendar_id, known.external_id, known.etag, booking)
        return self._create(calendar_id, booking)

    def fetch(self, calendar_id: str, external_id: str) -> Written:
        return written_of(self._get(calendar_id, external_id))

    def remove(self, calendar_id: str, external_id: str) -> None:
        self._delete("removing our event", _path(calendar_id, external_id))

    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        body = {
            "changeType": "created,updated,deleted",
            "notificationUrl": address,
            "lifecycleNotificationUrl": address,
            "resource": f"{_path(calendar_id)}/events",
            "clientState": secret,
            "expirationDateTime": stamp(now() + WATCHED_FOR),
        }
        try:
            answer = self._wire.send(WATCHING, "POST", "/subscriptions", body=body)
        except Conflicting:
            # There may be one for the same resource only. The new secret is what counts, so the old one makes room.
            self._unwatch_all(str(body["resource"]))
            answer = self._wire.send(WATCHING, "POST", "/subscriptions", body=body)
        try:
            return Subscription(str(answer["id"]), datetime.fromisoformat(str(answer["expirationDateTime"])))
        except (KeyError, ValueError):
            raise Unreachable(f"{WATCHING}: no id, or no end") from None

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        self._delete(WATCHING, f"/subscriptions/{quote(external_id, safe='')}")

    def _read(self, item: Mapping[str, Any]) -> Event | None:
        try:
            return event_of(item, self._zone)
        except (KeyError, TypeError, ValueError):
            log.warning("an event of Graph has no readable times and is passed over")
            return None

    def _changed(self, calendar_id: str, item: Mapping[str, Any], masters: dict[str, Mapping[str, Any]]) -> Event | None:
        """A change as an event. The series itself is none; an occurrence comes without what it shares with its series."""
        if "@removed" in item:
            return Event(str(item["id"]), is_gone=True)
        if item.get("type") == "seriesMaster":
            return None
        master_id = item.get("seriesMasterId")
        if master_id and "showAs" not in item:
            if master_id not in masters:
                masters[master_id] = self._master(calendar_id, str(master_id))
            item = {**{name: masters[master_id][name] for name in OF_SERIES if name in masters[master_id]}, **item}
        return self._read(item)

    def _master(self, calendar_id: str, master_id: str) -> Mapping[str, Any]:
        try:
            return self._get(calendar_id, master_id)
        except Missing:  # gone meanwhile: its occurrences block until the next read says that they are gone, too
            return {}

    def _update(self, calendar_id: str, external_id: str, etag: str, booking: Booking) -> Written:
        """Bring our event up to date. A changed etag is a conflict only if the event now stands at another time than we want:
        it changes as well when our own lost write arrived, or when somebody dismissed a reminder."""
        path, body = _path(calendar_id, external_id), body_of(booking)
        try:
            return written_of(self._wire.send(WRITING, "PATCH", path, body=body, etag=etag))
        except Conflicting:
            item = self._get(calendar_id, external_id)
            if not stands_at(item, booking):
                raise
            return written_of(self._wire.send(WRITING, "PATCH", path, body=body, etag=str(item.get("@odata.etag") or "")))

    def _create(self, calendar_id: str, booking: Booking) -> Written:
        """Graph answers a repeated name with the event of the first attempt, which may have been for an earlier time."""
        for name in names_of(booking.chain):
            item = self._post(calendar_id, booking, name) or self._find(calendar_id, booking.chain)
            if item:
                break
        else:
            raise Unreachable(f"{WRITING}: neither made nor found")
        if not item.get("id"):
            raise Unreachable(f"{WRITING}: it came back without an id")
        written = written_of(item)
        return written if stands_at(item, booking) else self._update(calendar_id, written.external_id, written.etag, booking)

    def _post(self, calendar_id: str, booking: Booking, name: str) -> Mapping[str, Any] | None:
        try:
            return self._wire.send(WRITING, "POST", f"{_path(calendar_id)}/events", body={**body_of(booking), **identity_of(booking.chain, name)})
        except Conflicting:
            return None

    def _find(self, calendar_id: str, chain: UUID) -> Mapping[str, Any] | None:
        query = {"_filter": filter_of(chain), "_select": FIELDS}
        found = self._wire.send("looking for our event", "GET", f"{_path(calendar_id)}/events", **query).get("value")
        return found[0] if found else None

    def _get(self, calendar_id: str, external_id: str) -> Mapping[str, Any]:
        return self._wire.send("reading an event", "GET", _path(calendar_id, external_id), _select=FIELDS)

    def _delete(self, what: str, path: str) -> None:
        try:
            self._wire.send(what, "DELETE", path)
        except (Missing, Gone):
            return

    def _unwatch_all(self, resource: str) -> None:
        for page in self._wire.pages(WATCHING, "/subscriptions"):
            for item in page.get("value", []):
                if str(item.get("resource", "")).strip("/").casefold() == resource.strip("/").casefold():
                    self._delete(WATCHING, f"/subscriptions/{quote(str(item['id']), safe='')}")


def _path(calendar_id: str, event_id: str = "") -> str:
    path = f"/me/calendars/{quote(calendar_id, safe='')}"
    return f"{path}/events/{quote(event_id, safe='')}" if event_id else path
