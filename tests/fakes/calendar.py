"""A calendar provider in memory: one account with calendars that remember, change and fail as they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from consultations.calendars import Booking, Calendar, Changes, Conflicting, Connection, Event, Gone, Room, Subscription, Written


@dataclass
class FakeAccount:
    """What lies at the provider. `log` holds (version, calendar, event id); a token is the version that was read last."""

    calendars: list[Calendar] = field(default_factory=lambda: [Calendar("main", "Work", is_primary=True), Calendar("team", "Team", can_write=False)])
    events: dict[tuple[str, str], Event] = field(default_factory=dict)
    bookings: dict[tuple[str, str], Booking] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    forgotten: int = 0  # tokens up to here are gone
    asked: list[str] = field(default_factory=list)
    channels: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # id: calendar, secret, address
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda name: None
    after: Callable[[str], None] = lambda name: None
    room: Room | None = None
    room_pending: bool = False
    counter: int = 0

    def put(
        self, external_id: str, starts_at: datetime | None = None, ends_at: datetime | None = None, *, calendar: str = "main", **facts: Any
    ) -> Event:
        """Somebody writes or changes an event at the provider."""
        self.counter += 1
        old = self.events.get((calendar, external_id))
        event = replace(old, **facts) if old else Event(external_id, starts_at, ends_at, **facts)
        if starts_at is not None:
            event = replace(event, starts_at=starts_at, ends_at=ends_at or starts_at + timedelta(minutes=30))
        event = replace(event, etag=f"e{self.counter}", is_gone=False)
        self.events[calendar, external_id] = event
        self.log.append((calendar, external_id))
        return event

    def drop(self, external_id: str, *, calendar: str = "main") -> None:
        self.events[calendar, external_id] = Event(external_id, is_gone=True)
        self.log.append((calendar, external_id))

    def live(self, calendar: str = "main") -> list[Event]:
        return [event for (name, _), event in self.events.items() if name == calendar and not event.is_gone]

    def of(self, chain: UUID) -> list[Event]:
        return [event for event in self.events.values() if event.chain == chain and not event.is_gone]

    def fail(self, name: str, *errors: Exception) -> None:
        self.errors.setdefault(name, []).extend(errors)


class FakeClient:
    """The protocol over a FakeAccount, with ids made from the chain as real clients make them."""

    def __init__(self, account: FakeAccount, keep: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.account, self.keep = account, keep

    def _do(self, name: str) -> None:
        self.account.asked.append(name)
        self.account.before(name)
        waiting = self.account.errors.get(name)
        if waiting:
            raise waiting.pop(0)

    def calendars(self) -> Sequence[Calendar]:
        self._do("calendars")
        return self.account.calendars

    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        self._do("busy")
        events = [event for name in calendar_ids for event in self.account.live(name) if event.is_busy]
        return [(e.starts_at, e.ends_at) for e in events if e.starts_at and e.ends_at and e.starts_at < until and e.ends_at > since]

    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        self._do("changes")
        log = self.account.log
        if token and int(token) < self.account.forgotten:
            raise Gone("too old")
        if token:
            ids = dict.fromkeys(key for key in log[int(token) :] if key[0] == calendar_id)
            found = Changes([self.account.events[key] for key in ids], str(len(log)), is_full=False)
        else:
            inside = [e for e in self.account.live(calendar_id) if e.starts_at and e.ends_at and e.starts_at < until and e.ends_at > since]
            found = Changes(inside, str(len(log)), is_full=True)
        self.account.after("changes")
        return found

    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        self._do("write")
        external_id = f"p444{booking.chain.hex}"
        old = self.account.events.get((calendar_id, external_id))
        if known is not None and old is not None and not old.is_gone and known.etag and known.etag != old.etag:
            raise Conflicting("changed outside")
        event = self.account.put(external_id, booking.starts_at, booking.ends_at, calendar=calendar_id, chain=booking.chain)
        self.account.bookings[calendar_id, external_id] = booking
        self.account.after("write")
        room = self.account.room if booking.wants_room else None
        return Written(external_id, event.etag, room, booking.wants_room and self.account.room_pending)

    def fetch(self, calendar_id: str, external_id: str) -> Written:
        self._do("fetch")
        return Written(external_id, self.account.events[calendar_id, external_id].etag, self.account.room)

    def remove(self, calendar_id: str, external_id: str) -> None:
        self._do("remove")
        if (calendar_id, external_id) in self.account.events:
            self.account.drop(external_id, calendar=calendar_id)
        self.account.after("remove")

    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        self._do("watch")
        self.account.channels[channel_id] = (calendar_id, secret, address)
        self.account.after("watch")
        return Subscription(f"sub-{channel_id}", datetime(2026, 11, 30, 3, 0, tzinfo=UTC))

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        self._do("unwatch")
        self.account.channels.pop(channel_id, None)


class FakeProvider:
    """Stands in for a provider's module."""

    def __init__(self, account: FakeAccount | None = None, name: str = "anaya@example.com") -> None:
        self.account, self.name = account or FakeAccount(), name
        self.connects: list[tuple[Any, ...]] = []

    def client(self, credentials: dict[str, Any], keep: Callable[[dict[str, Any]], None]) -> FakeClient:
        assert credentials, "no credentials"
        return FakeClient(self.account, keep)

    def authorize_url(self, state: str, redirect_uri: str, verifier: str) -> str:
        return f"https://provider.example/authorize?state={state}&redirect_uri={redirect_uri}"

    def connect(self, *given: Any) -> Connection:
        self.connects.append(given)
        waiting = self.account.errors.get("connect")
        if waiting:
            raise waiting.pop(0)
        return Connection(self.name, {"token": "t0p-secret"}, self.account.calendars)
