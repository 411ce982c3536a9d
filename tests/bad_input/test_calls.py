"""Booking a call, hours of calls, and the call itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from consultations.queries import open_starts
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.ids import uuid7

from .asking import BAD_MONEY, BAD_ZONES, NUL, Ask, World, faults, not_taken, slot

pytestmark = pytest.mark.django_db


def hold(**changes: Any) -> Ask:
    """The booking form, with something wrong in it."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        free = open_starts(world.builder, client_id=world.client_user.pk, minutes=30, moment=now())[60]
        form = {"minutes": 30, "tz": "Europe/Amsterdam", "slot": slot(free), "notes": "Hello", "client_key": str(uuid7())}
        wrong = {name: value(world) if callable(value) else value for name, value in changes.items()}
        return world.client_user, f"/b/{world.builder.slug}/call/hold/", form | wrong

    return ask


def hours(**changes: Any) -> Ask:
    form = {"enabled": "on", "price_30": "60.00", "h": ["0-18", "0-19"], "notice_hours": 4, "gap_minutes": 0, "horizon_days": 60, "time_zone": "UTC"}
    return lambda world: (world.builder.user, "/calls/availability/", form | changes)


def at_call(step: str, **form: Any) -> Ask:
    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        return world.builder.user, f"/calls/{world.call.pk}/{step}/", form

    return ask


def past(world: World) -> str:
    return slot((now() - timedelta(days=1)).replace(minute=0, second=0))


def off_the_grid(world: World) -> str:
    return slot(open_starts(world.builder, client_id=None, minutes=30, moment=now())[60] + timedelta(minutes=7))


BAD: dict[str, Ask] = {
    **{f"call price {text[:9]!r}": hours(price_30=text) for text in BAD_MONEY},
    **{f"zone of a call {zone[:9]!r}": hold(tz=zone) for zone in BAD_ZONES},
    **{f"zone of hours {zone[:9]!r}": hours(time_zone=zone) for zone in BAD_ZONES},
    "slot that is no date": hold(slot="tomorrow at ten"),
    "slot that is empty": hold(slot=""),
    "slot with an impossible date": hold(slot="2026-02-30T10:00:00Z"),
    "slot in the year 9999": hold(slot="9999-12-31T23:30:00Z"),
    "slot in the year 1": hold(slot="0001-01-01T00:00:00Z"),
    "slot in the past": hold(slot=past),
    "slot off the grid": hold(slot=off_the_grid),
    "slot with NUL": hold(slot="2026-12-01T10:00:00Z\x00"),
    "slot that is taken": hold(slot=lambda world: slot(world.call.scheduled_at)),
    "length of another builder": hold(minutes=15),
    "length that is no number": hold(minutes="half an hour"),
    "length nobody offers": hold(minutes=45),
    "key that is none": hold(client_key="1"),
    "notes with NUL": hold(notes=NUL),
    "notes too long": hold(notes="x" * 601),
    "hours outside the week": hours(h=["7-18"]),
    "hours that are none": hours(h=["x"]),
    "notice nobody offers": hours(notice_hours=-4),
    "cancelled call with NUL": at_call("cancel", reason=NUL),
    "notes of a call with NUL": at_call("complete", notes=NUL),
    "call that has not begun": at_call("complete", notes="Done"),
}

GOOD: dict[str, Ask] = {
    "hold": hold(),
    "hours": hours(),
    "cancel a call": at_call("cancel", reason="Ill"),
}


def test_calls_are_not_booked_offered_or_ended_badly(world: World) -> None:
    assert faults(world, BAD) == {}
    assert not_taken(world, GOOD) == []
