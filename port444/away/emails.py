"""What one person is told about a due date that moved, in the app and by e-mail. Moments are worded in the reader's own zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from port444.kit.money import usd
from port444.kit.templatetags.ui import city
from port444.orders.emails import Words
from port444.orders.helm import moment_words

from .models import DueMove, Span
from .notices import days


def _when(at: datetime | None, reader: Any) -> str:
    return f"{moment_words(at, reader.time_zone)} ({city(reader.time_zone)})"


def moved(span: Span, move: DueMove, before: datetime) -> Words:
    """To the client: the old date and the new one."""
    order = move.order
    client, name, due_at = order.client, span.builder.user.first_name, order.due_at
    old, new = _when(before, client), _when(due_at, client)
    if due_at is not None and due_at < before:
        why = f"{name} will not be away" if span.cancelled_at else f"{name} is back sooner" if span.returned_at else f"{name} is away {days(span)}"
        return Words(f"Order {order.number} is due earlier", f"{why}. {order.title} was due {old} and is now due {new}.")
    said = f" “{span.message}”" if span.message else ""
    return Words(
        f"{name} is away {days(span)}: order {order.number} is due later",
        f"{order.title} was due {old} and is now due {new}.{said} If that does not work for you, say so on the page of the order.",
    )


def objected(move: DueMove) -> Words:
    """To the builder: the client's words, and what they can answer."""
    order = move.order
    name = order.client.first_name
    return Words(
        f"{name} objects to the later date of order {order.number}",
        f"“{move.objection}” Keep the earlier date, or say that the later one stays: then {name} may cancel with everything back. "
        f"Without an answer by {_when(move.answer_by, order.builder.user)} the later one stays.",
    )


def kept(move: DueMove) -> Words:
    order = move.order
    name = order.builder.user.first_name
    return Words(f"{name} keeps the earlier date", f"Order {order.number}, {order.title}, is due {_when(order.due_at, order.client)}, as before.")


def stands(move: DueMove, *, answered: bool) -> Words:
    order = move.order
    name, client = order.builder.user.first_name, order.client
    return Words(
        f"{name} holds to the later date of order {order.number}"
        if answered
        else f"{name} did not answer: order {order.number} keeps the later date",
        f"{order.title} is due {_when(order.due_at, client)}. If that is too late, you may cancel until {_when(order.exit_until, client)}: "
        f"{usd(order.total)} goes back to you, service fee included. Otherwise the order goes on.",
    )
