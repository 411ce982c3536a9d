"""Scenes are told all at once, in the order of their moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from port444.demo.stage import Steps, play
from port444.kit import clock

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_earliest_step_comes_next_and_time_never_goes_back() -> None:
    told: list[tuple[str, int]] = []

    def scene(name: str, *hours: int) -> Steps[None]:
        for hour in hours:
            yield from step(name, hour)

    def step(name: str, hour: int) -> Steps[None]:
        yield BEGIN + timedelta(hours=hour)
        told.append((name, (clock.now() - BEGIN) // timedelta(hours=1)))

    play([scene("long", 1, 5, 9), scene("short", 2, 5), scene("nothing"), scene("back", 6, 3, 7)])
    assert told == [("long", 1), ("short", 2), ("long", 5), ("short", 5), ("back", 6), ("back", 6), ("back", 7), ("long", 9)]
