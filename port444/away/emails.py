"""What one person is told about a due date that moved, in the app and by e-mail. Moments are worded in the reader's own zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from port444.kit.language import speaking_to
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
    client, due_at = order.client, order.due_at
    with speaking_to(client):
        about = {"name": span.builder.user.first_name, "days": days(span), "number": order.number}
        dates = {"title": order.title, "old": _when(before, client), "new": _when(due_at, client)}
        was = _("%(title)s was due %(old)s and is now due %(new)s.") % dates
        if due_at is not None and due_at < before:
            if span.cancelled_at:
                why = _("%(name)s will not be away.") % about
            elif span.returned_at:
                why = _("%(name)s is back sooner.") % about
            else:
                why = _("%(name)s is away %(days)s.") % about
            return Words(_("Order %(number)s is due earlier") % about, f"{why} {was}")
        said = " " + _("“%(text)s”") % {"text": span.message} if span.message else ""
        return Words(
            _("%(name)s is away %(days)s: order %(number)s is due later") % about,
            f"{was}{said} {_('If that does not work for you, say so on the page of the order.')}",
        )


def objected(move: DueMove) -> Words:
    """To the builder: the client's words, and what they can answer."""
    order = move.order
    builder = order.builder.user
    with speaking_to(builder):
        about = {"name": order.client.first_name, "number": order.number, "reason": move.objection, "until": _when(move.answer_by, builder)}
        return Words(
            _("%(name)s objects to the later date of order %(number)s") % about,
            _(
                "“%(reason)s” Keep the earlier date, or say that the later one stays: then %(name)s may cancel with everything back. "
                "Without an answer by %(until)s the later one stays."
            )
            % about,
        )


def kept(move: DueMove) -> Words:
    order = move.order
    with speaking_to(order.client):
        about = {"number": order.number, "title": order.title, "due": _when(order.due_at, order.client)}
        return Words(
            _("%(name)s keeps the earlier date") % {"name": order.builder.user.first_name},
            _("Order %(number)s, %(title)s, is due %(due)s, as before.") % about,
        )


def stands(move: DueMove, *, answered: bool) -> Words:
    order = move.order
    client = order.client
    with speaking_to(client):
        about = {"name": order.builder.user.first_name, "number": order.number}
        facts = {
            "title": order.title,
            "due": _when(order.due_at, client),
            "until": _when(order.exit_until, client),
            "total": usd(order.total),
        }
        return Words(
            _("%(name)s holds to the later date of order %(number)s") % about
            if answered
            else _("%(name)s did not answer: order %(number)s keeps the later date") % about,
            _(
                "%(title)s is due %(due)s. If that is too late, you may cancel until %(until)s: "
                "%(total)s goes back to you, service fee included. Otherwise the order goes on."
            )
            % facts,
        )
