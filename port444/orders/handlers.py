"""What the apps above do when an order ends: they register here, from their `apps.py`, and orders calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .models import Order

BeforeEnd = Callable[[Order, Any | None], None]

_before_end: list[BeforeEnd] = []


def before_end(call: BeforeEnd) -> None:
    """Call `call(order, actor)` before an order is completed or cancelled, in its transaction and under its lock.

    It closes what is still open around the order, or raises WrongState when the order cannot end just now.
    """
    _before_end.append(call)


def ending(order: Order, actor: Any | None) -> None:
    """Tell whoever registered that the order ends."""
    for call in _before_end:
        call(order, actor)
