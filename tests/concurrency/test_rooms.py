"""Several workers make rooms at one moment: a call never has two meetings, and two calls never share a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from consultations import queries
from consultations.actions import make_room
from consultations.actions import meetings as actions
from consultations.meetings import OpenRoom
from consultations.meetings.zoom import ZoomClient
from consultations.models import Consultation, MeetingRoom
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.messaging.actions import open_conversation
from tests.fakes.zoom import FakeZoom

from .test_booking import crowd, rush, sell, tomorrow_noon

__all__ = ["crowd", "sell"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 8


@pytest.fixture
def zoom(settings: Any) -> Iterator[FakeZoom]:
    with FakeZoom([f"calls{n}@platform.example" for n in range(WORKERS)]) as fake:
        for name, value in fake.settings.items():
            setattr(settings, name, value)
        # A token at hand: whoever asks for one ends everybody else's, and then some rooms wait for their next turn.
        ZoomClient().close(OpenRoom("", "0"))
        yield fake


def call_at_noon(builder: Builder, client: User) -> MeetingRoom:
    """A paid call whose room is wanted."""
    key, noon = uuid4(), tomorrow_noon()
    call = Consultation.objects.create(
        id=key,
        chain=key,
        builder=builder,
        client=client,
        conversation=open_conversation(client, builder.user, actor=client),
        duration=30,
        price=Decimal(40),
        client_fee=Decimal(0),
        builder_fee_bps=0,
        scheduled_at=noon,
        ends_at=noon + timedelta(minutes=30),
        client_zone="UTC",
        builder_zone="UTC",
        status="scheduled",
        paid_at=now(),
        meeting_provider="zoom",
    )
    return MeetingRoom.objects.create(chain=key, consultation=call, provider="zoom")


def test_one_room_whoever_makes_it(zoom: FakeZoom, sell: Callable[[str], Builder], crowd: list[User]) -> None:
    room = call_at_noon(sell("anaya"), crowd[0])
    assert set(rush([lambda: make_room(room.pk)] * WORKERS)) == {"won"}
    room.refresh_from_db()
    assert (room.status, len(zoom.meetings)) == ("ready", 1)


def hosts_of(rooms: list[MeetingRoom]) -> list[str]:
    assert set(rush([lambda room=room: make_room(room.pk) for room in rooms])) == {"won"}  # type: ignore[misc]  # bound now, not later
    return sorted(MeetingRoom.objects.values_list("host", flat=True))


def test_calls_at_one_time_get_a_host_each(zoom: FakeZoom, sell: Callable[[str], Builder], crowd: list[User]) -> None:
    rooms = [call_at_noon(sell(f"builder{n}"), crowd[n]) for n in range(WORKERS)]
    assert hosts_of(rooms) == sorted(zoom.hosts)


def test_a_host_who_refuses_sends_nobody_to_a_taken_one(zoom: FakeZoom, sell: Callable[[str], Builder], crowd: list[User]) -> None:
    """Only the first choice is reserved: who has to take another host must not end where somebody else already is."""
    gone = zoom.hosts.pop(0)
    rooms = [call_at_noon(sell(f"builder{n}"), crowd[n]) for n in range(WORKERS - 1)]
    hosts_of(rooms)
    for room in rooms:
        make_room(room.pk)  # whoever met somebody is due again at once
    settled = MeetingRoom.objects.filter(status="ready").values_list("host", flat=True)
    assert sorted(settled) == sorted(zoom.hosts)
    assert gone not in settled


def test_without_the_lock_they_meet_at_one_host(
    zoom: FakeZoom, sell: Callable[[str], Builder], crowd: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the lock is for: the same crowd, choosing without it."""

    def choose(room: MeetingRoom, call: Consultation) -> list[str]:
        hosts = queries.free_hosts(call, but=room)
        room.host = hosts[0]
        return hosts

    monkeypatch.setattr(actions, "_reserve_host", choose)
    rooms = [call_at_noon(sell(f"builder{n}"), crowd[n]) for n in range(WORKERS)]
    assert len(set(hosts_of(rooms))) < WORKERS
