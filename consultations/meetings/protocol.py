"""What every meeting provider's client can do, and the words in which it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class MeetingError(Exception):
    """The provider did not do it. The text holds no secret."""


class TryLater(MeetingError):
    """No answer, a fault, or a limit: try again after `seconds`."""

    def __init__(self, text: str, seconds: float = 60) -> None:
        super().__init__(text)
        self.seconds = seconds


class NotAvailable(MeetingError):
    """It will not work without somebody's help: not set up, refused, or a limit for the day. The builder's own link stands in."""


class FullToday(NotAvailable):
    """The provider makes no more rooms today; its day begins anew at midnight UTC."""


@dataclass(frozen=True, slots=True)
class RoomWish:
    """The room that a call needs."""

    chain: UUID
    consultation: UUID
    title: str
    starts_at: datetime
    ends_at: datetime
    attendee_name: str
    attendee_zone: str


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A room. `host` is the provider's user in whose name it is."""

    url: str
    external_id: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody in the room, as the provider saw it. `external_id` names the session; `left_at` is None while it lasts."""

    external_id: str
    name: str
    email: str
    joined_at: datetime
    left_at: datetime | None


class MeetingClient(Protocol):
    """Every call may raise a MeetingError and takes at most a few seconds."""

    def open(self, wish: RoomWish) -> OpenRoom:
        """Make the room. After an unknown outcome the same wish must find the room that exists instead of making a second."""

    def find(self, wish: RoomWish) -> OpenRoom | None:
        """The room that an earlier request made for the wish, although its answer never came."""

    def move(self, room: OpenRoom, wish: RoomWish) -> OpenRoom:
        """The room at the wish's time; a provider may answer with another room."""

    def close(self, room: OpenRoom) -> None:
        """Take the room away. Gone already is fine."""

    def host_url(self, room: OpenRoom) -> str:
        """The address by which the host starts it, made now because it does not last; empty where there is none."""

    def presence(self, room: OpenRoom) -> Sequence[Presence]:
        """Who was there, after the call; empty where the provider does not say."""
