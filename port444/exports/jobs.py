from __future__ import annotations

from uuid import UUID

from port444.kit.clock import now
from port444.kit.jobs import drain

from . import actions

BATCH = 50


def remove_file(name: str) -> None:
    """Remove the bytes of a file of somebody who was made nameless, or of a copy whose days are over."""
    actions.remove_file(name)


def make_copy(copy_id: str) -> None:
    """Make the copy that somebody asked for of what is held of them."""
    actions.make_copy(UUID(copy_id))


def tidy() -> int:
    """Delete copies whose days are over, hand lost ones to the queue again, and close accounts whose day has come."""
    return drain(actions.remove_copies_batch, BATCH) + actions.make_lost_copies(now(), BATCH) + actions.close_due(now(), BATCH)
