"""What every calendar provider's client can do, and the words in which it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class CalendarError(Exception):
    """The provider did not do it. The text is for logs and health pages; it holds no secret."""


class NotConnected(CalendarError):
    """The token or password is refused: only the builder can mend it, by connecting again."""


class Unreachable(CalendarError):
    """No answer, a broken one, or a fault at the provider: try again later."""


class Limited(Unreachable):
    """Too many requests. `seconds` to wait, as the provider says, or its usual window."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class Refused(CalendarError):
    """The provider understood and will not: not allowed, not found, not valid. Trying again changes nothing."""


class Gone(CalendarError):
    """The sync token is no longer good: read everything anew."""


class Conflicting(CalendarError):
    """The event was changed outside since it was last read."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar of an account."""

    external_id: str
    name: str
    time_zone: str = ""
    is_primary: bool = False
    can_write: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the provider has it, expanded: a recurring one is one Event for each occurrence. Times are aware UTC.

    `chain` names the call whose copy it is, None for everybody else's. With `is_gone` only the id is known.
    """

    external_id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_busy: bool = True
    is_all_day: bool = False
    is_gone: bool = False
    etag: str = ""
    chain: UUID | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since a token. `is_full`: these are all events of the window, and what is not among them is gone."""

    events: Sequence[Event]
    token: str
    is_full: bool


@dataclass(frozen=True, slots=True)
class Booking:
    """A call as it should stand in a calendar. `location` is our own join address; `wants_room` asks Google for a Meet room."""

    chain: UUID
    consultation: UUID
    sequence: int
    starts_at: datetime
    ends_at: datetime
    title: str
    description: str
    location: str
    attendee_name: str = ""
    attendee_zone: str = "UTC"
    wants_room: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """A room that came with an event."""

    url: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Written:
    """Our event after writing. `room_pending`: the provider is still making the room; `fetch` it later."""

    external_id: str
    etag: str = ""
    room: Room | None = None
    room_pending: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """A provider's promise to post changes until `expires_at` (None: until it is taken back)."""

    external_id: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Connection:
    """What a successful sign-in at a provider gives: whose account it is, what opens it, and its calendars."""

    account: str
    credentials: dict[str, Any]
    calendars: Sequence[Calendar]


class CalendarClient(Protocol):
    """One connected account. Every call may raise a CalendarError and takes at most a few seconds.

    Credentials that the provider renews on the way are handed to the `keep` function which the client was made with.
    """

    def calendars(self) -> Sequence[Calendar]:
        """The account's calendars."""

    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        """The busy spans of these calendars now, from the provider itself. Our own copies are among them."""

    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        """Everything in the window with an empty token, else what has changed since. Raises Gone when the token is too old."""

    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        """Create the event of the booking's chain, or bring `known` up to date. Again is harmless: ids are made from the chain.

        Raises Conflicting when `known` has another etag outside.
        """

    def fetch(self, calendar_id: str, external_id: str) -> Written:
        """Our event as it is now, for a room that was pending."""

    def remove(self, calendar_id: str, external_id: str) -> None:
        """Delete our event. One that is gone already is fine."""

    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        """Ask to be told of changes at `address`; None where the provider cannot."""

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        """Take that back. Gone already is fine."""
