"""The lines that being away leaves in conversations. Both sides read them: the days are the builder's, and no line names a moment."""

from __future__ import annotations

from datetime import date, timedelta

from port444.kit.templatetags.ui import city
from port444.orders.helm import days_words, span_words
from port444.orders.models import Order

from .models import Span

AWAY, BACK, OBJECTED, SETTLED = "tree-palm", "sun", "calendar-off", "calendar-check"


def day(on: date) -> str:
    return f"{on:%a} {on.day} {on:%b}"


def days(span: Span) -> str:
    """The days of `span`: "27 to 29 Nov", "27 Nov"."""
    first, last = span.first_on, span.last_on
    if first == last:
        return f"{last.day} {last:%b}"
    begin = f"{first.day}" if (first.year, first.month) == (last.year, last.month) else f"{first.day} {first:%b}"
    return f"{begin} to {last.day} {last:%b}"


def by(moved: timedelta) -> str:
    """How far, in words: "3 days", "5 h"."""
    seconds = abs(moved.total_seconds())
    whole = round(seconds / 86_400)
    return days_words(whole) if whole and abs(seconds - whole * 86_400) < 60 else span_words(seconds)


def away(span: Span) -> str:
    name, zone = span.builder.user.first_name, span.time_zone
    said = f" “{span.message}”" if span.message else ""
    return f"{name} is away {days(span)} ({city(zone)}).{said}"


def moved(order: Order, by_how_much: timedelta) -> str:
    way = "moves by" if by_how_much > timedelta(0) else "is earlier by"
    return f"The due date of order {order.number} {way} {by(by_how_much)}."


def back(span: Span, order: Order, by_how_much: timedelta) -> str:
    name = span.builder.user.first_name
    begin = f"{name} will not be away." if span.cancelled_at else f"{name} is back sooner."
    return f"{begin} {moved(order, by_how_much)}"


def objected(order: Order) -> str:
    return f"{order.client.first_name} objects to the later due date of order {order.number}."


def kept(order: Order) -> str:
    return f"{order.builder.user.first_name} keeps the earlier due date of order {order.number}."


def stands(order: Order, *, answered: bool) -> str:
    name, client = order.builder.user.first_name, order.client.first_name
    how = (
        f"{name} holds to the later due date of order {order.number}."
        if answered
        else f"The later due date of order {order.number} stays, as {name} did not answer."
    )
    return f"{how} {client} may cancel it with everything back."
