"""The lines that being away leaves in conversations. Both sides read them: the days are the builder's, and no line names a moment."""

from __future__ import annotations

from datetime import timedelta

from port444.kit.sentences import Day, Said, say, say_many
from port444.kit.templatetags.ui import city
from port444.orders.helm import span_words
from port444.orders.models import Order

from .models import Span

AWAY, BACK, OBJECTED, SETTLED = "tree-palm", "sun", "calendar-off", "calendar-check"


def days(span: Span) -> Said:
    """The days of `span`: "27 to 29 Nov", "27 Nov"."""
    first, last = span.first_on, Day(span.last_on, "j M")
    if first == span.last_on:
        return say("%(on)s", on=last)
    if (first.year, first.month) == (last.on.year, last.on.month):
        return say("%(day)s to %(last)s", day=first.day, last=last)
    return say("%(first)s to %(last)s", first=Day(first, "j M"), last=last)


def by(moved: timedelta) -> Said:
    """How far, in words: "3 days", "5 h"."""
    seconds = abs(moved.total_seconds())
    whole = round(seconds / 86_400)
    if whole and abs(seconds - whole * 86_400) < 60:
        return say_many("%(number)s day", "%(number)s days", whole)
    if seconds >= 48 * 3600:
        return say_many("%(number)s day", "%(number)s days", int(seconds // 60 + 12 * 60) // (24 * 60))
    return say("%(time)s", time=span_words(seconds))


def away(span: Span) -> Said:
    name, place = span.builder.user.first_name, city(span.time_zone)
    if span.message:
        return say("%(name)s is away %(days)s (%(city)s). “%(message)s”", name=name, days=days(span), city=place, message=span.message)
    return say("%(name)s is away %(days)s (%(city)s).", name=name, days=days(span), city=place)


def both(one: Said, other: Said) -> Said:
    """Two sentences in one line."""
    return say("%(one)s %(other)s", one=one, other=other)


def stays(order: Order) -> Said:
    return say("The due date of order %(number)s stays.", number=str(order.number))


def moved(order: Order, by_how_much: timedelta) -> Said:
    number, span = str(order.number), by(by_how_much)
    if by_how_much > timedelta(0):
        return say("The due date of order %(number)s moves by %(span)s.", number=number, span=span)
    return say("The due date of order %(number)s is earlier by %(span)s.", number=number, span=span)


def back(span: Span, order: Order, by_how_much: timedelta) -> Said:
    name = span.builder.user.first_name
    begin = say("%(name)s will not be away.", name=name) if span.cancelled_at else say("%(name)s is back sooner.", name=name)
    return both(begin, moved(order, by_how_much))


def objected(order: Order) -> Said:
    return say("%(client)s objects to the later due date of order %(number)s.", client=order.client.first_name, number=str(order.number))


def kept(order: Order) -> Said:
    return say("%(builder)s keeps the earlier due date of order %(number)s.", builder=order.builder.user.first_name, number=str(order.number))


def stands(order: Order, *, answered: bool) -> Said:
    builder, number = order.builder.user.first_name, str(order.number)
    how = (
        say("%(builder)s holds to the later due date of order %(number)s.", builder=builder, number=number)
        if answered
        else say("The later due date of order %(number)s stays, as %(builder)s did not answer.", builder=builder, number=number)
    )
    return both(how, say("%(client)s may cancel it with everything back.", client=order.client.first_name))
