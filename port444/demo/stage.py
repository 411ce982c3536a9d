"""Tells many scenes at once, in the order in which all of it happened.

A scene is a generator: it yields the moment before each of its steps, and does the step with the clock at that moment. People have
one conversation for all that is between them, and its messages never move back in time, so no scene can be told to its end before
the next begins.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heapreplace
from random import Random

from port444.kit import clock

type Steps[T] = Generator[datetime, None, T]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Stage:
    """What a scene is told with: the present moment, and chances of its own, which do not depend on what else is told meanwhile."""

    today: datetime
    random: Random

    def minutes(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.random.randint(least, most))


def play(scenes: Iterable[Steps[object]]) -> None:
    """Take the step whose moment is the earliest until all scenes are over; of equals, that of the scene named first.

    The clock never goes back: a step whose moment has passed is taken at once.
    """
    waiting = [(first, number, scene) for number, scene in enumerate(scenes) if (first := next(scene, None))]
    heapify(waiting)
    while waiting:
        moment, number, scene = waiting[0]
        with clock.at(moment):
            following = next(scene, None)
        if following is None:
            heappop(waiting)
        else:
            heapreplace(waiting, (max(following, moment), number, scene))
